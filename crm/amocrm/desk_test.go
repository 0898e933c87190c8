package amocrm

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"vpbx/crm"
	"vpbx/crm/amocrm/amosim"
	"vpbx/pbx"
)

// desk is a company that is connected with the stand-in, and the connector.
type desk struct {
	*office
	company *pbx.Company
	b       *Connector
	ledger  *shaky
}

// shaky is a ledger that fails when told to.
type shaky struct {
	Ledger
	fails int // saves until one fails, before or behind its work; 0: none does
	after bool
}

var errShaken = errors.New("the disk is full")

func (s *shaky) SaveAmoStep(ctx context.Context, t pbx.TenantID, call pbx.CallID, step pbx.AmoStep) error {
	s.fails--
	if s.fails == 0 && !s.after {
		return errShaken
	}
	err := s.Ledger.SaveAmoStep(ctx, t, call, step)
	if s.fails == 0 && err == nil {
		return errShaken
	}
	return err
}

const (
	known    = "+79161234567" // contact 1, of user 502
	stranger = "+79991112233"
	line     = "+74950000000"
	line2    = "+74950000002"
)

// atDesk runs f in a bubble with a desk whose company has these scenarios.
func atDesk(t *testing.T, scenarios []pbx.AmoScenario, f func(*desk)) {
	t.Helper()
	s := seed()
	s.Users = append(s.Users, amosim.SeedUser{ID: 503, Name: "Вера"}, amosim.SeedUser{ID: 504, Name: "Глеб"})
	s.Contacts = append(s.Contacts, amosim.SeedContact{ID: 5, Name: "Без номера", Responsible: 504, Phones: []string{"+79160000005"}})
	work(t, amosim.Options{Seed: s}, func(w *office) {
		ext := func(n string) *pbx.Extension { return &pbx.Extension{Number: n} }
		c := &pbx.Company{Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test", Country: "RU", Zone: "Europe/Moscow"},
			Extensions: map[string]*pbx.Extension{"101": ext("101"), "102": ext("102"), "103": ext("103"), "104": ext("104")},
			Groups:     map[string]*pbx.Group{"600": {Number: "600", Members: []string{"101", "102", "104"}}},
			Numbers:    map[string]*pbx.Number{line: {Number: line}, line2: {Number: line2}},
			Outbound:   []pbx.Outbound{{Prefix: "+", Caller: line}},
			CRM: pbx.CRM{Kind: "amocrm", ClientID: "sim-client", Amo: &pbx.AmoCRM{Account: "demo.amocrm.ru", ClientSecret: "sim-secret",
				Users: map[int64]string{501: "101", 502: "102", 503: "103"}, Fallback: "103", Scenarios: scenarios,
				Link: &pbx.AmoLink{Account: "demo.amocrm.ru", AccountID: 30000001, ClientID: "sim-client", ClientSecret: "sim-secret", Key: "k"}}}}
		d := &desk{office: w, company: c, ledger: &shaky{Ledger: w.store}}
		d.b = NewConnector(w.client, d.ledger, "https://pbx.test", slog.New(slog.NewTextHandler(&w.log, nil)))
		f(d)
	})
}

// scene is a call: who talked with the client, one after the other.
type scene struct {
	out          bool
	client, line string
	caller       string // of a call out
	who          []string
	reason       pbx.Reason // of one that nobody answered
	recorded     bool
}

// notices are the events of a call that begins now.
func (d *desk) notices(id pbx.CallID, s scene) []pbx.Notification {
	at := time.Now()
	tick := func() time.Time { at = at.Add(time.Second); return at }
	from, to, caller := s.client, s.line, s.client
	trace := []pbx.CallEvent{{At: at, Kind: pbx.Arrived, Leg: "a", Who: caller, Trunk: "carrier", Direction: pbx.In, From: from, To: to}}
	if s.out {
		trace[0] = pbx.CallEvent{At: at, Kind: pbx.Arrived, Leg: "a", Who: s.caller, Direction: pbx.InternalTo, From: s.caller, To: s.client}
		trace = append(trace, pbx.CallEvent{At: tick(), Kind: pbx.Routed, Direction: pbx.Out, To: s.client})
	}
	for i, who := range s.who {
		leg, trunk := pbx.LegID("b"+string(rune('0'+i))), ""
		if d.company.Extensions[who] == nil {
			trunk = "carrier"
		}
		trace = append(trace, pbx.CallEvent{At: tick(), Kind: pbx.Dialled, Leg: leg, Who: who, Trunk: trunk}, pbx.CallEvent{At: tick(), Kind: pbx.Ringing, Leg: leg, Who: who},
			pbx.CallEvent{At: tick(), Kind: pbx.Answered, Leg: leg, Who: who}, pbx.CallEvent{At: at, Kind: pbx.Bridged, Leg: leg, Who: who})
		at = at.Add(10 * time.Second)
		if i+1 < len(s.who) {
			trace = append(trace, pbx.CallEvent{At: tick(), Kind: pbx.Transferred, Who: who, To: s.who[i+1]}, pbx.CallEvent{At: at, Kind: pbx.LegEnded, Leg: leg, Who: who})
		}
	}
	if s.recorded {
		trace = append(trace, pbx.CallEvent{At: at, Kind: pbx.RecordEnd, Recording: &pbx.Recording{ID: "rec1"}})
	}
	cause := pbx.NewCause(pbx.PartyCaller, pbx.Hangup)
	if s.reason != "" {
		cause = pbx.NewCause(pbx.PartyCallee, s.reason)
	}
	trace = append(trace, pbx.CallEvent{At: tick(), Kind: pbx.Ended, Cause: &cause})
	record := pbx.Summarize("acme", id, trace)
	return pbx.Notifications(id, trace, &record)
}

// tell delivers the events in order, each until it is taken, as the Deliverer does, and gives
// how many tries failed.
func (d *desk) tell(list []pbx.Notification) int {
	d.Helper()
	failed := 0
	for i := range list {
		for tries := 0; ; tries++ {
			ctx, cancel := d.within(10 * time.Second)
			err := d.b.Deliver(ctx, d.company, &list[i])
			cancel()
			if err == nil || errors.Is(err, crm.ErrRefused) {
				break
			}
			if failed++; tries == 30 {
				d.Fatalf("%s: %v", list[i].Kind, err)
			}
			time.Sleep(time.Second)
		}
	}
	return failed
}

// pass lets time pass.
func (d *desk) pass(t time.Duration) { time.Sleep(t) }

// call has a call happen, of which every event comes twice.
func (d *desk) call(id pbx.CallID, s scene) amosim.State {
	d.Helper()
	var twice []pbx.Notification
	for _, n := range d.notices(id, s) {
		twice = append(twice, n, n)
	}
	d.tell(twice)
	return d.sim.State()
}

// lose has the nth request from now on be done, and its answer be lost.
func (d *desk) lose(n int) {
	d.answer(func(sim http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if n--; n == 0 {
				sim.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			sim.ServeHTTP(w, r)
		}
	})
}

// scenario is one that takes every line and makes everything.
func scenario() pbx.AmoScenario {
	full := func(isNew bool) pbx.AmoReaction {
		r := pbx.AmoReaction{
			Lead: &pbx.AmoEntity{Name: "Звонок $(phone)", Tags: []string{"звонок"}, Fields: map[string]string{"902": "на $(line)"}, Pipeline: 700, Status: 702},
			Task: &pbx.AmoTask{Text: "Позвонить $(phone)", Due: 2 * time.Hour},
		}
		if isNew {
			r.Contact = &pbx.AmoEntity{Name: "Клиент $(phone)", Tags: []string{"новый"}, Fields: map[string]string{"901": "телефон"}}
			r.Transferee = true
		}
		return r
	}
	s := pbx.AmoScenario{Name: "Все", On: true, Smart: true, Events: map[pbx.AmoEvent]pbx.AmoReaction{}}
	for _, e := range pbx.AmoEvents {
		s.Events[e] = full(e.New())
	}
	return s
}
