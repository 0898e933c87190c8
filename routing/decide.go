package routing

import (
	"fmt"
	"slices"
	"time"

	"vpbx/pbx"
)

// decide says what becomes of a call. It is pure: the same arguments give the
// same decision. lookup is nil when the CRM was not asked.
func decide(req Request, contact pbx.Contact, lookup *pbx.Lookup, registered func(ext string) bool) Decision {
	p := plan{req: req, Decision: Decision{Contact: contact, Lookup: lookup, To: req.Company.E164(req.To)}}
	if req.Caller == nil {
		p.inbound(registered)
	} else {
		p.dialled()
	}
	p.finish()
	if p.Contact.Name == "" {
		p.Contact.Name = req.Book.Name
	}
	return p.Decision
}

// plan is a decision in the making.
type plan struct {
	req   Request
	hops  []Hop    // the forwardings that led here
	led   []string // public numbers whose rules led here
	with  string   // of a transfer: the extension that is sent on
	inner bool     // within a step of the plan
	Decision
}

// inbound decides about a call from a trunk: the rule of the number, behind
// the owner of the caller where the rule wants that.
func (p *plan) inbound(registered func(string) bool) {
	c := p.req.Company
	p.Direction = pbx.In
	if p.To == "" {
		p.reject(pbx.UnknownNumber, "the called number cannot be read")
		return
	}
	if c.Numbers[p.To] == nil {
		p.reject(pbx.UnknownNumber, p.To+" is not a number of this company")
		return
	}
	p.rule(func(r *pbx.Rule) {
		if r.Owner {
			p.owner(r, registered)
		}
	})
}

// dialled decides about a call of an extension: inside first, then our own
// public numbers, then the world.
func (p *plan) dialled() {
	c := p.req.Company
	p.Direction = pbx.InternalTo
	to := pbx.CleanNumber(p.req.To)
	switch {
	case to == "":
		p.reject(pbx.UnknownNumber, "the dialled number cannot be read")
	case to[0] == '*':
		p.To = to
		p.feature(to)
	case c.Extensions[to] != nil:
		p.To = to
		if to == p.req.Caller.Number {
			p.Steps = append(p.Steps, Reject{pbx.NewCause(pbx.PartyCallee, pbx.Busy)})
			p.why(to + " called itself")
			return
		}
		p.ring(to, 0)
		p.orLeave(to)
	case c.Groups[to] != nil:
		p.To = to
		p.ring(to, 0)
		p.orLeave(to)
	case c.Conferences[to] != nil:
		p.To = to
		p.confer(to)
	case c.MenuAt(to) != nil:
		p.To = to
		p.choose(c.MenuAt(to).Name)
	case c.Numbers[p.To] != nil:
		p.why(p.To + " is a number of this company: no trip through the provider")
		p.rule(func(*pbx.Rule) {})
	default:
		p.Direction = pbx.Out
		p.callOut(p.req.To, MaxRing)
	}
}

// rule lays out the rule that takes a call to p.To, a public number, behind what
// before puts in front of it. Without such a rule the call is refused.
func (p *plan) rule(before func(*pbx.Rule)) {
	if !p.ruled(before) {
		p.reject(pbx.NoRoute, "no rule for "+p.To)
	}
}

// ruled is rule, but only tells when there is none.
func (p *plan) ruled(before func(*pbx.Rule)) bool {
	i, why := ruleFor(p.req, p.To)
	for _, w := range why {
		p.Why = note(p.Why, w)
	}
	if i < 0 {
		return false
	}
	r := &p.req.Company.Rules[i]
	if p.Rule == "" {
		p.Rule = fmt.Sprintf("rules[%d]", i)
	}
	p.led = append(p.led, p.To)
	p.record(r.Record, r.Notice)
	before(r)
	p.lay(r.Steps)
	return true
}

// lay lays out a list of steps behind those that are there.
func (p *plan) lay(list []pbx.Step) {
	for _, s := range list {
		if p.final() {
			return
		}
		if len(p.Steps) == MaxSteps {
			p.why(fmt.Sprintf("only the first %d steps are used", MaxSteps))
			return
		}
		p.step(s)
	}
}

// step lays out one step of a rule; a step that cannot be done is left out
// with a reason.
func (p *plan) step(s pbx.Step) {
	switch s.Kind {
	case pbx.StepRing:
		p.ring(s.Target, s.For)
	case pbx.StepPlay:
		p.play(s)
	case pbx.StepDial:
		p.dial(s)
	case pbx.StepConference:
		p.confer(s.Target)
	case pbx.StepMenu:
		p.choose(s.Target)
	case pbx.StepVoicemail:
		p.leave(s.Target, "voicemail of "+s.Target)
	case pbx.StepQueue:
		p.queueStep(s)
	case pbx.StepReject:
		cause := pbx.NewCause(pbx.PartyPBX, pbx.Rejected)
		if s.Code >= 400 && s.Code <= 699 {
			cause.SIP, cause.Q850 = s.Code, pbx.FromSIP(pbx.PartyPBX, s.Code).Q850
		}
		p.Steps = append(p.Steps, Reject{cause})
		p.why(fmt.Sprintf("rejected with %d by the rule of %s", cause.SIP, p.To))
	default:
		p.why(fmt.Sprintf("step %s is not supported", s.Kind))
	}
}

// dial lays out a call to an outside number. One of our own numbers is no trip
// through the provider: its rule goes on here.
func (p *plan) dial(s pbx.Step) {
	number := p.req.Company.E164(s.Target)
	if p.req.Company.Numbers[number] == nil {
		dial, reason, why := p.outside(s.Target, ringTime(s.For, MaxRing))
		if reason == "" {
			p.Steps = append(p.Steps, dial)
		}
		p.why(why)
		return
	}
	if slices.Contains(p.led, number) {
		p.why("the rules lead back to " + number)
		return
	}
	p.why(number + " is a number of this company: no trip through the provider")
	to := p.To
	p.To = number
	if !p.ruled(func(*pbx.Rule) {}) {
		p.why("no rule for " + number)
	}
	p.To = to
}

// play lays out what the caller hears; a prompt that is not there is left out.
func (p *plan) play(s pbx.Step) {
	play := Play{Interrupt: s.Interrupt}
	for _, name := range s.Plays() {
		if prompt := p.req.Company.Prompts[name]; prompt != nil {
			play.Prompts = append(play.Prompts, prompt)
		} else {
			p.why("there is no prompt " + name)
		}
	}
	if len(play.Prompts) > 0 {
		p.Steps = append(p.Steps, play)
	}
}

// ring lays out the ringing of an extension or a group. Members without a
// phone stay in: the call finds out and says so. The caller's own phones are
// left out.
func (p *plan) ring(target string, d time.Duration) {
	c := p.req.Company
	if e := c.Extensions[target]; e != nil {
		if p.isCaller(target) {
			p.why(target + " is the caller")
			return
		}
		p.Steps = append(p.Steps, Ring{Who: []string{target}, For: ringTime(d, ForwardAfter(e)), Why: "extension " + target})
		return
	}
	g := c.Groups[target]
	if g == nil {
		p.why(target + " is neither an extension nor a group")
		return
	}
	if g.Queue != nil {
		p.queue(g, 0, nil)
		return
	}
	var who []string
	for _, m := range g.Members {
		if c.Extensions[m] != nil && !p.isCaller(m) && m != p.with && !p.forwarded(m) && !slices.Contains(who, m) {
			who = append(who, m)
		}
	}
	if len(who) == 0 {
		p.why("group " + target + " has nobody to ring")
		return
	}
	if d == 0 {
		d = g.Ring
	}
	p.Steps = append(p.Steps, Ring{
		Who:    who,
		For:    ringTime(d, DefaultRing),
		Linear: g.Strategy != pbx.RingAll && g.Strategy != "",
		Group:  target,
		Music:  g.Music,
		Why:    "group " + target,
	})
}

// confer lays out the way into a conference.
func (p *plan) confer(number string) {
	conference := p.req.Company.Conferences[number]
	if conference == nil {
		p.why(number + " is not a conference")
		return
	}
	p.Steps = append(p.Steps, Confer{conference})
	p.why("conference " + number)
}

// finish makes sure that a decision connects or refuses, and says whether the
// call is recorded.
func (p *plan) finish() {
	if len(p.Steps) == 0 {
		p.reject(pbx.NoRoute, "nothing to do for "+p.To)
	}
	if _, plays := p.Steps[len(p.Steps)-1].(Play); plays {
		end := Reject{pbx.NewCause(pbx.PartyPBX, pbx.NoAnswer)}
		if len(p.Steps) == MaxSteps {
			p.Steps[MaxSteps-1] = end
		} else {
			p.Steps = append(p.Steps, end)
		}
	}
	p.recordings()
}

// recordings takes in what those who take part say about recording.
func (p *plan) recordings() {
	if caller := p.req.Caller; caller != nil {
		p.record(caller.Record, caller.Notice)
	}
	for _, s := range p.Steps {
		if q, is := s.(Queue); is {
			p.record(q.Group.Queue.Record, q.Group.Queue.Notice)
		}
		r, _ := s.(Ring)
		for _, who := range r.Who {
			e := p.req.Company.Extensions[who]
			p.record(e.Record, e.Notice)
		}
	}
}

// record adds what a rule or somebody who takes part says about recording.
func (p *plan) record(on bool, n pbx.Notice) {
	if on {
		p.Record, p.Notice = true, p.Notice.With(n)
	}
}

func (p *plan) reject(r pbx.Reason, why string) {
	p.Steps = append(p.Steps, Reject{pbx.NewCause(pbx.PartyPBX, r)})
	p.why(why)
}

func (p *plan) why(s string) { p.Why = append(p.Why, s) }

// isCaller tells whether an extension is in the call already.
func (p *plan) isCaller(ext string) bool {
	if ext != "" && ext == p.req.With {
		return true
	}
	return p.req.Caller != nil && !p.req.Gone && p.req.Caller.Number == ext
}

// final tells whether nothing can follow what is there.
func (p *plan) final() bool {
	if len(p.Steps) == 0 {
		return false
	}
	_, is := p.Steps[len(p.Steps)-1].(Reject)
	return is
}

func ringTime(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		d = otherwise
	}
	return min(d, MaxRing)
}
