package amosim

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
)

// Task is a task.
type Task struct {
	ID          int64  `json:"id"`
	Text        string `json:"text"`
	Due         int64  `json:"complete_till"`
	Kind        int64  `json:"task_type_id"`
	EntityType  string `json:"entity_type"`
	Entity      int64  `json:"entity_id"`
	Responsible int64  `json:"responsible_user_id"`
	CreatedAt   int64  `json:"created_at"`
}

// Call is a call on a card.
type Call struct {
	ID          int64  `json:"id"`
	Entity      int64  `json:"entity_id"`
	EntityType  string `json:"entity_type"`
	Direction   string `json:"direction"`
	Phone       string `json:"phone"`
	Duration    int64  `json:"duration"`
	Source      string `json:"source"`
	Uniq        string `json:"uniq"`
	Link        string `json:"link"`
	Result      string `json:"call_result"`
	Status      int64  `json:"call_status"`
	Responsible string `json:"call_responsible"`
	CreatedAt   int64  `json:"created_at"`
}

// Unsorted is an incoming lead.
type Unsorted struct {
	UID        string `json:"uid"`
	Category   string `json:"category"`
	SourceUID  string `json:"source_uid"`
	SourceName string `json:"source_name"`
	Pipeline   int64  `json:"pipeline_id"`
	CreatedAt  int64  `json:"created_at"`
	Metadata   obj    `json:"metadata"`
	Lead       int64  `json:"lead"`
	Contact    int64  `json:"contact,omitempty"`
	Outcome    string `json:"outcome,omitempty"` // accepted or declined
}

// Event is a notice of a call that users see.
type Event struct {
	Phone string   `json:"phone_number"`
	Users []string `json:"users"` // none: everybody
}

func (s *Server) tasks(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return page(r, "tasks", copied(s.account.Tasks))
}

func (s *Server) addTasks(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, wrong := items(r)
	if wrong != nil {
		return *wrong
	}
	a := &s.account
	var tasks []*Task
	var answer []obj
	var bad refused
	for i, item := range raw {
		f := newForm(item)
		t := &Task{Text: f.text("text", true), Due: f.number("complete_till", true), Kind: f.number("task_type_id", false),
			EntityType: f.text("entity_type", false), Entity: f.number("entity_id", false), Responsible: f.number("responsible_user_id", false), CreatedAt: unix()}
		if t.Responsible == 0 {
			t.Responsible = a.Users[0].ID
		} else if !a.hasUser(t.Responsible) {
			f.wrong("NotSupportedChoice", "responsible_user_id", "The value you selected is not a valid choice.")
		}
		if t.EntityType != "" && find(a.cards(t.EntityType), t.Entity) == nil {
			f.wrong("NotSupportedChoice", "entity_id", "The value you selected is not a valid choice.")
		}
		id := requestID(f, i)
		if len(*f.errs) > 0 {
			bad.add(id, *f.errs)
			continue
		}
		t.ID = a.next()
		tasks = append(tasks, t)
		answer = append(answer, obj{"id": t.ID, "request_id": id})
	}
	if len(bad) > 0 {
		return bad.reply()
	}
	a.Tasks = append(a.Tasks, tasks...)
	return reply{http.StatusOK, obj{"_links": links{"self": {r.URL.Path}}, "_embedded": obj{"tasks": answer}}}
}

func (a *account) cards(kind string) []*Card {
	switch kind {
	case contactsName:
		return a.Contacts
	case companiesName:
		return a.Companies
	case customersName:
		return a.Customers
	case leadsName:
		return a.Leads
	}
	return nil
}

// addCalls adds calls, each to the card of its number. Those whose number is on no
// card are refused one by one, the rest is stored; items that are wrong refuse the batch.
func (s *Server) addCalls(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, wrong := items(r)
	if wrong != nil {
		return *wrong
	}
	a := &s.account
	var calls []*Call
	var names []string
	var bad refused
	for i, item := range raw {
		f := newForm(item)
		calls, names = append(calls, readCall(f)), append(names, requestID(f, i))
		if len(*f.errs) > 0 {
			bad.add(names[i], *f.errs)
		}
	}
	if len(bad) > 0 {
		return bad.reply()
	}
	answer, missed := []obj{}, []obj{}
	for i, c := range calls {
		if c.EntityType, c.Entity = a.place(c.Phone); c.Entity == 0 {
			missed = append(missed, obj{"title": "Entity not found", "detail": "Entity not found", "status": 263, "request_id": names[i]})
			continue
		}
		a.log(c)
		answer = append(answer, obj{"id": c.ID, "entity_id": c.Entity, "entity_type": c.EntityType, "account_id": a.ID, "request_id": names[i],
			"_embedded": obj{"entity": obj{"id": c.Entity}}})
	}
	body := obj{"_total_items": len(answer), "errors": missed, "_embedded": obj{"calls": answer}}
	if len(answer) == 0 {
		return reply{http.StatusBadRequest, body}
	}
	return reply{http.StatusOK, body}
}

// log keeps a call. One with the uniq of another of the same card is the same: the
// documentation calls it the call's unique name and does not say what a second
// one does.
func (a *account) log(c *Call) {
	for _, have := range a.Calls {
		if c.Uniq != "" && have.Uniq == c.Uniq && have.Entity == c.Entity {
			c.ID = have.ID
			*have = *c
			return
		}
	}
	c.ID = a.next()
	a.Calls = append(a.Calls, c)
}

func readCall(f *form) *Call {
	c := &Call{Direction: f.text("direction", true), Phone: f.text("phone", true), Duration: f.number("duration", true), Source: f.text("source", true),
		Uniq: f.text("uniq", false), Link: f.text("link", false), Result: f.text("call_result", false), Status: f.number("call_status", false),
		Responsible: f.numberOrText("call_responsible"), CreatedAt: f.number("created_at", false)}
	if c.Direction != "" && c.Direction != "inbound" && c.Direction != "outbound" {
		f.wrong("NotSupportedChoice", "direction", "The value you selected is not a valid choice.")
	}
	if c.Status < 0 || c.Status > 8 {
		f.wrong("NotSupportedChoice", "call_status", "The value you selected is not a valid choice.")
	}
	if c.CreatedAt == 0 {
		c.CreatedAt = unix()
	}
	return c
}

// place finds the card for a number: the lead when the contact has exactly one active one and
// is no customer, the customer when he is one and has no active lead, else the
// contact or company.
func (a *account) place(phone string) (kind string, id int64) {
	onCard := func(c *Card) bool {
		return !c.Hidden && slices.ContainsFunc(c.phones(), func(p string) bool { return samePhone(p, phone) })
	}
	i := slices.IndexFunc(a.Contacts, onCard)
	if i < 0 {
		if i = slices.IndexFunc(a.Companies, onCard); i < 0 {
			return "", 0
		}
		return companiesName, a.Companies[i].ID
	}
	contact := a.Contacts[i].ID
	customers := linkedTo(a.Customers, contact)
	active := slices.DeleteFunc(linkedTo(a.Leads, contact), func(l *Card) bool { return l.Status == statusWon || l.Status == statusLost })
	switch {
	case len(active) == 1 && len(customers) == 0:
		return leadsName, active[0].ID
	case len(customers) == 1 && len(active) == 0:
		return customersName, customers[0].ID
	}
	return contactsName, contact
}

func (s *Server) unsorted(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Unsorted
	for _, u := range s.account.Unsorted {
		if u.Outcome == "" {
			all = append(all, *u)
		}
	}
	return page(r, "unsorted", all)
}

func (s *Server) addUnsorted(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, wrong := items(r)
	if wrong != nil {
		return *wrong
	}
	a := &s.account
	var all []*Unsorted
	var leads, contacts []*Card
	var answer []obj
	var bad refused
	for i, item := range raw {
		f := newForm(item)
		u, lead, contact := s.readUnsorted(f, all)
		id := requestID(f, i)
		if len(*f.errs) > 0 {
			bad.add(id, *f.errs)
			continue
		}
		u.UID, lead.ID = rand.Text(), a.next()
		u.Lead = lead.ID
		embedded := obj{leadsName: []obj{{"id": lead.ID}}}
		if contact != nil {
			contact.ID = a.next()
			u.Contact, lead.Contacts = contact.ID, []int64{contact.ID}
			contacts = append(contacts, contact)
			embedded[contactsName] = []obj{{"id": contact.ID}}
		}
		all, leads = append(all, u), append(leads, lead)
		answer = append(answer, obj{"uid": u.UID, "account_id": a.ID, "request_id": id, "_embedded": embedded})
	}
	if len(bad) > 0 {
		return bad.reply()
	}
	a.Unsorted, a.Leads, a.Contacts = append(a.Unsorted, all...), append(a.Leads, leads...), append(a.Contacts, contacts...)
	return reply{http.StatusOK, obj{"_total_items": len(answer), "_embedded": obj{"unsorted": answer}}}
}

// readUnsorted reads an incoming lead with what comes with it, which nobody sees until it is
// accepted. One that is there already, or among those before it, is refused: the
// documentation says so, and not by what they are the same; here by source and uniq.
func (s *Server) readUnsorted(f *form, before []*Unsorted) (*Unsorted, *Card, *Card) {
	u := &Unsorted{Category: "sip", SourceUID: f.text("source_uid", true), SourceName: f.text("source_name", true),
		Pipeline: f.number("pipeline_id", false), CreatedAt: f.number("created_at", false), Metadata: obj{}}
	m := f.sub("metadata", true)
	for _, key := range []string{"uniq", "from", "phone"} {
		u.Metadata[key] = m.numberOrText(key)
	}
	for _, key := range []string{"called_at", "duration", "call_responsible"} {
		u.Metadata[key] = m.number(key, false)
	}
	u.Metadata["link"], u.Metadata["service_code"] = m.text("link", false), m.text("service_code", false)
	for _, have := range slices.Concat(s.account.Unsorted, before) {
		if have.SourceUID == u.SourceUID && have.Metadata["uniq"] == u.Metadata["uniq"] && u.Metadata["uniq"] != "" {
			f.wrong("NotUnique", "metadata.uniq", "This value is already used.")
			break
		}
	}
	lead, contact := s.newCard(), (*Card)(nil)
	embedded := f.sub("_embedded", false)
	lead.Pipeline = u.Pipeline
	if wrong := s.account.settle(lead); wrong != "" {
		f.wrong("NotSupportedChoice", wrong, "The value you selected is not a valid choice.")
		lead.Pipeline = s.account.Pipelines[0].ID
	}
	for _, l := range embedded.list(leadsName) {
		s.read(l, leadsName, lead)
	}
	for _, c := range embedded.list(contactsName) {
		contact = s.newCard()
		s.read(c, contactsName, contact)
		contact.Hidden = true
	}
	lead.Hidden = true
	return u, lead, contact
}

// waiting finds an incoming lead that nobody has accepted or declined.
func (s *Server) waiting(r *http.Request) *Unsorted {
	for _, u := range s.account.Unsorted {
		if u.UID == r.PathValue("uid") && u.Outcome == "" {
			return u
		}
	}
	return nil
}

func (s *Server) acceptUnsorted(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.waiting(r)
	if u == nil {
		return problem(http.StatusNotFound, "Entity not found")
	}
	u.Outcome = "accepted"
	find(s.account.Leads, u.Lead).Hidden = false
	if c := find(s.account.Contacts, u.Contact); c != nil {
		c.Hidden = false
	}
	return reply{http.StatusOK, obj{"uid": u.UID, "_embedded": obj{leadsName: references([]int64{u.Lead})}}}
}

func (s *Server) declineUnsorted(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.waiting(r)
	if u == nil {
		return problem(http.StatusNotFound, "Entity not found")
	}
	u.Outcome = "declined"
	return reply{http.StatusOK, obj{"uid": u.UID}}
}

// addEvents takes notices of calls in the form of version 2 of the API.
func (s *Server) addEvents(r *http.Request) reply {
	body, err := io.ReadAll(r.Body)
	var q struct {
		Add []json.RawMessage `json:"add"`
	}
	if err != nil || json.Unmarshal(body, &q) != nil || len(q.Add) == 0 {
		return problem(http.StatusBadRequest, "add is missing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []Event
	answer := []obj{}
	for _, raw := range q.Add {
		f := newForm(raw)
		e := Event{Phone: f.numberOrText("phone_number")}
		if f.text("type", true) != "phone_call" || e.Phone == "" {
			return problem(http.StatusBadRequest, "type must be phone_call, with a phone_number")
		}
		var users []any
		if f.has("users", false) && json.Unmarshal(f.values["users"], &users) != nil {
			return problem(http.StatusBadRequest, "users must be an array")
		}
		for _, u := range users {
			name, ok := userName(u)
			if id, err := strconv.ParseInt(name, 10, 64); !ok || err != nil || !s.account.hasUser(id) {
				return problem(http.StatusBadRequest, "users: no such user")
			}
			e.Users = append(e.Users, name)
		}
		kind, id := s.account.place(e.Phone)
		events = append(events, e)
		answer = append(answer, obj{"element_id": id, "element_type": kind, "uid": rand.Text(), "phone_number": e.Phone})
	}
	s.account.Events = append(s.account.Events, events...)
	return reply{http.StatusOK, obj{"_links": links{"self": {"/api/v2/events"}}, "_embedded": obj{"items": answer}}}
}

// userName is an id of a user, which may be a number or a text.
func userName(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatInt(int64(v), 10), true
	}
	return "", false
}

// newFault sets a fault for those who develop.
func (s *Server) newFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if json.NewDecoder(r.Body).Decode(&f) != nil {
		write(w, problem(http.StatusBadRequest, "a fault is {path, kind, code, after, delay, times}"))
		return
	}
	s.SetFault(f)
	write(w, reply{http.StatusNoContent, nil})
}
