package law

import (
	"slices"
	"time"

	"vpbx/pbx"
)

// contactsFree gives the first moment, now or later, at which caps of contacts and cooldowns
// let a number be dialled, and when that is later the one that lets it last.
func contactsFree(c *Case, terms Terms) (time.Time, Verdict) {
	free, v := c.At, Verdict{}
	for _, t := range terms {
		var from time.Time
		var reason pbx.HoldReason
		switch {
		case t.Contacts != nil && t.Contacts.applies(c):
			from, reason = t.Contacts.free(t.counted(c.History)), t.Contacts.Reason
		case t.Cooldown != nil && !c.Reserved:
			from, reason = t.Cooldown.free(c)
		}
		if from.After(free) {
			free, v = from, Verdict{Do: Wait, Reason: reason, Rules: []string{t.ID}}
		}
	}
	return free, v
}

// applies tells whether a dial would be a contact of the form.
func (k *ContactCap) applies(c *Case) bool {
	switch k.Of {
	case FormCalls:
		return c.Operator || c.Mode.OperatorMode()
	case FormMessages:
		return !c.Mode.OperatorMode()
	}
	return true
}

// counted gives the times of those contacts that count for the rule, sorted.
func (r *Rule) counted(history []pbx.Contacted) []time.Time {
	var times []time.Time
	for _, h := range history {
		if (len(r.Kinds) == 0 || slices.Contains(r.Kinds, h.Kind)) && r.Contacts.counts(h) {
			times = append(times, h.At)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// counts tells whether an attempt was a contact of the form. One that goes on may still
// become any.
func (k *ContactCap) counts(h pbx.Contacted) bool {
	if h.Outcome == "" {
		return true
	}
	if !slices.Contains(k.Outcomes, h.Outcome) {
		return false
	}
	switch k.Of {
	case FormCalls:
		return h.Mode.OperatorMode() || h.Outcome == pbx.AttemptConnected
	case FormMessages:
		return !h.Mode.OperatorMode()
	}
	return true
}

// free gives when one more contact is allowed, of the sorted times of those that count;
// zero when it always was.
func (k *ContactCap) free(times []time.Time) time.Time {
	if len(times) < k.Most {
		return time.Time{}
	}
	return times[len(times)-k.Most].Add(k.Within)
}

// free gives when the cooldown is over, and its reason.
func (k *Cooldown) free(c *Case) (time.Time, pbx.HoldReason) {
	last, reason, is := c.LastAbandoned, pbx.HeldAbandoned, abandoned
	if k.After == AfterSilent {
		last, reason, is = c.LastSilent, pbx.HeldSilent, silent
	}
	for _, h := range c.History {
		over := h.At
		if h.Ended.After(over) { // that is when somebody was abandoned
			over = h.Ended
		}
		if h.Number == c.Number && is(h) && over.After(last) {
			last = over
		}
	}
	if last.IsZero() {
		return time.Time{}, reason
	}
	return last.Add(k.Wait), reason
}

func abandoned(h pbx.Contacted) bool { return h.Outcome == pbx.AttemptAbandoned }

// silent tells whether a machine was detected where an operator would have spoken: nothing
// was said.
func silent(h pbx.Contacted) bool {
	return h.Outcome == pbx.AttemptMachine && h.Mode.OperatorMode()
}

// limits are the caps of contacts as the store checks them once more when an attempt begins,
// but those of attempts in any form, which a pbx.ContactLimit cannot say. An attempt counts
// from Since on, and one that is as old as the span no more.
func limits(c *Case, terms Terms) []pbx.ContactLimit {
	var list []pbx.ContactLimit
	for _, t := range terms {
		k := t.Contacts
		if k == nil || !k.applies(c) || k.Of == FormAll {
			continue
		}
		kinds := t.Kinds
		if len(kinds) == 0 {
			kinds = []pbx.CampaignKind{""} // any
		}
		for _, kind := range kinds {
			list = append(list, pbx.ContactLimit{Kind: kind, Message: k.Of == FormMessages, Since: c.At.Add(time.Microsecond - k.Within), Max: k.Most, Reason: k.Reason})
		}
	}
	return list
}
