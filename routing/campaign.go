package routing

import (
	"strings"

	"vpbx/pbx"
)

// Campaign decides about calling req.To for a campaign of the company, which is answerable
// for the call. It goes over the trunks that the campaign names, in their order, with what
// each of them strips and adds; without any it goes as outbound says. The number that is
// shown must be one of the company.
func Campaign(req Request, k *pbx.Campaign, shown pbx.CampaignCaller) Forwarded {
	p := plan{req: req}
	p.req.Caller = nil
	p.why("campaign " + k.Name)
	dial, reason, why := p.campaign(k, shown)
	p.why(why)
	if reason != "" {
		return Forwarded{Why: p.Why, Cause: pbx.NewCause(pbx.PartyPBX, reason)}
	}
	dial.Caller, dial.Label = shown.Number, shown.Label
	p.record(k.Record, k.Notice)
	return Forwarded{Steps: []Step{dial}, Record: p.Record, Notice: p.Notice, Why: p.Why}
}

// campaign lays out the way to a target, or says why there is none.
func (p *plan) campaign(k *pbx.Campaign, shown pbx.CampaignCaller) (Dial, pbx.Reason, string) {
	c, to := p.req.Company, pbx.CleanNumber(p.req.To)
	number := c.E164(to)
	switch {
	case to == "" || number == "" || strings.ContainsAny(number, "*#"):
		return Dial{}, pbx.UnknownNumber, "the number cannot be read"
	case c.Numbers[shown.Number] == nil:
		return Dial{}, pbx.Forbidden, shown.Number + " is not a number of this company and cannot be shown"
	case c.Inside(to), c.Numbers[number] != nil, pbx.Emergency(number):
		return Dial{}, pbx.Forbidden, to + " cannot be called by a campaign"
	case len(k.Trunks) == 0:
		return p.outside(to, k.Ring)
	}
	if reason, why := Refused(c, number); reason != "" {
		return Dial{}, reason, why
	}
	dial := Dial{Number: number, For: k.Ring}
	for _, name := range k.Trunks {
		if t := c.Trunk(name); t != nil {
			dial.Trunks = append(dial.Trunks, t)
		}
	}
	if len(dial.Trunks) == 0 {
		return Dial{}, pbx.NoRoute, "none of the campaign's trunks is there any more"
	}
	return dial, "", number + " by trunk " + names(dial.Trunks)
}

// Connect decides about joining somebody who was called for a campaign with an extension,
// a group or a queue, as a step of a rule would. Whoever is called is not sent on to
// voicemail.
func Connect(req Request, target string) Forwarded {
	p := plan{req: req, inner: true, Decision: Decision{To: target}}
	p.ring(target, 0)
	p.recordings()
	return Forwarded{Steps: p.Steps, Record: p.Record, Notice: p.Notice, Why: p.Why}
}
