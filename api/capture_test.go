package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
)

// capture is a SIP side that has one message for whoever looks, and room for two.
func (r *rig) capture(t pbx.TenantID, extension string) (<-chan pbx.Packet, func(), error) {
	if r.captures.Add(1) > 2 {
		r.captures.Add(-1)
		return nil, nil, &pbx.Error{Kind: pbx.Limit, Msg: "too many captures are running"}
	}
	packets := make(chan pbx.Packet, 1)
	packets <- pbx.Packet{At: time.Now(), Transport: "udp", From: netip.MustParseAddrPort("192.0.2.7:5060"),
		To: netip.MustParseAddrPort("192.0.2.1:5060"), Data: []byte("OPTIONS " + string(t) + "/" + extension + " SIP/2.0\r\n\r\n")}
	return packets, func() { r.captures.Add(-1) }, nil
}

// frames gives the payloads of a capture file with messages over UDP and IPv4.
func frames(t *testing.T, file []byte) []string {
	t.Helper()
	if len(file) < 24 || binary.LittleEndian.Uint32(file) != 0xa1b2c3d4 {
		t.Fatalf("not a capture file: %q", file)
	}
	var all []string
	for b := file[24:]; len(b) > 0; {
		size := int(binary.LittleEndian.Uint32(b[8:]))
		if size > len(b)-16 {
			t.Fatalf("a frame of %d bytes in %d", size, len(b))
		}
		all = append(all, string(b[16+42:16+size]))
		b = b[16+size:]
	}
	return all
}

func TestCallPcap(t *testing.T) {
	r := newRig(t)
	live, err := r.live.Originate(t.Context(), pbx.Originate{Tenant: "acme", From: "101", To: "102"})
	r.check(err)
	a := r.ask("GET", callsOf("acme")+string(live)+"/pcap", acmeToken, nil)
	a.want(t, 200)
	if got := frames(t, a.body); len(got) != 1 || got[0] != "INVITE sip:102@acme.test SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n" {
		t.Errorf("of a live call: %q", got)
	}
	if a.Header.Get("Content-Type") != pcapType || a.Header.Get("Content-Disposition") != "attachment; filename="+string(live)+".pcap" {
		t.Errorf("headers %v", a.Header)
	}

	c := r.saveCall(time.Now(), "101", "102")
	a = r.ask("GET", callsOf("acme")+string(c.ID)+"/pcap", acmeToken, nil)
	a.want(t, 200)
	if got := frames(t, a.body); len(got) != 0 {
		t.Errorf("of a call without a ladder: %q", got)
	}
	for _, id := range []string{string(c.ID), string(live), "nothing"} {
		r.ask("GET", callsOf("other")+id+"/pcap", otherToken, nil).want(t, 404)
		r.ask("GET", callsOf("acme")+id+"/pcap", otherToken, nil).want(t, 404)
	}
	r.ask("GET", callsOf("acme")+"nothing/pcap", acmeToken, nil).want(t, 404)
}

func callsOf(company string) string { return "/api/v1/tenants/" + company + "/calls/" }

// TestWriteLadder: a message whose addresses make no packet is left out, the
// others are there.
func TestWriteLadder(t *testing.T) {
	var b bytes.Buffer
	err := writeLadder(&b, []pbx.Message{
		{Transport: "udp", From: "", To: "192.0.2.1:5060", Start: "A"},
		{Transport: "udp", From: "[2001:db8::1]:5060", To: "192.0.2.1:5060", Start: "B"},
		{Transport: "udp", From: "192.0.2.2:5060", To: "pbx.test:5060", Start: "C"},
		{Transport: "udp", From: "192.0.2.2:5060", To: "192.0.2.1:5060", Start: "D", SDP: []string{"m=audio 1 RTP/AVP 8"}, LeftOut: 3},
	})
	if got := frames(t, b.Bytes()); err != nil || len(got) != 1 || !strings.HasPrefix(got[0], "D\r\nX-Left-Out: 3 messages") || !strings.HasSuffix(got[0], "\r\n\r\nv=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 8\r\n") {
		t.Errorf("%v %q", err, got)
	}
}

const captureOf = "/api/v1/tenants/acme/extensions/"

func TestCaptureExtension(t *testing.T) {
	r := newRig(t)
	a := r.ask("POST", captureOf+"101/capture", acmeToken, `{"seconds": 1}`)
	a.want(t, 200)
	if got := frames(t, a.body); len(got) != 1 || got[0] != "OPTIONS acme/101 SIP/2.0\r\n\r\n" {
		t.Errorf("%q", got)
	}
	if n := r.captures.Load(); n != 0 {
		t.Errorf("%d captures are left", n)
	}
	for _, body := range []string{`{"seconds": 0}`, `{"seconds": 601}`, `{"seconds": "x"}`, `{"minutes": 1}`, `[]`, `{`} {
		r.ask("POST", captureOf+"101/capture", acmeToken, body).want(t, 400)
	}
	r.ask("POST", captureOf+"999/capture", acmeToken, `{}`).want(t, 404)
	r.ask("POST", captureOf+"101/capture", otherToken, `{}`).want(t, 404)
	r.captures.Store(2)
	if p := r.ask("POST", captureOf+"101/capture", acmeToken, `{}`).want(t, 429); p.Kind != pbx.Limit {
		t.Errorf("%+v", p)
	}
}

// TestCaptureEnds: a capture ends with its time, with its client, with its
// token, and with the server.
func TestCaptureEnds(t *testing.T) {
	for name, end := range map[string]func(r *rig, gone context.CancelFunc){
		"time":   func(*rig, context.CancelFunc) {},
		"client": func(_ *rig, gone context.CancelFunc) { gone() },
		"token": func(r *rig, _ context.CancelFunc) {
			r.check(r.store.DropToken(r.t.Context(), HashToken(acmeToken)))
		},
		"server": func(r *rig, _ context.CancelFunc) { r.end() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				ctx, gone := context.WithCancel(t.Context())
				req := httptest.NewRequest(http.MethodPost, captureOf+"101/capture", http.NoBody).WithContext(ctx)
				req.Header.Set("Authorization", "Bearer "+acmeToken)
				rec := httptest.NewRecorder()
				began, over := time.Now(), make(chan struct{})
				go func() {
					r.ServeHTTP(rec, req)
					close(over)
				}()
				synctest.Wait()
				if r.captures.Load() != 1 {
					t.Fatalf("no capture: %d %s", rec.Code, rec.Body)
				}
				end(r, gone)
				<-over
				gone()
				took := time.Since(began)
				if name == "time" && took != time.Minute || name != "time" && took > 46*time.Second {
					t.Errorf("it took %v", took)
				}
				if n := r.captures.Load(); n != 0 {
					t.Errorf("%d captures are left", n)
				}
			})
		})
	}
}
