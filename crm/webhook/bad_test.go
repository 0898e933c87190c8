package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/crm"
	"vpbx/internal/simnet"
	"vpbx/pbx"
	"vpbx/store"
)

// bad are ways to answer badly, to questions and to events.
var bad = map[string]http.HandlerFunc{
	"late": func(w http.ResponseWriter, r *http.Request) {
		wait(r, time.Minute)
		io.WriteString(w, `{"data":[{"owner":"101"}]}`)
	},
	"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
	"redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://10.0.0.9/", http.StatusFound)
	},
	"closes":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"busy":         func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "60"); w.WriteHeader(429) },
	"unauthorized": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
	"deadline":     func(w http.ResponseWriter, r *http.Request) { wait(r, 10*time.Second+time.Millisecond) },
	"drips": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", strings.Repeat("x", 20<<10)) // a header that is too large
	},
}

// worse are answers that are bad to a question only: an event is taken with them.
var worse = map[string]http.HandlerFunc{
	"page":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `<html>fine</html>`) },
	"empty": func(http.ResponseWriter, *http.Request) {},
	"10 MB": func(w http.ResponseWriter, _ *http.Request) {
		for range 10 << 10 {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<10)); err != nil {
				return
			}
		}
	},
}

// wait waits, or for the end of the request.
func wait(r *http.Request, d time.Duration) {
	_, _ = io.ReadAll(r.Body) // the server notices a gone client only behind the body
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// TestBadCRMLookup: whatever a CRM answers to a question, there is an answer in
// time, and it says what was wrong.
func TestBadCRMLookup(t *testing.T) {
	want := map[string]string{"late": "timeout", "deadline": "timeout", "closes": "error", "drips": "error"}
	for _, set := range []map[string]http.HandlerFunc{bad, worse} {
		for name, h := range set {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(simnet.Options{})
				defer serve(t, n, nil, h)()
				c := New(Options{Dial: n.Host("93.184.216.1").Dial})
				defer c.Close()
				l, err := crm.NewLookup(crm.Options{Connectors: map[string]crm.Connector{"webhook": c}, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				began := time.Now()
				contact, lookup := l.Owner(t.Context(), company("http://"+crmIP), "+79160000001", "+74950000000", "c")
				result := want[name]
				if result == "" {
					result = "bad_answer"
				}
				if lookup.Result != result || contact != (pbx.Contact{}) || time.Since(began) > 700*time.Millisecond {
					t.Errorf("%s: %+v, %+v after %v", name, contact, lookup, time.Since(began))
				}
			})
		}
	}
}

// TestBadCRMDelivery: ten minutes of each bad behaviour cost a bounded number of
// requests and no event; the events come in order when the CRM is well again.
func TestBadCRMDelivery(t *testing.T) {
	for name, h := range bad {
		synctest.Test(t, func(t *testing.T) { badDelivery(t, name, h) })
	}
	for name, h := range worse {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(simnet.Options{})
			defer serve(t, n, nil, h)()
			c := New(Options{Dial: n.Host("93.184.216.1").Dial})
			defer c.Close()
			if err := c.Deliver(t.Context(), company("http://"+crmIP), &pbx.Notification{Kind: pbx.NotifyArrived}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func badDelivery(t *testing.T, name string, h http.HandlerFunc) {
	n := simnet.New(simnet.Options{})
	well := time.Now().Add(10 * time.Minute)
	var mu sync.Mutex
	tries, seen := 0, map[string][]int{}
	defer serve(t, n, nil, func(w http.ResponseWriter, r *http.Request) {
		if time.Now().Before(well) {
			mu.Lock()
			tries++
			mu.Unlock()
			h(w, r)
			return
		}
		var e pbx.Notification
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[string(e.Call)] = append(seen[string(e.Call)], e.Seq)
	})()
	c := New(Options{Dial: n.Host("93.184.216.1").Dial})
	defer c.Close()
	d, err := crm.NewDeliverer(crm.Options{Connectors: map[string]crm.Connector{"webhook": c}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Node: "n", Queued: d.Wake})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d.Start(s, s.Directory)
	defer d.Close()
	if err := s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return company("http://" + crmIP), nil }); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		at, cause := time.Now(), pbx.NewCause(pbx.PartyCaller, pbx.Hangup)
		trace := []pbx.CallEvent{{At: at, Kind: pbx.Arrived, Direction: pbx.In, Trunk: "t"}, {At: at, Kind: pbx.Ended, Cause: &cause}}
		if err := s.SaveCall(t.Context(), "acme", pbx.Summarize("acme", pbx.CallID(fmt.Sprint("c", i)), trace), trace); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
	}
	time.Sleep(time.Until(well.Add(10 * time.Minute)))
	mu.Lock()
	defer mu.Unlock()
	if tries < 5 || tries > 40 {
		t.Errorf("%s: %d tries in ten minutes", name, tries)
	}
	for i := range 30 {
		if got := seen[fmt.Sprint("c", i)]; !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("%s: call %d was told as %v", name, i, got)
		}
	}
}
