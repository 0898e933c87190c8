package routing

import (
	"slices"
	"time"

	"vpbx/pbx"
)

// ruleFor gives the place of the first rule that takes a call to a public number,
// -1 when none does, and what was found out on the way.
func ruleFor(req Request, number string) (int, []string) {
	var why []string
	from := req.Company.E164(req.From)
	for i := range req.Company.Rules {
		r := &req.Company.Rules[i]
		if !r.Takes(number) {
			continue
		}
		holds, reason := amongCallers(req.Company, r.Callers, from)
		why = note(why, reason)
		if !holds {
			continue
		}
		holds, reason = onTime(req.Company, r.When, req.At)
		why = note(why, reason)
		if holds {
			return i, why
		}
	}
	return -1, why
}

// note adds a reason that is not there yet.
func note(why []string, reason string) []string {
	if reason == "" || slices.Contains(why, reason) {
		return why
	}
	return append(why, reason)
}

// onTime tells whether a condition of time holds, and why.
func onTime(c *pbx.Company, w pbx.When, at time.Time) (bool, string) {
	if w == "" {
		return true, ""
	}
	name, not := w.Schedule()
	s := c.Schedules[name]
	if s == nil {
		return false, "there is no schedule " + name
	}
	at = at.In(c.Location())
	state := s.At(at)
	where := "outside "
	if state.Open {
		where = "within "
	}
	return state.Open != not, where + name + ": " + state.Text(at)
}

// amongCallers tells whether a caller is among those a rule is for. The reason
// names the list that it is in; a caller who is in none is not worth a word.
func amongCallers(c *pbx.Company, callers pbx.Callers, from string) (bool, string) {
	for _, name := range callers.Not {
		if why := listed(c, name, from); why != "" {
			return false, why
		}
	}
	for _, name := range callers.Only {
		if why := listed(c, name, from); why != "" {
			return true, why
		}
	}
	return len(callers.Only) == 0, ""
}

// listed says that a caller is in a list, "" when it is not. A caller who hides
// its number is in none but that of such callers.
func listed(c *pbx.Company, list, from string) string {
	switch l := c.Lists[list]; {
	case list == pbx.Anonymous && from == "":
		return "the caller hides the number"
	case l != nil && from != "" && l.Has(from):
		return from + " is in list " + list
	}
	return ""
}
