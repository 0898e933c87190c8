package e2e

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// find waits for the record of a call with a number of which ok holds.
func (s *server) find(number string, ok func(record) bool) record {
	s.t.Helper()
	var found record
	waitFor(s.t, 20*time.Second, "that record of a call with "+number, func() bool {
		for _, c := range s.records(number) {
			var r record
			s.get("calls/"+string(c.ID), &r)
			if ok(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// wantSipfrags checks the NOTIFYs of one transfer: the first and the last status
// that they report, each of them about REFER, and only the last one the end of the
// subscription (RFC 3515 §2.4.4).
func wantSipfrags(t *testing.T, notifies []string, first, last string) {
	t.Helper()
	if notifies = once(notifies); len(notifies) < 2 {
		t.Errorf("%d NOTIFYs, want 2 at least", len(notifies))
		return
	}
	for i, n := range notifies {
		_, body, _ := strings.Cut(n, "\r\n\r\n")
		end := i == len(notifies)-1
		if !strings.Contains(n, "\r\nEvent: refer") || !strings.Contains(n, "\r\nContent-Type: message/sipfrag") ||
			strings.Contains(n, "\r\nSubscription-State: terminated") != end {
			t.Errorf("NOTIFY %d of %d:\n%s", i+1, len(notifies), n)
		}
		if i == 0 && !strings.HasPrefix(body, "SIP/2.0 "+first) || end && !strings.HasPrefix(body, "SIP/2.0 "+last) {
			t.Errorf("NOTIFY %d of %d reports %q, want %s first and %s last", i+1, len(notifies), body, first, last)
		}
	}
}

// TestTransfer lets a foreign phone send a carrier's call on to a colleague, over
// each transport. The call stays one, and so does its recording.
func TestTransfer(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Record: true, Steps: `[{ring: "101"}]`}.String(), TLS: transport == "tls"})
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Transport: transport, Tone: 440, Auto: true})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: transport, Tone: 880, Auto: true})
			p := startSIPp(t, sippOptions{Scenario: "carrier_waits", To: s.udp.String(), Values: call(owned), Tone: 660})
			anna.waitHeard(660, 0.7)
			s.waitRecorded(1, 440, 0.4)
			anna.do("transfer", "sip:102@acme.vpbx.test")
			anna.waitEvent("CALL_CLOSED")
			ivan.waitHeard(660, 1)
			s.waitRecorded(0, 660, 1)
			s.waitRecorded(1, 880, 0.5)
			ivan.do("hangup", "")
			p.done()

			r := s.wantRecord(owned, pbx.OutcomeAnswered, pbx.Hangup, "101 transfers to 102")
			if len(r.Parties) != 2 || r.Parties[0].Who != "101" || r.Parties[1].Who != "102" || !r.saw(pbx.Transferred) {
				t.Errorf("parties %+v", r.Parties)
			}
			rec := s.recording(r)
			rec.wantTone(t, "the carrier's side of the recording", 0, 660, 1)
			rec.wantTone(t, "what the first had to say", 1, 440, 0.4)
			rec.wantTone(t, "what the second had to say", 1, 880, 0.5)
			ivan.heard().wantNone(t, "what the second hears", 0, 440)
		})
	}
}

// TestTransferFails lets a phone send a call to somebody who is busy: it has the
// call back. (baresip 1.0.0 hangs up by itself then, Linphone does not.)
func TestTransferFails(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Record: true, Steps: `[{ring: "101"}]`}.String()})
	anna := startLinphone(t, s, linphoneOptions{User: "101", Password: "s3cret-101", Tone: 440, Auto: true})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880})
	p := startSIPp(t, sippOptions{Scenario: "carrier_waits", To: s.udp.String(), Values: call(owned), Tone: 660})
	anna.waitHeard(660, 0.5)
	s.waitRecorded(1, 440, 0.4)
	anna.do("transfer 1 sip:102@acme.vpbx.test")
	ivan.waitEvent("CALL_INCOMING")
	ivan.do("hangup", "")
	waitFor(t, 20*time.Second, "the phone is told", func() bool {
		n := anna.messages("NOTIFY ")
		return len(n) > 0 && strings.Contains(n[len(n)-1], "terminated")
	})
	wantSipfrags(t, anna.messages("NOTIFY "), "100", "486")
	before := anna.heard().tones(0, 660)
	anna.waitHeard(660, before+3) // a BYE within 2 s would be that of a phone that does not wait
	anna.do("terminate")
	p.done()
	r := s.wantRecord(owned, pbx.OutcomeAnswered, pbx.Hangup, "the transfer failed: back to 101")
	if r.saw(pbx.Transferred) {
		t.Error("the trace says that the transfer was done")
	}
	s.recording(r).wantTone(t, "the phone's side of the recording", 1, 440, 0.4)
}

// TestPark lets a phone park a call by transfer, and another one fetch it.
func TestPark(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Record: true, Steps: `[{ring: "101"}]`}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Auto: true})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: "tcp", Tone: 880})
	p := startSIPp(t, sippOptions{Scenario: "carrier_waits", To: s.udp.String(), Values: call(owned), Tone: 660})
	anna.waitHeard(660, 0.7)
	s.waitRecorded(1, 440, 0.4)
	anna.do("transfer", "sip:*51@acme.vpbx.test")
	anna.waitEvent("CALL_CLOSED")
	ivan.do("dial", "sip:*51@acme.vpbx.test")
	ivan.waitHeard(660, 1)
	s.waitRecorded(0, 660, 1)
	s.waitRecorded(1, 880, 0.5)
	ivan.do("hangup", "")
	p.done()
	r := s.wantRecord(owned, pbx.OutcomeAnswered, pbx.Hangup, "101 transfers to *51", "102 took the call")
	if !r.saw(pbx.Parked) {
		t.Error("the trace does not say that the call was parked")
	}
	rec := s.recording(r)
	rec.wantTone(t, "the carrier's side of the recording", 0, 660, 1)
	rec.wantTone(t, "what the first had to say", 1, 440, 0.4)
	rec.wantTone(t, "what the second had to say", 1, 880, 0.5)
	fetch := s.find("102", func(r record) bool { return r.Direction != pbx.In })
	if fetch.Cause.Reason != pbx.Joined || fetch.Continued != r.ID {
		t.Errorf("the call that fetched it ended by %s, continued in %q, want %q", fetch.Cause.Reason, fetch.Continued, r.ID)
	}
}

// TestPickup lets a phone take a call that rings elsewhere, by name and by group.
func TestPickup(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Record: true, Steps: `[{ring: "101"}]`}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: "tcp", Tone: 880})
	for code, from := range map[string]string{"*8": "+79160000051", "*8101": "+79160000052"} {
		p := startSIPp(t, sippOptions{Scenario: "carrier_waits", To: s.udp.String(), Values: call(from), Tone: 660})
		anna.waitEvent("CALL_INCOMING")
		before := ivan.heard().tones(0, 660)
		ivan.do("dial", "sip:"+code+"@acme.vpbx.test")
		anna.waitEvent("CALL_CLOSED")
		ivan.waitHeard(660, before+1)
		s.waitRecorded(1, 880, 0.5)
		ivan.do("hangup", "")
		p.done()
		r := s.wantRecord(from, pbx.OutcomeAnswered, pbx.Hangup, "102 took the call")
		if c := r.Parties[0].Cause; c == nil || c.Reason != pbx.Elsewhere {
			t.Errorf("the phone that rang: %+v", r.Parties[0])
		}
		s.recording(r).wantTone(t, "what the second had to say", 1, 880, 0.5)
	}
	for _, m := range anna.messages("CANCEL sip:") {
		if !strings.Contains(m, "Call completed elsewhere") {
			t.Errorf("the phone that rang shows a missed call:\n%s", m)
		}
	}
}

// TestBaresipTransfers lets a foreign phone transfer its call by REFER, over
// each transport, as the one who was called and as the one who called.
func TestBaresipTransfers(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		transport string
		callee    bool // the callee transfers
	}{{"udp", true}, {"tcp", false}, {"tls", true}} {
		name := x.transport + " caller"
		if x.callee {
			name = x.transport + " callee"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, serverOptions{Company: acme{}.String(), TLS: x.transport == "tls"})
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Transport: x.transport, Tone: 440})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: x.transport, Tone: 880, Auto: true})
			olga := startBaresip(t, s, baresipOptions{User: "103", Password: "s3cret-103", Transport: x.transport, Tone: 660, Auto: true})
			anna.do("dial", "sip:102@acme.vpbx.test")
			anna.waitEvent("CALL_ESTABLISHED")
			anna.waitHeard(880, 1)
			stays, goes, tone := anna, ivan, 440.0
			if !x.callee {
				stays, goes, tone = ivan, anna, 880
			}
			goes.do("transfer", "sip:103@acme.vpbx.test")
			stays.waitHeard(660, 1.5)
			olga.waitHeard(tone, 1.5)
			goes.waitEvent("CALL_CLOSED")
			stays.do("hangup", "")
			olga.waitEvent("CALL_CLOSED")
		})
	}
}
