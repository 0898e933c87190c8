package amocrm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// Deliver does in amoCRM what the scenarios of the company say: shows the card of who
// talks, makes contacts, leads and tasks, and logs the call. What was done is noted
// step by step, so that an event that comes again does the rest. See [crm.Connector].
func (b *Connector) Deliver(ctx context.Context, c *pbx.Company, n *pbx.Notification) error {
	if n.Kind != pbx.NotifyAnswered && n.Kind != pbx.NotifyEnded {
		return nil
	}
	if !connected(c) {
		return fmt.Errorf("%w: no amoCRM account is connected", crm.ErrRefused)
	}
	s, ok := subjectOf(c, n)
	if !ok || n.Kind == pbx.NotifyEnded && n.Record == nil {
		return nil
	}
	w := &errand{Connector: b, company: c, amo: c.CRM.Amo, account: accountOf(c, b.external), call: n.Call, subject: s, at: n.At}
	if err := w.load(ctx); err != nil {
		return err
	}
	if n.Kind == pbx.NotifyAnswered {
		return w.answered(ctx, n)
	}
	return w.ended(ctx, n.Record)
}

// errand is what is done because of one event of a call.
type errand struct {
	*Connector
	subject
	company *pbx.Company
	amo     *pbx.AmoCRM
	account Account
	call    pbx.CallID
	at      time.Time
	steps   map[string]pbx.AmoStep
	plan    plan
}

// The steps of a call.
const (
	stepPlan        = "plan"
	stepContact     = "contact"
	stepLead        = "lead"
	stepTask        = "task"
	stepResponsible = "responsible"
	stepCall        = "call"
	stepUnsorted    = "unsorted"
	stepPopup       = "popup " // and the extension
)

// noteRefused is the note of a step that amoCRM has refused: nothing was made.
const noteRefused = "refused"

func (w *errand) load(ctx context.Context) error {
	list, err := w.ledger.AmoSteps(ctx, w.company.ID, w.call)
	if err != nil {
		return fmt.Errorf("read what was done of the call: %w", err)
	}
	w.steps = map[string]pbx.AmoStep{}
	for _, s := range list {
		w.steps[s.Name] = s
	}
	return nil
}

func (w *errand) save(ctx context.Context, s pbx.AmoStep) error {
	if err := w.ledger.SaveAmoStep(ctx, w.company.ID, w.call, s); err != nil {
		return fmt.Errorf("note what was done of the call: %w", err)
	}
	w.steps[s.Name] = s
	return nil
}

// once does a step unless it is done, and gives what it made. When it was begun
// before and nobody knows what came of it, look says what amoCRM has of it: 0, nothing.
func (w *errand) once(ctx context.Context, name string, look, do func() (int64, error)) (int64, error) {
	s, begun := w.steps[name]
	if s.Done {
		return s.ID, nil
	}
	if begun && look != nil {
		id, err := look()
		if err != nil {
			return 0, err
		}
		if id != 0 {
			s.ID, s.Done = id, true
			return id, w.save(ctx, s)
		}
	}
	if !begun {
		s = pbx.AmoStep{Name: name, Begun: time.Now()}
	}
	if !begun || s.Note == noteRefused {
		s.Note = ""
		if err := w.save(ctx, s); err != nil {
			return 0, err
		}
	}
	id, err := do()
	if errors.Is(err, crm.ErrRefused) {
		s.Note = noteRefused
		return 0, errors.Join(err, w.save(ctx, s))
	}
	if err != nil {
		return 0, err
	}
	s.ID, s.Done = id, true
	return id, w.save(ctx, s)
}

// answered shows the operator whom he talks with, and makes what the scenario wants,
// so that the cards are there while the two talk.
func (w *errand) answered(ctx context.Context, n *pbx.Notification) error {
	if n.Who == "" || w.inbound && n.Extension == "" {
		return nil // the PBX itself, a conference, or somebody outside: see ended
	}
	if err := w.popup(ctx); err != nil {
		return err
	}
	scenario := w.amo.Scenario(w.line)
	if scenario == nil {
		return nil
	}
	if err := w.find(ctx, true); err != nil {
		return err
	}
	return w.entities(ctx, scenario)
}

// popup shows the card of the client to the user who talks. That is of use at once or
// not at all.
func (w *errand) popup(ctx context.Context) error {
	user := w.amo.UserOf(w.operator)
	if user == 0 || time.Since(w.at) > popupFresh {
		return nil
	}
	_, err := w.once(ctx, stepPopup+w.operator, nil, func() (int64, error) {
		return user, w.client.RingPopup(Urgent(ctx), w.account, w.phone, []int64{user})
	})
	if errors.Is(err, crm.ErrRefused) {
		w.log.Warn("amoCRM does not show a call", "tenant", w.company.ID, "call", w.call, "error", err)
		return nil
	}
	return err
}

// find finds out what the call is to amoCRM, unless that is known already.
func (w *errand) find(ctx context.Context, talked bool) error {
	if s := w.steps[stepPlan]; s.Done {
		if err := json.Unmarshal([]byte(s.Note), &w.plan); err != nil {
			return fmt.Errorf("read the plan of the call: %w", err)
		}
		return nil
	}
	found, err := w.client.Contacts(ctx, w.account, w.phone)
	if err != nil {
		return err
	}
	contact, known := choose(w.amo, nil, found)
	w.plan = plan{Event: eventOf(w.inbound, talked, known), Contact: contact.ID, Responsible: contact.Responsible, Leads: contact.Leads}
	if talked || !w.inbound {
		w.plan.User = w.amo.UserOf(w.operator)
	}
	note, err := json.Marshal(w.plan)
	if err != nil {
		return fmt.Errorf("keep the plan of the call: %w", err)
	}
	return w.save(ctx, pbx.AmoStep{Name: stepPlan, Begun: time.Now(), Done: true, Note: string(note)})
}

// ended does what is left: the cards of a call that nobody answered, who is responsible
// after transfers, and the log of the call.
func (w *errand) ended(ctx context.Context, r *pbx.CDR) error {
	who := talked(w.company, r)
	last := w.operator
	if len(who) > 0 {
		last = who[len(who)-1]
		if w.inbound {
			w.operator = who[0]
		}
	}
	scenario := w.amo.Scenario(w.line)
	planned := w.steps[stepPlan].Done
	var refused error
	if scenario != nil || planned {
		if err := w.find(ctx, r.Outcome == pbx.OutcomeAnswered); err != nil {
			return err
		}
	}
	if scenario != nil {
		refused = w.entities(ctx, scenario)
		if refused != nil && !errors.Is(refused, crm.ErrRefused) {
			return refused
		}
		err := w.transferred(ctx, scenario, last)
		if err != nil && !errors.Is(err, crm.ErrRefused) {
			return err
		}
		refused = errors.Join(refused, err)
	}
	err := w.logCall(ctx, scenario, r, last)
	return errors.Join(refused, err)
}

// transferred makes the last who talked responsible for a contact that was made of
// this call.
func (w *errand) transferred(ctx context.Context, scenario *pbx.AmoScenario, last string) error {
	r := scenario.Events[w.plan.Event]
	made, user := w.steps[stepContact], w.amo.UserOf(last)
	if !r.Transferee || !made.Done || made.ID == 0 || user == 0 || user == w.plan.User {
		return nil
	}
	_, err := w.once(ctx, stepResponsible, nil, func() (int64, error) {
		return user, w.client.UpdateContact(ctx, w.account, made.ID, ContactChange{Responsible: user})
	})
	return fmtUnlessNil("change who is responsible", err)
}

// logCall puts the call into the log of the card, or among what nobody has taken yet.
func (w *errand) logCall(ctx context.Context, scenario *pbx.AmoScenario, r *pbx.CDR, last string) error {
	user := w.amo.UserOf(last)
	if user == 0 || r.Outcome != pbx.OutcomeAnswered && w.inbound {
		user = w.plan.who(w.amo, pbx.AmoWhoContact)
	}
	talk := time.Duration(r.Talk * float64(time.Second)).Round(time.Second)
	if scenario != nil {
		if q := scenario.Events[w.plan.Event].Unsorted; q != nil && w.plan.Contact == 0 {
			return fmtUnlessNil("add the call to the unsorted leads", w.unsorted(ctx, q, r, user, talk))
		}
	}
	call := Call{Direction: Outbound, Phone: w.phone, Duration: talk, Source: source, Uniq: string(w.call), Link: w.recordingLink(r, user),
		Status: statusOf(r), Responsible: user, At: r.Started}
	if w.inbound {
		call.Direction = Inbound
	}
	if r.Outcome != pbx.OutcomeAnswered {
		call.Result = r.Cause.Text.EN
		if russian(w.account.Base) {
			call.Result = r.Cause.Text.RU
		}
	}
	_, err := w.once(ctx, stepCall, nil, func() (int64, error) {
		return w.asUser(user, func(user int64) (int64, error) {
			call.Responsible = user
			return w.addCall(ctx, call)
		})
	})
	return fmtUnlessNil("log the call", err)
}

// addCall logs a call. One with a number that nobody knows, and of which no scenario makes
// a card, has no place in amoCRM.
func (w *errand) addCall(ctx context.Context, call Call) (int64, error) {
	results, err := w.client.AddCalls(ctx, w.account, []Call{call})
	if len(results) == 1 && results[0].Err != nil {
		err = results[0].Err
	}
	var item *ItemError
	switch {
	case errors.As(err, &item) && item.Status == StatusNoCard && (w.plan.Contact != 0 || w.steps[stepContact].ID != 0):
		return 0, errors.New("amoCRM does not find the card of the call yet")
	case errors.As(err, &item) && item.Status == StatusNoCard:
		return 0, nil
	case err != nil || len(results) != 1:
		return 0, err
	}
	return results[0].ID, nil
}

// source is the name by which amoCRM shows where calls come from.
const source = "vpbx"

// unsorted adds the call to what nobody has taken yet. One that amoCRM has already it
// refuses; so it has it when it is not known what came of the try before.
func (w *errand) unsorted(ctx context.Context, q *pbx.AmoQueue, r *pbx.CDR, user int64, talk time.Duration) error {
	before, begun := w.steps[stepUnsorted]
	begun = begun && before.Note != noteRefused
	_, err := w.once(ctx, stepUnsorted, nil, func() (int64, error) {
		u := UnsortedSIP{SourceUID: cmp.Or(w.line, source), SourceName: source, Pipeline: q.Pipeline, Uniq: string(w.call), From: w.phone, Phone: w.line,
			At: r.Started, Duration: talk, Link: w.recordingLink(r, user), Service: source, Responsible: user,
			Lead: &NewLead{Name: w.phone}, Contact: &NewContact{Name: w.phone, Phones: []string{w.phone}}}
		if !w.inbound {
			u.From, u.Phone = cmp.Or(w.line, w.operator, source), w.phone
		}
		results, err := w.client.AddUnsorted(ctx, w.account, []UnsortedSIP{u})
		if len(results) == 1 && results[0].Err != nil {
			err = results[0].Err
		}
		if begun && errors.Is(err, crm.ErrRefused) {
			return 0, nil // it was taken the first time
		}
		if err != nil || len(results) != 1 {
			return 0, err
		}
		return results[0].Lead, nil
	})
	return err
}

// recordingLink is the address of the recording of a call for a user, "" when there is
// none.
func (w *errand) recordingLink(r *pbx.CDR, user int64) string {
	if w.external == "" || user == 0 || !slices.ContainsFunc(r.Recordings, func(rec pbx.Recording) bool { return rec.ID != "" }) {
		return ""
	}
	return w.external + RecordingPath + "?" + SignRecording(w.amo.Link, strconv.FormatInt(user, 10), w.call)
}
