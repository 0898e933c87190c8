package routing

import (
	"slices"
	"strings"

	"vpbx/pbx"
)

// feature decides about a feature code.
func (p *plan) feature(dialled string) {
	switch code := Code(dialled); code {
	case ForwardOff, DNDOn, DNDOff, Echo, Pickup, OwnNumber:
		p.Steps = append(p.Steps, Feature{Code: code})
		return
	}
	if IsOrbit(dialled) {
		p.Steps = append(p.Steps, Feature{Code: Retrieve, Number: dialled})
		return
	}
	if to, is := strings.CutPrefix(dialled, string(ForwardTo)); is {
		p.forwardTo(to)
		return
	}
	if to, is := strings.CutPrefix(dialled, string(Pickup)); is && p.req.Company.Extensions[to] != nil {
		p.Steps = append(p.Steps, Feature{Code: Pickup, Number: to})
		return
	}
	if to, is := strings.CutPrefix(dialled, string(Intercom)); is && p.req.Company.Extensions[to] != nil && !p.isCaller(to) {
		p.Steps = append(p.Steps, Ring{Who: []string{to}, For: DefaultRing, Auto: true, Why: "intercom to " + to})
		return
	}
	if to, is := strings.CutPrefix(dialled, string(PageAll)); is && p.req.Company.Groups[to] != nil {
		p.page(to)
		return
	}
	if box := p.leaveFor(dialled); box != "" {
		p.leave(box, "a message for "+box)
		return
	}
	if code, is := strings.CutPrefix(dialled, string(RecordPrompt)); is {
		p.recordPrompt(code)
		return
	}
	if p.mailbox(dialled) || p.agentCode(dialled) {
		return
	}
	p.reject(pbx.UnknownNumber, "feature code "+dialled+" is not available yet")
}

// page lays out a page to the members of a group.
func (p *plan) page(group string) {
	var who []string
	for _, m := range p.req.Company.Groups[group].Members {
		if p.req.Company.Extensions[m] != nil && !p.isCaller(m) && !slices.Contains(who, m) {
			who = append(who, m)
		}
	}
	if len(who) == 0 {
		p.reject(pbx.NoRoute, "group "+group+" has nobody to page")
		return
	}
	p.Steps = append(p.Steps, Page{Who: who, Group: group})
}

// recordPrompt decides about the code by which a prompt is recorded: only by those whom
// the prompt names.
func (p *plan) recordPrompt(code string) {
	switch prompt, own := p.req.Company.PromptAt(code), p.req.Caller.Number; {
	case code == "":
		p.reject(pbx.UnknownNumber, "no code of a prompt follows "+string(RecordPrompt))
	case prompt == nil:
		p.reject(pbx.UnknownNumber, "no prompt has the code "+code)
	case !prompt.RecordedBy(own):
		p.reject(pbx.Forbidden, own+" may not record prompt "+prompt.Name)
	default:
		p.Steps = append(p.Steps, Feature{Code: RecordPrompt, Number: prompt.Name})
	}
}

// IsOrbit tells whether a number is one of the ten places where a call can be
// parked: *50 to *59.
func IsOrbit(number string) bool {
	return len(number) == 3 && strings.HasPrefix(number, string(Retrieve)) && number[2] >= '0' && number[2] <= '9'
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
	case c.Extensions[to] != nil, c.Groups[to] != nil, c.Conferences[to] != nil, c.MenuAt(to) != nil:
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
