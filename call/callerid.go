package call

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"

	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// outgoing is how a trunk is told who calls.
type outgoing struct {
	from    sip.Party
	host    string // of From, "": the trunk's
	contact string // user part, "": as in From
	number  string // public number of the company, by which it is known there
	headers []sip.Header
}

// callerOf says who calls on an inbound leg, and by which name. What a trusted
// trunk asserts goes before From (RFC 3325 §5); a caller who wants not to be
// known is not, whatever else the INVITE says.
func callerOf(l *sip.Leg) (who, name string) {
	if l.Extension != "" {
		return l.Extension, l.From.Name
	}
	from := l.From
	if l.Trunk != nil && l.Trunk.Trusted && l.Claims.Asserted.User != "" {
		from = sip.Party{User: l.Claims.Asserted.User, Name: cmp.Or(l.Claims.Asserted.Name, l.From.Name)}
	}
	if l.Claims.Private {
		return pbx.Anonymous, ""
	}
	if n := l.Company.E164(from.User); n != "" {
		return n, from.Name
	}
	return pbx.Anonymous, from.Name
}

// identityOf is what the network of an outside caller says of its number, nil
// when it says nothing.
func identityOf(l *sip.Leg) *pbx.Identity {
	if l == nil || l.Trunk == nil {
		return nil
	}
	i := pbx.Identity{Attest: l.Claims.Attest}
	if l.Trunk.Trusted {
		i.Verstat = l.Claims.Verstat
	}
	if i == (pbx.Identity{}) {
		return nil
	}
	return &i
}

// withheld says whether the caller, an extension, has asked not to be named: by
// its phone (RFC 3323 §4.1, RFC 3325 §9.3).
func (c *Call) withheld() bool {
	l := c.caller.leg
	return l != nil && !l.Outbound && c.caller.number != "" && (l.Claims.Private || strings.EqualFold(l.From.User, pbx.Anonymous))
}

// callerFor tells a trunk who calls, as its templates say. A number that is
// withheld goes to a trusted trunk only, and there in the headers that are meant
// for the network (RFC 3325 §9.3).
func (c *Call) callerFor(s routing.Dial, t *pbx.Trunk, to sip.Target) outgoing {
	first := s.Caller
	hidden := s.Hidden || s.By == c.caller.number && c.withheld()
	if c.caller.trunk != "" {
		first = c.caller.who
	}
	values := map[string]string{
		"number": s.Caller, "digits": strings.TrimPrefix(s.Caller, "+"), "username": t.Username, "extension": s.By, "caller": first,
	}
	from := pbx.Template(cmp.Or(t.CallerID.From, "{number}"))
	if first == pbx.Anonymous && strings.Contains(string(from), "{caller}") {
		hidden = true
		values["caller"] = ""
	}
	o := outgoing{from: sip.Party{User: from.Fill(values), Name: s.Label}, contact: pbx.Template(t.Contact).Fill(values), number: s.Caller}
	privacy := "off"
	if hidden {
		o.from, o.host = sip.Party{User: pbx.Anonymous, Name: "Anonymous"}, "anonymous.invalid"
		if t.Contact == "" {
			o.contact = pbx.Anonymous
		}
		o.headers = append(o.headers, sip.Header{Name: "Privacy", Value: "id"})
		privacy = "full"
	}
	if !hidden || t.Trusted {
		for _, h := range []struct{ name, template, params string }{
			{"P-Asserted-Identity", t.CallerID.PAI, ""},
			{"P-Preferred-Identity", t.CallerID.PPI, ""},
			{"Remote-Party-ID", t.CallerID.RPID, ";party=calling;screen=yes;privacy=" + privacy},
		} {
			if user := pbx.Template(h.template).Fill(values); user != "" {
				o.headers = append(o.headers, sip.Header{Name: h.name, Value: to.Address(user) + h.params})
			}
		}
	}
	o.headers = append(o.headers, c.identity(t)...)
	return o
}

// identity passes the Identity headers of a caller from outside on as they came
// (RFC 8224 §6.1): they say who called, whoever forwards the call. A trunk that
// is not trusted does not get those of a caller who wants not to be known.
func (c *Call) identity(t *pbx.Trunk) []sip.Header {
	l := c.caller.leg
	if l == nil || l.Trunk == nil || l.Outbound || l.Claims.Private && !t.Trusted {
		return nil
	}
	var list []sip.Header
	for _, v := range l.Claims.Identity {
		list = append(list, sip.Header{Name: "Identity", Value: v})
	}
	return list
}

// drawn gives the order in which trunks are tried: that of the list, but
// neighbours with weights are shuffled so that each comes first as often as its
// weight says. pick gives a number below n.
func drawn(trunks []*pbx.Trunk, weights []int, pick func(n int) int) []*pbx.Trunk {
	if len(weights) != len(trunks) {
		return trunks
	}
	list, w := slices.Clone(trunks), slices.Clone(weights)
	for i := range list {
		end, sum := i, 0
		for end < len(list) && w[end] > 0 {
			sum += w[end]
			end++
		}
		if sum == 0 {
			continue
		}
		j := i
		for n := pick(sum); n >= w[j]; j++ {
			n -= w[j]
		}
		list[i], list[j], w[i], w[j] = list[j], list[i], w[j], w[i]
	}
	return list
}

// chance is the pick of drawn.
func chance(n int) int { return rand.IntN(n) }
