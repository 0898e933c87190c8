package law

import (
	"fmt"
	"slices"
	"time"

	"vpbx/pbx"
)

// Rule is one demand on the campaigns of some kinds, in some modes, that call the numbers of
// some countries.
type Rule struct {
	ID         string             `yaml:"id" json:"id"`
	Kinds      []pbx.CampaignKind `yaml:"kinds" json:"kinds,omitempty"` // none: all
	Modes      []pbx.DialMode     `yaml:"modes" json:"modes,omitempty"` // none: all
	Countries  []string           `yaml:"countries" json:"countries,omitempty"`
	Except     []string           `yaml:"except" json:"-"`    // sets that have a rule of their own instead
	Elsewhere  bool               `yaml:"elsewhere" json:"-"` // only for countries that have no set
	English    string             `yaml:"en" json:"en"`
	Russian    string             `yaml:"ru" json:"ru"`
	Source     string             `yaml:"source" json:"source"`            // the law and its article, or why it is ours
	Ours       bool               `yaml:"ours" json:"ours,omitempty"`      // no law asks for it
	InForce    pbx.Date           `yaml:"in_force" json:"in_force"`        // the first day
	Checked    pbx.Date           `yaml:"checked" json:"checked,omitzero"` // when the source was looked up; zero: it was not yet
	Confidence string             `yaml:"confidence" json:"confidence"`    // A: the text, or its authority; B: reports that agree; C: not looked up; D: ours, or hearsay
	Demand                        // exactly one
}

// Demand is what a rule asks for: one of these.
type Demand struct {
	Consent    bool          `yaml:"consent" json:"consent,omitempty"`         // the callee has agreed, and it is on record
	Operator   bool          `yaml:"operator" json:"operator,omitempty"`       // a person speaks, no message
	OptOut     bool          `yaml:"opt_out" json:"opt_out,omitempty"`         // the script has a key to be called no more
	Notice     bool          `yaml:"notice" json:"notice,omitempty"`           // nothing that a program can see to
	Label      int           `yaml:"label" json:"label,omitempty"`             // the number shown has a label of at most so many characters
	Ring       time.Duration `yaml:"ring" json:"ring,omitempty"`               // the number rings at least that long
	ToldWithin time.Duration `yaml:"told_within" json:"told_within,omitempty"` // who gets no operator hears a message by then
	Hours      *LegalHours   `yaml:"hours" json:"hours,omitempty"`
	Contacts   *ContactCap   `yaml:"contacts" json:"contacts,omitempty"`
	Abandoned  *AbandonedCap `yaml:"abandoned" json:"abandoned,omitempty"`
	Cooldown   *Cooldown     `yaml:"cooldown" json:"cooldown,omitempty"`
}

// LegalHours are when people may be called, by their own clock.
type LegalHours struct {
	Week     []pbx.Hours `yaml:"week" json:"week"`
	Holidays []pbx.Hours `yaml:"holidays" json:"holidays,omitempty"` // none: as on other days
	Closed   bool        `yaml:"closed_on_holidays" json:"closed_on_holidays,omitempty"`
}

// ContactCap bounds how often one person is reached by all campaigns of a company of the
// kinds of the rule, within any span of time of a length. Days, weeks and months of the
// calendar are within such spans, wherever they begin.
type ContactCap struct {
	Of     Form           `yaml:"of" json:"of"`
	Most   int            `yaml:"most" json:"most"`
	Within time.Duration  `yaml:"within" json:"within"`
	Reason pbx.HoldReason `yaml:"reason" json:"reason"`
	// Outcomes are those of attempts that count; one that goes on counts always.
	Outcomes []pbx.AttemptOutcome `yaml:"outcomes" json:"outcomes"`
}

// Form is the way in which somebody was reached.
type Form string

// The forms. A message from which somebody was connected to an operator is a call too.
const (
	FormCalls    Form = "calls"    // a person spoke
	FormMessages Form = "messages" // a message was played
	FormAll      Form = "all"
)

// AbandonedCap bounds the share of live answers without an operator, of one campaign within
// any span of time of a length.
type AbandonedCap struct {
	Share  float64       `yaml:"share" json:"share"` // 0.03 is 3 %
	Within time.Duration `yaml:"within" json:"within"`
}

// Cooldown is how long a machine does not dial a number after something went wrong with it;
// an attempt for which an operator is reserved may be made.
type Cooldown struct {
	After string        `yaml:"after" json:"after"`
	Wait  time.Duration `yaml:"wait" json:"wait"`
}

// What a cooldown follows: a live answer without an operator; a machine that was detected
// and told nothing, which may have been a person.
const (
	AfterAbandoned = "abandoned"
	AfterSilent    = "silent"
)

// binds tells whether the rule is about campaigns of a kind and mode.
func (r *Rule) binds(kind pbx.CampaignKind, mode pbx.DialMode) bool {
	return (len(r.Kinds) == 0 || slices.Contains(r.Kinds, kind)) && (len(r.Modes) == 0 || slices.Contains(r.Modes, mode))
}

// inForce tells whether the rule holds at a moment: from when its first day begins anywhere.
func (r *Rule) inForce(at time.Time) bool {
	const east = 14 * time.Hour // the zone whose days begin first
	y, m, d := at.UTC().Add(east).Date()
	return pbx.Date{Year: y, Month: m, Day: d}.Compare(r.InForce) >= 0
}

// check finds what is wrong with a rule.
func (r *Rule) check() error {
	switch {
	case r.ID == "":
		return fmt.Errorf("a rule without an id")
	case r.English == "" || r.Russian == "" || r.Source == "":
		return fmt.Errorf("rule %s lacks en, ru or source", r.ID)
	case r.InForce == pbx.Date{} || (r.Checked == pbx.Date{}) != (r.Confidence == "C"):
		return fmt.Errorf("rule %s lacks in_force or checked, or was checked and has confidence C", r.ID)
	case len(r.Confidence) != 1 || r.Confidence < "A" || r.Confidence > "D":
		return fmt.Errorf("rule %s: confidence is A, B, C or D", r.ID)
	}
	for _, k := range r.Kinds {
		if !slices.Contains(pbx.CampaignKinds, k) {
			return fmt.Errorf("rule %s: no kind %.40q", r.ID, k)
		}
	}
	for _, m := range r.Modes {
		if !slices.Contains(pbx.DialModes, m) {
			return fmt.Errorf("rule %s: no mode %.40q", r.ID, m)
		}
	}
	if err := r.Demand.check(); err != nil {
		return fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return nil
}

func (d *Demand) check() error {
	n := 0
	for _, is := range []bool{d.Consent, d.Operator, d.OptOut, d.Notice, d.Label != 0, d.Ring != 0, d.ToldWithin != 0,
		d.Hours != nil, d.Contacts != nil, d.Abandoned != nil, d.Cooldown != nil} {
		if is {
			n++
		}
	}
	switch {
	case n != 1:
		return fmt.Errorf("makes %d demands, not one", n)
	case d.Label < 0 || d.Ring < 0 || d.ToldWithin < 0:
		return fmt.Errorf("demands less than nothing")
	case d.Hours != nil:
		return d.Hours.check()
	case d.Contacts != nil:
		return d.Contacts.check()
	case d.Abandoned != nil && (d.Abandoned.Share < 0 || d.Abandoned.Share > 1 || d.Abandoned.Within < time.Hour):
		return fmt.Errorf("abandoned needs a share from 0 to 1 and a time of at least 1h")
	case d.Cooldown != nil && (d.Cooldown.After != AfterAbandoned && d.Cooldown.After != AfterSilent || d.Cooldown.Wait <= 0):
		return fmt.Errorf("cooldown is after abandoned or silent, and waits")
	}
	return nil
}

func (h *LegalHours) check() error {
	if len(h.Week) == 0 || h.Closed && len(h.Holidays) > 0 {
		return fmt.Errorf("hours need a week, and no hours of holidays that are closed")
	}
	for _, list := range [][]pbx.Hours{h.Week, h.Holidays} {
		for i, a := range list {
			if a.To <= a.From {
				return fmt.Errorf("hours %s go beyond midnight", a)
			}
			if slices.ContainsFunc(list[:i], a.Overlap) {
				return fmt.Errorf("hours %s overlap others", a)
			}
		}
	}
	return nil
}

func (c *ContactCap) check() error {
	switch {
	case c.Of != FormCalls && c.Of != FormMessages && c.Of != FormAll:
		return fmt.Errorf("contacts are of calls, messages or all")
	case c.Most < 1 || c.Within < time.Hour || len(c.Outcomes) == 0:
		return fmt.Errorf("contacts need most, within and outcomes")
	}
	if _, russian := Text(c.Reason); russian == "" {
		return fmt.Errorf("no reason %.40q", c.Reason)
	}
	for _, o := range c.Outcomes {
		if !slices.Contains(pbx.AttemptOutcomes, o) {
			return fmt.Errorf("no outcome %.40q", o)
		}
	}
	return nil
}
