package tenants

import (
	"fmt"
	"slices"
	"time"

	"vpbx/pbx"
)

// Campaign is what is set for calling many people. Who they are is no part of the
// document: lists come by the API.
type Campaign struct {
	Name   string   `yaml:"name" json:"name"`
	Title  string   `yaml:"title" json:"title,omitempty"`
	Kind   string   `yaml:"kind" json:"kind"`               // inform, debt, advertising, survey or operators
	Mode   string   `yaml:"mode" json:"mode,omitempty"`     // message, preview, progressive or predictive; default message, of operators progressive
	Start  Moment   `yaml:"start" json:"start,omitzero"`    // starts by itself then; default: somebody starts it
	Until  Moment   `yaml:"until" json:"until,omitzero"`    // nobody is called behind it; default: until all are called
	When   string   `yaml:"when" json:"when"`               // name of the schedule in which people are called
	Local  *bool    `yaml:"local" json:"local,omitempty"`   // by the clock of who is called, the default; else of the company
	Weight int      `yaml:"weight" json:"weight,omitempty"` // its share of a trunk that others want too, default 1
	Record Record   `yaml:"record" json:"record,omitempty"` // as of an extension
	Ring   Duration `yaml:"ring" json:"ring,omitzero"`      // how long a number rings, default 30 s

	Callers    []CampaignCaller `yaml:"callers" json:"callers"`                 // numbers shown; the longest prefix wins
	Trunks     []string         `yaml:"trunks" json:"trunks,omitempty"`         // tried in this order, default: as outbound says
	Consent    string           `yaml:"consent" json:"consent,omitempty"`       // law, the default, needed or given
	Unlabelled bool             `yaml:"unlabelled" json:"unlabelled,omitempty"` // callers need no label
	KeepOpen   bool             `yaml:"keep_open" json:"keep_open,omitempty"`   // goes on when everybody was called
	Pace       CampaignPace     `yaml:"pace" json:"pace,omitzero"`
	Redial     Redial           `yaml:"redial" json:"redial,omitzero"`
	Script     []ScriptBlock    `yaml:"script" json:"script,omitempty"` // of mode message; the first begins
	Operators  Operators        `yaml:"operators" json:"operators,omitzero"`
	Machine    Machine          `yaml:"machine" json:"machine,omitzero"`
}

// CampaignCaller is the number that is shown to those whose number has a prefix.
type CampaignCaller struct {
	Prefix string `yaml:"prefix" json:"prefix,omitempty"` // of E.164 numbers, default: all others
	Number string `yaml:"number" json:"number"`           // one of the company
	Label  string `yaml:"label" json:"label,omitempty"`   // name and purpose that are shown with it
}

// CampaignPace says how fast people are called.
type CampaignPace struct {
	PerSecond float64  `yaml:"per_second" json:"per_second,omitempty"` // dials a second at most, default 1
	AtOnce    int      `yaml:"at_once" json:"at_once,omitempty"`       // calls at once at most, default 10
	RampUp    Duration `yaml:"ramp_up" json:"ramp_up,omitzero"`        // until the full speed, default none
	Abandoned float64  `yaml:"abandoned" json:"abandoned,omitempty"`   // share of answers without an operator at most, default 0.03
}

// Redial says when somebody is called again.
type Redial struct {
	Attempts  int                   `yaml:"attempts" json:"attempts,omitempty"`     // to one target at most, default 3
	PerNumber int                   `yaml:"per_number" json:"per_number,omitempty"` // to one number at most, default 2
	Spacing   Duration              `yaml:"spacing" json:"spacing,omitzero"`        // between attempts to a target at least, default 1 m
	ByTurn    bool                  `yaml:"by_turn" json:"by_turn,omitempty"`       // to the next number of the target; else to the same
	Rules     map[string]RedialRule `yaml:"rules" json:"rules,omitempty"`           // by outcome; those that are left out have their default
}

// RedialRule says what follows an outcome.
type RedialRule struct {
	Times *int     `yaml:"times" json:"times,omitempty"` // another attempt, at most so often; 0: none
	After Duration `yaml:"after" json:"after,omitzero"`
}

// ScriptBlock is one thing that the autoinformer says, and what keys do then.
type ScriptBlock struct {
	Name      string                  `yaml:"name" json:"name"`
	Play      names                   `yaml:"play" json:"play"` // a prompt, or a list of them
	Keys      map[string]ScriptAction `yaml:"keys" json:"keys,omitempty"`
	Timeout   Duration                `yaml:"timeout" json:"timeout,omitzero"`      // how long a key is waited for, default 5 s
	Tries     int                     `yaml:"tries" json:"tries,omitempty"`         // how often it is said, default 2
	Otherwise *ScriptAction           `yaml:"otherwise" json:"otherwise,omitempty"` // when no key was pressed; default: the call ends
}

// ScriptAction is what a key does: at most one of Connect, Go, Repeat and OptOut, with
// none of them the call ends.
type ScriptAction struct {
	Answer  string `yaml:"answer" json:"answer,omitempty"`   // stored, for the report
	Play    names  `yaml:"play" json:"play,omitempty"`       // said first: a prompt, or a list of them
	Connect string `yaml:"connect" json:"connect,omitempty"` // extension, group or queue
	Go      string `yaml:"go" json:"go,omitempty"`           // name of a block
	Repeat  bool   `yaml:"repeat" json:"repeat,omitempty"`   // the block is said again
	OptOut  bool   `yaml:"opt_out" json:"opt_out,omitempty"` // the number is not called any more
}

// Operators says who talks with those who are called.
type Operators struct {
	Queue   string   `yaml:"queue" json:"queue,omitempty"`     // number of the queue whose agents they are
	Within  Duration `yaml:"within" json:"within,omitzero"`    // how soon one must be there, default 2 s
	Sorry   string   `yaml:"sorry" json:"sorry,omitempty"`     // prompt for who gets none: who has called and why
	Card    Duration `yaml:"card" json:"card,omitzero"`        // preview: time to read the card before the dial, default 15 s
	Wrapup  Duration `yaml:"wrapup" json:"wrapup,omitzero"`    // after the talk, default as the queue says
	Reserve *bool    `yaml:"reserve" json:"reserve,omitempty"` // who was abandoned gets an operator next time, default true
}

// Machine says what is done when a machine answers.
type Machine struct {
	Do     string `yaml:"do" json:"do,omitempty"`         // ignore, the default, hangup or message
	Play   names  `yaml:"play" json:"play,omitempty"`     // of message, behind the beep
	Unsure bool   `yaml:"unsure" json:"unsure,omitempty"` // who is neither clearly a person nor a machine counts as a machine
}

// Moment is a time that is written 2027-03-01 09:00, by the clock of the company, or as
// RFC 3339 has it.
type Moment struct {
	time.Time
	local bool // to be read by the clock of the company
}

// wallClock is how a moment is written by the clock of the company.
const wallClock = "2006-01-02 15:04"

// UnmarshalText reads either form.
func (m *Moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	if err == nil {
		*m = Moment{Time: t}
		return nil
	}
	if t, err = time.Parse(wallClock, string(text)); err != nil {
		return fmt.Errorf("%.60q is not a time; write 2027-03-01 09:00 or 2027-03-01T09:00:00+03:00", text)
	}
	*m = Moment{Time: t, local: true}
	return nil
}

// MarshalText writes it as RFC 3339 has it.
func (m Moment) MarshalText() ([]byte, error) { return m.AppendFormat(nil, time.RFC3339), nil }

// MarshalJSON writes the same.
func (m Moment) MarshalJSON() ([]byte, error) { return m.AppendFormat(nil, `"`+time.RFC3339+`"`), nil }

// in gives the time by the clock of a zone, zero for none.
func (m Moment) in(zone *time.Location) time.Time {
	if m.IsZero() || !m.local {
		return m.Time
	}
	year, month, day := m.Date()
	return time.Date(year, month, day, m.Hour(), m.Minute(), 0, 0, zone)
}

// zoneOf gives the zone of a name, UTC for one that is none: that is noted by check.
func zoneOf(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// What a campaign is where the document says nothing.
const (
	defaultCampaignRing = Duration(30 * time.Second)
	defaultPerSecond    = 1
	defaultAtOnce       = 10
	defaultAbandoned    = 0.03 // the most in the USA (47 CFR 64.1200) and the United Kingdom (Ofcom)
	defaultRedials      = 3
	defaultPerNumber    = 2
	defaultSpacing      = Duration(time.Minute)
	defaultSaid         = 2
	defaultWithin       = Duration(2 * time.Second) // 47 CFR 64.1200(a)(7), Ofcom
	defaultCard         = Duration(15 * time.Second)
)

// defaultRules are the redial rules of a campaign that says nothing of an outcome.
func defaultRules(c *pbx.Campaign) map[pbx.AttemptOutcome]pbx.RedialRule {
	rules := map[pbx.AttemptOutcome]pbx.RedialRule{
		pbx.AttemptBusy:       {Times: 2, After: 5 * time.Minute},
		pbx.AttemptNoAnswer:   {Times: 2, After: time.Hour},
		pbx.AttemptCongestion: {Times: 2, After: 5 * time.Minute},
		pbx.AttemptFailed:     {Times: 1, After: 15 * time.Minute},
	}
	if c.Machine.Do == pbx.MachineHangup {
		rules[pbx.AttemptMachine] = pbx.RedialRule{Times: 2, After: 4 * time.Hour}
	}
	if c.Operators.Reserve {
		rules[pbx.AttemptAbandoned] = pbx.RedialRule{Times: 1, After: time.Hour}
	}
	if c.Mode.OperatorMode() {
		rules[pbx.AttemptMissed] = pbx.RedialRule{Times: 2, After: time.Minute}
	}
	return rules
}

// modeOf gives the mode of a campaign: what it says, or the default of its kind; "" when
// it says what is none.
func (x *Campaign) modeOf() pbx.DialMode {
	switch {
	case slices.Contains(campaignModes, x.Mode):
		return pbx.DialMode(x.Mode)
	case x.Mode != "":
		return ""
	case x.Kind == string(pbx.CampaignOperators):
		return pbx.DialProgressive
	}
	return pbx.DialMessage
}

// reserves tells whether a campaign dials before an operator is there for the call, so
// that somebody may be abandoned.
func reserves(m pbx.DialMode) bool { return m == pbx.DialProgressive || m == pbx.DialPredictive }

func (b *build) campaigns() {
	zone := zoneOf(b.company.Zone)
	for i := range b.Campaigns {
		if b.company.Campaigns == nil {
			b.company.Campaigns = map[string]*pbx.Campaign{}
		}
		b.company.Campaigns[b.Campaigns[i].Name] = campaignOf(&b.Campaigns[i], zone)
	}
}

// campaignOf makes the campaign of a document, with all defaults.
func campaignOf(x *Campaign, zone *time.Location) *pbx.Campaign {
	c := &pbx.Campaign{
		Name: x.Name, Title: x.Title, Kind: pbx.CampaignKind(x.Kind), Mode: x.modeOf(),
		When: x.When, Local: x.Local == nil || *x.Local, Weight: x.Weight,
		Trunks: clone(x.Trunks), Ring: time.Duration(orElse(x.Ring, defaultCampaignRing)),
		Pace: pbx.CampaignPace{
			PerSecond: orElse(x.Pace.PerSecond, defaultPerSecond), AtOnce: orElse(x.Pace.AtOnce, defaultAtOnce),
			RampUp: time.Duration(x.Pace.RampUp), Abandoned: orElse(x.Pace.Abandoned, defaultAbandoned),
		},
		Machine: pbx.MachineRule{Play: clone(x.Machine.Play), Unsure: x.Machine.Unsure},
		Record:  x.Record != "", Notice: x.Record.notice(), Unlabelled: x.Unlabelled, KeepOpen: x.KeepOpen,
	}
	if !x.Start.IsZero() {
		c.Start = x.Start.in(zone).UTC()
	}
	if !x.Until.IsZero() {
		c.Until = x.Until.in(zone).UTC()
	}
	for _, k := range x.Callers {
		c.Callers = append(c.Callers, pbx.CampaignCaller(k))
	}
	if x.Machine.Do != "ignore" {
		c.Machine.Do = pbx.MachineAction(x.Machine.Do)
	}
	if x.Consent != "law" {
		c.Consent = pbx.CampaignConsent(x.Consent)
	}
	for i := range x.Script {
		c.Script = append(c.Script, blockOf(&x.Script[i]))
	}
	c.Operators = operatorsOf(&x.Operators, c)
	c.Redial = redialOf(&x.Redial, c)
	return c
}

// operatorsOf reads the operators of a campaign whose mode and script are known.
func operatorsOf(o *Operators, c *pbx.Campaign) pbx.Operators {
	out := pbx.Operators{Queue: o.Queue, SafeHarbour: o.Sorry, Card: time.Duration(o.Card), Wrapup: time.Duration(o.Wrapup)}
	if c.Connects() {
		out.Within = time.Duration(orElse(o.Within, defaultWithin))
	}
	if c.Mode == pbx.DialPreview {
		out.Card = time.Duration(orElse(o.Card, defaultCard))
	}
	if reserves(c.Mode) {
		out.Reserve = o.Reserve == nil || *o.Reserve
	}
	return out
}

// redialOf reads the redial rules of a campaign of which the rest is known.
func redialOf(r *Redial, c *pbx.Campaign) pbx.Redial {
	out := pbx.Redial{
		Attempts: orElse(r.Attempts, defaultRedials), PerNumber: orElse(r.PerNumber, defaultPerNumber),
		Spacing: time.Duration(orElse(r.Spacing, defaultSpacing)), ByTurn: r.ByTurn, Rules: defaultRules(c),
	}
	for word, rule := range r.Rules {
		o := pbx.AttemptOutcome(word)
		now, known := out.Rules[o]
		if !known {
			now = pbx.RedialRule{Times: 1, After: time.Hour}
		}
		if rule.Times != nil {
			now.Times = *rule.Times
		}
		now.After = time.Duration(orElse(rule.After, Duration(now.After)))
		if now.Times == 0 {
			delete(out.Rules, o)
			continue
		}
		out.Rules[o] = now
	}
	if len(out.Rules) == 0 {
		out.Rules = nil
	}
	return out
}

func blockOf(x *ScriptBlock) pbx.ScriptBlock {
	b := pbx.ScriptBlock{Name: x.Name, Play: clone(x.Play), Tries: 1}
	if len(x.Keys) > 0 {
		b.Timeout, b.Tries = time.Duration(orElse(x.Timeout, defaultKeyTime)), orElse(x.Tries, defaultSaid)
		b.Keys = make(map[string]pbx.ScriptAction, len(x.Keys))
		for key, a := range x.Keys {
			b.Keys[key] = actionOf(a)
		}
	}
	if x.Otherwise != nil {
		a := actionOf(*x.Otherwise)
		b.Otherwise = &a
	}
	return b
}

func actionOf(a ScriptAction) pbx.ScriptAction {
	return pbx.ScriptAction{Answer: a.Answer, Play: clone(a.Play), Connect: a.Connect, Go: a.Go, Repeat: a.Repeat, OptOut: a.OptOut}
}

// documentCampaigns lists the campaigns of a company.
func documentCampaigns(c *pbx.Company) []Campaign {
	if len(c.Campaigns) == 0 {
		return nil
	}
	zone := zoneOf(c.Zone)
	var all []Campaign
	for _, name := range keys(c.Campaigns) {
		all = append(all, documentCampaign(c.Campaigns[name], zone))
	}
	return all
}

// documentCampaign is the other way round. What a campaign has by default is written,
// too: it stays what it is when a default changes.
func documentCampaign(c *pbx.Campaign, zone *time.Location) Campaign {
	local := c.Local
	x := Campaign{
		Name: c.Name, Title: c.Title, Kind: string(c.Kind), Mode: string(c.Mode), When: c.When, Local: &local, Weight: c.Weight,
		Trunks: clone(c.Trunks), Ring: Duration(c.Ring), Record: recordOf(c.Record, c.Notice),
		Consent: string(c.Consent), Unlabelled: c.Unlabelled, KeepOpen: c.KeepOpen,
		Pace: CampaignPace{PerSecond: c.Pace.PerSecond, AtOnce: c.Pace.AtOnce, RampUp: Duration(c.Pace.RampUp), Abandoned: c.Pace.Abandoned},
		Operators: Operators{Queue: c.Operators.Queue, Within: Duration(c.Operators.Within), Sorry: c.Operators.SafeHarbour,
			Card: Duration(c.Operators.Card), Wrapup: Duration(c.Operators.Wrapup)},
		Machine: Machine{Do: string(c.Machine.Do), Play: clone(c.Machine.Play), Unsure: c.Machine.Unsure},
		Redial:  documentRedial(c),
	}
	if !c.Start.IsZero() {
		x.Start = Moment{Time: c.Start.In(zone)}
	}
	if !c.Until.IsZero() {
		x.Until = Moment{Time: c.Until.In(zone)}
	}
	if reserves(c.Mode) {
		reserve := c.Operators.Reserve
		x.Operators.Reserve = &reserve
	}
	for _, k := range c.Callers {
		x.Callers = append(x.Callers, CampaignCaller(k))
	}
	for i := range c.Script {
		x.Script = append(x.Script, documentBlock(&c.Script[i]))
	}
	return x
}

// documentRedial writes all rules, and that those of the defaults do not count which
// the campaign has not.
func documentRedial(c *pbx.Campaign) Redial {
	r := Redial{Attempts: c.Redial.Attempts, PerNumber: c.Redial.PerNumber, Spacing: Duration(c.Redial.Spacing), ByTurn: c.Redial.ByTurn,
		Rules: map[string]RedialRule{}}
	for o := range defaultRules(c) {
		none := 0
		r.Rules[string(o)] = RedialRule{Times: &none}
	}
	for o, rule := range c.Redial.Rules {
		r.Rules[string(o)] = RedialRule{Times: &rule.Times, After: Duration(rule.After)}
	}
	return r
}

func documentBlock(b *pbx.ScriptBlock) ScriptBlock {
	x := ScriptBlock{Name: b.Name, Play: clone(b.Play)}
	if len(b.Keys) > 0 {
		x.Timeout, x.Tries = Duration(b.Timeout), b.Tries
		x.Keys = make(map[string]ScriptAction, len(b.Keys))
		for key, a := range b.Keys {
			x.Keys[key] = documentAction(a)
		}
	}
	if b.Otherwise != nil {
		a := documentAction(*b.Otherwise)
		x.Otherwise = &a
	}
	return x
}

func documentAction(a pbx.ScriptAction) ScriptAction {
	return ScriptAction{Answer: a.Answer, Play: clone(a.Play), Connect: a.Connect, Go: a.Go, Repeat: a.Repeat, OptOut: a.OptOut}
}
