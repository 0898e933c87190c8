package amosim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpbx/internal/strict"
)

// Seed is what is in an account at the beginning. Ids that are 0 are given.
type Seed struct {
	Name      string         `yaml:"name"`
	Users     []SeedUser     `yaml:"users"`     // none: one administrator
	Pipelines []SeedPipeline `yaml:"pipelines"` // none: one
	Fields    []SeedField    `yaml:"fields"`    // beside PHONE and EMAIL of contacts
	Contacts  []SeedContact  `yaml:"contacts"`
	Companies []SeedContact  `yaml:"companies"`
	Customers []SeedLink     `yaml:"customers"`
	Leads     []SeedLead     `yaml:"leads"`
}

// SeedUser is a user; the first one is he who linked the account.
type SeedUser struct {
	ID    int64  `yaml:"id"`
	Name  string `yaml:"name"`
	Email string `yaml:"email"`
	Admin bool   `yaml:"admin"`
}

// SeedPipeline is a pipeline; the first one is the main one. Incoming leads, won and
// lost are added to its statuses.
type SeedPipeline struct {
	ID       int64        `yaml:"id"`
	Name     string       `yaml:"name"`
	Statuses []SeedStatus `yaml:"statuses"`
}

// SeedStatus is a status of a pipeline.
type SeedStatus struct {
	ID   int64  `yaml:"id"`
	Name string `yaml:"name"`
}

// SeedField is an additional field of contacts or leads.
type SeedField struct {
	ID     int64  `yaml:"id"`
	Code   string `yaml:"code"`
	Name   string `yaml:"name"`
	Entity string `yaml:"entity"` // contacts or leads
}

// SeedContact is a contact or a company.
type SeedContact struct {
	ID          int64    `yaml:"id"`
	Name        string   `yaml:"name"`
	Responsible int64    `yaml:"responsible"`
	Phones      []string `yaml:"phones"`
	Emails      []string `yaml:"emails"`
	Tags        []string `yaml:"tags"`
}

// SeedLink is a customer, or what a lead is linked to.
type SeedLink struct {
	ID       int64   `yaml:"id"`
	Name     string  `yaml:"name"`
	Contacts []int64 `yaml:"contacts"`
}

// SeedLead is a lead.
type SeedLead struct {
	ID          int64   `yaml:"id"`
	Name        string  `yaml:"name"`
	Pipeline    int64   `yaml:"pipeline"`
	Status      int64   `yaml:"status"`
	Responsible int64   `yaml:"responsible"`
	Contacts    []int64 `yaml:"contacts"`
}

// ParseSeed reads a Seed from YAML or JSON.
func ParseSeed(data []byte) (Seed, error) {
	var seed Seed
	if err := strict.Decode(data, &seed).Err(); err != nil {
		return Seed{}, fmt.Errorf("read the seed: %w", err)
	}
	return seed, nil
}

// The kinds of entities, as amoCRM names them in paths.
const (
	contactsName  = "contacts"
	companiesName = "companies"
	customersName = "customers"
	leadsName     = "leads"
)

// Statuses that every pipeline has, and the type of the one of incoming leads.
const (
	statusWon    = 142
	statusLost   = 143
	typeUnsorted = 1
)

// account is everything in the account. Entities are in the order they were added.
type account struct {
	ID        int64
	Name      string
	Users     []User
	Pipelines []Pipeline
	Fields    []FieldDef
	Contacts  []*Card
	Companies []*Card
	Customers []*Card
	Leads     []*Card
	Tasks     []*Task
	Calls     []*Call
	Unsorted  []*Unsorted
	Events    []Event
	last      int64
}

// User is a user of the account.
type User struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Rights obj    `json:"rights"`
}

// Pipeline is a pipeline of the account.
type Pipeline struct {
	ID       int64    `json:"id"`
	Name     string   `json:"name"`
	Main     bool     `json:"is_main"`
	Statuses []Status `json:"statuses"`
}

// Status is a status of a pipeline.
type Status struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type int    `json:"type"` // 1: incoming leads
}

// FieldDef is an additional field of a kind of entity.
type FieldDef struct {
	ID     int64
	Code   string
	Name   string
	Entity string
	Enums  []string
}

// Card is a contact, a company, a customer or a lead.
type Card struct {
	ID          int64   `json:"id"`
	Name        string  `json:"name"`
	Price       int64   `json:"price,omitempty"`
	Responsible int64   `json:"responsible_user_id"`
	Pipeline    int64   `json:"pipeline_id,omitempty"`
	Status      int64   `json:"status_id,omitempty"`
	CreatedBy   int64   `json:"created_by"`
	CreatedAt   int64   `json:"created_at"`
	UpdatedAt   int64   `json:"updated_at"`
	Fields      []Field `json:"custom_fields_values"` // null when there is none, as amoCRM gives it
	Tags        []Tag   `json:"-"`
	Contacts    []int64 `json:"-"` // of a lead and a customer
	Hidden      bool    `json:"-"` // of an incoming lead that nobody has accepted
}

// Field is what a card has in an additional field.
type Field struct {
	ID     int64   `json:"field_id"`
	Name   string  `json:"field_name"`
	Code   string  `json:"field_code"`
	Values []Value `json:"values"`
}

// Value is one of several.
type Value struct {
	Value string `json:"value"`
	Enum  string `json:"enum_code,omitempty"`
}

// Tag is a tag.
type Tag struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

const (
	phoneCode = "PHONE"
	emailCode = "EMAIL"
)

func newAccount(seed Seed) (account, error) {
	a := account{ID: 30000001, Name: seed.Name, last: 40000000}
	a.Fields = []FieldDef{
		{a.next(), phoneCode, "Телефон", contactsName, []string{"WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"}},
		{a.next(), emailCode, "Email", contactsName, []string{"WORK", "PRIV", "OTHER"}},
	}
	for _, f := range seed.Fields {
		if f.Entity != contactsName && f.Entity != leadsName {
			return account{}, fmt.Errorf("seed: field %q is of no entity: contacts or leads", f.Name)
		}
		a.Fields = append(a.Fields, FieldDef{a.given(f.ID), f.Code, f.Name, f.Entity, nil})
	}
	if len(seed.Users) == 0 {
		seed.Users = []SeedUser{{Name: "Администратор", Email: "admin@example.test", Admin: true}}
	}
	for _, u := range seed.Users {
		a.Users = append(a.Users, User{a.given(u.ID), u.Name, u.Email, obj{"is_admin": u.Admin, "is_active": true}})
	}
	if len(seed.Pipelines) == 0 {
		seed.Pipelines = []SeedPipeline{{Name: "Воронка", Statuses: []SeedStatus{{Name: "Первичный контакт"}, {Name: "Переговоры"}}}}
	}
	for i, p := range seed.Pipelines {
		line := Pipeline{ID: a.given(p.ID), Name: p.Name, Main: i == 0}
		line.Statuses = append(line.Statuses, Status{a.next(), "Неразобранное", typeUnsorted})
		for _, st := range p.Statuses {
			line.Statuses = append(line.Statuses, Status{a.given(st.ID), st.Name, 0})
		}
		if len(p.Statuses) == 0 {
			line.Statuses = append(line.Statuses, Status{a.next(), "Первичный контакт", 0})
		}
		line.Statuses = append(line.Statuses, Status{statusWon, "Успешно реализовано", 0}, Status{statusLost, "Закрыто и не реализовано", 0})
		a.Pipelines = append(a.Pipelines, line)
	}
	return a, a.seedCards(seed)
}

func (a *account) seedCards(seed Seed) error {
	for _, c := range seed.Contacts {
		a.Contacts = append(a.Contacts, a.seedCard(c))
	}
	for _, c := range seed.Companies {
		a.Companies = append(a.Companies, a.seedCard(c))
	}
	for _, c := range seed.Customers {
		a.Customers = append(a.Customers, &Card{ID: a.given(c.ID), Name: c.Name, Contacts: c.Contacts, Responsible: a.Users[0].ID})
	}
	for _, l := range seed.Leads {
		card := &Card{ID: a.given(l.ID), Name: l.Name, Pipeline: l.Pipeline, Status: l.Status, Responsible: l.Responsible, Contacts: l.Contacts}
		if err := a.settle(card); err != "" {
			return fmt.Errorf("seed: lead %q: %s", l.Name, err)
		}
		a.Leads = append(a.Leads, card)
	}
	for _, card := range slices.Concat(a.Customers, a.Leads) {
		for _, id := range card.Contacts {
			if find(a.Contacts, id) == nil {
				return fmt.Errorf("seed: %q is linked to contact %d, which is not there", card.Name, id)
			}
		}
	}
	return nil
}

func (a *account) seedCard(c SeedContact) *Card {
	card := &Card{ID: a.given(c.ID), Name: c.Name, Responsible: c.Responsible}
	if card.Responsible == 0 {
		card.Responsible = a.Users[0].ID
	}
	for i, values := range [][]string{c.Phones, c.Emails} {
		def := a.Fields[i]
		field := Field{def.ID, def.Name, def.Code, nil}
		for _, v := range values {
			field.Values = append(field.Values, Value{v, "WORK"})
		}
		if len(values) > 0 {
			card.Fields = append(card.Fields, field)
		}
	}
	for _, name := range c.Tags {
		card.Tags = append(card.Tags, Tag{a.next(), name})
	}
	return card
}

func (a *account) next() int64 {
	a.last++
	return a.last
}

func (a *account) given(id int64) int64 {
	if id == 0 {
		return a.next()
	}
	a.last = max(a.last, id)
	return id
}

// settle puts a lead into a pipeline and status, and gives it a responsible; it says
// what cannot be.
func (a *account) settle(l *Card) string {
	if l.Responsible == 0 {
		l.Responsible = a.Users[0].ID
	}
	if l.Pipeline == 0 {
		l.Pipeline = a.Pipelines[0].ID
	}
	i := slices.IndexFunc(a.Pipelines, func(p Pipeline) bool { return p.ID == l.Pipeline })
	if i < 0 {
		return "pipeline_id"
	}
	if l.Status == 0 {
		l.Status = a.Pipelines[i].Statuses[1].ID
	}
	if !slices.ContainsFunc(a.Pipelines[i].Statuses, func(s Status) bool { return s.ID == l.Status }) {
		return "status_id"
	}
	return ""
}

func (a *account) hasUser(id int64) bool {
	return slices.ContainsFunc(a.Users, func(u User) bool { return u.ID == id })
}

func find(cards []*Card, id int64) *Card {
	for _, c := range cards {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// linkedTo are the cards that are linked to a contact.
func linkedTo(cards []*Card, contact int64) []*Card {
	var all []*Card
	for _, c := range cards {
		if !c.Hidden && slices.Contains(c.Contacts, contact) {
			all = append(all, c)
		}
	}
	return all
}

func (c *Card) phones() []string {
	var all []string
	for _, f := range c.Fields {
		if f.Code == phoneCode {
			for _, v := range f.Values {
				all = append(all, v.Value)
			}
		}
	}
	return all
}

// contains tells whether a query is found in any field of the card: as it is, and
// as digits in the digits of its phones.
func (c *Card) contains(query string) bool {
	query = strings.ToLower(query)
	if strings.Contains(strings.ToLower(c.Name), query) || strings.Contains(strconv.FormatInt(c.ID, 10), query) {
		return true
	}
	for _, f := range c.Fields {
		for _, v := range f.Values {
			if strings.Contains(strings.ToLower(v.Value), query) || query == digits(query) && strings.Contains(digits(v.Value), query) {
				return true
			}
		}
	}
	return false
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// samePhone tells whether two numbers have the same last ten digits.
func samePhone(a, b string) bool {
	a, b = digits(a), digits(b)
	return a != "" && a[max(0, len(a)-10):] == b[max(0, len(b)-10):]
}

// State is everything in the account, as GET /sim/state gives it.
type State struct {
	Name      string         `json:"name"`
	Users     []User         `json:"users"`
	Pipelines []Pipeline     `json:"pipelines"`
	Contacts  []Card         `json:"contacts"`
	Companies []Card         `json:"companies"`
	Customers []Card         `json:"customers"`
	Leads     []Card         `json:"leads"`
	Tasks     []Task         `json:"tasks"`
	Calls     []Call         `json:"calls"`
	Unsorted  []Unsorted     `json:"unsorted"`
	Events    []Event        `json:"events"`
	Requests  map[string]int `json:"requests"` // by route; "": of no route
}

// State gives a copy of everything in the account.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.account
	st := State{Name: a.Name, Users: slices.Clone(a.Users), Pipelines: slices.Clone(a.Pipelines), Contacts: copied(a.Contacts),
		Companies: copied(a.Companies), Customers: copied(a.Customers), Leads: copied(a.Leads), Tasks: copied(a.Tasks),
		Calls: copied(a.Calls), Unsorted: copied(a.Unsorted), Events: slices.Clone(a.Events), Requests: map[string]int{}}
	for route, n := range s.requests {
		st.Requests[route] = n
	}
	return st
}

func copied[T any](all []*T) []T {
	out := make([]T, len(all))
	for i, v := range all {
		out[i] = *v
	}
	return out
}

func (s *Server) state(w http.ResponseWriter, _ *http.Request) {
	write(w, reply{http.StatusOK, s.State()})
}

func (s *Server) info(*http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.account
	return reply{http.StatusOK, obj{"id": a.ID, "name": a.Name, "subdomain": "sim", "current_user_id": a.Users[0].ID, "country": "RU", "currency": "RUB"}}
}

func (s *Server) users(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return page(r, "users", slices.Clone(s.account.Users))
}

func (s *Server) pipelines(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []obj
	for _, p := range s.account.Pipelines {
		all = append(all, obj{"id": p.ID, "name": p.Name, "is_main": p.Main, "is_archive": false, "_embedded": obj{"statuses": p.Statuses}})
	}
	return reply{http.StatusOK, obj{"_total_items": len(all), "_links": links{"self": {r.URL.Path}}, "_embedded": obj{"pipelines": all}}}
}

func unix() int64 { return time.Now().Unix() }
