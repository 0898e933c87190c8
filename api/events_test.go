package api

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/events"
	"vpbx/pbx"
)

func (r *rig) happen(t pbx.TenantID, who string) {
	e := pbx.Live{Tenant: t, Call: "1", CallEvent: pbx.CallEvent{At: time.Now(), Kind: pbx.Ringing, Who: who}}
	r.c.Bus.Publish(events.Event{Tenant: t, Kind: "call.ringing", At: e.At, Body: e})
}

const eventsPath = "/api/v1/tenants/acme/events"

func open(t *testing.T, c *http.Client, header ...string) *bufio.Reader {
	t.Helper()
	res := get(t, c, eventsPath, header...)
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	in := bufio.NewReader(res.Body)
	expect(t, in, "retry: 3000")
	return in
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c, _ := r.serve()
		in := open(t, c)
		r.happen("other", "666")
		r.happen("acme", "101")
		r.c.Bus.Publish(events.Event{Tenant: "acme", Kind: "registration.added", Body: pbx.Binding{Extension: "102"}})
		first := readEvent(in)
		if !strings.Contains(first, `|event: call.ringing|data: {"tenant":"acme","call":"1","at":"2000-01-01T03:00:00+03:00","kind":"ringing","who":"101"}`) {
			t.Fatal(first)
		}
		expect(t, in, `event: registration.added|data: {"tenant":"","extension":"102"`)

		// A quiet stream gives a sign of life, for hours.
		began := time.Now()
		for range 500 {
			expect(t, in, ":")
		}
		if took := time.Since(began); took != 500*heartbeat {
			t.Errorf("500 heartbeats in %s", took)
		}

		// Who comes back goes on where the stream broke off.
		id, _, _ := strings.Cut(strings.TrimPrefix(first, "id: "), "|")
		again := open(t, c, "Last-Event-ID", id)
		expect(t, again, `"extension":"102"`)
		// Who comes back too late is told so.
		late := open(t, c, "Last-Event-ID", "1")
		expect(t, late, `event: missed|data: {"missed":0}`, `"who":"101"`, `"extension":"102"`)

		// The streams end with the server.
		began = time.Now()
		var wg sync.WaitGroup
		for _, stream := range []*bufio.Reader{in, again, late} {
			wg.Go(func() {
				if rest, err := io.ReadAll(stream); err != nil {
					t.Errorf("the end of a stream: %q, %v", rest, err)
				}
			})
		}
		r.check(r.Server.Close())
		wg.Wait()
		if took := time.Since(began); took >= farewell {
			t.Errorf("Close took %s", took)
		}
	})
}

func TestBadLastEventID(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"x", "-1", "99999999999999999999"} {
		if p := r.ask("GET", eventsPath, acmeToken, nil, "Last-Event-ID", id).want(t, 400); p.Field != "Last-Event-ID" {
			t.Errorf("%q: %+v", id, p)
		}
	}
}

// TestSlowSubscriber: a client that reads too slowly is told how many events
// it missed, and the publisher never waits for it.
func TestSlowSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c, _ := r.serve()
		in := open(t, c)
		const all = 2000
		for i := range all {
			r.happen("acme", fmt.Sprint(i))
		}
		got, missed := 0, 0
		for got+missed < all {
			e := readEvent(in)
			if _, n, ok := strings.Cut(e, `event: missed|data: {"missed":`); ok {
				var k int
				if _, err := fmt.Sscanf(n, "%d}", &k); err != nil {
					t.Fatal(e, err)
				}
				missed += k
				continue
			}
			got++
		}
		if missed == 0 || got+missed != all {
			t.Errorf("%d came, %d are said to be missed", got, missed)
		}
	})
}

// TestStreamsThatMustEnd: a stream ends soon after its token is taken back or
// its company is removed.
func TestStreamsThatMustEnd(t *testing.T) {
	for name, do := range map[string]func(r *rig) error{
		"token":   func(r *rig) error { return r.store.DropToken(r.t.Context(), HashToken(acmeToken)) },
		"company": func(r *rig) error { return r.store.UpdateCompany(r.t.Context(), "acme", noMore) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				c, _ := r.serve()
				in := open(t, c)
				r.check(do(r))
				began := time.Now()
				for readEvent(in) != "" {
				}
				if took := time.Since(began); took > tokenTrusted+heartbeat {
					t.Errorf("the stream went on for %s", took)
				}
				if strings.Contains(r.log.String(), "panic") {
					t.Error(r.log)
				}
			})
		})
	}
}

// TestBusyStreamsMustEnd: so does one on which something happens all the time.
func TestBusyStreamsMustEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c, _ := r.serve()
		in := open(t, c)
		r.check(r.store.DropToken(r.t.Context(), HashToken(acmeToken)))
		began := time.Now()
		for {
			r.happen("acme", "101")
			if readEvent(in) == "" {
				break
			}
			if time.Since(began) > tokenTrusted+2*heartbeat {
				t.Fatal("events still come for a token that was taken back")
			}
			time.Sleep(time.Second)
		}
	})
}

func noMore(*pbx.Company) (*pbx.Company, error) { return nil, nil }

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c, _ := r.serve()
		for range maxTenantStreams {
			open(t, c)
		}
		res := get(t, c, eventsPath)
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 429 || res.Header.Get("Retry-After") != "3" {
			t.Fatalf("%d %s %v", res.StatusCode, body, err)
		}
		r.check(r.streams.enter("other"))
		r.streams.leave("other")
		r.check(r.Server.Close())
		synctest.Wait()
		if n := r.streams.count(); n != 0 {
			t.Errorf("%d streams are counted after the last one ended", n)
		}
	})
}
