package pbx

import (
	"net/netip"
	"testing"
	"time"
)

func TestE164(t *testing.T) {
	ru, us := &Tenant{Country: "RU"}, &Tenant{Country: "US"}
	for _, c := range []struct {
		t        *Tenant
		in, want string
	}{
		{ru, "8 (916) 123-45-67", "+79161234567"},
		{ru, "+7 916 123 45 67", "+79161234567"},
		{ru, "79161234567", "+79161234567"},
		{ru, "9161234567", "+79161234567"},
		{ru, "81049301234567", "+49301234567"},
		{ru, "101", "101"},
		{ru, "*97", "*97"},
		{ru, "112", "112"},
		{ru, "", ""},
		{ru, "+", ""},
		{ru, "101;drop", ""},
		{ru, "1+2", ""},
		{ru, "123456789012345678901234567890123", ""},
		{us, "(415) 555-0100", "+14155550100"},
		{us, "14155550100", "+14155550100"},
		{us, "00493012345678", "+493012345678"},
	} {
		if got := c.t.E164(c.in); got != c.want {
			t.Errorf("E164(%q) in %s = %q, want %q", c.in, c.t.Country, got, c.want)
		}
	}
}

func FuzzE164(f *testing.F) {
	f.Add("8 (916) 123-45-67")
	f.Fuzz(func(t *testing.T, s string) {
		n := (&Tenant{Country: "RU"}).E164(s)
		if len(n) > maxNumber+2 {
			t.Fatalf("E164(%q) = %q, too long", s, n)
		}
		for _, r := range n {
			if r > 'z' || r < '#' {
				t.Fatalf("E164(%q) = %q holds %q", s, n, r)
			}
		}
	})
}

// TestOwner holds the rule that no call is routed without knowing whose it is.
func TestOwner(t *testing.T) {
	shared := netip.MustParsePrefix("10.1.0.0/16")
	company := func(id TenantID, number string) *Company {
		return &Company{
			Tenant:  Tenant{ID: id, Domain: string(id) + ".test", Country: "RU"},
			Trunks:  []*Trunk{{Name: "c", From: []netip.Prefix{shared}}},
			Numbers: map[string]*Number{number: {Number: number, Trunk: "c"}},
		}
	}
	d := NewDirectory([]*Company{company("b", "+74950000002"), company("a", "+74950000001")})
	from := d.TrunksFrom(netip.MustParseAddr("::ffff:10.1.2.3"))
	if len(from) != 2 {
		t.Fatalf("TrunksFrom found %d trunks, want 2", len(from))
	}
	if got, ok := Owner(from, "84950000002"); !ok || got.Company.ID != "b" {
		t.Errorf("Owner of b's number = %v, %v", got.Company, ok)
	}
	if _, ok := Owner(from, "+74950000003"); ok {
		t.Error("a number of nobody on a shared source found an owner")
	}
	if got, ok := Owner(from[:1], "+74950000003"); !ok || got.Company.ID != "a" {
		t.Error("an unknown number on a trunk of one company is that company's call")
	}
	if _, ok := Owner(nil, "+74950000001"); ok {
		t.Error("no trunk, but an owner")
	}
	if d.TrunksFrom(netip.MustParseAddr("10.2.0.1")) != nil {
		t.Error("a source outside the prefix found a trunk")
	}
	if d.Domain("A.TEST") == nil || d.Company("b") == nil || d.Domain("x") != nil {
		t.Error("lookup by domain or id is wrong")
	}
}

func TestSummarize(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	cause := func(p Party, r Reason) *Cause { c := NewCause(p, r); return &c }
	trace := []CallEvent{
		{At: at(0), Kind: Arrived, Direction: In, From: "+79160000001", To: "+74950000000", Trunk: "carrier", Who: "+79160000001", Leg: "A"},
		{At: at(0.2), Kind: LookedUp, CRM: &Lookup{Contact: "Ann", Owner: "101", MS: 200, Result: "found"}},
		{At: at(0.2), Kind: Routed, Why: []string{"owner 101 by crm"}},
		{At: at(0.2), Kind: Dialled, Who: "101", Leg: "B"},
		{At: at(20.2), Kind: LegEnded, Leg: "B", Who: "101", Cause: cause(PartyCallee, NoAnswer), Why: []string{"101 did not answer in 20 s"}},
		{At: at(20.2), Kind: Dialled, Who: "102", Leg: "C"},
		{At: at(23.2), Kind: Answered, Who: "102", Leg: "C"},
		{At: at(23.2), Kind: Answered, Who: "+79160000001", Leg: "A"},
		{At: at(23.2), Kind: Bridged, Who: "102", Leg: "C"},
		{At: at(84.2), Kind: RecordEnd, Recording: &Recording{ID: "r", Seconds: 61}},
		{At: at(84.2), Kind: LegEnded, Leg: "C", Codec: "PCMA", Quality: &Quality{MOS: 4.3}, Cause: cause(PartyCaller, Hangup)},
		{At: at(84.2), Kind: Ended, Cause: cause(PartyCaller, Hangup)},
	}
	c := Summarize("acme", "1", trace)
	if c.Outcome != OutcomeAnswered || c.Wait != 23.2 || c.Talk != 61 || c.Answered == nil || !c.Answered.Equal(at(23.2)) {
		t.Errorf("outcome %s wait %v talk %v answered %v", c.Outcome, c.Wait, c.Talk, c.Answered)
	}
	if len(c.Parties) != 2 || c.Parties[0].Answered != nil || c.Parties[1].Codec != "PCMA" || c.Caller.Answered == nil {
		t.Errorf("parties %+v, caller %+v", c.Parties, c.Caller)
	}
	if len(c.Why) != 2 || c.CRM.Owner != "101" || len(c.Recordings) != 1 {
		t.Errorf("why %q crm %+v recordings %+v", c.Why, c.CRM, c.Recordings)
	}
	if c.Cause.Text.EN != "The caller hung up" || c.Cause.Text.RU != "Вызывающий положил трубку" {
		t.Errorf("cause in words: %+v", c.Cause.Text)
	}

	cut := Summarize("acme", "1", trace[:9])
	if cut.Cause.Reason != Interrupted || cut.Outcome != OutcomeAnswered || !cut.Ended.Equal(at(23.2)) {
		t.Errorf("a trace without Ended gave %+v", cut.Cause)
	}
}

// TestSummarizeConference: talking is the time in the conference, and the record
// says which it was, whom it met there and what was recorded of it.
func TestSummarizeConference(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	cause := NewCause(PartyCaller, Hangup)
	c := Summarize("acme", "1", []CallEvent{
		{At: at(0), Kind: Arrived, Direction: InternalTo, From: "101", To: "800", Who: "101", Leg: "A"},
		{At: at(0), Kind: Answered, Who: "101", Leg: "A"},
		{At: at(0), Kind: RecordStart, Recording: &Recording{ID: "own"}},
		{At: at(5), Kind: JoinedRoom, Who: "101", Leg: "A", To: "800", Text: "Planning"},
		{At: at(6), Kind: RecordStart, Recording: &Recording{ID: "r1"}},
		{At: at(10), Kind: LeftRoom, Who: "101", Leg: "A", With: []string{"102"}},
		{At: at(10), Kind: Ended, Cause: &cause},
	})
	if c.Outcome != OutcomeAnswered || c.Wait != 5 || c.Talk != 5 || c.Conference == nil {
		t.Fatalf("%+v", c)
	}
	if got := *c.Conference; got.Number != "800" || got.Name != "Planning" || len(got.With) != 1 || len(got.Recordings) != 1 || got.Recordings[0] != "r1" {
		t.Errorf("conference %+v", got)
	}
	if want := "101 called 800; 101 came into the conference Planning (800); the caller hung up after 5 s."; c.Explained.EN != want {
		t.Errorf("explained %q", c.Explained.EN)
	}
	if want := "Звонок с номера 101 на 800; 101: вход в конференцию Planning (800); звонивший положил трубку через 5 секунд."; c.Explained.RU != want {
		t.Errorf("explained %q", c.Explained.RU)
	}
}

func TestOutcomes(t *testing.T) {
	t0 := time.Unix(0, 0)
	for _, c := range []struct {
		cause Cause
		want  Outcome
	}{
		{NewCause(PartyCaller, Cancelled), OutcomeAbandoned},
		{NewCause(PartyCaller, Hangup), OutcomeAbandoned},
		{NewCause(PartyPBX, Hangup), OutcomeMissed},
		{NewCause(PartyCallee, NoAnswer), OutcomeMissed},
		{FromSIP(PartyCallee, 486), OutcomeBusy},
		{FromSIP(PartyCallee, 603), OutcomeRejected},
		{NewCause(PartyPBX, Rejected), OutcomeRejected},
		{FromSIP(PartyTrunk, 503), OutcomeFailed},
		{NewCause(PartyPBX, NoPorts), OutcomeFailed},
	} {
		got := Summarize("t", "1", []CallEvent{{At: t0, Kind: Arrived}, {At: t0, Kind: Ended, Cause: &c.cause}})
		if got.Outcome != c.want {
			t.Errorf("%+v gives %s, want %s", c.cause, got.Outcome, c.want)
		}
	}
}

// TestReasons: every reason has words in both languages and codes.
func TestReasons(t *testing.T) {
	for r, text := range reasons {
		if text.en == "" || text.ru == "" || text.sip < 200 || text.sip > 699 || text.q850 == 0 {
			t.Errorf("reason %s: %+v", r, text)
		}
	}
}

func TestIDs(t *testing.T) {
	t0 := time.Now()
	a, b := NewCallID(t0), NewCallID(t0.Add(time.Millisecond))
	if a >= b || len(a) != 32 {
		t.Errorf("ids %q and %q do not sort by time", a, b)
	}
}
