package routing

import (
	"strings"

	"vpbx/pbx"
)

// feature decides about a feature code.
func (p *plan) feature(dialled string) {
	switch code := Code(dialled); code {
	case ForwardOff, DNDOn, DNDOff, Echo:
		p.Steps = append(p.Steps, Feature{Code: code})
		return
	}
	if to, is := strings.CutPrefix(dialled, string(ForwardTo)); is {
		p.forwardTo(to)
		return
	}
	p.reject(pbx.UnknownNumber, "feature code "+dialled+" is not available yet")
}

// forwardTo decides about a forwarding that an extension wants to set: only to
// what it may call itself.
func (p *plan) forwardTo(to string) {
	c, own := p.req.Company, p.req.Caller.Number
	switch number := c.E164(to); {
	case to == "":
		p.reject(pbx.UnknownNumber, "no number follows "+string(ForwardTo))
	case to == own:
		p.reject(pbx.Forbidden, own+" cannot forward to itself")
	case c.Extensions[to] != nil, c.Groups[to] != nil:
		p.Steps = append(p.Steps, Feature{ForwardTo, to})
	case c.Numbers[number] != nil:
		p.Steps = append(p.Steps, Feature{ForwardTo, number})
	default:
		dial, reason, why := p.outside(to, MaxRing)
		if reason != "" {
			p.reject(reason, why)
			return
		}
		p.Steps = append(p.Steps, Feature{ForwardTo, dial.Number})
	}
}
