package amosim

import (
	"fmt"
	"slices"

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
