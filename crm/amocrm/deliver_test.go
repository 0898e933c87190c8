package amocrm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/crm"
	"vpbx/crm/amocrm/amosim"
	"vpbx/pbx"
)

// made counts what there is beside the seed, by kind.
func made(s amosim.State) string {
	return fmt.Sprintf("contacts %d, leads %d, tasks %d, calls %d, unsorted %d", len(s.Contacts)-4, len(s.Leads)-2, len(s.Tasks), len(s.Calls), len(s.Unsorted))
}

// scenes are the six kinds of calls.
var scenes = map[pbx.AmoEvent]scene{
	pbx.AmoIncomingNew:   {client: stranger, line: line, who: []string{"101"}},
	pbx.AmoIncomingKnown: {client: known, line: line, who: []string{"101"}},
	pbx.AmoOutgoingNew:   {out: true, client: stranger, caller: "102", who: []string{stranger}},
	pbx.AmoOutgoingKnown: {out: true, client: known, caller: "102", who: []string{known}},
	pbx.AmoMissedNew:     {client: stranger, line: line, reason: pbx.NoAnswer},
	pbx.AmoMissedKnown:   {client: known, line: line, reason: pbx.NoAnswer},
}

// TestM08: a scenario is for its lines only; a call out is over the line it shows.
func TestM08(t *testing.T) {
	one := scenario()
	one.Lines = []string{line2}
	atDesk(t, []pbx.AmoScenario{one}, func(d *desk) {
		if got := made(d.call("c1", scene{client: stranger, line: line, who: []string{"101"}})); got != "contacts 0, leads 0, tasks 0, calls 0, unsorted 0" {
			t.Errorf("another line: %s", got)
		}
		if got := made(d.call("c2", scene{client: stranger, line: line2, who: []string{"101"}})); got != "contacts 1, leads 1, tasks 1, calls 1, unsorted 0" {
			t.Errorf("its line: %s", got)
		}
		if got := made(d.call("c3", scene{out: true, client: "+79990000000", caller: "101", who: []string{"+79990000000"}})); got != "contacts 1, leads 1, tasks 1, calls 1, unsorted 0" {
			t.Errorf("a call out over another line: %s", got)
		}
		d.company.Extensions["101"].Caller = line2
		if got := made(d.call("c4", scene{out: true, client: "+79990000000", caller: "101", who: []string{"+79990000000"}})); got != "contacts 2, leads 2, tasks 2, calls 2, unsorted 0" {
			t.Errorf("a call out over its line: %s", got)
		}
	})
}

// TestM09: of each kind of call what the scenario says for that kind, once, however
// often its events come.
func TestM09(t *testing.T) {
	for event, s := range scenes {
		t.Run(string(event), func(t *testing.T) {
			only := scenario()
			only.Events = map[pbx.AmoEvent]pbx.AmoReaction{event: only.Events[event]}
			atDesk(t, []pbx.AmoScenario{only}, func(d *desk) {
				want := "contacts 0, leads 1, tasks 1, calls 1, unsorted 0"
				if event.New() {
					want = "contacts 1, leads 1, tasks 1, calls 1, unsorted 0"
				}
				state := d.call("c1", s)
				if got := made(state); got != want {
					t.Errorf("made %s, want %s", got, want)
				}
				if state.Calls[0].Uniq != "c1" {
					t.Errorf("uniq %q", state.Calls[0].Uniq)
				}
				for other, s := range scenes {
					if other != event && !event.New() && other.New() {
						if got := made(d.call("c-"+pbx.CallID(other), s)); got != want {
							t.Errorf("%s makes %s", other, got)
						}
					}
				}
			})
		})
	}
}

// TestM09Crash: whichever write to the ledger fails, and whichever answer of amoCRM is
// lost, in the end everything is there once.
func TestM09Crash(t *testing.T) {
	const most = 14
	atDesk(t, []pbx.AmoScenario{scenario()}, func(d *desk) {
		calls := 0
		for n := 1; n <= most; n++ {
			for _, how := range []string{"before", "after", "answer"} {
				d.answer(nil)
				d.ledger.fails = 0
				switch how {
				case "answer":
					d.lose(n)
				default:
					d.ledger.fails, d.ledger.after = n, how == "after"
				}
				calls++
				client := fmt.Sprintf("+7999111%04d", calls)
				d.tell(d.notices(pbx.CallID(client), scene{client: client, line: line, who: []string{"101", "102"}}))
				state := d.sim.State()
				if got := made(state); got != fmt.Sprintf("contacts %d, leads %d, tasks %d, calls %d, unsorted 0", calls, calls, calls, calls) {
					t.Fatalf("%s %d: made %s", how, n, got)
				}
				if c := state.Contacts[len(state.Contacts)-1]; c.Responsible != 502 {
					t.Errorf("%s %d: user %d is responsible", how, n, c.Responsible)
				}
			}
		}
	})
}

// TestM10: titles, tags, fields and who is responsible are as set.
func TestM10(t *testing.T) {
	s := scenario()
	r := s.Events[pbx.AmoIncomingNew]
	r.Contact.Responsible, r.Task.Responsible = "503", pbx.AmoWhoContact
	r.Lead.Group = "600"
	s.Events[pbx.AmoIncomingNew] = r
	atDesk(t, []pbx.AmoScenario{s}, func(d *desk) {
		began := time.Now()
		state := d.call("c1", scenes[pbx.AmoIncomingNew])
		contact, lead, task := state.Contacts[4], state.Leads[2], state.Tasks[0]
		if contact.Name != "Клиент "+stranger || contact.Tags[0].Name != "новый" || !strings.Contains(fmt.Sprint(contact.Fields), "телефон") ||
			!strings.Contains(fmt.Sprint(contact.Fields), stranger) {
			t.Errorf("contact %+v", contact)
		}
		if lead.Name != "Звонок "+stranger || lead.Pipeline != 700 || lead.Status != 702 || lead.Tags[0].Name != "звонок" ||
			!strings.Contains(fmt.Sprint(lead.Fields), "на "+line) || !slices.Equal(lead.Contacts, []int64{contact.ID}) {
			t.Errorf("lead %+v", lead)
		}
		if lead.Responsible != 501 && lead.Responsible != 502 {
			t.Errorf("user %d is responsible for the lead of a group", lead.Responsible)
		}
		if task.Text != "Позвонить "+stranger || task.Responsible != 503 || task.EntityType != "leads" || task.Entity != lead.ID ||
			time.Unix(task.Due, 0).Sub(began).Round(time.Minute) != 2*time.Hour {
			t.Errorf("task %+v", task)
		}
		users := map[int64]int{}
		for n := range 200 {
			users[turn(d.company, "600", pbx.CallID(fmt.Sprint(n)))]++
		}
		if len(users) != 2 || users[501] < 70 || users[502] < 70 {
			t.Errorf("the turns of the group: %v", users)
		}
	})
}

// TestM11: the last who talked is responsible for a new contact, and for no known one.
func TestM11(t *testing.T) {
	atDesk(t, []pbx.AmoScenario{scenario()}, func(d *desk) {
		list := d.notices("c1", scene{client: stranger, line: line, who: []string{"101", "102", "103"}})
		end := slices.IndexFunc(list, func(n pbx.Notification) bool { return n.Kind == pbx.NotifyEnded })
		d.tell(list[:end])
		if s := d.sim.State(); s.Contacts[4].Responsible != 501 || s.Requests["PATCH /api/v4/contacts/{id}"] != 0 {
			t.Errorf("during the call: %+v", s.Contacts[4])
		}
		d.tell(list[end:])
		d.tell(list[end:])
		s := d.sim.State()
		if s.Contacts[4].Responsible != 503 || s.Requests["PATCH /api/v4/contacts/{id}"] != 1 {
			t.Errorf("after the call: user %d, %v", s.Contacts[4].Responsible, s.Requests)
		}
		s = d.call("c2", scene{client: known, line: line, who: []string{"101", "103"}})
		if s.Contacts[0].Responsible != 502 || s.Requests["PATCH /api/v4/contacts/{id}"] != 1 {
			t.Errorf("a known client: %+v", s.Contacts[0])
		}
	})
}

// TestM12: of a known client no contact is made, whatever the kind of call.
func TestM12(t *testing.T) {
	atDesk(t, []pbx.AmoScenario{scenario()}, func(d *desk) {
		for event, s := range scenes {
			if !event.New() {
				d.call(pbx.CallID(event), s)
			}
		}
		s := d.sim.State()
		if got := made(s); got != "contacts 0, leads 3, tasks 3, calls 3, unsorted 0" {
			t.Error(got)
		}
		for _, l := range s.Leads[2:] {
			if !slices.Equal(l.Contacts, []int64{1}) {
				t.Errorf("lead %+v", l)
			}
		}
	})
}

// TestM13: the call is in the log with how it went, its length and its recording.
func TestM13(t *testing.T) {
	for name, test := range map[string]struct {
		s      scene
		status int64
		user   string
	}{
		"answered":    {scene{client: known, line: line, who: []string{"101"}, recorded: true}, CallTalked, "501"},
		"transferred": {scene{client: known, line: line, who: []string{"101", "103"}}, CallTalked, "503"},
		"out":         {scene{out: true, client: known, caller: "103", who: []string{known}}, CallTalked, "503"},
		"no answer":   {scene{client: known, line: line, reason: pbx.NoAnswer}, CallNoAnswer, "503"},
		"busy":        {scene{client: known, line: line, reason: pbx.Busy}, CallBusy, "503"},
		"declined":    {scene{out: true, client: known, caller: "101", reason: pbx.Declined}, CallNotAvailable, "501"},
		"wrong":       {scene{out: true, client: known, caller: "101", reason: pbx.UnknownNumber}, CallWrongNumber, "501"},
		"offline":     {scene{client: known, line: line, reason: pbx.Unregistered}, CallNoAnswer, "503"},
		"broken":      {scene{out: true, client: known, caller: "101", reason: pbx.NoRoute}, CallNotAvailable, "501"},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, nil, func(d *desk) {
				began := time.Now()
				calls := d.call("c1", test.s).Calls
				if len(calls) != 1 {
					t.Fatalf("%d calls", len(calls))
				}
				c := calls[0]
				if c.Status != test.status || c.Responsible != test.user || c.Phone != known || c.Source != "vpbx" || c.Uniq != "c1" || c.CreatedAt != began.Unix() {
					t.Errorf("%+v", c)
				}
				if want := int64(11 * len(test.s.who)); test.s.reason == "" && (c.Duration < want-2 || c.Duration > want+5) || test.s.reason != "" && (c.Duration != 0 || c.Result == "") {
					t.Errorf("%d s, %q", c.Duration, c.Result)
				}
				if (c.Direction == "outbound") != test.s.out {
					t.Errorf("direction %s", c.Direction)
				}
				u, err := url.Parse(c.Link)
				if test.s.recorded != (c.Link != "") || err != nil || test.s.recorded && (u.Host != "pbx.test" || u.Query().Get("session_id") != "c1" || u.Query().Get("user_id") != "501" || u.Query().Get("account_id") != "30000001") {
					t.Errorf("link %q %v", c.Link, err)
				}
			})
		})
	}
}

// TestM14: a client without a card is put among the unsorted, gets a contact, or is left
// alone, as the scenario says.
func TestM14(t *testing.T) {
	queue := scenario()
	queue.Events = map[pbx.AmoEvent]pbx.AmoReaction{pbx.AmoMissedNew: {Unsorted: &pbx.AmoQueue{}}, pbx.AmoIncomingNew: {Unsorted: &pbx.AmoQueue{Pipeline: 700}}}
	nothing := scenario()
	nothing.Events = nil
	for name, test := range map[string]struct {
		scenario pbx.AmoScenario
		want     string
	}{
		"unsorted": {queue, "contacts 1, leads 1, tasks 0, calls 0, unsorted 1"}, // both are hidden until it is taken
		"contact":  {scenario(), "contacts 1, leads 1, tasks 1, calls 1, unsorted 0"},
		"nothing":  {nothing, "contacts 0, leads 0, tasks 0, calls 0, unsorted 0"},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, []pbx.AmoScenario{test.scenario}, func(d *desk) {
				s := d.call("c1", scenes[pbx.AmoMissedNew])
				if got := made(s); got != test.want {
					t.Errorf("%s: %s", name, got)
				}
				if len(s.Unsorted) == 1 {
					m := s.Unsorted[0].Metadata
					if m["uniq"] != "c1" || m["from"] != stranger || m["phone"] != line || s.Unsorted[0].SourceUID != line {
						t.Errorf("%+v", s.Unsorted[0])
					}
				}
			})
		})
	}
	t.Run("the answer is lost", func(t *testing.T) {
		atDesk(t, []pbx.AmoScenario{queue}, func(d *desk) {
			d.lose(2) // behind the question who it is
			d.tell(d.notices("c1", scenes[pbx.AmoMissedNew]))
			if got := made(d.sim.State()); got != "contacts 1, leads 1, tasks 0, calls 0, unsorted 1" {
				t.Error(got)
			}
		})
	})
}

// TestM14Refused: a request in a pipeline that is not there stays refused, however often it
// is sent again, until somebody puts the scenario right.
func TestM14Refused(t *testing.T) {
	queue := scenario()
	pipeline := &pbx.AmoQueue{Pipeline: 999}
	queue.Events = map[pbx.AmoEvent]pbx.AmoReaction{pbx.AmoMissedNew: {Unsorted: pipeline}}
	atDesk(t, []pbx.AmoScenario{queue}, func(d *desk) {
		list := d.notices("c1", scenes[pbx.AmoMissedNew])
		last := &list[len(list)-1]
		for range 3 {
			if err := d.b.Deliver(d.Context(), d.company, last); !errors.Is(err, crm.ErrRefused) {
				t.Fatal(err)
			}
		}
		pipeline.Pipeline = 700
		d.tell(list)
		if got := made(d.sim.State()); got != "contacts 1, leads 1, tasks 0, calls 0, unsorted 1" {
			t.Error(got)
		}
	})
}

// TestM14Lineless: a call out over a line that cannot be known is put among the unsorted, too:
// amoCRM wants a source.
func TestM14Lineless(t *testing.T) {
	queue := scenario()
	queue.Events = map[pbx.AmoEvent]pbx.AmoReaction{pbx.AmoOutgoingNew: {Unsorted: &pbx.AmoQueue{}}}
	queue.Lines = nil
	atDesk(t, []pbx.AmoScenario{queue}, func(d *desk) {
		d.company.Outbound = nil
		d.tell(d.notices("c1", scene{out: true, client: stranger, caller: "102", who: []string{stranger}}))
		s := d.sim.State()
		if len(s.Unsorted) != 1 || s.Unsorted[0].SourceUID != source || s.Unsorted[0].Metadata["from"] != "102" || s.Unsorted[0].Metadata["phone"] != stranger {
			t.Errorf("%s %+v", made(s), s.Unsorted)
		}
	})
}

// TestM15: who talks sees the card, and nobody else does.
func TestM15(t *testing.T) {
	users := func(s amosim.State) (all []string) {
		for _, e := range s.Events {
			all = append(all, e.Phone+" "+strings.Join(e.Users, ","))
		}
		return all
	}
	atDesk(t, nil, func(d *desk) {
		d.call("in", scene{client: known, line: line, who: []string{"101", "103"}})
		d.call("out", scene{out: true, client: stranger, caller: "102", who: []string{stranger}})
		d.call("missed", scenes[pbx.AmoMissedKnown])
		d.call("nobody", scene{client: known, line: line, who: []string{"104"}})
		want := []string{known + " 501", known + " 503", stranger + " 502"}
		if got := users(d.sim.State()); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		late := d.notices("late", scene{client: known, line: line, who: []string{"101"}})
		d.pass(time.Minute)
		d.tell(late)
		if got := users(d.sim.State()); !slices.Equal(got, want) {
			t.Errorf("after a minute: %v", got)
		}
	})
}

// TestDeliverBad: what amoCRM refuses is a dead letter and keeps nothing else from being done;
// it is done when somebody has put it right and sends it again. What is no refusal comes again.
func TestDeliverBad(t *testing.T) {
	wrong := scenario()
	r := wrong.Events[pbx.AmoIncomingNew]
	r.Lead.Pipeline = 999
	wrong.Events[pbx.AmoIncomingNew] = r
	atDesk(t, []pbx.AmoScenario{wrong}, func(d *desk) {
		list := d.notices("c1", scenes[pbx.AmoIncomingNew])
		var refused []pbx.NotificationKind
		for i := range list {
			if err := d.b.Deliver(d.Context(), d.company, &list[i]); errors.Is(err, crm.ErrRefused) {
				refused = append(refused, list[i].Kind)
			} else if err != nil {
				t.Errorf("%s: %v", list[i].Kind, err)
			}
		}
		if !slices.Equal(refused, []pbx.NotificationKind{pbx.NotifyAnswered, pbx.NotifyEnded}) {
			t.Errorf("refused: %v", refused)
		}
		if got := made(d.sim.State()); got != "contacts 1, leads 0, tasks 0, calls 1, unsorted 0" {
			t.Error(got)
		}
		r.Lead.Pipeline = 700
		d.tell(list)
		if got := made(d.sim.State()); got != "contacts 1, leads 1, tasks 1, calls 1, unsorted 0" {
			t.Error(got)
		}
	})
	for _, fault := range []amosim.Fault{{Kind: "status", Code: 500, Times: 3}, {Kind: "html", Times: 3}, {Kind: "broken", Times: 3}, {Kind: "huge", Times: 3},
		{Kind: "slow", Delay: time.Minute, Times: 3}, {Kind: "status", Code: 429, After: "2", Times: 3}} {
		atDesk(t, []pbx.AmoScenario{scenario()}, func(d *desk) {
			d.sim.SetFault(fault)
			d.tell(d.notices("c1", scenes[pbx.AmoMissedNew]))
			if got := made(d.sim.State()); got != "contacts 1, leads 1, tasks 1, calls 1, unsorted 0" {
				t.Errorf("%s %d: %s", fault.Kind, fault.Code, got)
			}
		})
	}
}

// TestDeletedUser: for a user who has an internal number and is gone from the account the
// fallback manager stands in.
func TestDeletedUser(t *testing.T) {
	for fallback, want := range map[string]int64{"103": 503, "": 501} { // 501 has connected the account
		atDesk(t, []pbx.AmoScenario{scenario()}, func(d *desk) {
			d.company.CRM.Amo.Users[599], d.company.CRM.Amo.Fallback = "104", fallback
			s := d.call("c1", scene{client: stranger, line: line, who: []string{"104"}})
			if got := made(s); got != "contacts 1, leads 1, tasks 1, calls 1, unsorted 0" {
				t.Fatal(got)
			}
			if s.Contacts[4].Responsible != want || s.Leads[2].Responsible != want || s.Tasks[0].Responsible != want || len(s.Events) != 0 {
				t.Errorf("fallback %q: users %d, %d and %d; shown %v", fallback, s.Contacts[4].Responsible, s.Leads[2].Responsible, s.Tasks[0].Responsible, s.Events)
			}
		})
	}
}

// TestDeliverNothing: what is nothing to amoCRM asks it nothing.
func TestDeliverNothing(t *testing.T) {
	atDesk(t, []pbx.AmoScenario{scenario()}, func(d *desk) {
		d.fresh()
		d.call("hidden", scene{client: "anonymous", line: line, who: []string{"101"}})
		d.call("short", scene{client: "112", line: line, who: []string{"101"}})
		inside := pbx.Notification{Call: "in", Kind: pbx.NotifyAnswered, Direction: pbx.InternalTo, From: "101", To: "102", Who: "102", Extension: "102"}
		d.tell([]pbx.Notification{inside, {Kind: pbx.NotifyEnded, Direction: pbx.In, From: known, To: line}})
		if seen, _ := d.came(); len(seen) > 0 {
			t.Errorf("it was asked: %v", seen)
		}
		d.company.CRM.Amo.Link = nil
		n := d.notices("off", scenes[pbx.AmoIncomingKnown])
		if err := d.b.Deliver(d.Context(), d.company, &n[2]); !errors.Is(err, crm.ErrRefused) {
			t.Errorf("disconnected: %v", err)
		}
	})
}

// TestPlanJSON: what is kept of a call in the ledger is a format.
func TestPlanJSON(t *testing.T) {
	text, err := json.Marshal(plan{Event: pbx.AmoIncomingKnown, Contact: 1, Responsible: 2, Leads: []int64{3}, User: 4})
	if err != nil || string(text) != `{"event":"incoming_known","contact":1,"responsible":2,"leads":[3],"user":4}` {
		t.Errorf("%s %v", text, err)
	}
}
