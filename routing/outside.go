package routing

import (
	"slices"
	"strings"
	"time"

	"vpbx/pbx"
)

// callOut lays out a call to the world, or why it is refused.
func (p *plan) callOut(to string, d time.Duration) {
	dial, reason, why := p.outside(to, d)
	if reason != "" {
		p.reject(reason, why)
		return
	}
	p.Steps = append(p.Steps, dial)
	p.why(why)
}

// outside finds the way of a call to the world: the outbound line with the longest
// prefix carries it. National numbers are read as people of the company's
// country write them; short ones (112) go as dialled. What must not or cannot
// be called gives the reason for it, and no Dial.
func (p *plan) outside(to string, d time.Duration) (Dial, pbx.Reason, string) {
	c := p.req.Company
	dialled, number := pbx.CleanNumber(to), c.E164(to)
	if dialled == "" || number == "" || strings.ContainsAny(number, "*#") {
		return Dial{}, pbx.UnknownNumber, "the dialled number cannot be read"
	}
	line, closed := outbound(c, number, dialled, p.req.At)
	switch {
	case line == nil && closed != "":
		return Dial{}, pbx.Forbidden, number + " cannot be called now: " + closed
	case line == nil:
		return Dial{}, pbx.UnknownNumber, number + " is nobody here, and no outbound prefix matches it"
	}
	if reason, why := Refused(c, number); reason != "" {
		return Dial{}, reason, why
	}
	dial := Dial{Number: number, Caller: line.Caller, For: d, Strip: line.Strip, Add: line.Add}
	for i, name := range line.Trunks {
		if t := c.Trunk(name); t != nil {
			dial.Trunks = append(dial.Trunks, t)
			if len(line.Weights) == len(line.Trunks) {
				dial.Weights = append(dial.Weights, line.Weights[i])
			}
		}
	}
	if len(dial.Trunks) == 0 {
		return Dial{}, pbx.NoRoute, "no trunk for prefix " + line.Prefix
	}
	if e := p.req.Caller; e != nil {
		dial.By = e.Number
		switch e.Caller {
		case "":
		case pbx.Anonymous:
			dial.Hidden = true
		default:
			dial.Caller = e.Caller
		}
	}
	return dial, "", number + " by trunk " + names(dial.Trunks)
}

// Refused says why a company may not call a number at all, whoever asks for it:
// another country, a premium-rate number, a prefix that is barred. The reason is
// "" when it may.
func Refused(c *pbx.Company, number string) (pbx.Reason, string) {
	if !c.Limits.International && abroad(c.Country, number) {
		return pbx.Forbidden, number + " is in another country: international calls are not allowed"
	}
	plain := withoutTrunkPrefix(c.Country, number)
	for _, prefix := range c.Limits.Barred {
		if strings.HasPrefix(number, prefix) || strings.HasPrefix(plain, prefix) {
			return pbx.Forbidden, number + " begins with " + prefix + ", which is barred"
		}
	}
	if !c.Limits.Premium && (premium(c.Country, number) || premium(c.Country, plain)) {
		return pbx.Premium, number + " is a premium-rate number: calls to such are not allowed"
	}
	return "", ""
}

// withoutTrunkPrefix takes off what people dial before a national number and does not
// belong behind the calling code: +7 8 809 leads to where +7 809 does when a trunk dials
// what follows +7.
func withoutTrunkPrefix(country, number string) string {
	code := callingCodes[country]
	national, ours := strings.CutPrefix(number, "+"+code)
	switch {
	case code == "" || !ours, slices.Contains(leadingZero, code):
		return number
	case code == "7" && len(national) <= 10: // +7 812 is a town
		return number
	}
	return "+" + code + strings.TrimPrefix(national, trunkPrefix(code))
}

// names lists trunks for a reason.
func names(trunks []*pbx.Trunk) string {
	var s []string
	for _, t := range trunks {
		s = append(s, t.Name)
	}
	return strings.Join(s, ", then ")
}

// outbound gives the line with the longest prefix of the number in either form
// whose time it is, always for 112 and the like, the first of them in the document; nil when there is none, and
// then why the time is not that of the line that would have been.
func outbound(c *pbx.Company, number, dialled string, at time.Time) (best *pbx.Outbound, closed string) {
	for i := range c.Outbound {
		o := &c.Outbound[i]
		if !strings.HasPrefix(number, o.Prefix) && !strings.HasPrefix(dialled, o.Prefix) {
			continue
		}
		if best != nil && len(o.Prefix) <= len(best.Prefix) {
			continue
		}
		if holds, why := onTime(c, o.When, at); holds || pbx.Emergency(dialled) {
			best = o
		} else {
			closed = why
		}
	}
	return best, closed
}
