package tenants

import (
	"strconv"
	"strings"
	"time"

	"vpbx/pbx"
)

// amo makes the amoCRM settings of the company. The secret that the document leaves
// out is the stored one, and the account that is connected stays connected.
func (b *build) amo(c *pbx.CRM) {
	var old *pbx.AmoCRM
	if b.old != nil && b.old.CRM.Kind == "amocrm" {
		old = b.old.CRM.Amo
	}
	if c.Kind != "amocrm" {
		if old != nil && old.Link != nil && c.Kind != "none" {
			b.conflict = &pbx.Error{Kind: pbx.Conflict, Field: "crm.kind",
				Msg: "the amoCRM account " + old.Link.Account + " is connected; disconnect it before another CRM is enabled"}
		}
		return
	}
	d := &b.CRM.AmoCRM
	c.Amo = &pbx.AmoCRM{Account: strings.ToLower(d.Account), ClientSecret: d.ClientSecret}
	d.into(c.Amo)
	if old != nil {
		c.Amo.Link = old.Link
		if d.ClientSecret == "" && b.old.CRM.ClientID == c.ClientID {
			c.Amo.ClientSecret = old.ClientSecret
		}
	}
	if c.Amo.ClientSecret == "" {
		b.note("crm.client_secret", "is needed for a new integration")
	}
}

// into takes over what is neither the account nor its secrets.
func (d *AmoCRM) into(a *pbx.AmoCRM) {
	a.Fallback, a.Users = d.Fallback, amoUsers(d.Users)
	for _, user := range d.Listeners {
		a.Listeners = append(a.Listeners, amoNumber(user))
	}
	for i := range d.Scenarios {
		a.Scenarios = append(a.Scenarios, amoScenario(&d.Scenarios[i]))
	}
}

func amoUsers(users map[string]string) map[int64]string {
	if len(users) == 0 {
		return nil
	}
	all := make(map[int64]string, len(users))
	for user, number := range users {
		all[amoNumber(user)] = number
	}
	return all
}

// amoNumber is an id that was checked.
func amoNumber(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func amoScenario(s *AmoScenario) pbx.AmoScenario {
	x := pbx.AmoScenario{Name: s.Name, On: s.On == nil || *s.On, Lines: clone(s.Lines), Smart: s.Smart, Exceptions: clone(s.Exceptions)}
	for event, r := range s.Events {
		if x.Events == nil {
			x.Events = map[pbx.AmoEvent]pbx.AmoReaction{}
		}
		x.Events[pbx.AmoEvent(event)] = amoReaction(&r)
	}
	return x
}

func amoReaction(r *AmoReaction) pbx.AmoReaction {
	x := pbx.AmoReaction{Transferee: r.Transferee}
	if c := r.Contact; c != nil {
		x.Contact = &pbx.AmoEntity{Name: orElse(c.Title, "$(phone)"), Tags: clone(c.Tags), Fields: noneEmpty(c.Fields), Responsible: c.Responsible}
	}
	if l := r.Lead; l != nil {
		x.Lead = &pbx.AmoEntity{Name: orElse(l.Title, "$(phone)"), Tags: clone(l.Tags), Fields: noneEmpty(l.Fields), Responsible: l.Responsible,
			Group: l.Group, Pipeline: l.Pipeline, Status: l.Status}
	}
	if t := r.Task; t != nil {
		x.Task = &pbx.AmoTask{Text: t.Text, Responsible: t.Responsible, Due: time.Duration(t.Due)}
	}
	if u := r.Unsorted; u != nil {
		x.Unsorted = &pbx.AmoQueue{Pipeline: u.Pipeline}
	}
	return x
}

// noneEmpty is a map, nil when it is empty, as it is after it was stored.
func noneEmpty(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// documentAmo gives the keys for amoCRM without their secret.
func documentAmo(a *pbx.AmoCRM) AmoCRM {
	if a == nil {
		return AmoCRM{}
	}
	d := AmoCRM{Account: a.Account, Fallback: a.Fallback}
	for user, number := range a.Users {
		if d.Users == nil {
			d.Users = map[string]string{}
		}
		d.Users[strconv.FormatInt(user, 10)] = number
	}
	for _, user := range a.Listeners {
		d.Listeners = append(d.Listeners, strconv.FormatInt(user, 10))
	}
	for i := range a.Scenarios {
		d.Scenarios = append(d.Scenarios, documentScenario(&a.Scenarios[i]))
	}
	return d
}

func documentScenario(s *pbx.AmoScenario) AmoScenario {
	on := s.On
	d := AmoScenario{Name: s.Name, On: &on, Lines: clone(s.Lines), Smart: s.Smart, Exceptions: clone(s.Exceptions)}
	for event, r := range s.Events {
		if d.Events == nil {
			d.Events = map[string]AmoReaction{}
		}
		x := AmoReaction{Transferee: r.Transferee}
		if c := r.Contact; c != nil {
			x.Contact = &AmoContact{Title: c.Name, Tags: clone(c.Tags), Fields: c.Fields, Responsible: c.Responsible}
		}
		if l := r.Lead; l != nil {
			x.Lead = &AmoLead{Title: l.Name, Tags: clone(l.Tags), Fields: l.Fields, Responsible: l.Responsible, Group: l.Group, Pipeline: l.Pipeline, Status: l.Status}
		}
		if t := r.Task; t != nil {
			x.Task = &AmoTask{Text: t.Text, Responsible: t.Responsible, Due: Duration(t.Due)}
		}
		if u := r.Unsorted; u != nil {
			x.Unsorted = &AmoQueue{Pipeline: u.Pipeline}
		}
		d.Events[string(event)] = x
	}
	return d
}
