package amocrm

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"vpbx/crm"
)

// The types below read what amoCRM and those who imitate it send: a number as a
// text, null for an empty list. What cannot be read at all is as if it was not there,
// so that one bad card of a list costs the others nothing.

// id is a number, also one in quotes.
type id int64

// UnmarshalJSON never fails.
func (i *id) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64)
	if err != nil || n < 0 {
		n = 0
	}
	*i = id(n)
	return nil
}

// text is a string or a number.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(data []byte) error {
	*t = ""
	if data[0] == '-' || data[0] >= '0' && data[0] <= '9' {
		*t = text(data)
		return nil
	}
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = text(s)
	}
	return nil
}

// flag is true, or what other languages take for it.
type flag bool

// UnmarshalJSON never fails.
func (f *flag) UnmarshalJSON(data []byte) error {
	s := strings.Trim(string(data), `"`)
	*f = s == "true" || s == "1"
	return nil
}

// list has the elements of an array that could be read; null may be one without
// fields.
type list[T any] []T

// UnmarshalJSON never fails.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	var all []T
	if json.Unmarshal(data, &all) == nil {
		*l = all
		return nil
	}
	var raw []json.RawMessage
	if json.Unmarshal(data, &raw) != nil {
		return nil
	}
	for _, r := range raw {
		var v T
		if string(r) != "null" && json.Unmarshal(r, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// object has the fields of an object, or none when there is something else.
type object[T any] struct{ v T }

// UnmarshalJSON never fails.
func (o *object[T]) UnmarshalJSON(data []byte) error {
	var v T
	if json.Unmarshal(data, &v) == nil {
		o.v = v
	}
	return nil
}

// linked is an element of _embedded of which only the id counts.
type linked struct {
	ID   id   `json:"id"`
	Name text `json:"name"`
}

type wireContact struct {
	ID          id   `json:"id"`
	Name        text `json:"name"`
	Responsible id   `json:"responsible_user_id"`
	Deleted     flag `json:"is_deleted"`
	Fields      list[struct {
		Code   text `json:"field_code"`
		Values list[struct {
			Value text `json:"value"`
		}] `json:"values"`
	}] `json:"custom_fields_values"`
	Embedded object[struct {
		Leads     list[linked] `json:"leads"`
		Companies list[linked] `json:"companies"`
		Tags      list[linked] `json:"tags"`
	}] `json:"_embedded"`
}

const (
	phoneCode = "PHONE"
	maxText   = 256 // runes kept of a name
)

func (w *wireContact) contact() Contact {
	c := Contact{ID: int64(w.ID), Name: clean(w.Name), Responsible: int64(w.Responsible)}
	for _, f := range w.Fields {
		if f.Code != phoneCode {
			continue
		}
		for _, v := range f.Values {
			if v.Value != "" {
				c.Phones = append(c.Phones, clean(v.Value))
			}
		}
	}
	c.Leads, c.Companies = ids(w.Embedded.v.Leads), ids(w.Embedded.v.Companies)
	for _, t := range w.Embedded.v.Tags {
		if t.Name != "" {
			c.Tags = append(c.Tags, clean(t.Name))
		}
	}
	return c
}

func ids(all list[linked]) []int64 {
	var out []int64
	for _, l := range all {
		if l.ID != 0 {
			out = append(out, int64(l.ID))
		}
	}
	return out
}

func clean(t text) string { return crm.Clean(string(t), maxText) }

// decode reads an answer that must be an object. 204 and an empty body are an empty one.
func decode(got answer, v any) error {
	if got.status == 204 || len(got.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(got.body, v); err != nil {
		return fmt.Errorf("%w: no JSON of the kind that was asked for", crm.ErrBadAnswer)
	}
	return nil
}

func decodeContacts(got answer) ([]Contact, error) {
	var page struct {
		Embedded object[struct {
			Contacts list[wireContact] `json:"contacts"`
		}] `json:"_embedded"`
	}
	if err := decode(got, &page); err != nil {
		return nil, err
	}
	var all []Contact
	for _, w := range page.Embedded.v.Contacts {
		if w.ID != 0 && !bool(w.Deleted) {
			all = append(all, w.contact())
		}
	}
	return all, nil
}

type wireLead struct {
	ID          id   `json:"id"`
	Name        text `json:"name"`
	Status      id   `json:"status_id"`
	Pipeline    id   `json:"pipeline_id"`
	Responsible id   `json:"responsible_user_id"`
	Updated     id   `json:"updated_at"`
	Deleted     flag `json:"is_deleted"`
}

func decodeLeads(got answer) ([]Lead, error) {
	var page struct {
		Embedded object[struct {
			Leads list[wireLead] `json:"leads"`
		}] `json:"_embedded"`
	}
	if err := decode(got, &page); err != nil {
		return nil, err
	}
	var all []Lead
	for _, w := range page.Embedded.v.Leads {
		if w.ID != 0 && !bool(w.Deleted) {
			all = append(all, Lead{ID: int64(w.ID), Name: clean(w.Name), Status: int64(w.Status), Pipeline: int64(w.Pipeline),
				Responsible: int64(w.Responsible), Updated: unix(int64(w.Updated))})
		}
	}
	return all, nil
}

func decodeUsers(got answer) ([]User, bool, error) {
	var page struct {
		More     object[next] `json:"_links"`
		Embedded object[struct {
			Users list[struct {
				ID     id   `json:"id"`
				Name   text `json:"name"`
				Email  text `json:"email"`
				Rights object[struct {
					Admin  flag  `json:"is_admin"`
					Active *flag `json:"is_active"`
				}] `json:"rights"`
			}] `json:"users"`
		}] `json:"_embedded"`
	}
	if err := decode(got, &page); err != nil {
		return nil, false, err
	}
	var all []User
	for _, w := range page.Embedded.v.Users {
		if w.ID != 0 {
			active := w.Rights.v.Active == nil || bool(*w.Rights.v.Active)
			all = append(all, User{ID: int64(w.ID), Name: clean(w.Name), Email: clean(w.Email), Admin: bool(w.Rights.v.Admin), Active: active})
		}
	}
	return all, page.More.v.Next.v.Href != "", nil
}

// next is the link to the page that follows.
type next struct {
	Next object[struct {
		Href text `json:"href"`
	}] `json:"next"`
}

func decodePipelines(got answer) ([]Pipeline, error) {
	var page struct {
		Embedded object[struct {
			Pipelines list[struct {
				ID       id   `json:"id"`
				Name     text `json:"name"`
				Main     flag `json:"is_main"`
				Archived flag `json:"is_archive"`
				Embedded object[struct {
					Statuses list[struct {
						ID   id   `json:"id"`
						Name text `json:"name"`
						Type id   `json:"type"`
					}] `json:"statuses"`
				}] `json:"_embedded"`
			}] `json:"pipelines"`
		}] `json:"_embedded"`
	}
	if err := decode(got, &page); err != nil {
		return nil, err
	}
	var all []Pipeline
	for _, w := range page.Embedded.v.Pipelines {
		if w.ID == 0 {
			continue
		}
		p := Pipeline{ID: int64(w.ID), Name: clean(w.Name), Main: bool(w.Main), Archived: bool(w.Archived)}
		for _, s := range w.Embedded.v.Statuses {
			if s.ID != 0 {
				p.Statuses = append(p.Statuses, Status{ID: int64(s.ID), Name: clean(s.Name), Unsorted: s.Type == 1})
			}
		}
		all = append(all, p)
	}
	return all, nil
}

func decodeInfo(got answer) (Info, error) {
	var w struct {
		ID        id   `json:"id"`
		Name      text `json:"name"`
		Subdomain text `json:"subdomain"`
		User      id   `json:"current_user_id"`
	}
	if err := decode(got, &w); err != nil {
		return Info{}, err
	}
	if w.ID == 0 {
		return Info{}, fmt.Errorf("%w: an account without id", crm.ErrBadAnswer)
	}
	return Info{ID: int64(w.ID), Name: clean(w.Name), Subdomain: clean(w.Subdomain), User: int64(w.User)}, nil
}
