package e2e

import (
	"strings"
	"testing"

	"vpbx/pbx"
)

// setSRTP gives an extension of a company file a value of srtp.
func setSRTP(company, extension, srtp string) string {
	key := "password: s3cret-" + extension
	return strings.Replace(company, key, key+", srtp: "+srtp, 1)
}

// TestSRTP lets two foreign phones talk that secure their sound in different ways, or
// not at all: what each says arrives at the other, both sides are in the recording,
// and the record says how each was secured.
func TestSRTP(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, caller, callee string // mediaenc
		calls                string // srtp of the callee's extension
		mux                  bool
		wantCaller           string // beginning of srtp in the record
		wantCallee           string
	}{
		{"offered by the caller", "srtp", "", "offered", false, "sdes ", ""},
		{"only", "srtp-mand", "", "offered", false, "sdes ", ""},
		{"with feedback", "srtp-mandf", "", "offered", true, "sdes ", ""},
		{"both", "srtp-mand", "srtp-mand", "required", true, "sdes ", "sdes "},
		{"callee alone", "", "srtp", "required", false, "", "sdes "},
		{"DTLS from the caller", "dtls_srtp", "", "offered", true, "dtls ", ""},
		{"DTLS of RTCP too", "dtls_srtp", "", "offered", false, "dtls ", ""},
		{"DTLS on both sides", "dtls_srtp", "dtls_srtp", "dtls", true, "dtls ", "dtls "},
		{"DTLS and SDES", "dtls_srtp", "srtp-mand", "required", true, "dtls ", "sdes "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, serverOptions{Company: setSRTP(acme{Record: true}.String(), "102", tt.calls)})
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Secured: tt.caller, Mux: tt.mux})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true, Secured: tt.callee, Mux: tt.mux})
			anna.do("dial", "sip:102@acme.vpbx.test")
			anna.waitEvent("CALL_ESTABLISHED")
			anna.waitHeard(880, 1.5)
			ivan.waitHeard(440, 1.5)
			s.waitRecorded(0, 440, 1)
			s.waitRecorded(1, 880, 1)
			anna.do("hangup", "")
			ivan.waitEvent("CALL_CLOSED")

			r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
			for _, p := range []struct {
				who  pbx.Participant
				want string
			}{{r.Caller, tt.wantCaller}, {r.Parties[0], tt.wantCallee}} {
				if (p.who.SRTP == "") != (p.want == "") || !strings.HasPrefix(p.who.SRTP, p.want) {
					t.Errorf("%s is secured by %q, want %q", p.who.Who, p.who.SRTP, p.want)
				}
				wantGood(t, p.who.Who, p.who.Quality, 4)
				// baresip's RTCP BYE may come in clear, when its keys are gone: it is counted.
				if q := p.who.Quality; q == nil || q.Unproven > 2 || q.Replayed > 0 {
					t.Errorf("%s: %+v", p.who.Who, q)
				}
			}
			rec := s.recording(r)
			rec.wantTone(t, "the caller's side of the recording", 0, 440, 1)
			rec.wantTone(t, "the callee's side of the recording", 1, 880, 1)
		})
	}
}

// TestLinphoneSRTP lets Linphone, which makes new keys for hold and resume, talk over
// SRTP with a baresip that does, too, both ways round.
func TestLinphoneSRTP(t *testing.T) {
	t.Parallel()
	company := setSRTP(setSRTP(acme{Record: true}.String(), "101", "required"), "102", "required")
	s := serve(t, serverOptions{Company: company})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true, Secured: "srtp-mand"})
	anna := startLinphone(t, s, linphoneOptions{User: "101", Password: "s3cret-101", Tone: 440, Secured: true})
	anna.do("call sip:102@acme.vpbx.test")
	anna.waitSays("Media streams established")
	anna.waitHeard(880, 1)
	ivan.waitHeard(440, 1)
	anna.do("pause")
	anna.waitSays("is now paused")
	s.waitLive(pbx.Held)
	anna.do("resume 1")
	anna.waitSays("Media streams established")
	before := anna.heard().tones(0, 880)
	anna.waitHeard(880, before+0.5)
	s.waitRecorded(0, 440, 1)
	s.waitRecorded(1, 880, 0.7)
	anna.do("terminate")
	ivan.waitEvent("CALL_CLOSED")
	r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
	if !strings.HasPrefix(r.Caller.SRTP, "sdes ") || !strings.HasPrefix(r.Parties[0].SRTP, "sdes ") {
		t.Errorf("secured by %q and %q", r.Caller.SRTP, r.Parties[0].SRTP)
	}
	rec := s.recording(r)
	rec.wantTone(t, "the caller's side of the recording", 0, 440, 1)
	rec.wantTone(t, "the callee's side of the recording", 1, 880, 0.7)

	before = anna.heard().tones(0, 880)
	ivan.do("dial", "sip:101@acme.vpbx.test")
	anna.waitSays("Receiving new incoming call")
	anna.do("answer")
	anna.waitHeard(880, before+0.5)
	ivan.do("hangup", "")
	anna.waitSays("ended")
}
