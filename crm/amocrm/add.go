package amocrm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpbx/crm"
)

const (
	batch     = 50 // items of a request: what amoCRM advises
	maxRounds = 3  // a batch of which items are refused is sent so often, each time without them
)

// added is what amoCRM says of an item that it has taken, or why it has not.
type added struct {
	RequestID  text `json:"request_id"`
	ID         id   `json:"id"`
	UID        text `json:"uid"`
	Entity     id   `json:"entity_id"`
	EntityType text `json:"entity_type"`
	Embedded   object[struct {
		Leads    list[linked] `json:"leads"`
		Contacts list[linked] `json:"contacts"`
	}] `json:"_embedded"`
	err error
}

// AddContacts adds contacts. The results are those of the items in their order; the
// error is the first that was no refusal of an item, and then stands at each item of
// which it is not known what became of it. So it is with the other Add… methods.
func (c *Client) AddContacts(ctx context.Context, a Account, items []NewContact) ([]Result, error) {
	return results(c.add(ctx, a, "/api/v4/contacts", "contacts", mapped(items, contactBody)))
}

// AddLeads adds leads. See AddContacts.
func (c *Client) AddLeads(ctx context.Context, a Account, items []NewLead) ([]Result, error) {
	return results(c.add(ctx, a, "/api/v4/leads", "leads", mapped(items, leadBody)))
}

// AddTasks adds tasks. See AddContacts.
func (c *Client) AddTasks(ctx context.Context, a Account, items []NewTask) ([]Result, error) {
	return results(c.add(ctx, a, "/api/v4/tasks", "tasks", mapped(items, taskBody)))
}

// AddCalls logs calls. A call whose number is on no card is an [ItemError] of
// [StatusNoCard]. See AddContacts.
func (c *Client) AddCalls(ctx context.Context, a Account, items []Call) ([]CallResult, error) {
	all, err := c.add(ctx, a, "/api/v4/calls", "calls", mapped(items, callBody))
	return mapped(all, func(r added) CallResult {
		return CallResult{int64(r.ID), int64(r.Entity), string(r.EntityType), r.err}
	}), err
}

// AddUnsorted adds calls to the incoming leads. See AddContacts.
func (c *Client) AddUnsorted(ctx context.Context, a Account, items []UnsortedSIP) ([]UnsortedResult, error) {
	all, err := c.add(ctx, a, "/api/v4/leads/unsorted/sip", "unsorted", mapped(items, unsortedBody))
	return mapped(all, func(r added) UnsortedResult {
		u := UnsortedResult{UID: clean(r.UID), Err: r.err}
		if leads := ids(r.Embedded.v.Leads); len(leads) > 0 {
			u.Lead = leads[0]
		}
		if contacts := ids(r.Embedded.v.Contacts); len(contacts) > 0 {
			u.Contact = contacts[0]
		}
		return u
	}), err
}

// UpdateContact changes a contact.
func (c *Client) UpdateContact(ctx context.Context, a Account, id int64, change ContactChange) error {
	body := item{}
	body.text("name", change.Name)
	body.number("responsible_user_id", change.Responsible)
	got, err := c.ask(ctx, a, http.MethodPatch, "/api/v4/contacts/"+strconv.FormatInt(id, 10), nil, body)
	if err == nil && got.status == http.StatusBadRequest {
		err = refusal(got)
	}
	if err != nil {
		return fmt.Errorf("change the contact: %w", err)
	}
	return nil
}

// RingPopup shows users that there is a call with a number; no users: nobody.
// amoCRM looks for the card to show by itself.
func (c *Client) RingPopup(ctx context.Context, a Account, phone string, users []int64) error {
	if len(users) == 0 {
		return nil // amoCRM would show it to everybody
	}
	event := item{"type": "phone_call", "phone_number": phone, "users": users}
	got, err := c.ask(ctx, a, http.MethodPost, "/api/v2/events", nil, item{"add": []item{event}})
	if err == nil && got.status == http.StatusBadRequest {
		err = refusal(got)
	}
	if err != nil {
		return fmt.Errorf("show the call: %w", err)
	}
	return nil
}

// refusal is the error of a request for one thing that was answered with 400.
func refusal(got answer) error {
	if problems, ok := itemErrors(got.body); ok {
		for _, err := range problems {
			return err
		}
	}
	return &StatusError{got.status, got.problem()}
}

func mapped[A, B any](all []A, f func(A) B) []B {
	out := make([]B, len(all))
	for i, a := range all {
		out[i] = f(a)
	}
	return out
}

func results(all []added, err error) ([]Result, error) {
	return mapped(all, func(r added) Result { return Result{int64(r.ID), r.err} }), err
}

// add sends items in batches and tells what became of each.
func (c *Client) add(ctx context.Context, a Account, path, name string, items []item) ([]added, error) {
	out := make([]added, len(items))
	for i, it := range items {
		it["request_id"] = strconv.Itoa(i)
	}
	for start := 0; start < len(items); start += batch {
		var open []int
		for i := start; i < min(start+batch, len(items)); i++ {
			open = append(open, i)
		}
		if err := c.addBatch(ctx, a, path, name, items, open, out); err != nil {
			err = fmt.Errorf("add %s: %w", name, err)
			for i := range out[start:] {
				if r := &out[start+i]; r.ID == 0 && r.UID == "" && r.err == nil {
					r.err = err
				}
			}
			return out, err
		}
	}
	return out, nil
}

// addBatch sends the open items. When amoCRM refuses the whole batch for the sake of
// some items, the rest is sent again without them.
func (c *Client) addBatch(ctx context.Context, a Account, path, name string, items []item, open []int, out []added) error {
	for range maxRounds {
		body := mapped(open, func(i int) item { return items[i] })
		got, err := c.ask(ctx, a, http.MethodPost, path, nil, body)
		if err != nil {
			return err
		}
		taken, problems, err := decodeAdded(got, name)
		if err != nil {
			return err
		}
		for _, r := range taken {
			if i, ok := indexOf(r.RequestID, open); ok {
				out[i] = r
			}
		}
		var rest []int
		for _, i := range open {
			switch problem := problems[strconv.Itoa(i)]; {
			case out[i].ID != 0 || out[i].UID != "":
			case problem != nil:
				out[i].err = problem
			case got.status == http.StatusBadRequest:
				rest = append(rest, i)
			default:
				out[i].err = fmt.Errorf("%w: it does not say what became of the item", crm.ErrBadAnswer)
			}
		}
		if len(rest) == len(open) { // refused, and no item is named
			for _, i := range rest {
				out[i].err = &ItemError{Status: got.status, Detail: got.problem()}
			}
			return nil
		}
		if open = rest; len(open) == 0 {
			return nil
		}
	}
	for _, i := range open {
		out[i].err = fmt.Errorf("%w: others of the batch were refused again and again", crm.ErrBadAnswer)
	}
	return nil
}

// indexOf finds the item of a request_id among those that were sent.
func indexOf(request text, open []int) (int, bool) {
	i, err := strconv.Atoi(string(request))
	return i, err == nil && slices.Contains(open, i)
}

// decodeAdded reads the answer to items that were to be added: what was taken, and
// why what was not, by request_id.
func decodeAdded(got answer, name string) ([]added, map[string]error, error) {
	var page struct {
		Embedded object[map[string]list[added]] `json:"_embedded"`
	}
	if got.status == http.StatusBadRequest && decode(got, &page) != nil {
		return nil, nil, &StatusError{Status: got.status} // a page, not amoCRM's words
	}
	if err := decode(got, &page); err != nil {
		return nil, nil, err
	}
	problems, _ := itemErrors(got.body)
	return page.Embedded.v[name], problems, nil
}

// itemErrors reads why items were refused, by request_id, in both forms: that of
// validation, and that of calls of which some were taken.
func itemErrors(body []byte) (map[string]error, bool) {
	var p struct {
		Validation list[struct {
			RequestID text `json:"request_id"`
			Errors    list[struct {
				Code   text `json:"code"`
				Path   text `json:"path"`
				Detail text `json:"detail"`
			}] `json:"errors"`
		}] `json:"validation-errors"`
		Errors list[struct {
			RequestID text `json:"request_id"`
			Title     text `json:"title"`
			Detail    text `json:"detail"`
			Status    id   `json:"status"`
		}] `json:"errors"`
	}
	if json.Unmarshal(body, &p) != nil {
		return nil, false
	}
	problems := map[string]error{}
	for _, v := range p.Validation {
		e := &ItemError{Status: http.StatusBadRequest}
		var words []string
		for _, one := range v.Errors {
			if code := crm.Clean(string(one.Code), 64); code != "" && !slices.Contains(e.Codes, code) {
				e.Codes = append(e.Codes, code)
			}
			words = append(words, strings.TrimSpace(string(one.Path)+" "+string(one.Detail)))
		}
		e.Detail = crm.Clean(strings.Join(words, "; "), maxDetail)
		problems[string(v.RequestID)] = e
	}
	for _, v := range p.Errors {
		words := string(v.Title)
		if v.Detail != v.Title {
			words += " " + string(v.Detail)
		}
		problems[string(v.RequestID)] = &ItemError{Status: int(v.Status), Detail: crm.Clean(words, maxDetail)}
	}
	return problems, len(problems) > 0
}

// item is a body of JSON.
type item map[string]any

func (it item) text(key, value string) {
	if value != "" {
		it[key] = value
	}
}

func (it item) number(key string, value int64) {
	if value != 0 {
		it[key] = value
	}
}

func (it item) time(key string, value time.Time) {
	if !value.IsZero() {
		it[key] = value.Unix()
	}
}

func (it item) fields(all []Field) {
	var out []item
	for _, f := range all {
		field := item{}
		field.number("field_id", f.ID)
		if f.ID == 0 {
			field.text("field_code", f.Code)
		}
		field["values"] = mapped(f.Values, func(s string) item {
			value := item{"value": s}
			value.text("enum_code", f.Enum)
			return value
		})
		out = append(out, field)
	}
	if out != nil {
		it["custom_fields_values"] = out
	}
}

func tags(names []string) []item {
	return mapped(names, func(name string) item { return item{"name": name} })
}

func contactBody(c NewContact) item {
	it := item{}
	it.text("name", c.Name)
	it.number("responsible_user_id", c.Responsible)
	fields := slices.Clone(c.Fields)
	if len(c.Phones) > 0 {
		fields = append(fields, Field{Code: phoneCode, Values: c.Phones, Enum: "WORK"})
	}
	it.fields(fields)
	if len(c.Tags) > 0 {
		it["_embedded"] = item{"tags": tags(c.Tags)}
	}
	return it
}

func leadBody(l NewLead) item {
	it := item{}
	it.text("name", l.Name)
	it.number("pipeline_id", l.Pipeline)
	it.number("status_id", l.Status)
	it.number("responsible_user_id", l.Responsible)
	it.fields(l.Fields)
	embedded := item{}
	if len(l.Tags) > 0 {
		embedded["tags"] = tags(l.Tags)
	}
	if len(l.Contacts) > 0 {
		embedded["contacts"] = mapped(l.Contacts, func(id int64) item { return item{"id": id} })
	}
	if len(embedded) > 0 {
		it["_embedded"] = embedded
	}
	return it
}

func taskBody(t NewTask) item {
	it := item{"text": t.Text, "complete_till": t.Due.Unix(), "task_type_id": max(t.Kind, TaskCall)}
	it.number("entity_id", t.Entity)
	it.text("entity_type", t.EntityType)
	it.number("responsible_user_id", t.Responsible)
	return it
}

func callBody(c Call) item {
	it := item{"direction": c.Direction, "phone": c.Phone, "duration": int64(c.Duration / time.Second), "source": c.Source}
	it.text("uniq", c.Uniq)
	it.text("link", c.Link)
	it.text("call_result", c.Result)
	it.number("call_status", int64(c.Status))
	it.number("call_responsible", c.Responsible)
	it.number("responsible_user_id", c.Responsible)
	it.number("created_by", c.Responsible)
	it.time("created_at", c.At)
	return it
}

func unsortedBody(u UnsortedSIP) item {
	it := item{"source_uid": u.SourceUID, "source_name": u.SourceName}
	it.number("pipeline_id", u.Pipeline)
	it.time("created_at", u.At)
	about := item{"uniq": u.Uniq, "from": u.From, "phone": u.Phone, "called_at": u.At.Unix(),
		"duration": int64(u.Duration / time.Second), "is_call_event_needed": !u.Silent}
	about.text("link", u.Link)
	about.text("service_code", u.Service)
	about.number("call_responsible", u.Responsible)
	it["metadata"] = about
	embedded := item{}
	if u.Lead != nil {
		embedded["leads"] = []item{leadBody(*u.Lead)}
	}
	if u.Contact != nil {
		embedded["contacts"] = []item{contactBody(*u.Contact)}
	}
	if len(embedded) > 0 {
		it["_embedded"] = embedded
	}
	return it
}
