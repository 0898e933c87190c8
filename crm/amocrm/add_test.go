package amocrm

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/crm"
	"vpbx/crm/amocrm/amosim"
)

// refusedAs checks the error of one item.
func refusedAs(t *testing.T, err error, code, detail string) {
	t.Helper()
	var it *ItemError
	if !errors.As(err, &it) || !errors.Is(err, crm.ErrRefused) || !strings.Contains(strings.Join(it.Codes, " "), code) || !strings.Contains(it.Detail, detail) {
		t.Errorf("error %v, want %s %s", err, code, detail)
	}
}

// TestM21: of items of which some are refused the others are kept, and each refusal
// stands at its item.
func TestM21(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		var contacts []NewContact
		for i := range 120 {
			contacts = append(contacts, NewContact{Name: fmt.Sprint("c", i), Phones: []string{fmt.Sprintf("+7499%07d", i)}})
		}
		contacts[3].Responsible = 999
		contacts[70].Fields = []Field{{ID: 12345, Values: []string{"x"}}}
		contacts[119].Responsible = 998
		got, err := w.client.AddContacts(w.Context(), w.a, contacts)
		if err != nil || len(got) != 120 {
			t.Fatalf("%d, %v", len(got), err)
		}
		names := map[int64]string{}
		for _, c := range w.sim.State().Contacts {
			names[c.ID] = c.Name
		}
		for i, r := range got {
			switch i {
			case 3, 119:
				refusedAs(t, r.Err, "NotSupportedChoice", "responsible_user_id")
			case 70:
				refusedAs(t, r.Err, "NotSupportedChoice", "custom_fields_values.0.field_id")
			default:
				if r.Err != nil || names[r.ID] != contacts[i].Name {
					t.Errorf("%d: %q, %v", i, names[r.ID], r.Err)
				}
			}
		}
		if n := w.sim.Requests("POST /api/v4/contacts"); n != 6 {
			t.Errorf("%d requests", n)
		}
		if n := len(w.sim.State().Contacts); n != 3+117 {
			t.Errorf("%d contacts", n)
		}
	})
}

// TestM21Calls: a call of a number that is on no card is refused by itself.
func TestM21Calls(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		at := time.Now()
		call := Call{Direction: Inbound, Phone: "+79161234567", Duration: 61 * time.Second, Source: "vpbx", Uniq: "u1", Link: "https://pbx.test/r/1",
			Result: "ok", Status: CallTalked, Responsible: 502, At: at}
		unknown, wrong := call, call
		unknown.Phone, unknown.Uniq = "+79990000000", "u2"
		wrong.Direction = "sideways"
		second := call
		second.Phone, second.Uniq = "84950000002", "u3"
		got, err := w.client.AddCalls(w.Context(), w.a, []Call{call, unknown, wrong, second})
		if err != nil || len(got) != 4 {
			t.Fatal(got, err)
		}
		if got[0].Err != nil || got[0].Entity != 11 || got[0].EntityType != EntityLead || got[3].Err != nil || got[3].Entity != 2 || got[3].EntityType != EntityContact {
			t.Errorf("%+v", got)
		}
		refusedAs(t, got[1].Err, "", "Entity not found")
		var it *ItemError
		if !errors.As(got[1].Err, &it) || it.Status != StatusNoCard {
			t.Errorf("%v", got[1].Err)
		}
		refusedAs(t, got[2].Err, "NotSupportedChoice", "direction")
		want := amosim.Call{ID: got[0].ID, Entity: 11, EntityType: "leads", Direction: "inbound", Phone: "+79161234567", Duration: 61, Source: "vpbx", Uniq: "u1",
			Link: "https://pbx.test/r/1", Result: "ok", Status: 4, Responsible: "502", CreatedAt: at.Unix()}
		if calls := w.sim.State().Calls; len(calls) != 2 || calls[0] != want {
			t.Errorf("%+v", calls)
		}
		// None of them.
		got, err = w.client.AddCalls(w.Context(), w.a, []Call{unknown, unknown})
		if err != nil || !errors.As(got[0].Err, &it) || it.Status != StatusNoCard || !errors.As(got[1].Err, &it) {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := w.client.AddCalls(w.Context(), w.a, nil); err != nil || len(got) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestAdd is what is added, as amoCRM has it.
func TestAdd(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		ctx := w.Context()
		contacts, err := w.client.AddContacts(ctx, w.a, []NewContact{{Name: "Новый <script>", Responsible: 502, Phones: []string{"+79990000001"},
			Fields: []Field{{ID: 901, Values: []string{"звонок"}}, {Code: "EMAIL", Values: []string{"a@example.test"}, Enum: "WORK"}}, Tags: []string{"vpbx", "первый"}}})
		if err != nil || contacts[0].Err != nil {
			t.Fatal(contacts, err)
		}
		leads, err := w.client.AddLeads(ctx, w.a, []NewLead{{Name: "Звонок", Status: 702, Responsible: 501, Contacts: []int64{contacts[0].ID}, Tags: []string{"vpbx"},
			Fields: []Field{{ID: 902, Values: []string{"реклама"}}}}})
		if err != nil || leads[0].Err != nil {
			t.Fatal(leads, err)
		}
		due := time.Now().Add(time.Hour)
		tasks, err := w.client.AddTasks(ctx, w.a, []NewTask{{Text: "Перезвонить", Due: due, EntityType: EntityLead, Entity: leads[0].ID, Responsible: 502}, {Text: "", Due: due}})
		if err != nil || tasks[0].Err != nil {
			t.Fatal(tasks, err)
		}
		refusedAs(t, tasks[1].Err, "NotBlank", "text")
		if err := w.client.UpdateContact(ctx, w.a, contacts[0].ID, ContactChange{Responsible: 501}); err != nil {
			t.Error(err)
		}
		refusedAs(t, w.client.UpdateContact(ctx, w.a, contacts[0].ID, ContactChange{Responsible: 99}), "NotSupportedChoice", "responsible_user_id")
		var status *StatusError
		if err := w.client.UpdateContact(ctx, w.a, 98765, ContactChange{Responsible: 501}); !errors.As(err, &status) || status.Status != 404 {
			t.Error(err)
		}
		st := w.sim.State()
		if c := st.Contacts[3]; c.Name != "Новый <script>" || c.Responsible != 501 || fmt.Sprint(c.Fields[0].Values) != "[{звонок }]" || len(c.Fields) != 3 || c.Fields[2].Values[0].Value != "+79990000001" {
			t.Errorf("%+v", c)
		}
		if l := st.Leads[2]; l.Name != "Звонок" || l.Status != 702 || l.Pipeline != 700 || l.Responsible != 501 || fmt.Sprint(l.Contacts) != fmt.Sprint([]int64{contacts[0].ID}) || l.Tags[0].Name != "vpbx" {
			t.Errorf("%+v", l)
		}
		if k := st.Tasks[0]; k != (amosim.Task{ID: tasks[0].ID, Text: "Перезвонить", Due: due.Unix(), Kind: 1, EntityType: "leads", Entity: leads[0].ID, Responsible: 502, CreatedAt: k.CreatedAt}) {
			t.Errorf("%+v", k)
		}
	})
}

// TestUnsorted: an incoming lead is taken once.
func TestUnsorted(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		u := UnsortedSIP{SourceUID: "+74950000000", SourceName: "Линия", Pipeline: 700, Uniq: "c1", From: "+79990000009", Phone: "+74950000000", At: time.Now(),
			Duration: 5 * time.Second, Link: "https://pbx.test/r/2", Service: "vpbx", Responsible: 501, Lead: &NewLead{Name: "Звонок"}, Contact: &NewContact{Name: "+79990000009", Phones: []string{"+79990000009"}}}
		other := u
		other.Uniq = "c2"
		got, err := w.client.AddUnsorted(w.Context(), w.a, []UnsortedSIP{u, u, other})
		if err != nil || got[0].Err != nil || got[2].Err != nil || got[0].UID == "" || got[0].Lead == 0 || got[0].Contact == 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		refusedAs(t, got[1].Err, "NotUnique", "uniq")
		if got, err = w.client.AddUnsorted(w.Context(), w.a, []UnsortedSIP{u}); err != nil {
			t.Error(err)
		}
		refusedAs(t, got[0].Err, "NotUnique", "uniq")
		if n := len(w.sim.State().Unsorted); n != 2 {
			t.Errorf("%d incoming leads", n)
		}
		if found, err := w.client.Contacts(w.Context(), w.a, "+79990000009"); err != nil || len(found) != 0 {
			t.Errorf("a contact that nobody has accepted is found: %v, %v", found, err)
		}
	})
}

// TestPopup: the users who are named see the call, and nobody when none is.
func TestPopup(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		for _, users := range [][]int64{{502}, nil} {
			if err := w.client.RingPopup(Urgent(w.Context()), w.a, "+79161234567", users); err != nil {
				t.Error(err)
			}
		}
		if got := fmt.Sprint(w.sim.State().Events); got != "[{+79161234567 [502]}]" {
			t.Errorf("%s", got)
		}
		if err := w.client.RingPopup(w.Context(), w.a, "+79161234567", []int64{99}); !errors.Is(err, crm.ErrRefused) {
			t.Errorf("%v", err)
		}
	})
}
