package e2e

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestLinphone lets Linphone call and be called over each transport: tones both
// ways, hold, keys as telephone events and, over TLS, by INFO; over TCP it offers
// video as well, and knows only Opus. The other phone is a baresip without it.
func TestLinphone(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := serve(t, serverOptions{Company: acme{Record: true, Opus: transport == "tcp"}.String(), TLS: transport == "tls"})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
			anna := startLinphone(t, s, linphoneOptions{User: "101", Password: "s3cret-101", Transport: transport, Tone: 440,
				INFO: transport == "tls", Video: transport == "tcp", Opus: transport == "tcp"})
			if r := anna.messages("REGISTER "); len(r) < 2 || !strings.Contains(r[1], "algorithm=SHA-256") {
				t.Errorf("Linphone registers without SHA-256, which it knows: %q", r)
			}

			anna.do("call sip:102@acme.vpbx.test")
			anna.waitSays("Media streams established")
			anna.waitHeard(880, 1)
			ivan.waitHeard(440, 1)
			wantOffers(t, anna.messages("INVITE "), transport)
			if ok := anna.messages("SIP/2.0 200 OK"); transport == "tcp" && !strings.Contains(strings.Join(ok, ""), "\r\nm=video 0 ") {
				t.Errorf("video is not refused by port 0: %q", ok)
			}
			anna.do("pause")
			anna.waitSays("is now paused")
			s.waitLive(pbx.Held)
			anna.do("resume 1")
			anna.waitSays("Media streams established")
			before := anna.heard().tones(0, 880)
			anna.waitHeard(880, before+0.5)
			anna.do("5")
			ivan.waitEvent("CALL_DTMF_START")
			s.waitRecorded(0, 440, 1)
			s.waitRecorded(1, 880, 0.7)
			anna.do("terminate")
			ivan.waitEvent("CALL_CLOSED")
			r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
			if !r.saw(pbx.Held) || !r.saw(pbx.Resumed) {
				t.Error("hold and resume are not in the trace")
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
			waitFor(t, 20*time.Second, "the record of the second call", func() bool { return len(s.records("102")) == 2 })
		})
	}
}

// wantOffers checks that Linphone offers what makes its transports differ.
func wantOffers(t *testing.T, invites []string, transport string) {
	t.Helper()
	all := strings.Join(invites, "")
	if strings.Contains(all, "telephone-event") == (transport == "tls") || strings.Contains(all, "\r\nm=video ") != (transport == "tcp") {
		t.Errorf("Linphone over %s offers something else:\n%s", transport, all)
	}
}

// TestLinphoneTransfers lets Linphone send on whom it talks with: at once, and
// after it has asked. It believes what NOTIFY tells it, and the two others hear
// each other in one call with one recording.
func TestLinphoneTransfers(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Record: true}.String()})
	ivan := startLinphone(t, s, linphoneOptions{User: "102", Password: "s3cret-102", Tone: 880, Transport: "tcp", Auto: true})
	petr := startBaresip(t, s, baresipOptions{User: "103", Password: "s3cret-103", Tone: 1200, Auto: true})
	anna := startLinphone(t, s, linphoneOptions{User: "101", Password: "s3cret-101", Tone: 440})

	anna.do("call sip:102@acme.vpbx.test")
	anna.waitHeard(880, 0.7)
	s.waitRecorded(0, 440, 0.4)
	anna.do("transfer 1 sip:103@acme.vpbx.test")
	anna.waitSays("has been transfered")
	ivan.waitHeard(1200, 0.7)
	petr.waitHeard(880, 0.7)
	s.waitRecorded(0, 1200, 0.4)
	s.waitRecorded(1, 880, 0.5)
	petr.do("hangup", "")
	ivan.waitSays("ended")
	first := s.wantRecord("103", pbx.OutcomeAnswered, pbx.Hangup, "101 transfers to 103")
	wantSipfrags(t, anna.messages("NOTIFY "), "100", "200")
	rec := s.recording(first)
	rec.wantTone(t, "the transferor's part of the recording", 0, 440, 0.4)
	rec.wantTone(t, "the new party's part of the recording", 0, 1200, 0.4)
	rec.wantTone(t, "the recording of who was sent on", 1, 880, 0.5)

	heard, told := ivan.heard().tones(0, 1200), len(anna.messages("NOTIFY "))
	anna.do("call sip:102@acme.vpbx.test")
	anna.waitSays("Media streams established")
	anna.do("pause")
	anna.waitSays("is now paused")
	anna.do("call sip:103@acme.vpbx.test")
	anna.waitSays("Media streams established")
	anna.waitHeard(1200, 0.5)
	anna.do("transfer 2 --to-call 3")
	anna.waitSays("has been transfered")
	ivan.waitHeard(1200, heard+0.7)
	s.waitRecorded(0, 1200, 0.4)
	s.waitRecorded(1, 880, 0.5)
	ivan.do("terminate")
	petr.waitEvent("CALL_CLOSED")
	wantSipfrags(t, anna.messages("NOTIFY ")[told:], "100", "200")
	younger := s.find("103", func(r record) bool { return r.ID != first.ID && r.Continued != "" })
	older := s.find("102", func(r record) bool { return r.ID != first.ID && r.Continued == "" })
	if younger.Cause.Reason != pbx.SentOn || younger.Continued != older.ID {
		t.Errorf("the younger call ended by %s, continued in %q, want %q", younger.Cause.Reason, younger.Continued, older.ID)
	}
	if older.Outcome != pbx.OutcomeAnswered || older.Cause.Reason != pbx.Hangup || len(older.Parties) != 2 || older.Parties[1].Who != "103" {
		t.Errorf("the older call: %s by %s, parties %+v", older.Outcome, older.Cause.Reason, older.Parties)
	}
	rec = s.recording(older)
	rec.wantTone(t, "the new party's part of the recording", 0, 1200, 0.4)
	rec.wantTone(t, "the recording of who was sent on", 1, 880, 0.5)
}

// TestLinphoneLeaves lets Linphone send somebody on and hang up while the target
// rings; then it joins one who waits with one who still rings.
func TestLinphoneLeaves(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Record: true}.String()})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
	petr := startBaresip(t, s, baresipOptions{User: "103", Password: "s3cret-103", Tone: 1200})
	anna := startLinphone(t, s, linphoneOptions{User: "101", Password: "s3cret-101", Tone: 440})

	anna.do("call sip:102@acme.vpbx.test")
	anna.waitHeard(880, 0.5)
	anna.do("transfer 1 sip:103@acme.vpbx.test")
	petr.waitEvent("CALL_INCOMING")
	anna.do("terminate")
	anna.waitSays("ended")
	petr.do("accept", "")
	ivan.waitHeard(1200, 0.7)
	petr.do("hangup", "")
	ivan.waitEvent("CALL_CLOSED")
	first := s.wantRecord("103", pbx.OutcomeAnswered, pbx.Hangup, "101 transfers to 103")
	if len(first.Parties) != 2 || first.Parties[1].Who != "103" {
		t.Errorf("parties %+v", first.Parties)
	}

	anna.do("call sip:102@acme.vpbx.test")
	anna.waitSays("Media streams established")
	anna.do("pause")
	anna.waitSays("is now paused")
	anna.do("call sip:103@acme.vpbx.test")
	petr.waitEvent("CALL_INCOMING")
	anna.waitSays("ringing")
	anna.do("transfer 2 --to-call 3")
	petr.waitEvent("CALL_CLOSED") // it is called anew before or after that
	waitFor(t, 20*time.Second, "the target rings again", func() bool { return len(calls(petr.messages("SIP/2.0 180"))) == 3 })
	heard := ivan.heard().tones(0, 1200)
	petr.do("accept", "")
	ivan.waitHeard(1200, heard+0.7)
	anna.waitSays("has been transfered")
	ivan.do("hangup", "")
	petr.waitEvent("CALL_CLOSED")
	s.find("102", func(r record) bool {
		return r.ID != first.ID && r.Outcome == pbx.OutcomeAnswered && len(r.Parties) == 2 && r.Parties[1].Who == "103"
	})
}
