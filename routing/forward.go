package routing

import (
	"fmt"
	"time"

	"vpbx/pbx"
)

// MaxHops is how often one call may be forwarded in a row.
const MaxHops = 5

// Hop is one forwarding of a call.
type Hop struct {
	By  string // the extension that forwards
	To  string // where to, as configured
	On  pbx.On // why
	DND bool   // it is busy because it does not want to be disturbed
}

// Forwarded is what becomes of a forwarded call.
type Forwarded struct {
	Steps  []Step // as in a Decision; none when the call cannot be forwarded
	Record bool   // somebody who takes part is recorded
	Notice pbx.Notice
	Why    []string  // what a manager reads
	Cause  pbx.Cause // why there are no steps
}

// Forward decides about the last of hops, the forwardings that one call to an
// extension has been through. Outside numbers are called as the extension that
// forwards would call them: by its outbound rules, limits and number.
func Forward(req Request, hops []Hop) Forwarded {
	hop := hops[len(hops)-1]
	p := plan{req: req, hops: hops}
	p.why(hop.By + " forwards to " + hop.To)
	if cause := p.forward(hop); cause.Reason != "" {
		return Forwarded{Why: p.Why, Cause: cause}
	}
	p.finish()
	return Forwarded{Steps: p.Steps, Record: p.Record, Notice: p.Notice, Why: p.Why}
}

// forward lays out where hop leads, or gives the cause why it leads nowhere.
func (p *plan) forward(hop Hop) pbx.Cause {
	if why := loop(p.hops); why != "" {
		p.why(why)
		cause := pbx.NewCause(pbx.PartyPBX, pbx.NoRoute)
		cause.SIP, cause.Q850 = 482, pbx.FromSIP(pbx.PartyPBX, 482).Q850 // RFC 3261 §21.4.20: loop detected
		return cause
	}
	if hop.To == OwnBox {
		p.leave(hop.By, "")
		return pbx.Cause{}
	}
	if reason := p.lead(pbx.CleanNumber(hop.To), p.req.Company.Extensions[hop.By]); reason != "" {
		return pbx.NewCause(pbx.PartyPBX, reason)
	}
	p.orLeave(p.To)
	if len(p.Steps) == 0 {
		return pbx.NewCause(pbx.PartyCallee, pbx.Busy)
	}
	return pbx.Cause{}
}

// lead lays out the way to a number that somebody sends a call on to: inside
// first, then our own public numbers, then the world, as by would call it. What
// must not or cannot be called gives the reason.
func (p *plan) lead(to string, by *pbx.Extension) pbx.Reason {
	c := p.req.Company
	number := c.E164(to)
	switch {
	case c.Extensions[to] != nil, c.Groups[to] != nil:
		p.To = to
		p.ring(to, 0)
	case c.Conferences[to] != nil:
		p.To = to
		p.confer(to)
	case c.MenuAt(to) != nil:
		p.To = to
		p.choose(c.MenuAt(to).Name)
	case c.Numbers[number] != nil:
		p.To = number
		p.why(number + " is a number of this company: no trip through the provider")
		p.rule(func(*pbx.Rule) {})
	default:
		p.req.Caller = by
		dial, reason, why := p.outside(to, MaxRing)
		p.why(why)
		if reason != "" {
			return reason
		}
		p.Steps = append(p.Steps, dial)
	}
	return ""
}

// loop says why the last hop must not be taken, "" when it may.
func loop(hops []Hop) string {
	last := hops[len(hops)-1]
	for i, h := range hops {
		if h.By == last.To || i < len(hops)-1 && h.By == last.By {
			return "forwarding loop"
		}
	}
	if len(hops) > MaxHops {
		return fmt.Sprintf("forwarded more than %d times", MaxHops)
	}
	return ""
}

// forwarded tells whether an extension has sent this call away.
func (p *plan) forwarded(ext string) bool {
	for _, h := range p.hops {
		if h.By == ext {
			return true
		}
	}
	return false
}

// ForwardAfter is how long an extension rings until its forward for no answer
// counts.
func ForwardAfter(e *pbx.Extension) time.Duration {
	if d := e.FollowTime(); d > 0 { // the places say how long each rings
		return min(d, MaxRing)
	}
	if e.Forward == nil || e.Forward.After <= 0 || e.ForwardOn(pbx.OnNoAnswer) == "" {
		return DefaultRing
	}
	return min(e.Forward.After, MaxRing)
}
