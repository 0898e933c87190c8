package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestOwner is the main job: a call from a carrier for the company's number, the
// CRM names the owner, the owner's phone rings with the contact's name, both hear
// each other, and the recording holds both.
func TestOwner(t *testing.T) {
	t.Parallel()
	c := startCRM(t, map[string]crmAnswer{owned: {Name: "Пётр Клиентов", Owner: "101", Delay: 100 * time.Millisecond}})
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", CRM: c.URL, Record: true}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	carrier := startSIPp(t, sippOptions{Scenario: "carrier_talks", To: s.udp.String(), Tone: 660, Values: call(owned)})
	anna.waitEvent("CALL_INCOMING")
	anna.do("accept", "")
	anna.waitHeard(660, 1.5)
	s.waitRecorded(0, 660, 1.5)
	s.waitRecorded(1, 440, 1.5)
	carrier.tell()
	carrier.done()
	anna.waitEvent("CALL_CLOSED")

	r := s.wantRecord(owned, pbx.OutcomeAnswered, pbx.Hangup, "owner 101 by crm")
	if r.Direction != pbx.In || r.To != companyNumber || r.Trunk != "carrier" || r.Cause.Party != pbx.PartyCaller {
		t.Errorf("direction %s, to %s, trunk %s, ended by %s", r.Direction, r.To, r.Trunk, r.Cause.Party)
	}
	if r.CRM == nil || r.CRM.Contact != "Пётр Клиентов" || r.CRM.Owner != "101" || r.CRM.MS < 100 {
		t.Errorf("what the CRM said: %+v", r.CRM)
	}
	invites := anna.messages("INVITE sip:")
	if len(calls(invites)) != 1 || !strings.Contains(invites[0], "From: \"Пётр Клиентов\" <sip:"+owned+"@") {
		t.Errorf("the phone got %d INVITEs: %q", len(invites), invites)
	}
	rec := s.recording(r)
	rec.wantTone(t, "the carrier's side of the recording", 0, 660, 1.5)
	rec.wantTone(t, "the owner's side of the recording", 1, 440, 1.5)
	asked, refused := c.questions()
	if len(asked) != 1 || refused != 0 || asked[0].From != owned || asked[0].To != companyNumber || asked[0].Domain != "acme.vpbx.test" || asked[0].Session != string(r.ID) {
		t.Errorf("the CRM was asked %+v, and %d times with a wrong signature", asked, refused)
	}
}

// TestOwnerMisses gives the call to the rules whenever the CRM does not help, and
// says why.
func TestOwnerMisses(t *testing.T) {
	t.Parallel()
	callers := map[string]string{ // to what the record must say
		"+79160000001": "crm: not found",
		"+79160000002": "owner 999 is not an extension",
		"+79160000003": "owner 102 is not registered",
		"+79160000004": "owner 103 is an exception",
		"+79160000006": "crm: broken answer",
		"+79160000007": "crm: broken answer",
	}
	c := startCRM(t, map[string]crmAnswer{
		"+79160000002": {Name: "Никто", Owner: "999"},
		"+79160000003": {Name: "Иван", Owner: "102"},
		"+79160000004": {Name: "Третий", Owner: "103"},
		"+79160000005": {Name: "Медленный", Owner: "101", Delay: time.Hour},
		"+79160000006": {Body: "<html>it works</html>"},
		"+79160000007": {Status: http.StatusBadGateway},
	})
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", CRM: c.URL}.String()})
	startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Auto: true})
	startBaresip(t, s, baresipOptions{User: "103", Password: "s3cret-103", Tone: 440, Auto: true})
	missed := func(caller, why string) {
		startSIPp(t, sippOptions{Scenario: "carrier_call", To: s.udp.String(), Tone: 660,
			Values: map[string]string{"from": caller, "to": companyNumber, "talk": "50"}}).done()
		s.wantRecord(caller, pbx.OutcomeAnswered, pbx.Hangup, why, "group 600")
	}
	for caller, why := range callers {
		missed(caller, why)
	}
	s.reload("timeout: 5s", "timeout: 700ms")
	missed("+79160000005", "crm did not answer in 700 ms") // and would not within the hour
}

// TestOwnerDeclines lets the owner refuse: the steps of the rule come next.
func TestOwnerDeclines(t *testing.T) {
	t.Parallel()
	c := startCRM(t, map[string]crmAnswer{owned: {Name: "Пётр Клиентов", Owner: "101"}})
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060", CRM: c.URL, Steps: `[{ring: "102"}]`}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
	carrier := startSIPp(t, sippOptions{Scenario: "carrier_call", To: s.udp.String(), Tone: 660,
		Values: map[string]string{"from": owned, "to": companyNumber, "talk": "100"}})
	anna.waitEvent("CALL_INCOMING")
	anna.do("hangup", "")
	carrier.done()
	r := s.wantRecord(owned, pbx.OutcomeAnswered, pbx.Hangup, "owner 101 by crm", "102")
	if len(r.Parties) != 2 || r.Parties[0].Who != "101" || r.Parties[1].Who != "102" {
		t.Errorf("parties: %+v", r.Parties)
	}
}
