package routing

import "vpbx/pbx"

// Transfer decides about a call that req.Caller, an extension, sends on to req.To.
// Outside numbers are called as that extension would call them, by its rules,
// limits and number. with is the extension that is sent on, "" when it is not one.
func Transfer(req Request, with string) Forwarded {
	return sendOn(req, with, " transfers to ", true)
}

// Consult is Transfer for a target that req.Caller talks with first, itself.
func Consult(req Request, waits string) Forwarded {
	return sendOn(req, waits, " consults ", false)
}

// Invite decides about calling req.To into a conference, by its name in the plan. Outside
// numbers are called as req.Caller would call them, nil is the company itself.
func Invite(req Request, conference string) Forwarded {
	p := plan{req: req}
	c, to := req.Company, pbx.CleanNumber(req.To)
	switch {
	case to == "":
		p.reject(pbx.UnknownNumber, "the number cannot be read")
	case c.Extensions[to] != nil, c.Groups[to] != nil && c.Groups[to].Queue == nil:
		p.req.Caller = nil
		p.ring(to, MaxRing/2)
		p.req.Caller = req.Caller
	case to[0] == '*', c.Inside(to), c.Numbers[c.E164(to)] != nil:
		p.reject(pbx.Forbidden, to+" cannot be called into a conference")
	default:
		p.callOut(to, MaxRing/2)
	}
	p.why("called into " + conference)
	p.finish()
	return Forwarded{Steps: p.Steps, Why: p.Why}
}

func sendOn(req Request, with, verb string, parks bool) Forwarded {
	p := plan{req: req, with: with}
	to, by := pbx.CleanNumber(req.To), req.Caller.Number
	p.why(by + verb + req.To)
	switch {
	case to == "":
		p.reject(pbx.UnknownNumber, "the number cannot be read")
	case to == with, to == by:
		p.reject(pbx.Forbidden, to+" is in the call already")
	case IsOrbit(to) && parks:
		p.Steps = append(p.Steps, Park{Orbit: to, By: by})
	case !parks && req.Company.Conferences[to] != nil:
		p.reject(pbx.Forbidden, "a conference cannot be consulted")
	case !parks && req.Company.MenuAt(to) != nil:
		p.reject(pbx.Forbidden, "a menu cannot be consulted")
	case parks && p.leaveFor(to) != "":
		p.leave(p.leaveFor(to), "")
	case to[0] == '*':
		p.reject(pbx.Forbidden, "a call cannot be transferred to "+to)
	default:
		if reason := p.lead(to, req.Caller); reason != "" {
			p.Steps = append(p.Steps, Reject{pbx.NewCause(pbx.PartyPBX, reason)})
		} else if parks {
			p.orLeave(p.To)
		}
	}
	p.finish()
	return Forwarded{Steps: p.Steps, Record: p.Record, Notice: p.Notice, Why: p.Why}
}
