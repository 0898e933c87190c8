package routing

import "vpbx/pbx"

// Transfer decides about a call that req.Caller, an extension, sends on to req.To.
// Outside numbers are called as that extension would call them, by its rules,
// limits and number. with is the extension that is sent on, "" when it is not one.
func Transfer(req Request, with string) Forwarded {
	return forward(req, with, " transfers to ", true)
}

// Consult is Transfer for a target that req.Caller talks with first, itself.
func Consult(req Request, waits string) Forwarded {
	return forward(req, waits, " consults ", false)
}

func forward(req Request, with, verb string, parks bool) Forwarded {
	p := plan{req: req}
	to, by := pbx.CleanNumber(req.To), req.Caller.Number
	p.why(by + verb + req.To)
	c, number := req.Company, req.Company.E164(to)
	switch {
	case to == "":
		p.reject(pbx.UnknownNumber, "the number cannot be read")
	case to == with, to == by:
		p.reject(pbx.Forbidden, to+" is in the call already")
	case IsOrbit(to) && parks:
		p.Steps = append(p.Steps, Park{Orbit: to, By: by})
	case to[0] == '*':
		p.reject(pbx.Forbidden, "a call cannot be transferred to "+to)
	case c.Extensions[to] != nil, c.Groups[to] != nil:
		p.with = with
		p.ring(to, 0)
	case c.Numbers[number] != nil:
		p.To = number
		p.why(number + " is a number of this company: no trip through the provider")
		p.rule(func(*pbx.Rule) {})
	default:
		dial, reason, why := p.outside(to, MaxRing)
		if reason != "" {
			p.reject(reason, why)
			break
		}
		p.Steps = append(p.Steps, dial)
		p.why(why)
	}
	p.finish()
	return Forwarded{Steps: p.Steps, Record: p.Record, Why: p.Why}
}
