package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"vpbx/pbx"
	"vpbx/store"
)

// Open opens the database that belongs to t, again with what it held when it
// was closed before.
type Open func(t *testing.T) *store.Store

// Run tests an engine. newOpen gives a way to open a new, empty database, for
// node "n1".
func Run(t *testing.T, newOpen func(t *testing.T) Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"companies":            testCompanies,
		"company conflicts":    testConflicts,
		"company removed":      testRemoved,
		"extension set":        testExtension,
		"call saved once":      testSavedOnce,
		"calls by query":       testQueries,
		"calls by page":        testPages,
		"bad cursors":          testCursors,
		"recordings":           testRecordings,
		"isolation":            testIsolation,
		"journal":              testJournal,
		"outbox":               testOutbox,
		"outbox settled":       testOutboxSettled,
		"bindings":             testBindings,
		"tokens":               testTokens,
		"tokens of CRMs":       testCRMTokens,
		"many writers at once": testManyWriters,
		"spending":             testSpending,
		"contacts":             testContacts,
		"agents":               testAgents,
		"agent times":          testAgentTimes,
		"callbacks":            testCallbacks,
		"queue visits":         testQueueVisits,
		"chain":                testChain,
		"tombstones":           testTombstones,
		"open recordings":      testOpenRecordings,
		"voicemail":            testVoicemail,
		"e-mails":              testMails,
		"links":                testLinks,
		"histories":            testHistories,
		"exchanges":            testExchanges,
		"campaign states":      testCampaignStates,
		"targets":              testTargets,
		"due targets":          testDueTargets,
		"attempt":              testAttempt,
		"guards of attempts":   testGuards,
		"attempt taken back":   testWithdrawn,
		"stop lists":           testStops,
		"consents":             testConsents,
		"targets removed":      testRemoveTargets,
		"targets deferred":     testDefer,
		"targets told":         testTellOver,
		"targets told last":    testTargetsLast,
		"attempts read":        testAttemptReads,
		"campaign dropped":     testDropCampaign,
		"campaign isolation":   testCampaignIsolation,

		"A06 attempts are capped":             testCappedA06,
		"A15 earlier contacts":                testContactedA15,
		"A18 limits across campaigns at once": testLimitsA18,
	} {
		t.Run(name, func(t *testing.T) { test(t, newOpen(t)) })
	}
}

// t0 is when the calls of the tests begin.
var t0 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// Company gives a company with something of every noun.
func Company(id pbx.TenantID, number string) *pbx.Company {
	return &pbx.Company{
		Tenant: pbx.Tenant{ID: id, Domain: string(id) + ".test", Name: "ООО «Акме»", Zone: "Europe/Moscow", Country: "RU", Limits: pbx.Limits{Calls: 3, Barred: []string{"+7809"}, Spend: 1_500_000}},
		Extensions: map[string]*pbx.Extension{
			"101": {Number: "101", Name: "Анна", HA1MD5: "a", HA1SHA256: "b", Forward: &pbx.Forward{Busy: "102", After: 20 * time.Second}},
			"102": {Number: "102", Codecs: []string{"PCMA"}},
		},
		Groups:   map[string]*pbx.Group{"600": {Number: "600", Members: []string{"101", "102"}, Strategy: pbx.RingAll, Ring: 20 * time.Second}},
		Rates:    []pbx.Rate{{Prefix: "+7", Minute: 1_500_000}, {Prefix: "+", Minute: 20_000_000}},
		Trunks:   []*pbx.Trunk{{Name: "z", Host: "192.0.2.1", Trusted: true, CallerID: pbx.CallerID{PAI: "{number}"}}, {Name: "a", Host: "192.0.2.2", Password: "p"}},
		Numbers:  map[string]*pbx.Number{number: {Number: number, Trunk: "z"}},
		Outbound: []pbx.Outbound{{Prefix: "+", Trunks: []string{"z", "a"}, Weights: []int{3, 1}}, {Prefix: "112", Trunks: []string{"a"}}},
		Rules: []pbx.Rule{
			{Number: number, When: "not work", Callers: pbx.Callers{Not: []string{"black"}}, Owner: true, OwnerRing: time.Second, Fallback: "101", Steps: []pbx.Step{{Kind: pbx.StepRing, Target: "600"}}},
			{Numbers: []string{number}, Steps: []pbx.Step{{Kind: pbx.StepRing, Target: "101"}}},
		},
		Schedules: map[string]*pbx.Schedule{"work": {Name: "work", Hours: []pbx.Hours{{Days: pbx.EveryDay, From: 540, To: 1080}},
			Except: []pbx.Exception{{First: pbx.Date{Year: 2027, Month: 1, Day: 1}, Last: pbx.Date{Year: 2027, Month: 1, Day: 8}}}}},
		Lists: map[string]*pbx.List{"black": {Name: "black", Numbers: []string{"+79160000001"}, Prefixes: []string{"+1"}}},
		Campaigns: map[string]*pbx.Campaign{"welcome back": {Name: "welcome back", Kind: pbx.CampaignInform, Mode: pbx.DialMessage, When: "work", Ring: 20 * time.Second,
			Callers: []pbx.CampaignCaller{{Number: number, Label: "Акме: доставка"}}, Redial: pbx.Redial{Attempts: 3, Rules: map[pbx.AttemptOutcome]pbx.RedialRule{pbx.AttemptBusy: {Times: 2, After: time.Minute}}}}},
		Prompts: map[string]*pbx.Prompt{"welcome": {Name: "welcome", File: "/w.wav"}},
		CRM:     pbx.CRM{Kind: "none"},

		Conferences: map[string]*pbx.Conference{"800": {Number: "800", Name: "c", PIN: "1234", ModeratorPIN: "98765", Max: 5, Tones: true, Wait: true}},
	}
}

// Call gives a record of company t and its trace. Call n began n minutes after
// the first.
func Call(t pbx.TenantID, n int, change ...func(*pbx.CDR)) (pbx.CDR, []pbx.CallEvent) {
	began := t0.Add(time.Duration(n) * time.Minute)
	cause := pbx.NewCause(pbx.PartyCaller, pbx.Hangup)
	leg := pbx.LegID("leg")
	trace := []pbx.CallEvent{
		{At: began, Kind: pbx.Arrived, Direction: pbx.In, From: "+79160000001", To: "+74950000000", Who: "+79160000001", Trunk: "z"},
		{At: began.Add(time.Second), Kind: pbx.Dialled, Who: "101", Leg: leg},
		{At: began.Add(2 * time.Second), Kind: pbx.Bridged, Who: "101", Leg: leg},
		{At: began.Add(9 * time.Second), Kind: pbx.LegEnded, Leg: leg, Codec: "PCMA", Quality: &pbx.Quality{MOS: 4.3}, Cause: &cause},
		{At: began.Add(9 * time.Second), Kind: pbx.Ended, Cause: &cause},
	}
	c := pbx.Summarize(t, pbx.CallID(fmt.Sprintf("%s-%04d", t, n)), trace)
	for _, f := range change {
		f(&c)
	}
	return c, trace
}

func put(t *testing.T, s *store.Store, c *pbx.Company) {
	t.Helper()
	if err := s.UpdateCompany(t.Context(), c.ID, func(*pbx.Company) (*pbx.Company, error) { return c, nil }); err != nil {
		t.Fatalf("put company %s: %v", c.ID, err)
	}
}

func save(t *testing.T, s *store.Store, c pbx.CDR, trace []pbx.CallEvent) {
	t.Helper()
	if err := s.SaveCall(t.Context(), c.Tenant, c, trace); err != nil {
		t.Fatal(err)
	}
}

func closeStore(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	g, gotErr := json.MarshalIndent(got, "", " ")
	w, wantErr := json.MarshalIndent(want, "", " ")
	t.Errorf("%s\n%s\nwant\n%s\n%v", what, g, w, errors.Join(gotErr, wantErr))
}

func wantKind(t *testing.T, what string, err error, kind pbx.Kind) {
	t.Helper()
	if err == nil || pbx.KindOf(err) != kind {
		t.Errorf("%s: error %v, want kind %s", what, err, kind)
	}
}

func testCompanies(t *testing.T, open Open) {
	s := open(t)
	if s.Directory().Company("acme") != nil || len(s.Directory().Companies()) != 0 {
		t.Fatal("a new store has companies")
	}
	c := Company("acme", "+74950000000")
	put(t, s, c)
	put(t, s, Company("beta", "+74950000009"))
	same(t, "company", s.Directory().Company("acme"), c)
	if s.Directory().Domain("acme.test").ID != "acme" {
		t.Error("the domain is not found")
	}

	before := s.Directory()
	put(t, s, Company("acme", "+74950000000"))
	if s.Directory() != before {
		t.Error("the same company again made another Directory")
	}

	c = Company("acme", "+74950000001")
	c.Extensions["102"].Name = "Иван"
	delete(c.Extensions, "101")
	c.Trunks[0], c.Trunks[1] = c.Trunks[1], c.Trunks[0]
	c.Rules = append(c.Rules, c.Rules[0], pbx.Rule{Number: "x", Steps: []pbx.Step{{Kind: pbx.StepReject, Code: 603}}})
	put(t, s, c)
	same(t, "changed company", s.Directory().Company("acme"), c)

	broken := errors.New("no")
	err := s.UpdateCompany(t.Context(), "acme", func(old *pbx.Company) (*pbx.Company, error) {
		same(t, "old company", old, c)
		return nil, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("the error of change came back as %v", err)
	}
	err = s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return Company("beta", "+7"), nil })
	wantKind(t, "company under another's id", err, pbx.Invalid)

	closeStore(t, s)
	s = open(t)
	same(t, "company after a restart", s.Directory().Company("acme"), c)
	same(t, "the other company after a restart", s.Directory().Company("beta"), Company("beta", "+74950000009"))
}

func testConflicts(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	for field, change := range map[string]func(*pbx.Company){
		"domain":  func(c *pbx.Company) { c.Domain = "acme.test" },
		"numbers": func(c *pbx.Company) { c.Numbers["+74950000000"] = &pbx.Number{Number: "+74950000000"} },
	} {
		c := Company("beta", "+74950000001")
		change(c)
		err := s.UpdateCompany(t.Context(), "beta", func(*pbx.Company) (*pbx.Company, error) { return c, nil })
		wantKind(t, field, err, pbx.Conflict)
		var e *pbx.Error
		if errors.As(err, &e) && (e.Field != field || strings.Contains(strings.ReplaceAll(e.Error(), "acme.test", ""), "acme")) {
			t.Errorf("the conflict of the %s is told as %q at %q", field, e, e.Field)
		}
		if s.Directory().Company("beta") != nil {
			t.Error("a company with a conflict was stored")
		}
	}
	put(t, s, Company("beta", "+74950000001"))
	put(t, s, Company("acme", "+74950000002"))
	put(t, s, Company("beta", "+74950000000"))
	if s.Directory().Company("beta").Numbers["+74950000000"] == nil {
		t.Error("a number that was given up cannot be taken")
	}
}

func testRemoved(t *testing.T, open Open) {
	s := open(t)
	remove := func(*pbx.Company) (*pbx.Company, error) { return nil, nil }
	if err := s.UpdateCompany(t.Context(), "acme", remove); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("beta", "+74950000001"))
	c, trace := Call("acme", 1)
	save(t, s, c, trace)
	b := []pbx.Binding{{Tenant: "acme", Extension: "101", Contact: "sip:a"}, {Tenant: "beta", Extension: "101", Contact: "sip:b"}}
	if err := s.SaveBindings(t.Context(), b, nil); err != nil {
		t.Fatal(err)
	}
	addToken(t, s, "1", "acme")
	addToken(t, s, "2", "beta")
	if err := s.UpdateCompany(t.Context(), "acme", remove); err != nil {
		t.Fatal(err)
	}
	if s.Directory().Company("acme") != nil || s.Directory().Company("beta") == nil {
		t.Error("the Directory still has the company, or lost the other")
	}
	if left, err := s.Bindings(t.Context()); err != nil || len(left) != 1 || left[0].Tenant != "beta" {
		t.Errorf("bindings left: %v, %v", left, err)
	}
	if left, err := s.Tokens(t.Context(), ""); err != nil || len(left) != 1 || left[0].Tenant != "beta" {
		t.Errorf("tokens left: %v, %v", left, err)
	}
	if _, _, err := s.Call(t.Context(), "acme", c.ID); err != nil {
		t.Errorf("the records went with the company: %v", err)
	}
	put(t, s, Company("gamma", "+74950000000"))
}

func testSavedOnce(t *testing.T, open Open) {
	s := open(t)
	c, trace := Call("acme", 1)
	c.Ladder = []pbx.Message{{At: t0, Leg: "leg", Who: "101", Dir: "in", Start: "SIP/2.0 200 OK", Headers: []string{"CSeq: 1 INVITE"}, SDP: []string{"a=sendonly"}, LeftOut: 2}}
	save(t, s, c, trace)
	again := c
	again.Outcome, again.Recordings, again.Ladder = pbx.OutcomeFailed, []pbx.Recording{{ID: "r"}}, nil
	save(t, s, again, trace[:1])
	closeStore(t, s)
	s = open(t)
	got, gotTrace, err := s.Call(t.Context(), "acme", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "record", got, c)
	same(t, "trace", gotTrace, trace)
	if _, err := s.Recording(t.Context(), "acme", "r"); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("the second save left a recording: %v", err)
	}

	wantKind(t, "record of another company", s.SaveCall(t.Context(), "beta", c, trace), pbx.Invalid)
	wantKind(t, "record without company", s.SaveCall(t.Context(), "", pbx.CDR{ID: "x"}, nil), pbx.Invalid)
	wantKind(t, "record without id", s.SaveCall(t.Context(), "acme", pbx.CDR{Tenant: "acme"}, nil), pbx.Invalid)
	_, _, err = s.Call(t.Context(), "acme", "nope")
	wantKind(t, "unknown call", err, pbx.NotFound)
}

// ids lists the numbers of the calls that a query gives.
func ids(t *testing.T, s *store.Store, tenant pbx.TenantID, q pbx.CallQuery) string {
	t.Helper()
	items, _, err := s.Calls(t.Context(), tenant, q)
	if err != nil {
		t.Fatalf("query %+v: %v", q, err)
	}
	var list []string
	for _, c := range items {
		list = append(list, strings.TrimLeft(string(c.ID[len(tenant)+1:]), "0"))
	}
	return strings.Join(list, " ")
}

func testQueries(t *testing.T, open Open) {
	s := open(t)
	for n := 1; n <= 6; n++ {
		c, trace := Call("acme", n, func(c *pbx.CDR) {
			switch n {
			case 2:
				c.Direction, c.From, c.Caller.Who, c.Outcome = pbx.Out, "102", "102", pbx.OutcomeBusy
			case 3:
				c.Parties = append(c.Parties, pbx.Participant{Who: "102"}, pbx.Participant{Who: "102"})
			case 4:
				c.Outcome, c.Parties = pbx.OutcomeMissed, nil
			case 5:
				c.From = "bad\x00\xff"
			}
		})
		save(t, s, c, trace)
	}
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	for _, test := range []struct {
		q    pbx.CallQuery
		want string
	}{
		{pbx.CallQuery{}, "6 5 4 3 2 1"},
		{pbx.CallQuery{Limit: 2}, "6 5"},
		{pbx.CallQuery{Since: at(3)}, "6 5 4 3"},
		{pbx.CallQuery{Until: at(3)}, "2 1"},
		{pbx.CallQuery{Since: at(2), Until: at(5)}, "4 3 2"},
		{pbx.CallQuery{Direction: pbx.Out}, "2"},
		{pbx.CallQuery{Outcome: pbx.OutcomeMissed}, "4"},
		{pbx.CallQuery{Outcome: pbx.OutcomeVoicemail}, ""},
		{pbx.CallQuery{Number: "102"}, "3 2"},
		{pbx.CallQuery{Number: "101"}, "6 5 3 2 1"},
		{pbx.CallQuery{Number: "102", Direction: pbx.In, Since: at(3)}, "3"},
		{pbx.CallQuery{Number: "bad\x00\xff"}, "5"},
		{pbx.CallQuery{Number: "10%"}, ""},
		{pbx.CallQuery{Number: "' OR 1=1 --"}, ""},
	} {
		if got := ids(t, s, "acme", test.q); got != test.want {
			t.Errorf("%+v gave %q, want %q", test.q, got, test.want)
		}
	}
}

func testPages(t *testing.T, open Open) {
	s := open(t)
	const n = 23
	for i := range n {
		// Three calls each begin in the same instant.
		c, trace := Call("acme", i, func(c *pbx.CDR) { c.Started = t0.Add(time.Duration(i/3) * time.Second) })
		save(t, s, c, trace)
	}
	for _, number := range []string{"", "101"} {
		for _, limit := range []int{1, 2, 5, 22, 23, 24, 100000} {
			q := pbx.CallQuery{Number: number, Limit: limit}
			var got []pbx.CallID
			for pages := 0; ; pages++ {
				items, next, err := s.Calls(t.Context(), "acme", q)
				if err != nil || len(items) > limit || pages > n {
					t.Fatalf("page %d of %d: %d items, %v", pages, limit, len(items), err)
				}
				for _, c := range items {
					got = append(got, c.ID)
				}
				if next == "" {
					break
				}
				q.Cursor = next
			}
			if len(got) != n || got[0] != "acme-0022" || got[n-1] != "acme-0000" {
				t.Errorf("pages of %d for %q gave %v", limit, number, got)
			}
		}
	}
}

func testCursors(t *testing.T, open Open) {
	s := open(t)
	c, trace := Call("acme", 1)
	save(t, s, c, trace)
	for _, bad := range []string{"x", "====", "MQ", "MSA", "eCBh", strings.Repeat("A", 5000), "' OR 1=1", "MSBh\n"} {
		_, _, err := s.Calls(t.Context(), "acme", pbx.CallQuery{Cursor: bad})
		wantKind(t, fmt.Sprintf("cursor %q", bad), err, pbx.Invalid)
		_, _, err = s.Recordings(t.Context(), "acme", pbx.CallQuery{Cursor: bad})
		wantKind(t, fmt.Sprintf("cursor %q of recordings", bad), err, pbx.Invalid)
	}
}

func testRecordings(t *testing.T, open Open) {
	s := open(t)
	for n := 1; n <= 3; n++ {
		c, trace := Call("acme", n, func(c *pbx.CDR) {
			c.Recordings = []pbx.Recording{
				{ID: pbx.RecordingID(fmt.Sprintf("r%d", n)), Seconds: float64(n), Bytes: 44},
				{Error: "the disk is full"},
			}
		})
		save(t, s, c, trace)
	}
	got, err := s.Recording(t.Context(), "acme", "r2")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "recording", got, pbx.Recording{ID: "r2", Tenant: "acme", Call: "acme-0002", Seconds: 2, Bytes: 44})
	_, err = s.Recording(t.Context(), "acme", "")
	wantKind(t, "recording that did not begin", err, pbx.NotFound)

	first, next, err := s.Recordings(t.Context(), "acme", pbx.CallQuery{Limit: 2, Number: "101"})
	if err != nil || len(first) != 2 || first[0].ID != "r3" || next == "" {
		t.Fatalf("first page: %v, %q, %v", first, next, err)
	}
	rest, next, err := s.Recordings(t.Context(), "acme", pbx.CallQuery{Limit: 2, Number: "101", Cursor: next})
	if err != nil || len(rest) != 1 || rest[0].ID != "r1" || next != "" {
		t.Errorf("second page: %v, %q, %v", rest, next, err)
	}
	none, _, err := s.Recordings(t.Context(), "acme", pbx.CallQuery{Number: "102"})
	if err != nil || len(none) != 0 {
		t.Errorf("recordings of somebody who did not call: %v, %v", none, err)
	}
}

// testIsolation asks for everything of one company as another.
func testIsolation(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("beta", "+74950000001"))
	c, trace := Call("acme", 1, func(c *pbx.CDR) { c.Recordings = []pbx.Recording{{ID: "r1"}} })
	save(t, s, c, trace)
	for _, other := range []pbx.TenantID{"beta", "", "acm_", "%", "ACME"} {
		if _, _, err := s.Call(t.Context(), other, c.ID); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("%q sees the call: %v", other, err)
		}
		if _, err := s.Recording(t.Context(), other, "r1"); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("%q sees the recording: %v", other, err)
		}
		for _, q := range []pbx.CallQuery{{}, {Number: "101"}, {Outcome: c.Outcome}} {
			if calls, _, err := s.Calls(t.Context(), other, q); err != nil || len(calls) != 0 {
				t.Errorf("%q sees calls %v, %v", other, calls, err)
			}
			if recs, _, err := s.Recordings(t.Context(), other, q); err != nil || len(recs) != 0 {
				t.Errorf("%q sees recordings %v, %v", other, recs, err)
			}
		}
	}
	// The same ids in another company are other calls and recordings.
	c2, trace2 := Call("beta", 1, func(c2 *pbx.CDR) { c2.ID, c2.Recordings = c.ID, []pbx.Recording{{ID: "r1", Seconds: 5}} })
	save(t, s, c2, trace2)
	if r, err := s.Recording(t.Context(), "beta", "r1"); err != nil || r.Seconds != 5 {
		t.Errorf("recording of beta: %+v, %v", r, err)
	}
	if r, err := s.Recording(t.Context(), "acme", "r1"); err != nil || r.Seconds != 0 || r.Tenant != "acme" {
		t.Errorf("recording of acme: %+v, %v", r, err)
	}
	addToken(t, s, "1", "acme")
	if tokens, err := s.Tokens(t.Context(), "beta"); err != nil || len(tokens) != 0 {
		t.Errorf("beta sees tokens %v, %v", tokens, err)
	}
}

func testJournal(t *testing.T, open Open) {
	s := open(t)
	c1, trace1 := Call("acme", 1)
	c2, trace2 := Call("acme", 2)
	for i := range trace1 {
		if err := s.JournalCall(t.Context(), "acme", c1.ID, trace1[:i+1]); err != nil {
			t.Fatal(err)
		}
		if err := s.JournalCall(t.Context(), "beta", c2.ID, trace2[:1]); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, "journal without company", s.JournalCall(t.Context(), "", "x", nil), pbx.Invalid)
	closeStore(t, s)

	s = open(t)
	open1, err := s.Interrupted(t.Context(), "n1")
	if err != nil || len(open1) != 2 {
		t.Fatalf("interrupted calls: %v, %v", open1, err)
	}
	same(t, "last state", open1[0].Trace, trace1)
	if open1[1].Tenant != "beta" || open1[1].ID != c2.ID || len(open1[1].Trace) != 1 || open1[1].Updated.IsZero() {
		t.Errorf("the other call: %+v", open1[1])
	}
	if other, err := s.Interrupted(t.Context(), "n2"); err != nil || len(other) != 0 {
		t.Errorf("calls of another node: %v, %v", other, err)
	}
	save(t, s, c1, trace1)
	// Whatever the journal hears of a call that is saved comes too late.
	if err := s.JournalCall(t.Context(), "acme", c1.ID, trace1); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t)
	if left, err := s.Interrupted(t.Context(), "n1"); err != nil || len(left) != 1 || left[0].Tenant != "beta" {
		t.Errorf("after the save: %v, %v", left, err)
	}
}

func testBindings(t *testing.T, open Open) {
	s := open(t)
	b := func(tenant pbx.TenantID, contact string, cseq uint32) pbx.Binding {
		return pbx.Binding{Tenant: tenant, Extension: "101", Contact: contact, CallID: "c", CSeq: cseq, Transport: "udp",
			Source: "192.0.2.9:5060", UserAgent: "phone", Registered: t0, Expires: t0.Add(time.Hour)}
	}
	write := func(put, drop []pbx.Binding) {
		t.Helper()
		if err := s.SaveBindings(t.Context(), put, drop); err != nil {
			t.Fatal(err)
		}
	}
	write([]pbx.Binding{b("acme", "sip:a", 1), b("acme", "sip:b", 1), b("beta", "sip:a", 1)}, nil)
	write([]pbx.Binding{b("acme", "sip:a", 2)}, []pbx.Binding{b("acme", "sip:b", 1), b("acme", "sip:never", 1)})
	write(nil, nil)
	closeStore(t, s)
	s = open(t)
	got, err := s.Bindings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "bindings", got, []pbx.Binding{b("acme", "sip:a", 2), b("beta", "sip:a", 1)})
}

func addToken(t *testing.T, s *store.Store, digit string, tenant pbx.TenantID) store.Token {
	t.Helper()
	token := store.Token{Hash: strings.Repeat(digit, 64), Name: "t" + digit, Tenant: tenant, Role: "admin", Created: t0}
	if err := s.AddToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	return token
}

func testTokens(t *testing.T, open Open) {
	s := open(t)
	all, acme := addToken(t, s, "1", ""), addToken(t, s, "2", "acme")
	wantKind(t, "the same token again", s.AddToken(t.Context(), acme), pbx.Conflict)
	wantKind(t, "a token in clear", s.AddToken(t.Context(), store.Token{Hash: "secret"}), pbx.Invalid)
	got, err := s.Token(t.Context(), acme.Hash)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "token", got, acme)
	list, err := s.Tokens(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "tokens", list, []store.Token{all, acme})
	if err := s.DropToken(t.Context(), acme.Hash); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "dropping it again", s.DropToken(t.Context(), acme.Hash), pbx.NotFound)
	_, err = s.Token(t.Context(), acme.Hash)
	wantKind(t, "a dropped token", err, pbx.NotFound)
}

// testManyWriters mixes all writes; one bad write in a batch fails alone.
func testManyWriters(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c, trace := Call("acme", i)
			if err := s.SaveCall(t.Context(), "acme", c, trace); err != nil {
				t.Error(err)
			}
			if err := s.JournalCall(t.Context(), "acme", c.ID, trace); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			err := s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) {
				return nil, &pbx.Error{Kind: pbx.Denied}
			})
			if pbx.KindOf(err) != pbx.Denied {
				t.Errorf("the bad write gave %v", err)
			}
		})
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.SaveBindings(ctx, nil, nil); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("the cancelled write gave %v", err)
			}
		})
	}
	wg.Wait()
	calls, _, err := s.Calls(t.Context(), "acme", pbx.CallQuery{Limit: 1000})
	if err != nil || len(calls) != n {
		t.Errorf("%d calls, %v", len(calls), err)
	}
}
