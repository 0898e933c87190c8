package routing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpbx/pbx"
)

// dryRun is the call that a CRM is told of when nobody calls.
const dryRun pbx.CallID = "dry-run"

// Explain says what would become of a call: it decides as Route does. Nothing is
// changed by it; the CRM is asked only where the question says so. A question that
// makes no sense is a pbx.Error of kind Invalid that names the field.
func (r *Router) Explain(ctx context.Context, c *pbx.Company, q pbx.RouteQuestion) (pbx.RoutePlan, error) {
	req, err := request(c, q)
	if err != nil {
		return pbx.RoutePlan{}, err
	}
	var contact pbx.Contact
	var lookup *pbx.Lookup
	switch {
	case !asks(req):
	case q.AskCRM && r.Owners != nil:
		found, l := r.Owners.Owner(ctx, c, c.E164(req.From), c.E164(req.To), dryRun)
		contact, lookup = found, &l
	case q.Owner != "":
		contact = pbx.Contact{Owner: q.Owner}
		lookup = &pbx.Lookup{Owner: q.Owner, Result: Found}
	}
	d := r.decided(ctx, req, contact, lookup)
	return r.plan(req, d), nil
}

// request makes the call of a question.
func request(c *pbx.Company, q pbx.RouteQuestion) (Request, error) {
	invalid := func(field, msg string) (Request, error) {
		return Request{}, &pbx.Error{Kind: pbx.Invalid, Field: field, Msg: msg}
	}
	req := Request{Company: c, Direction: pbx.In, From: q.From, To: q.To, Trunk: q.Trunk, At: q.At}
	switch {
	case q.Owner != "" && q.AskCRM:
		return invalid("owner", "goes without ask_crm")
	case q.Trunk != "" && c.Trunk(q.Trunk) == nil:
		return invalid("trunk", "there is no such trunk")
	case q.From != "" && q.From != pbx.Anonymous && c.E164(q.From) == "":
		return invalid("from", "not a number")
	case q.Caller == "":
		req.From = cmp.Or(q.From, pbx.Anonymous)
		return req, nil
	case q.From != "" || q.Trunk != "":
		return invalid("caller", "goes without from and trunk")
	}
	if req.Caller = c.Extensions[q.Caller]; req.Caller == nil {
		return invalid("caller", "there is no such extension")
	}
	req.From, req.Direction = q.Caller, pbx.Out
	return req, nil
}

// plan writes a decision down for people.
func (r *Router) plan(req Request, d Decision) pbx.RoutePlan {
	c := req.Company
	p := pbx.RoutePlan{
		Direction: d.Direction, From: c.E164(req.From), To: d.To, At: req.At.In(c.Location()), Rule: d.Rule,
		Contact: d.Contact, CRM: d.Lookup, Record: d.Record, Why: append([]string{}, d.Why...),
		Schedules: []pbx.ScheduleState{}, Steps: r.describeAll(req, d.Steps),
	}
	if p.From == "" {
		p.From = pbx.Anonymous
	}
	for _, name := range slices.Sorted(maps.Keys(c.Schedules)) {
		at := c.Schedules[name].At(p.At)
		state := pbx.ScheduleState{Name: name, Open: at.Open}
		if !at.Until.IsZero() {
			state.Until = &at.Until
		}
		p.Schedules = append(p.Schedules, state)
	}
	return p
}

func (r *Router) describeAll(req Request, steps []Step) []pbx.PlannedStep {
	all := []pbx.PlannedStep{}
	for _, s := range steps {
		all = append(all, r.describe(req, s))
	}
	return all
}

// describe writes a step down for people: the one place that knows all kinds. One
// that it does not know is described by its name.
func (r *Router) describe(req Request, s Step) pbx.PlannedStep {
	_, kind, _ := strings.Cut(fmt.Sprintf("%T", s), ".")
	p := pbx.PlannedStep{Do: strings.ToLower(kind), Text: strings.ToLower(kind)}
	switch s := s.(type) {
	case Ring:
		p.Text, p.Who, p.For, p.Number = s.Why, r.phones(req.Company, s.Who), s.For.Seconds(), s.Group
	case Play:
		p.Text = "prompt " + promptNames(s.Prompts)
	case Dial:
		p.Text, p.For, p.Number = dialText(s), s.For.Seconds(), s.Number
		for _, t := range s.Trunks {
			p.Trunks = append(p.Trunks, t.Name)
		}
	case Feature:
		p.Text, p.Number = "feature code "+string(s.Code), s.Number
	case Page:
		p.Text, p.Who, p.Number = "group "+s.Group, r.phones(req.Company, s.Who), s.Group
	case Confer:
		p.Do, p.Text, p.Number = "conference", strings.TrimSpace("conference "+s.Conference.Name), s.Conference.Number
	case Queue:
		p.Text, p.Number = "queue "+s.Group.Number, s.Group.Number
	case Leave:
		p.Do, p.Text, p.Number = "voicemail", "voicemail of "+s.Box, s.Box
	case Menu:
		p = menuStep(s)
		p.Keys = r.keys(req, s.Menu)
	case Reject:
		p.Text = fmt.Sprintf("%d %s", s.Cause.SIP, s.Cause.Reason)
	}
	return p
}

// keys lays out what follows the keys of a menu; a menu behind a menu is only named.
func (r *Router) keys(req Request, m *pbx.Menu) map[string][]pbx.PlannedStep {
	all := map[string][]pbx.PlannedStep{}
	for key, list := range m.Keys {
		all[key] = []pbx.PlannedStep{}
		for _, s := range Continue(req, list).Steps {
			if next, is := s.(Menu); is { // menus may lead to each other
				all[key] = append(all[key], menuStep(next))
			} else {
				all[key] = append(all[key], r.describe(req, s))
			}
		}
	}
	return all
}

func menuStep(s Menu) pbx.PlannedStep {
	return pbx.PlannedStep{Do: "menu", Text: "menu " + s.Menu.Name, Number: s.Menu.Number}
}

// phones tells how extensions are now.
func (r *Router) phones(c *pbx.Company, who []string) []pbx.PlannedPhone {
	var all []pbx.PlannedPhone
	for _, number := range who {
		e := c.Extensions[number]
		p := pbx.PlannedPhone{Number: number, Name: e.Name, Registered: r.Registered(c.ID, number), DND: e.DND()}
		for _, on := range []pbx.On{pbx.OnAlways, pbx.OnBusy, pbx.OnNoAnswer, pbx.OnUnregistered} {
			if to := e.ForwardOn(on); to != "" {
				if p.Forward == nil {
					p.Forward = map[pbx.On]string{}
				}
				p.Forward[on] = to
			}
		}
		all = append(all, p)
	}
	return all
}

func promptNames(prompts []*pbx.Prompt) string {
	var names []string
	for _, p := range prompts {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

func dialText(s Dial) string {
	switch {
	case s.Hidden:
		return s.Number + ", the number is withheld"
	case s.Caller != "":
		return s.Number + " as " + s.Caller
	}
	return s.Number
}
