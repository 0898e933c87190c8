package amocrm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vpbx/crm"
	"vpbx/pbx"
)

// entities makes the contact, the lead and the task. What amoCRM refuses is told of
// and does not keep the rest from being done.
func (w *errand) entities(ctx context.Context, scenario *pbx.AmoScenario) error {
	r, ok := scenario.Events[w.plan.Event]
	if !ok {
		return nil
	}
	contact := w.plan.Contact
	var err error
	if r.Contact != nil && w.plan.Event.New() {
		if contact, err = w.makeContact(ctx, r.Contact); err != nil {
			return fmt.Errorf("make the contact: %w", err)
		}
		w.plan.Responsible = w.plan.responsible(w.company, w.call, r.Contact)
	}
	if contact == 0 {
		return nil
	}
	var lead int64
	var refused error
	if r.Lead != nil {
		lead, err = w.makeLead(ctx, r.Lead, contact)
		if err = fmtUnlessNil("make the lead", err); err != nil && !errors.Is(err, crm.ErrRefused) {
			return err
		}
		refused = err
	}
	if r.Task != nil && (r.Lead == nil || lead != 0) {
		err = fmtUnlessNil("make the task", w.makeTask(ctx, r.Task, contact, lead))
		if err != nil && !errors.Is(err, crm.ErrRefused) {
			return err
		}
		refused = errors.Join(refused, err)
	}
	return refused
}

func fmtUnlessNil(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// one gives what became of the one thing that was to be made.
func one(results []Result, err error) (int64, error) {
	if len(results) == 1 && results[0].Err != nil {
		return 0, results[0].Err
	}
	if err != nil {
		return 0, err
	}
	return results[0].ID, nil
}

// asUser makes something for which a user is responsible. One whom amoCRM does not know
// any more, though he has an internal number, is an abnormal situation: it is the fallback manager
// then, and who has connected the account when there is none.
func (w *errand) asUser(user int64, try func(user int64) (int64, error)) (int64, error) {
	id, err := try(user)
	for _, other := range []int64{w.amo.UserOf(w.amo.Fallback), 0} {
		var item *ItemError
		if !errors.As(err, &item) || !strings.Contains(item.Detail, "responsible") || other == user {
			continue
		}
		w.log.Warn("amoCRM does not know a user who has an internal number", "tenant", w.company.ID, "call", w.call, "user", user)
		user = other
		id, err = try(user)
	}
	return id, err
}

func (w *errand) makeContact(ctx context.Context, e *pbx.AmoEntity) (int64, error) {
	look := func() (int64, error) {
		found, err := w.client.Contacts(ctx, w.account, w.phone)
		if err != nil {
			return 0, err
		}
		contact, _ := choose(w.amo, nil, found)
		return contact.ID, nil
	}
	return w.once(ctx, stepContact, look, func() (int64, error) {
		return w.asUser(w.plan.responsible(w.company, w.call, e), func(user int64) (int64, error) {
			return one(w.client.AddContacts(ctx, w.account, []NewContact{{Name: pbx.AmoText(e.Name, w.phone, w.line), Phones: []string{w.phone},
				Responsible: user, Fields: fieldsOf(e, &w.subject), Tags: e.Tags}}))
		})
	})
}

func (w *errand) makeLead(ctx context.Context, e *pbx.AmoEntity, contact int64) (int64, error) {
	name := pbx.AmoText(e.Name, w.phone, w.line)
	look := func() (int64, error) { return w.leadOf(ctx, contact, name) }
	return w.once(ctx, stepLead, look, func() (int64, error) {
		return w.asUser(w.plan.responsible(w.company, w.call, e), func(user int64) (int64, error) {
			return one(w.client.AddLeads(ctx, w.account, []NewLead{{Name: name, Pipeline: e.Pipeline, Status: e.Status,
				Responsible: user, Fields: fieldsOf(e, &w.subject), Tags: e.Tags, Contacts: []int64{contact}}}))
		})
	})
}

// leadOf looks for a lead of the contact that was not there before the call.
func (w *errand) leadOf(ctx context.Context, contact int64, name string) (int64, error) {
	card, err := w.client.Contact(ctx, w.account, contact)
	if err != nil {
		return 0, err
	}
	leads, err := w.client.LeadsOf(ctx, w.account, card)
	if err != nil {
		return 0, err
	}
	for _, l := range leads {
		if l.Name == name && !slices.Contains(w.plan.Leads, l.ID) {
			return l.ID, nil
		}
	}
	return 0, nil
}

func (w *errand) makeTask(ctx context.Context, t *pbx.AmoTask, contact, lead int64) error {
	task := NewTask{Text: pbx.AmoText(t.Text, w.phone, w.line), Due: w.at.Add(defaultDue), Kind: TaskCall, EntityType: EntityContact, Entity: contact,
		Responsible: w.plan.who(w.amo, t.Responsible)}
	if t.Due > 0 {
		task.Due = w.at.Add(t.Due)
	}
	if lead != 0 {
		task.EntityType, task.Entity = EntityLead, lead
	}
	look := func() (int64, error) { return w.client.taskLike(ctx, w.account, task, w.steps[stepTask].Begun) }
	_, err := w.once(ctx, stepTask, look, func() (int64, error) {
		return w.asUser(task.Responsible, func(user int64) (int64, error) {
			task.Responsible = user
			return one(w.client.AddTasks(ctx, w.account, []NewTask{task}))
		})
	})
	return err
}
