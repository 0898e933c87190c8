package amosim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// shown is a card as it is given.
func (s *Server) shown(kind string, c *Card, with string) obj {
	raw, _ := json.Marshal(c) // of numbers and texts: cannot fail
	var o obj
	_ = json.Unmarshal(raw, &o)
	o["account_id"] = s.account.ID
	o["_links"] = links{"self": {"/api/v4/" + kind + "/" + strconv.FormatInt(c.ID, 10)}}
	tags := c.Tags
	if tags == nil {
		tags = []Tag{}
	}
	embedded := obj{"tags": tags, "companies": []obj{}}
	for _, w := range strings.Split(with, ",") {
		switch {
		case w == leadsName && kind == contactsName:
			embedded[leadsName] = references(cardIDs(linkedTo(s.account.Leads, c.ID)))
		case w == contactsName && kind == leadsName:
			embedded[contactsName] = references(c.Contacts)
		}
	}
	o["_embedded"] = embedded
	return o
}

func cardIDs(cards []*Card) []int64 {
	var all []int64
	for _, c := range cards {
		all = append(all, c.ID)
	}
	return all
}

func references(ids []int64) []obj {
	all := []obj{}
	for _, id := range ids {
		all = append(all, obj{"id": id})
	}
	return all
}

// listed gives a page of cards that the query asks for.
func (s *Server) listed(r *http.Request, kind string, cards []*Card) reply {
	q := r.URL.Query()
	wanted := slices.Concat(q["filter[id][]"], q["filter[id]"])
	var all []obj
	for _, c := range cards {
		if c.Hidden || q.Get("query") != "" && !c.contains(q.Get("query")) {
			continue
		}
		if len(wanted) > 0 && !slices.Contains(wanted, strconv.FormatInt(c.ID, 10)) {
			continue
		}
		all = append(all, s.shown(kind, c, q.Get("with")))
	}
	return page(r, kind, all)
}

func (s *Server) contacts(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listed(r, contactsName, s.account.Contacts)
}

func (s *Server) leads(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listed(r, leadsName, s.account.Leads)
}

func (s *Server) contact(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.one(r, contactsName, s.account.Contacts)
}

func (s *Server) lead(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.one(r, leadsName, s.account.Leads)
}

func (s *Server) one(r *http.Request, kind string, cards []*Card) reply {
	c := find(cards, pathID(r))
	if c == nil || c.Hidden {
		return reply{http.StatusNoContent, nil} // so amoCRM answers for one that is not there
	}
	return reply{http.StatusOK, s.shown(kind, c, r.URL.Query().Get("with"))}
}

func pathID(r *http.Request) int64 {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	return id
}

// read fills a card from an item, of a new card and of one that is changed.
func (s *Server) read(f *form, kind string, c *Card) {
	a := &s.account
	if f.has("name", false) {
		c.Name = f.text("name", false)
	}
	if first, last := f.text("first_name", false), f.text("last_name", false); c.Name == "" && first+last != "" {
		c.Name = strings.TrimSpace(first + " " + last)
	}
	if f.has("responsible_user_id", false) {
		if c.Responsible = f.number("responsible_user_id", false); !a.hasUser(c.Responsible) {
			f.wrong("NotSupportedChoice", "responsible_user_id", "The value you selected is not a valid choice.")
		}
	}
	if f.has("price", false) {
		c.Price = f.number("price", false)
	}
	for _, v := range f.list("custom_fields_values") {
		s.readField(v, kind, c)
	}
	embedded := f.sub("_embedded", false)
	for _, t := range embedded.list("tags") {
		tag := Tag{t.number("id", false), t.text("name", false)}
		if tag.ID == 0 {
			tag.ID = a.next()
		}
		c.Tags = append(c.Tags, tag)
	}
	if kind != leadsName {
		return
	}
	if f.has("pipeline_id", false) {
		c.Pipeline = f.number("pipeline_id", false)
	}
	if f.has("status_id", false) {
		c.Status = f.number("status_id", false)
	}
	if wrong := a.settle(c); wrong != "" {
		f.wrong("NotSupportedChoice", wrong, "The value you selected is not a valid choice.")
	}
	for _, l := range embedded.list(contactsName) {
		id := l.number("id", true)
		if find(a.Contacts, id) == nil {
			l.wrong("NotSupportedChoice", "id", "The value you selected is not a valid choice.")
		}
		c.Contacts = append(c.Contacts, id)
	}
}

// readField fills an additional field; it is named by its id or its code.
func (s *Server) readField(f *form, kind string, c *Card) {
	id, code := f.number("field_id", false), f.text("field_code", false)
	i := slices.IndexFunc(s.account.Fields, func(d FieldDef) bool {
		return d.Entity == kind && (id != 0 && d.ID == id || id == 0 && code != "" && d.Code == code)
	})
	if i < 0 {
		f.wrong("NotSupportedChoice", "field_id", "The value you selected is not a valid choice.")
		return
	}
	def := s.account.Fields[i]
	field := Field{def.ID, def.Name, def.Code, nil}
	for _, v := range f.list("values") {
		value := Value{v.numberOrText("value"), v.text("enum_code", false)}
		if value.Enum != "" && !slices.Contains(def.Enums, value.Enum) {
			v.wrong("NotSupportedChoice", "enum_code", "The value you selected is not a valid choice.")
		}
		field.Values = append(field.Values, value)
	}
	c.Fields = slices.DeleteFunc(slices.Clone(c.Fields), func(have Field) bool { return have.ID == def.ID })
	if len(field.Values) > 0 {
		c.Fields = append(c.Fields, field)
	}
}

func (s *Server) newCard() *Card {
	now, first := unix(), s.account.Users[0].ID
	return &Card{Responsible: first, CreatedBy: first, CreatedAt: now, UpdatedAt: now}
}

// added adds cards, or none when one of them is wrong.
func (s *Server) added(r *http.Request, kind string, to *[]*Card) reply {
	raw, wrong := items(r)
	if wrong != nil {
		return *wrong
	}
	var cards []*Card
	var answer []obj
	var bad refused
	for i, item := range raw {
		f, c := newForm(item), s.newCard()
		s.read(f, kind, c)
		id := requestID(f, i)
		if len(*f.errs) > 0 {
			bad.add(id, *f.errs)
			continue
		}
		c.ID = s.account.next()
		if c.Name == "" && kind == leadsName {
			c.Name = "Сделка #" + strconv.FormatInt(c.ID, 10)
		}
		cards = append(cards, c)
		answer = append(answer, obj{"id": c.ID, "request_id": id, "_links": links{"self": {r.URL.Path + "/" + strconv.FormatInt(c.ID, 10)}}})
	}
	if len(bad) > 0 {
		return bad.reply()
	}
	*to = append(*to, cards...)
	return reply{http.StatusOK, obj{"_links": links{"self": {r.URL.Path}}, "_embedded": obj{kind: answer}}}
}

func (s *Server) addContacts(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.added(r, contactsName, &s.account.Contacts)
}

func (s *Server) addLeads(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.added(r, leadsName, &s.account.Leads)
}

// changed changes cards: one that the path names, or those of a batch, all or none.
func (s *Server) changed(r *http.Request, kind string, cards []*Card) reply {
	var raw []json.RawMessage
	if id := r.PathValue("id"); id != "" {
		var one json.RawMessage
		if json.NewDecoder(r.Body).Decode(&one) != nil {
			return problem(http.StatusBadRequest, "Request body must be an object")
		}
		raw = append(raw, one)
	} else {
		all, wrong := items(r)
		if wrong != nil {
			return *wrong
		}
		raw = all
	}
	var changed []*Card
	var answer []obj
	var bad refused
	for i, item := range raw {
		f := newForm(item)
		id := pathID(r)
		if id == 0 {
			id = f.number("id", true)
		}
		have := find(cards, id)
		if have == nil {
			if r.PathValue("id") != "" {
				return problem(http.StatusNotFound, "Entity not found")
			}
			f.wrong("NotSupportedChoice", "id", "The value you selected is not a valid choice.")
			have = s.newCard()
		}
		c := *have
		s.read(f, kind, &c)
		c.UpdatedAt = unix()
		if len(*f.errs) > 0 {
			bad.add(requestID(f, i), *f.errs)
			continue
		}
		changed = append(changed, &c)
		answer = append(answer, obj{"id": c.ID, "updated_at": c.UpdatedAt, "request_id": requestID(f, i)})
	}
	if len(bad) > 0 {
		return bad.reply()
	}
	for _, c := range changed {
		*find(cards, c.ID) = *c
	}
	if r.PathValue("id") != "" {
		return reply{http.StatusOK, answer[0]}
	}
	return reply{http.StatusOK, obj{"_links": links{"self": {r.URL.Path}}, "_embedded": obj{kind: answer}}}
}

func (s *Server) changeContacts(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed(r, contactsName, s.account.Contacts)
}

func (s *Server) changeContact(r *http.Request) reply { return s.changeContacts(r) }

func (s *Server) changeLead(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed(r, leadsName, s.account.Leads)
}
