package e2e

import (
	"testing"

	"vpbx/pbx"
)

// TestPhones lets two foreign phones talk over each transport: what each says
// arrives at the other, and both sides are in the recording.
func TestPhones(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := serve(t, serverOptions{Company: acme{Record: true}.String(), TLS: transport == "tls"})
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Transport: transport, Tone: 440})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: transport, Tone: 880, Auto: true})
			anna.do("dial", "sip:102@acme.vpbx.test")
			anna.waitEvent("CALL_ESTABLISHED")
			anna.waitHeard(880, 1.5)
			ivan.waitHeard(440, 1.5)
			s.waitRecorded(0, 440, 1.2)
			s.waitRecorded(1, 880, 1.2)
			anna.do("hangup", "")
			ivan.waitEvent("CALL_CLOSED")

			r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
			if r.Direction != pbx.InternalTo || r.Cause.Party != pbx.PartyCaller || r.Talk < 1.5 {
				t.Errorf("direction %s, ended by %s, talk %v", r.Direction, r.Cause.Party, r.Talk)
			}
			for _, p := range append(r.Parties, r.Caller) {
				if p.Codec != "PCMA" {
					t.Errorf("party %s: codec %q", p.Who, p.Codec)
				}
				wantGood(t, p.Who, p.Quality, 4)
			}
			rec := s.recording(r)
			rec.wantTone(t, "the caller's side of the recording", 0, 440, 1.2)
			rec.wantTone(t, "the callee's side of the recording", 1, 880, 1.2)
			rec.wantNone(t, "the caller's side of the recording", 0, 880)
			rec.wantNone(t, "the callee's side of the recording", 1, 440)
			anna.heard().wantNone(t, "what the caller hears", 0, 440)
		})
	}
}
