package e2e

import (
	"testing"

	"vpbx/pbx"
)

// inBrowsers runs a test with the page of each library.
func inBrowsers(t *testing.T, test func(t *testing.T, library string)) {
	for _, library := range []string{"jssip", "sipjs"} {
		t.Run(library, func(t *testing.T) { test(t, library) })
	}
}

// TestBrowserCalls lets a page call a desk phone: each hears the other, keys go both
// ways, the page holds and resumes, and its network changes (ICE restart).
func TestBrowserCalls(t *testing.T) {
	inBrowsers(t, func(t *testing.T, library string) {
		s := serve(t, serverOptions{Company: acme{Record: true}.String(), WS: true})
		ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
		anna := startBrowser(t, s, library, "101", 440)
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
		anna.do("hangUp")
		ivan.waitEvent("CALL_CLOSED")

		r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
		q := r.Caller.Quality
		if q == nil || q.WebRTC == nil || q.WebRTC.ICE != "connected" || q.WebRTC.DTLS != "connected" || q.WebRTC.Restarts != 1 || q.Received == 0 || q.MOS < 4 {
			t.Errorf("quality of the page's leg %+v", q)
		}
		rec := s.recording(r)
		rec.wantTone(t, "the page's side of the recording", 0, 440, 3)
		rec.wantTone(t, "the desk phone's side of the recording", 1, 880, 3)
		rec.wantNone(t, "the page's side of the recording", 0, 880)
	})
}
