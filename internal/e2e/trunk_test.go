package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// call is what the carrier's scenarios need to know of a call to the company.
func call(from string, more ...string) map[string]string {
	v := map[string]string{"from": from, "to": companyNumber}
	for i := 0; i+1 < len(more); i += 2 {
		v[more[i]] = more[i+1]
	}
	return v
}

// TestTrunkIn is what a carrier can do with a call to the company besides
// talking.
func TestTrunkIn(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Record: true, Steps: `[{ring: "101", for: 2m}]`}.String()})
	t.Run("not registered", func(t *testing.T) {
		startSIPp(t, sippOptions{Scenario: "carrier_refused", To: s.udp.String(), Values: call("+79160000011", "status", "480")}).done()
		s.wantRecord("+79160000011", pbx.OutcomeMissed, pbx.Unregistered, "101 is not registered")
	})
	t.Run("unknown number", func(t *testing.T) {
		startSIPp(t, sippOptions{Scenario: "carrier_refused", To: s.udp.String(),
			Values: map[string]string{"from": "+79160000012", "to": "+74999999999", "status": "404"}}).done()
	})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	t.Run("cancel", func(t *testing.T) {
		startSIPp(t, sippOptions{Scenario: "carrier_cancels", To: s.udp.String(), Values: call("+79160000013")}).done()
		anna.waitEvent("CALL_CLOSED")
		s.wantRecord("+79160000013", pbx.OutcomeAbandoned, pbx.Cancelled)
	})
	t.Run("no answer", func(t *testing.T) {
		s.reload("for: 2m", "for: 3s")
		startSIPp(t, sippOptions{Scenario: "carrier_refused", To: s.udp.String(), Values: call("+79160000014", "status", "480")}).done()
		anna.waitEvent("CALL_CLOSED")
		r := s.wantRecord("+79160000014", pbx.OutcomeMissed, pbx.NoAnswer)
		if r.Wait < 2.9 {
			t.Errorf("it rang for %v s, want 3", r.Wait)
		}
		s.reload("for: 3s", "for: 2m")
	})
	t.Run("busy", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "carrier_refused", To: s.udp.String(), Values: call("+79160000015", "status", "486")})
		anna.waitEvent("CALL_INCOMING")
		anna.do("hangup", "")
		anna.waitEvent("CALL_CLOSED")
		p.done()
		s.wantRecord("+79160000015", pbx.OutcomeBusy, pbx.Busy)
	})
	t.Run("no common codec", func(t *testing.T) {
		v := call("+79160000016", "status", "488")
		p := startSIPp(t, sippOptions{Scenario: "carrier_no_codec", To: s.udp.String(), Values: v})
		p.done()
		s.wantRecord("+79160000016", pbx.OutcomeFailed, pbx.NoCodec)
	})
	t.Run("hold", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "carrier_holds", To: s.udp.String(), Values: call("+79160000017"), Tone: 660})
		anna.waitEvent("CALL_INCOMING")
		anna.do("accept", "")
		p.done()
		anna.waitEvent("CALL_CLOSED")
		r := s.wantRecord("+79160000017", pbx.OutcomeAnswered, pbx.Hangup)
		if !r.saw(pbx.Held) || !r.saw(pbx.Resumed) {
			t.Errorf("hold and resume are not in the trace")
		}
	})
	t.Run("callee hangs up", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "carrier_waits", To: s.udp.String(), Values: call("+79160000018"), Tone: 660})
		anna.waitEvent("CALL_INCOMING")
		anna.do("accept", "")
		anna.waitEvent("CALL_ESTABLISHED")
		anna.do("hangup", "")
		anna.waitEvent("CALL_CLOSED")
		p.done()
		if r := s.wantRecord("+79160000018", pbx.OutcomeAnswered, pbx.Hangup); r.Cause.Party != pbx.PartyCallee {
			t.Errorf("ended by %s", r.Cause.Party)
		}
	})
	t.Run("hang up by API", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "carrier_waits", To: s.udp.String(), Values: call("+79160000019"), Tone: 660})
		anna.waitEvent("CALL_INCOMING")
		anna.do("accept", "")
		live := s.waitLive(pbx.Bridged)
		if status, _, body := s.request("POST", "calls/"+string(live.ID)+"/hangup", ""); status != 204 {
			t.Errorf("hang up: %d %s", status, body)
		}
		p.done()
		anna.waitEvent("CALL_CLOSED")
		if r := s.wantRecord("+79160000019", pbx.OutcomeAnswered, pbx.Hangup); r.Cause.Party != pbx.PartyPBX {
			t.Errorf("ended by %s", r.Cause.Party)
		}
	})
	t.Run("stranger", func(t *testing.T) {
		startSIPp(t, sippOptions{Scenario: "carrier_refused", Host: "127.0.0.60", To: s.udp.String(),
			Values: map[string]string{"from": "+79160000020", "to": companyNumber, "status": "403"}}).done()
		if got := s.metric(`vpbx_sip_rejected_total`); got == 0 {
			t.Error("the stranger is not counted")
		}
	})
}

// TestLossyTrunk brings calls over a carrier that loses every fourth
// message in each direction: retransmissions make up for it, each call is one.
func TestLossyTrunk(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Steps: `[{ring: "101"}]`}.String()})
	startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Auto: true})
	for i := range 4 {
		from := "+7916000003" + string(rune('0'+i))
		startSIPp(t, sippOptions{Scenario: "carrier_call", To: s.udp.String(), Values: call(from, "talk", "100"), Tone: 660, Args: []string{"-lost", "25"}}).done()
		s.wantRecord(from, pbx.OutcomeAnswered, pbx.Hangup)
	}
}

// TestNoACK answers a carrier that never confirms: we stop asking after 64·T1 and
// hang up (RFC 3261 §13.3.1.4).
func TestNoACK(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.11:5060", Steps: `[{ring: "101"}]`}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Auto: true})
	p := startSIPp(t, sippOptions{Scenario: "carrier_no_ack", Host: "127.0.0.11", To: s.udp.String(), Values: call(owned), Tone: 660})
	anna.waitEvent("CALL_ESTABLISHED")
	p.done()
	anna.waitEvent("CALL_CLOSED")
	r := s.wantRecord(owned, pbx.OutcomeAnswered, pbx.NoACK)
	if d := r.Ended.Sub(r.Started); d < 31*time.Second || d > 32*time.Second+patience*time.Minute {
		t.Errorf("ended after %v, want 32 s", d)
	}
	if n := strings.Count(p.file("messages.log"), "SIP/2.0 200 OK"); n < 5 { // what is late by seconds goes out once only
		t.Errorf("the 200 was sent %d times, want 10 or so", n)
	}
}

// TestTrunkOut is what a carrier can do with a call of the company.
func TestTrunkOut(t *testing.T) {
	t.Parallel()
	port := freePort(t, "127.0.0.10")
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:" + port, Record: true}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	dial := func(number string) { anna.do("dial", "sip:"+number+"@acme.vpbx.test") }

	t.Run("answered", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "answers", Port: port, Tone: 660})
		dial("89160000021") // as people here write +7916…
		anna.waitEvent("CALL_ESTABLISHED")
		anna.waitHeard(660, 1)
		s.waitRecorded(0, 440, 0.7)
		s.waitRecorded(1, 660, 0.7)
		anna.do("hangup", "")
		p.done()
		anna.waitEvent("CALL_CLOSED")
		r := s.wantRecord("+79160000021", pbx.OutcomeAnswered, pbx.Hangup)
		if r.Direction != pbx.Out || len(r.Parties) != 1 || r.Parties[0].Trunk != "carrier" {
			t.Errorf("direction %s, parties %+v", r.Direction, r.Parties)
		}
		rec := s.recording(r)
		rec.wantTone(t, "the phone's side of the recording", 0, 440, 0.7)
		rec.wantTone(t, "the carrier's side of the recording", 1, 660, 0.7)
		if m := p.file("messages.log"); !strings.Contains(m, "<sip:"+companyNumber+"@") {
			t.Error("the carrier does not see the company's number as the caller")
		}
	})
	t.Run("early media", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "answers_early", Port: port, Tone: 700})
		dial("+79160000022")
		anna.waitEvent("CALL_PROGRESS")
		anna.waitHeard(700, 0.8) // before the answer
		p.tell()
		anna.waitEvent("CALL_ESTABLISHED")
		anna.do("hangup", "")
		p.done()
		anna.waitEvent("CALL_CLOSED")
		if r := s.wantRecord("+79160000022", pbx.OutcomeAnswered, pbx.Hangup); !r.saw(pbx.EarlyMedia) || r.Wait < 0.8 {
			t.Errorf("no early media in the trace, or the wait was only %v s", r.Wait)
		}
	})
	for _, c := range []struct {
		status, reason, number string
		outcome                pbx.Outcome
		cause                  pbx.Reason
	}{
		{"486", "Busy Here", "+79160000023", pbx.OutcomeBusy, pbx.Busy},
		{"404", "Not Found", "+79160000024", pbx.OutcomeFailed, pbx.UnknownNumber},
		{"488", "Not Acceptable Here", "+79160000025", pbx.OutcomeFailed, pbx.NoCodec},
		{"603", "Decline", "+79160000026", pbx.OutcomeRejected, pbx.Declined},
		{"503", "Service Unavailable", "+79160000027", pbx.OutcomeFailed, pbx.Refused},
	} {
		t.Run(c.status, func(t *testing.T) {
			p := startSIPp(t, sippOptions{Scenario: "refuses", Port: port, Values: map[string]string{"status": c.status, "reason": c.reason}})
			dial(c.number)
			p.done()
			anna.waitEvent("CALL_CLOSED")
			s.wantRecord(c.number, c.outcome, c.cause)
		})
	}
	t.Run("cancel", func(t *testing.T) {
		p := startSIPp(t, sippOptions{Scenario: "rings", Port: port})
		dial("+79160000028")
		anna.waitEvent("CALL_RINGING")
		anna.do("hangup", "")
		p.done()
		anna.waitEvent("CALL_CLOSED")
		s.wantRecord("+79160000028", pbx.OutcomeAbandoned, pbx.Cancelled)
	})
}

// TestDigestTrunk calls over a provider that challenges, as a proxy and as a
// server does.
func TestDigestTrunk(t *testing.T) {
	t.Parallel()
	port := freePort(t, "127.0.0.12")
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Provider: "127.0.0.12:" + port}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	for status, challenge := range map[string]string{"401": "WWW-Authenticate", "407": "Proxy-Authenticate"} {
		number := "+79160000" + status
		p := startSIPp(t, sippOptions{Scenario: "challenges", Host: "127.0.0.12", Port: port, Tone: 660,
			Values: map[string]string{"status": status, "challenge": challenge}})
		anna.do("dial", "sip:"+number+"@acme.vpbx.test")
		anna.waitEvent("CALL_ESTABLISHED")
		p.done()
		anna.waitEvent("CALL_CLOSED")
		wantCredentials(t, p.file("messages.log"), "INVITE")
		if r := s.wantRecord(number, pbx.OutcomeAnswered, pbx.Hangup); r.Parties[0].Trunk != "sipprov" {
			t.Errorf("parties: %+v", r.Parties)
		}
	}
}

// TestRegisteredTrunk registers at a provider, which then brings calls to the
// contact that it was given.
func TestRegisteredTrunk(t *testing.T) {
	t.Parallel()
	port := freePort(t, "127.0.0.12")
	registrar := startSIPp(t, sippOptions{Scenario: "registrar", Host: "127.0.0.12", Port: port})
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", Provider: registrar.addr(), Register: true, Steps: `[{ring: "101"}]`}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Auto: true})
	registrar.done()
	wantCredentials(t, registrar.file("messages.log"), "REGISTER")
	waitFor(t, 20*time.Second, "the trunk is up", func() bool { return s.metric(`vpbx_trunk_up{trunk="sipprov"}`) == 1 })
	_, contact, _ := strings.Cut(registrar.file("logs.log"), "contact ")
	contact, _, _ = strings.Cut(contact, "\n")
	if contact == "" {
		t.Fatalf("the registrar logged no contact: %q", registrar.file("logs.log"))
	}
	p := startSIPp(t, sippOptions{Scenario: "carrier_talks", Host: "127.0.0.12", Port: port, To: s.udp.String(), Tone: 660,
		Values: call("+79160000041", "called", contact)})
	anna.waitHeard(660, 1)
	p.tell()
	p.done()
	if r := s.wantRecord("+79160000041", pbx.OutcomeAnswered, pbx.Hangup); r.Trunk != "sipprov" {
		t.Errorf("trunk %q", r.Trunk)
	}
}

var credential = regexp.MustCompile(`(?m)^(?:Proxy-)?Authorization: Digest (.*)$`)

// wantCredentials checks the answer to a digest challenge of our scenarios (RFC
// 7616 §3.4.1) in what SIPp has seen.
func wantCredentials(t *testing.T, messages, method string) {
	t.Helper()
	m := credential.FindStringSubmatch(messages)
	if m == nil {
		t.Fatalf("no credentials came")
	}
	p := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimSpace(m[1]), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		p[name] = strings.Trim(value, `"`)
	}
	ha1 := md5Hex("u1:" + p["realm"] + ":p1")
	ha2 := md5Hex(method + ":" + p["uri"])
	want := md5Hex(strings.Join([]string{ha1, p["nonce"], p["nc"], p["cnonce"], p["qop"], ha2}, ":"))
	if p["username"] != "u1" || p["realm"] != "provider.test" || p["nonce"] != "e2e5a7c9" || p["response"] != want {
		t.Errorf("credentials %s, want the response %s", m[1], want)
	}
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
