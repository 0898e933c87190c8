package call

import (
	"context"
	"fmt"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// untilRings is how long it may take until a target rings: what one trunk needs for a call
// abroad. Its time counts from then.
const untilRings = 30 * time.Second

// campaigning is what a call is for that calls a target of a campaign: who answers becomes
// its caller, for whom the steps of a plan are done. See decision 32.
type campaigning struct {
	order    pbx.CampaignCall
	prompts  map[string]*media.Prompt // made ready before the target is dialled
	ringing  *sip.Leg                 // of the target, once it rings
	alerted  bool                     // and has said 180
	told     bool                     // the message was heard to its end, or left
	greeted  time.Time                // when the target had said who it is, or answered and said nothing
	deadline time.Time                // an operator must be there before; zero: none is wanted
	bid      *waiter                  // for an operator, nil: none is wanted yet
	operator *party                   // who waits until the target answers: preview
	reading  bool                     // it reads the card
}

// Dial makes the call of an attempt and returns its record once that is kept. The end of
// ctx hangs up. An error, a [pbx.Error], means that there was no call, and so no record.
//
// In progressive and preview mode, and with an Operator, an operator is reserved before the
// number is dialled: the one who is named, or, for "" and [pbx.AnyOperator], whoever is
// free. Where none is free the error is of kind [pbx.Unavailable].
func (m *Manager) Dial(ctx context.Context, o pbx.CampaignCall) (pbx.CDR, error) {
	company := m.Directory().Company(o.Tenant)
	if company == nil {
		return pbx.CDR{}, &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
	}
	if err := dialable(company, o); err != nil {
		return pbx.CDR{}, err
	}
	if err := ctx.Err(); err != nil {
		return pbx.CDR{}, &pbx.Error{Kind: pbx.Unavailable, Msg: "the call was given up before it began", Err: err}
	}
	if err := m.open(); err != nil {
		return pbx.CDR{}, err
	}
	bid, err := m.reserve(company, o)
	if err != nil {
		return pbx.CDR{}, err
	}
	defer m.withdraw(o.Tenant, bid)
	c := m.newCall(company, time.Now())
	c.id, c.log = o.Call, m.Log.With("tenant", company.ID, "call", o.Call, "campaign", o.Campaign)
	c.campaign = &campaigning{order: o, prompts: map[string]*media.Prompt{}, bid: bid}
	c.caller = &party{who: o.Caller.Number, name: o.Caller.Label}
	c.dialled, c.variables = o.Number, spokenOf(o)
	m.metrics.campaigns.Inc()
	defer m.metrics.campaigns.Dec()
	m.start(c)
	select {
	case <-c.gone:
	case <-ctx.Done():
		c.post(hangup{pbx.NewCause(pbx.PartyPBX, pbx.Hangup)})
		<-c.gone
	}
	if c.cdr.ID == "" { // an error in our code kept the record from being written
		c.cdr = pbx.Summarize(company.ID, c.id, c.trace)
	}
	return c.cdr, nil
}

// dialable tells what is wrong with a call that is to be made.
func dialable(c *pbx.Company, o pbx.CampaignCall) error {
	invalid := func(field, msg string) error { return &pbx.Error{Kind: pbx.Invalid, Field: field, Msg: msg} }
	switch {
	case o.Call == "":
		return invalid("call", "the call of an attempt has an id beforehand")
	case o.Settings == nil:
		return invalid("settings", "the campaign is missing")
	case o.Number == "" || c.E164(o.Number) != o.Number:
		return invalid("number", "not a number in E.164 form")
	case o.Settings.Mode == pbx.DialMessage && len(o.Settings.Script) == 0:
		return invalid("script", "there is nothing to say")
	case o.Settings.Mode.OperatorMode() && (c.Groups[o.Settings.Operators.Queue] == nil || c.Groups[o.Settings.Operators.Queue].Queue == nil):
		return invalid("operators.queue", "not a queue of this company")
	}
	return nil
}

// spokenOf are the values that the texts of a campaign may say: those of the target, before
// what is known of every call.
func spokenOf(o pbx.CampaignCall) map[string]string {
	values := map[string]string{"number": o.Number, "campaign": o.Campaign}
	if o.Name != "" {
		values["name"] = o.Name
	}
	for name, v := range o.Variables {
		values[name] = v
	}
	return values
}

// noteCampaign notes of which attempt the call is.
func (c *Call) noteCampaign() {
	if c.campaign == nil {
		return
	}
	o := c.campaign.order
	c.note(pbx.CallEvent{Kind: pbx.Campaigned, Name: o.Name, Text: o.Caller.Label,
		Attempt: &pbx.AttemptRef{Campaign: o.Campaign, Target: o.Target, Key: o.Key, N: o.N, Number: o.Number, Kind: o.Kind, Mode: o.Mode}})
}

// attemptTarget calls the target and does what the mode of the campaign says.
func (c *Call) attemptTarget() {
	o := c.campaign.order
	c.asked = routing.Request{Company: c.company, Direction: pbx.Out, From: c.caller.who, To: o.Number, At: time.Now()}
	c.decision.To = o.Number
	f := routing.Campaign(c.asked, o.Settings, o.Caller)
	c.note(pbx.CallEvent{Kind: pbx.Routed, Why: f.Why, Direction: pbx.Out, To: o.Number})
	if len(f.Steps) == 0 {
		c.guardedPlan("", o.Number, f.Cause)
		_ = c.end(f.Cause)
		return
	}
	c.recordAlso(f.Record, f.Notice)
	if c.makeReady() != nil {
		return
	}
	dial := f.Steps[0].(routing.Dial)
	switch o.Settings.Mode {
	case pbx.DialMessage:
		c.tellMessage(dial)
	default:
		c.toOperator(dial)
	}
}

// makeReady loads all that may be said, before anybody is called to hear silence. An error
// means that the call is over.
func (c *Call) makeReady() error {
	k := c.campaign
	for _, name := range k.order.Settings.Spoken() {
		if k.prompts[name] != nil {
			continue
		}
		p := c.company.Prompts[name]
		if p == nil {
			c.why("there is no prompt " + name)
			return c.end(pbx.NewCause(pbx.PartyPBX, pbx.NoPrompt))
		}
		loaded, err := c.sound(p)
		if err != nil {
			return err
		}
		if loaded == nil {
			return c.end(pbx.NewCause(pbx.PartyPBX, pbx.NoPrompt))
		}
		k.prompts[name] = loaded
	}
	if !k.order.Settings.Connects() {
		return nil
	}
	notice, err := await(c, c.announcement)
	if err != nil {
		return err
	}
	c.tape.notice = notice
	return nil
}

// ready gives prompts that were made ready.
func (c *Call) ready(names []string) []sound {
	var list []sound
	for _, name := range names {
		if p := c.campaign.prompts[name]; p != nil {
			list = append(list, sound{name, p})
		}
	}
	return list
}

// reachTarget calls the target over the trunks of s. Who answers becomes the caller of the
// call; an error means that the call is over, because nobody did.
func (c *Call) reachTarget(s routing.Dial) error {
	reached := false
	over := c.overTrunks(s, func() bool {
		p, err := c.first(max(s.For, untilRings))
		if err != nil || p == nil {
			return err != nil
		}
		c.takeTarget(p)
		reached = true
		return true
	})
	switch {
	case reached:
		return nil
	case over:
		return errOver
	case c.failed.Reason == "":
		c.failed = pbx.NewCause(pbx.PartyPBX, pbx.NoRoute)
	}
	return c.end(c.failed)
}

// takeTarget makes the target that has answered the caller of the call. In a recording it is
// heard on the right, like everybody whom the company calls.
func (c *Call) takeTarget(p *party) {
	p.name = c.campaign.order.Name
	c.caller, c.parties = p, nil
	c.seat = 1 - p.seat
	c.note(pbx.CallEvent{Kind: pbx.Served, Who: p.who, Leg: p.leg.ID, Text: c.campaign.order.Campaign})
	c.campaign.greeted = time.Now()
	c.listenToTarget()
	if c.decision.Record {
		if err := p.media.Admit(media.Record); err != nil {
			c.decision.Record = false
			c.why(fmt.Sprintf("the call cannot be recorded: %v", err))
		}
	}
}

// begins gives how long the target rings from now on, 0 when that does not begin now: it
// counts from the first sign that it rings, and anew when 180 says that its own phone does.
func (k *campaigning) begins(e sip.Rang) time.Duration {
	if k == nil || !k.deadline.IsZero() || e.Code != 180 && e.Code != 183 {
		return 0
	}
	if k.ringing == e.L && (k.alerted || e.Code != 180) {
		return 0
	}
	k.ringing, k.alerted = e.L, e.Code == 180
	return k.order.Settings.Ring
}
