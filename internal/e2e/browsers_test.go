package e2e

import (
	"fmt"
	"testing"
	"time"

	"vpbx/internal/phone"
	"vpbx/pbx"
)

// inBrowsers runs a test with the page of each library, both at once: no more, since a
// Chromium takes most of a processor.
func inBrowsers(t *testing.T, test func(t *testing.T, library string)) {
	libraries(t)
	for _, library := range []string{"jssip", "sipjs"} {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			test(t, library)
		})
	}
}

// TestBrowserCalls lets a page call a desk phone: each hears the other, keys go both
// ways, the page holds and resumes, and its network changes (ICE restart).
func TestBrowserCalls(t *testing.T) {
	inBrowsers(t, func(t *testing.T, library string) {
		s := serve(t, serverOptions{Company: acme{Record: true}.String(), WS: true})
		ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
		anna := startBrowser(t, s, library, "101", "", 440)
		anna.do("call", "102")
		anna.waitEvent("confirmed")
		anna.waitHeard(880)
		ivan.waitHeard(440, 1.5)
		anna.do("hold")
		s.waitLive(pbx.Held)
		anna.waitSilence(880)
		anna.do("resume")
		anna.waitHeard(880)
		ivan.waitHeard(440, 2.5)
		anna.do("restart")
		anna.waitHeard(880)
		ivan.waitHeard(440, 4)
		s.waitRecorded(0, 440, 3)
		s.waitRecorded(1, 880, 3)
		anna.do("hangUp")
		ivan.waitEvent("CALL_CLOSED")

		r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
		q := r.Caller.Quality
		if q == nil || q.WebRTC == nil || q.WebRTC.ICE != "connected" || q.WebRTC.DTLS != "connected" || q.WebRTC.Restarts != 1 || q.Received == 0 || q.MOS <= 0 {
			t.Errorf("quality of the page's leg %+v", q)
		}
		rec := s.recording(r)
		rec.wantTone(t, "the page's side of the recording", 0, 440, 3)
		rec.wantTone(t, "the desk phone's side of the recording", 1, 880, 3)
		rec.wantNone(t, "the page's side of the recording", 0, 880)
	})
}

// desk is a phone of this repository on the real network, for what baresip does not
// tell: digits and who calls.
type desk struct {
	*phone.Phone
	t *testing.T
}

// startDesk starts a phone of an extension, or, without a user, the carrier at an
// address.
func startDesk(t *testing.T, s *server, user, address string, tone float64) *desk {
	t.Helper()
	cfg := phone.Config{Address: address, Media: true, Tone: tone, Codecs: []string{"PCMA", "telephone-event"}}
	if user != "" {
		cfg.Server, cfg.Domain, cfg.User, cfg.Password = s.udp.String(), "acme.vpbx.test", user, "s3cret-"+user
	}
	p, err := phone.New(cfg)
	if err != nil {
		t.Fatalf("start a phone: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close a phone: %v", err)
		}
	})
	if user != "" {
		if _, err := p.Register(t.Context(), time.Minute); err != nil {
			t.Fatalf("register a phone: %v", err)
		}
	}
	return &desk{Phone: p, t: t}
}

// answer takes the next call.
func (d *desk) answer() *phone.Call {
	d.t.Helper()
	select {
	case c := <-d.Incoming():
		if err := c.Answer(d.t.Context()); err != nil {
			d.t.Fatalf("answer: %v", err)
		}
		return c
	case <-time.After(patience * 30 * time.Second):
		d.t.Fatal("the phone is not called")
		return nil
	}
}

// hears waits until a call brings a tone.
func (d *desk) hears(c *phone.Call, freq float64) {
	d.t.Helper()
	waitFor(d.t, 30*time.Second, fmt.Sprintf("the phone hears %.0f Hz", freq), func() bool { return c.Heard(freq) })
}

// TestBrowserIsCalled lets a desk phone call a page, whose keys come in both ways and
// which sends the caller on to another phone.
func TestBrowserIsCalled(t *testing.T) {
	inBrowsers(t, func(t *testing.T, library string) {
		s := serve(t, serverOptions{Company: acme{}.String(), WS: true})
		ivan, oleg := startDesk(t, s, "102", "127.0.0.1:0", 880), startDesk(t, s, "103", "127.0.0.1:0", 1200)
		anna := startBrowser(t, s, library, "101", "", 440)
		call, err := ivan.Dial(t.Context(), "101", phone.DialOptions{})
		if err != nil {
			t.Fatalf("call the page: %v", err)
		}
		if e := anna.waitEvent("incoming"); e.Detail != "102" {
			t.Errorf("the page is called by %q", e.Detail)
		}
		anna.do("answer")
		anna.waitEvent("confirmed")
		anna.waitHeard(880)
		ivan.hears(call, 440)
		anna.do("press", "15#", "events")
		waitFor(t, 30*time.Second, "the page's keys are heard", func() bool { return call.Digits() == "15#" })
		anna.do("press", "7", "info")
		waitFor(t, 30*time.Second, "the page's key in INFO is heard", func() bool { return call.Digits() == "15#7" })
		if err := call.SendDTMF("42"); err != nil {
			t.Errorf("press keys: %v", err)
		}
		anna.do("refer", "103")
		second := oleg.answer()
		ivan.hears(call, 1200)
		oleg.hears(second, 880)
		if err := call.Hangup(t.Context()); err != nil {
			t.Errorf("hang up: %v", err)
		}
		r := s.wantRecord("102", pbx.OutcomeAnswered, pbx.Hangup, "101 transfers to 103")
		for _, p := range r.Parties {
			if p.Who == "101" && (p.Quality == nil || p.Quality.WebRTC == nil || p.Quality.WebRTC.DTLS != "connected") {
				t.Errorf("the page's leg in the record: %+v", p.Quality)
			}
		}
	})
}

// TestBrowserTrunk lets a page that speaks Opus call over a carrier of G.711, and be
// called from there; the call is recorded.
func TestBrowserTrunk(t *testing.T) {
	inBrowsers(t, func(t *testing.T, library string) {
		port := freePort(t, "127.0.0.10")
		company := acme{Carrier: "127.0.0.10:" + port, Record: true, Opus: true, Steps: `[{ring: "101"}]`}.String()
		s := serve(t, serverOptions{Company: company, WS: true})
		carrier := startDesk(t, s, "", "127.0.0.10:"+port, 660)
		anna := startBrowser(t, s, library, "101", "opus", 440)

		anna.do("call", "+79160000021")
		out := carrier.answer()
		anna.waitEvent("confirmed")
		anna.waitHeard(660)
		carrier.hears(out, 440)
		anna.do("press", "9", "events")
		waitFor(t, 30*time.Second, "the page's key crosses the clocks", func() bool { return out.Digits() == "9" })
		wantCodec(t, anna, "audio/opus")
		s.waitRecorded(0, 440, 1)
		s.waitRecorded(1, 660, 1)
		anna.do("hangUp")
		r := s.wantRecord("+79160000021", pbx.OutcomeAnswered, pbx.Hangup)
		if r.Caller.Codec != "opus" || r.Parties[0].Codec != "PCMA" {
			t.Errorf("codecs %s and %s", r.Caller.Codec, r.Parties[0].Codec)
		}
		rec := s.recording(r)
		rec.wantTone(t, "the page's side of the recording", 0, 440, 1)
		rec.wantTone(t, "the carrier's side of the recording", 1, 660, 1)

		in, err := carrier.Dial(t.Context(), "sip:"+companyNumber+"@"+s.udp.String(), phone.DialOptions{From: "+79161112233"})
		if err != nil {
			t.Fatalf("call the page: %v", err)
		}
		anna.waitEvent("incoming")
		anna.do("answer")
		anna.waitEvent("confirmed")
		anna.waitHeard(660)
		carrier.hears(in, 440)
		wantCodec(t, anna, "audio/opus")
		if err := in.Hangup(t.Context()); err != nil {
			t.Errorf("hang up: %v", err)
		}
		anna.waitEvent("ended")
		s.wantRecord("+79161112233", pbx.OutcomeAnswered, pbx.Hangup)
	})
}

// wantCodec asks the page what it receives, and by what way.
func wantCodec(t *testing.T, b *browser, codec string) {
	t.Helper()
	var stats map[string]any
	if !became(patience*20*time.Second, func() bool {
		stats, _ = b.do("stats").(map[string]any)
		return stats["codec"] == codec && stats["state"] == "connected"
	}) {
		t.Errorf("%s: statistics %v, want %s", b.name, stats, codec)
	}
}
