package law

import (
	"slices"
	"time"

	"vpbx/pbx"
)

// Term is a rule that binds, with its hours as they are in the callee's country.
type Term struct {
	*Rule
	Schedule *pbx.Schedule // nil: it is not about hours
}

// Terms are all that binds a dial. What they ask for adds up, so more of them are never
// laxer than fewer.
type Terms []Term

// Terms gives the rules of a country that bind campaigns of a kind and mode at a moment.
// A country that has no rules of its own gets those that hold everywhere.
func (l *Law) Terms(country string, kind pbx.CampaignKind, mode pbx.DialMode, at time.Time) Terms {
	place, known := l.byPlace[country]
	if !known {
		place = l.byPlace[""]
	}
	terms := make(Terms, 0, len(place))
	for _, t := range place {
		if t.binds(kind, mode) && t.inForce(at) {
			terms = append(terms, t)
		}
	}
	return terms
}

// Merge puts terms together; all of them bind.
func Merge(lists ...Terms) Terms {
	var all Terms
	for _, list := range lists {
		for _, t := range list {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// Own makes terms of demands that a company makes itself, besides those of the law.
func Own(demands ...Demand) Terms {
	var terms Terms
	for _, d := range demands {
		r := &Rule{ID: "company", English: "The company asks for it.", Russian: "Так решила компания.", Source: "the company", Ours: true, Confidence: "A", Demand: d}
		t := Term{Rule: r}
		if d.Hours != nil {
			t.Schedule = &pbx.Schedule{Name: r.ID, Hours: d.Hours.Week}
		}
		terms = append(terms, t)
	}
	return terms
}

// OwnOf gives what the settings of a campaign demand besides the law.
func OwnOf(c *pbx.Campaign) Terms {
	if c.Consent == pbx.ConsentNeeded {
		return Own(Demand{Consent: true})
	}
	return nil
}

// Abandoned gives the limits of abandoned calls for a campaign that calls several countries,
// as [Terms.Abandoned] does for one.
func (l *Law) Abandoned(countries []string, kind pbx.CampaignKind, mode pbx.DialMode, at time.Time) []AbandonedCap {
	var all Terms
	for _, country := range countries {
		all = append(all, l.Terms(country, kind, mode, at)...)
	}
	return all.Abandoned()
}

// find gives the ids of the rules with a demand.
func (t Terms) find(has func(*Rule) bool) []string {
	var ids []string
	for _, k := range t {
		if has(k.Rule) && !slices.Contains(ids, k.ID) {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// Consent tells whether the callee must have agreed to be called.
func (t Terms) Consent() bool { return len(t.find(needsConsent)) > 0 }

func needsConsent(r *Rule) bool  { return r.Consent }
func needsOperator(r *Rule) bool { return r.Operator }

// Ring is how long a number rings at least; 0 when that is not laid down.
func (t Terms) Ring() time.Duration {
	var longest time.Duration
	for _, k := range t {
		longest = max(longest, k.Ring)
	}
	return longest
}

// ToldWithin is how soon who gets no operator must hear a message; 0 when that is not laid
// down.
func (t Terms) ToldWithin() time.Duration {
	var soonest time.Duration
	for _, k := range t {
		if k.ToldWithin > 0 && (soonest == 0 || k.ToldWithin < soonest) {
			soonest = k.ToldWithin
		}
	}
	return soonest
}

// Label is how many characters the label of a caller number has at most; 0 when none is
// needed.
func (t Terms) Label() int {
	least := 0
	for _, k := range t {
		if k.Label > 0 && (least == 0 || k.Label < least) {
			least = k.Label
		}
	}
	return least
}

// Abandoned gives the limits of abandoned calls, of which all hold; one for each length of
// time, the shortest first.
func (t Terms) Abandoned() []AbandonedCap {
	var caps []AbandonedCap
	for _, k := range t {
		if k.Abandoned == nil {
			continue
		}
		i := slices.IndexFunc(caps, func(c AbandonedCap) bool { return c.Within == k.Abandoned.Within })
		if i < 0 {
			caps = append(caps, *k.Abandoned)
			continue
		}
		caps[i].Share = min(caps[i].Share, k.Abandoned.Share)
	}
	slices.SortFunc(caps, func(a, b AbandonedCap) int { return int((a.Within - b.Within) / time.Second) })
	return caps
}

// Notices gives the rules that no program can see to; they are shown to who starts a campaign.
func (t Terms) Notices() []Rule {
	var list []Rule
	for _, k := range t {
		if k.Notice {
			list = append(list, *k.Rule)
		}
	}
	return list
}
