package law

import (
	"slices"
	"time"
	"unicode/utf8"

	"vpbx/pbx"
)

// Case is one number that a campaign would dial.
type Case struct {
	At   time.Time
	End  time.Time // of the campaign; zero: none
	Kind pbx.CampaignKind
	Mode pbx.DialMode
	// Operator tells that a person speaks, or that a key of the script leads to one.
	Operator bool
	// Reserved tells that an operator waits for this very call.
	Reserved bool

	Number  string       // E.164
	Country string       // ISO code of the callee, where known otherwise; the rules of the number's count too
	Zone    string       // of the callee, as [pbx.ParseZone] reads it; "" or unreadable: by the number
	Stopped bool         // the number is on a stop list
	Consent *pbx.Consent // the callee's; nil: none

	Schedule *pbx.Schedule  // hours of the campaign; nil: at all times
	Home     *time.Location // whose clock these hours are by; nil: the callee's

	Label      string // of the number shown
	Unlabelled bool   // the company dials without a label

	// History are earlier attempts of all campaigns of the company to all numbers of the
	// target, of the last 31 days, in any order.
	History []pbx.Contacted
	// LastAbandoned and LastSilent are known besides History; zero: they are not.
	LastAbandoned, LastSilent time.Time

	Own Terms // what the company demands besides: [OwnOf] the campaign
}

// Decision is what may be done about a number.
type Decision string

// The decisions.
const (
	Dial Decision = "dial" // now
	Wait Decision = "wait" // until Verdict.NotBefore
	Skip Decision = "skip" // by this campaign, for good
)

// Verdict is what the law says of a [Case].
type Verdict struct {
	Do        Decision
	NotBefore time.Time          // of Wait
	Reason    pbx.HoldReason     // of Wait and Skip
	Rules     []string           // that decided, by id; "campaign" is for its own hours
	Limits    []pbx.ContactLimit // of Dial: what must hold still when the attempt begins
}

// Judge tells whether a number may be dialled. It costs some microseconds for each zone in
// which the callee may be.
func (l *Law) Judge(c Case) Verdict {
	if c.Stopped {
		return Verdict{Do: Skip, Reason: pbx.HeldStopList}
	}
	terms, known := l.terms(&c)
	if !known {
		return Verdict{Do: Skip, Reason: pbx.HeldCountry}
	}
	if v := barred(&c, terms); v.Do == Skip {
		return v
	}
	free, v := contactsFree(&c, terms)
	if ids := terms.find(needsConsent); len(ids) > 0 && c.Consent.At.After(free) {
		free, v = c.Consent.At, Verdict{Do: Wait, Reason: pbx.HeldNoConsent, Rules: ids}
	}
	window := NewWindow(terms, zonesOf(&c), c.Schedule, c.Home)
	next, meets := window.Next(free)
	switch {
	case !meets:
		return Verdict{Do: Skip, Reason: pbx.HeldNoWindow, Rules: window.closed(free)}
	case !next.After(c.At):
		return Verdict{Do: Dial, Limits: limits(&c, terms)}
	case v.Do != Wait:
		v = Verdict{Do: Wait, Reason: pbx.HeldWindow, Rules: window.closed(free)}
	}
	v.NotBefore = next
	if !c.End.IsZero() && !next.Before(c.End) {
		v.Do, v.NotBefore = Skip, time.Time{}
	}
	return v
}

// terms gives all that binds, false when the country is unknown.
func (l *Law) terms(c *Case) (Terms, bool) {
	country := pbx.CountryOf(c.Number)
	if pbx.ZonesOf(c.Country) == nil {
		c.Country = country
	}
	if c.Country == "" {
		return nil, false
	}
	terms := l.Terms(c.Country, c.Kind, c.Mode, c.At)
	if country != "" && country != c.Country {
		terms = Merge(terms, l.Terms(country, c.Kind, c.Mode, c.At))
	}
	return slices.Concat(terms, c.Own), true
}

// zonesOf gives the zones in which the callee may be.
func zonesOf(c *Case) []*time.Location {
	if zone, err := pbx.ParseZone(c.Zone); err == nil {
		return []*time.Location{zone}
	}
	names := pbx.Zones(c.Number)
	if len(names) == 0 {
		names = pbx.ZonesOf(c.Country)
	}
	return locations(names)
}

func locations(names []string) []*time.Location {
	zones := make([]*time.Location, 0, len(names))
	for _, name := range names {
		if zone, err := pbx.ParseZone(name); err == nil {
			zones = append(zones, zone)
		}
	}
	return zones
}

// barred finds what no waiting mends.
func barred(c *Case, terms Terms) Verdict {
	if ids := terms.find(needsOperator); len(ids) > 0 && (!c.Operator || !c.Mode.OperatorMode()) {
		return Verdict{Do: Skip, Reason: pbx.HeldAdvert, Rules: ids}
	}
	if ids := terms.find(needsConsent); len(ids) > 0 && !consented(c) {
		return Verdict{Do: Skip, Reason: pbx.HeldNoConsent, Rules: ids}
	}
	ids := terms.find(func(r *Rule) bool { return r.Label > 0 && badLabel(c.Label, r.Label, c.Unlabelled) })
	if len(ids) > 0 {
		return Verdict{Do: Skip, Reason: pbx.HeldLabel, Rules: ids}
	}
	return Verdict{}
}

// clockAhead is how far ahead of ours a clock may be by which a consent was given, or ours of
// what it is now: until then is waited. What is said of later days is no record.
const clockAhead = 24 * time.Hour

// consented tells whether the consent can be proved: it is known where and when it was given.
func consented(c *Case) bool {
	return c.Consent != nil && c.Consent.Source != "" && !c.Consent.At.IsZero() && !c.Consent.At.After(c.At.Add(clockAhead))
}

// badLabel tells whether a label is too long, or missing where that is not meant.
func badLabel(label string, most int, unlabelled bool) bool {
	return utf8.RuneCountInString(label) > most || label == "" && !unlabelled
}
