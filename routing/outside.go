package routing

import (
	"strings"
	"time"

	"vpbx/pbx"
)

// outside lays out a call to the world: the outbound line with the longest
// prefix carries it. National numbers are read as people of the company's
// country write them; short ones (112) go as dialled. What must not or cannot
// be called gives the reason for it, and no Dial.
func (p *plan) outside(to string, d time.Duration) (Dial, pbx.Reason, string) {
	c := p.req.Company
	dialled, number := pbx.CleanNumber(to), c.E164(to)
	if dialled == "" || number == "" || strings.ContainsAny(number, "*#") {
		return Dial{}, pbx.UnknownNumber, "the dialled number cannot be read"
	}
	line := outbound(c, number, dialled)
	if line == nil {
		return Dial{}, pbx.UnknownNumber, number + " is nobody here, and no outbound prefix matches it"
	}
	if !c.Limits.International && abroad(c.Country, number) {
		return Dial{}, pbx.Forbidden, number + " is in another country: international calls are not allowed"
	}
	var trunks []*pbx.Trunk
	for _, name := range line.Trunks {
		if t := c.Trunk(name); t != nil {
			trunks = append(trunks, t)
		}
	}
	if len(trunks) == 0 {
		return Dial{}, pbx.NoRoute, "no trunk for prefix " + line.Prefix
	}
	caller := line.Caller
	if p.req.Caller != nil && p.req.Caller.Caller != "" {
		caller = p.req.Caller.Caller
	}
	return Dial{Number: number, Trunks: trunks, Caller: caller, For: d}, "", number + " by trunk " + names(trunks)
}

// names lists trunks for a reason.
func names(trunks []*pbx.Trunk) string {
	var s []string
	for _, t := range trunks {
		s = append(s, t.Name)
	}
	return strings.Join(s, ", then ")
}

// outbound gives the line with the longest prefix of the number in either
// form, the first of them in the document; nil when none matches.
func outbound(c *pbx.Company, number, dialled string) *pbx.Outbound {
	var best *pbx.Outbound
	for i := range c.Outbound {
		o := &c.Outbound[i]
		if !strings.HasPrefix(number, o.Prefix) && !strings.HasPrefix(dialled, o.Prefix) {
			continue
		}
		if best == nil || len(o.Prefix) > len(best.Prefix) {
			best = o
		}
	}
	return best
}
