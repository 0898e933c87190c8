package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// phoneCall is what the scenarios of a phone need to know: who calls whom.
func phoneCall(user, called string, more ...string) map[string]string {
	v := map[string]string{"user": user, "called": called}
	for i := 0; i+1 < len(more); i += 2 {
		v[more[i]] = more[i+1]
	}
	return v
}

// notices are the NOTIFYs that a scenario has logged, as "status state".
func (p *sipp) notices() []string {
	var l []string
	for line := range strings.Lines(p.file("logs.log")) {
		if _, n, ok := strings.Cut(line, "notify "); ok {
			l = append(l, strings.Join(strings.Fields(n), " "))
		}
	}
	return l
}

// TestRefer sends REFERs that the server obeys, and checks what it tells in its
// NOTIFYs.
func TestRefer(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Record: true}.String()})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
	petr := startBaresip(t, s, baresipOptions{User: "103", Password: "s3cret-103", Tone: 1200, Auto: true})

	t.Run("blind", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "phone_refers", To: s.udp.String(), Tone: 440, Values: phoneCall("101", "102", "target", "103")})
		p.done()
		ivan.waitHeard(1200, 0.7)
		ivan.do("hangup", "")
		petr.waitEvent("CALL_CLOSED")
		if n := p.notices(); len(n) < 2 || n[0] != "100 active" || n[len(n)-1] != "200 terminated" {
			t.Errorf("NOTIFYs: %q", n)
		}
		s.wantRecord("103", pbx.OutcomeAnswered, pbx.Hangup, "101 transfers to 103")
	})
	t.Run("to nobody", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "phone_refers", To: s.udp.String(), Tone: 440, Values: phoneCall("101", "102", "target", "998")})
		p.done()
		if n := p.notices(); !slices.Equal(n, []string{"100 active", "404 terminated"}) {
			t.Errorf("NOTIFYs: %q", n)
		}
		s.find("102", func(r record) bool { return strings.Contains(r.why(), "998 is nobody here") && !r.saw(pbx.Transferred) })
	})
	t.Run("must not", func(t *testing.T) {
		other := startSIPp(t, sippOptions{Scenario: "phone_call", Host: "127.0.0.13", To: s.udp.String(), Tone: 660, Values: phoneCall("103", "102")})
		others := ivan.waitCalled("103")
		p := startSIPp(t, sippOptions{Scenario: "phone_refers_badly", To: s.udp.String(), Tone: 440,
			Values: phoneCall("101", "102", "foreign", url.QueryEscape(others.replaces()))})
		p.done()
		other.tell()
		other.done()
		s.find("102", func(r record) bool {
			return r.From == "101" && r.Cause.Reason == pbx.Hangup && r.Talk > 1 && !r.saw(pbx.Transferring)
		})
	})
}

// TestCarrierInCall is what a carrier can do inside a call: try to send our side on
// (403, and the call goes on), hold it by UPDATE, confirm reliable provisionals.
func TestCarrierInCall(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Steps: `[{ring: "101"}]`}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	for scenario, from := range map[string]string{"carrier_refers": "+79160000061", "carrier_updates": "+79160000062", "carrier_pracks": "+79160000063"} {
		before := anna.heard().tones(0, 660)
		p := startSIPp(t, sippOptions{Scenario: scenario, To: s.udp.String(), Values: call(from), Tone: 660})
		anna.waitEvent("CALL_INCOMING")
		if scenario == "carrier_pracks" {
			waitFor(t, 20*time.Second, "PRACK is answered", func() bool { return prackAnswered.MatchString(p.file("messages.log")) })
		}
		anna.do("accept", "")
		anna.waitHeard(660, before+1)
		anna.do("hangup", "")
		p.done()
		r := s.wantRecord(from, pbx.OutcomeAnswered, pbx.Hangup)
		if len(r.Parties) != 1 || r.saw(pbx.Transferring) || r.saw(pbx.Held) != (scenario == "carrier_updates") {
			t.Errorf("%s: the trace says otherwise: %+v", scenario, r.Trace)
		}
	}
}

// prackAnswered is an answer to PRACK in what SIPp has seen.
var prackAnswered = regexp.MustCompile(`SIP/2\.0 200 [^\n]*\n(?:[^\n]+\n)*CSeq: 2 PRACK`)

// dialog is one as its messages name it.
type dialog struct{ callID, from, to string }

// replaces is the value of a Replaces header that names it (RFC 3891 §6.1). Which
// side is whose, a watcher may see either way.
func (d dialog) replaces() string {
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", d.callID, d.from, d.to)
}

var (
	callIDHeader = regexp.MustCompile(`(?m)^Call-ID: (.*?)\r?$`)
	fromTag      = regexp.MustCompile(`(?m)^From: .*;tag=(.*?)\r?$`)
	toTag        = regexp.MustCompile(`(?m)^To: .*;tag=(.*?)\r?$`)
)

// waitCalled waits until the phone has answered an INVITE of a caller at least
// provisionally, and gives the dialog.
func (b *baresip) waitCalled(caller string) dialog {
	b.t.Helper()
	var d dialog
	waitFor(b.t, 20*time.Second, b.name+" is called by "+caller, func() bool {
		for _, m := range b.messages("SIP/2.0 1") {
			if strings.Contains(m, "From: <sip:"+caller+"@") || strings.Contains(m, "\" <sip:"+caller+"@") {
				d = dialogIn(m)
			}
		}
		return d.callID != ""
	})
	return d
}

// dialogIn is the dialog that a message belongs to.
func dialogIn(message string) dialog {
	first := func(r *regexp.Regexp) string {
		if m := r.FindStringSubmatch(message); m != nil {
			return m[1]
		}
		return ""
	}
	return dialog{first(callIDHeader), first(fromTag), first(toTag)}
}

// TestReplaces takes calls that are at other phones by INVITE with Replaces.
func TestReplaces(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Record: true, Steps: `[{ring: "102", for: 2m}]`}.String()})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880})
	carrier := startSIPp(t, sippOptions{Scenario: "carrier_waits", To: s.udp.String(), Values: call(owned), Tone: 660})
	d := ivan.waitCalled(owned)
	try := func(user, status, header string) {
		t.Helper()
		startSIPp(t, sippOptions{Scenario: "phone_refused", Host: "127.0.0.13", To: s.udp.String(), Tone: 1200,
			Values: phoneCall(user, "102", "status", status, "header", "Replaces: "+header)}).done()
	}
	try("103", "481", "nobody;to-tag=1;from-tag=2")
	try("103", "481", d.callID+";to-tag="+d.from+";from-tag=other")
	try("103", "400", d.callID)
	try("103", "400", d.replaces()+"\r\n      Replaces: "+d.replaces())
	thief := startSIPp(t, sippOptions{Scenario: "phone_call", Host: "127.0.0.13", To: s.udp.String(), Tone: 1200,
		Values: phoneCall("103", "102", "header", "Replaces: "+d.replaces()+";early-only")})
	ivan.waitEvent("CALL_CLOSED")
	live := s.waitLive(pbx.Bridged)
	var answer string
	waitFor(t, 20*time.Second, "who takes the call has it", func() bool {
		_, answer, _ = strings.Cut(thief.file("messages.log"), "SIP/2.0 200 OK")
		return dialogIn(answer).callID != ""
	})
	try("101", "403", dialogIn(answer).replaces()) // a talk of others
	s.waitRecorded(0, 660, 1)
	s.waitRecorded(1, 1200, 1)
	thief.tell()
	thief.done()
	carrier.done()
	r := s.wantRecord(owned, pbx.OutcomeAnswered, pbx.Hangup, "103 took the call")
	if live.ID != r.ID {
		t.Errorf("the call that went on is %s, the record says %s", live.ID, r.ID)
	}
	rec := s.recording(r)
	rec.wantTone(t, "the carrier's side of the recording", 0, 660, 1)
	rec.wantTone(t, "the side of who took the call", 1, 1200, 1)
	if c := once(ivan.messages("CANCEL sip:")); len(c) != 1 || !strings.Contains(c[0], "Call completed elsewhere") {
		t.Errorf("the phone that rang shows a missed call: %q", c)
	}
}
