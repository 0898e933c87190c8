package call

import (
	"cmp"
	"fmt"
	"net/url"

	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// maxForwards bounds the forwardings of all steps of a call: rules and forwards
// that lead to each other must not keep a call busy.
const maxForwards = 32

// ringOne rings one extension and sends the call on where the extension says
// so. It returns true when the call is over.
func (c *Call) ringOne(s routing.Ring) bool {
	number := s.Who[0]
	ext := c.company.Extensions[number]
	if ext == nil {
		return c.ringAll(s.Who, s.For)
	}
	if to := ext.ForwardOn(pbx.OnAlways); to != "" {
		return c.forward(routing.Hop{By: number, To: to, On: pbx.OnAlways})
	}
	d, after := s.For, routing.ForwardAfter(ext)
	waits := ext.ForwardOn(pbx.OnNoAnswer) != "" && after <= d
	if waits {
		d = after
	}
	c.redirected = ""
	if len(ext.Follow) > 0 && !ext.DND() {
		if c.seek(ext, d) {
			return true
		}
	} else if c.ringAll(s.Who, d) {
		return true
	}
	if c.redirected != "" { // RFC 3261 §8.1.3.4: 3xx, of a phone of ours; what it may not call it cannot send us to
		return c.forward(routing.Hop{By: number, To: c.redirected, On: pbx.OnAlways})
	}
	on := forwardOn(c.failed.Reason)
	to := ext.ForwardOn(on)
	if to == "" || on == pbx.OnNoAnswer && !waits {
		return false // a rule that rings for a shorter time goes on with its own next step
	}
	return c.forward(routing.Hop{By: number, To: to, On: on, DND: ext.DND()})
}

// forwardOn tells which forward of an extension counts after it was rung in
// vain; "" is none. To decline a call is to be busy for this caller.
func forwardOn(r pbx.Reason) pbx.On {
	switch r {
	case pbx.Busy, pbx.Declined:
		return pbx.OnBusy
	case pbx.NoAnswer, pbx.Unconfirmed:
		return pbx.OnNoAnswer
	case pbx.Unregistered, pbx.NoReply:
		return pbx.OnUnregistered
	}
	return ""
}

// forward does what routing says about a forwarding. When it leads nowhere, for
// our rules or a loop, the cause stays what brought the call here. It returns true when the call is over.
func (c *Call) forward(hop routing.Hop) bool {
	if c.forwards++; c.forwards > maxForwards {
		c.fail(pbx.NewCause(pbx.PartyPBX, pbx.NoRoute))
		c.why(fmt.Sprintf("forwarded more than %d times", maxForwards))
		return false
	}
	c.hops = append(c.hops, hop)
	defer func() { c.hops = c.hops[:len(c.hops)-1] }()
	if !c.caller.answered && c.early == nil {
		c.caller.leg.Ring(181, nil)
	}
	f := routing.Forward(c.asked, c.hops)
	c.note(pbx.CallEvent{Kind: pbx.Noted, Who: hop.By, To: hop.To, Why: f.Why})
	c.recordAlso(f.Record, f.Notice)
	before := c.failed
	if len(f.Steps) == 0 {
		c.failed = f.Cause
		c.guardedPlan(hop.By, c.company.E164(hop.To), f.Cause)
	}
	if c.branch(f.Steps) {
		return true
	}
	if before.Reason != "" && c.failed.Party == pbx.PartyPBX {
		c.failed = before
	}
	return false
}

// diverted tells the called side which way a forwarded call came: Diversion (RFC
// 5806) and History-Info (RFC 7044). Outside the numbers shown are public ones.
func (c *Call) diverted(p *party, t sip.Target, from sip.Party) []sip.Header {
	if len(c.hops) == 0 {
		return nil
	}
	var list []sip.Header
	for i := len(c.hops) - 1; i >= 0; i-- { // RFC 5806 §3: the latest first
		h := c.hops[i]
		list = append(list, sip.Header{Name: "Diversion", Value: fmt.Sprintf("<%s>;reason=%s;counter=1;privacy=%s;screen=no",
			c.divertURI(p, from, h.By), diversionReason(h), c.diversionPrivacy(p, h.By))})
	}
	index := "1"
	for i, h := range c.hops {
		uri := c.divertURI(p, from, h.By)
		if code := historyCause(h.On); code != 0 {
			uri += "?Reason=" + url.QueryEscape(fmt.Sprintf("SIP;cause=%d", code)) // RFC 7044 §10.2
		}
		list = append(list, sip.Header{Name: "History-Info", Value: historyEntry(uri, index, i)})
		index += ".1"
	}
	last := "sip:" + p.who + "@" + c.company.Domain
	if t.Trunk != nil {
		last = "sip:" + p.who + "@" + t.Trunk.Host
	}
	return append(list, sip.Header{Name: "History-Info", Value: historyEntry(last, index, len(c.hops))})
}

// historyEntry is an hi-entry: each is mapped from the one before it, which the
// mp parameter names (RFC 7044 §5).
func historyEntry(uri, index string, place int) string {
	if place == 0 {
		return "<" + uri + ">;index=" + index
	}
	return "<" + uri + ">;index=" + index + ";mp=" + index[:len(index)-2]
}

// divertURI names an extension that has forwarded the call: inside by its
// number, outside by the public number it calls with.
func (c *Call) divertURI(p *party, from sip.Party, ext string) string {
	user := ext
	if p.trunk != "" {
		if e := c.company.Extensions[ext]; e != nil && e.Caller != "" {
			user = e.Caller
		} else if n := cmp.Or(p.out.number, from.User); n != "" {
			user = n
		}
	}
	return "sip:" + user + "@" + c.company.Domain
}

// diversionPrivacy is the privacy of RFC 5806 §3: full for an extension that
// withholds its number outside.
func (c *Call) diversionPrivacy(p *party, ext string) string {
	if e := c.company.Extensions[ext]; p.trunk != "" && e != nil && e.Caller == pbx.Anonymous {
		return "full"
	}
	return "off"
}

// diversionReason is the reason of RFC 5806 §3.
func diversionReason(h routing.Hop) string {
	switch h.On {
	case pbx.OnBusy:
		if h.DND {
			return "do-not-disturb"
		}
		return "user-busy"
	case pbx.OnNoAnswer:
		return "no-answer"
	case pbx.OnUnregistered:
		return "unavailable"
	case pbx.OnFollow:
		return "follow-me"
	}
	return "unconditional"
}

// historyCause is the status that made the call go on, 0 when it was never
// tried.
func historyCause(on pbx.On) int {
	switch on {
	case pbx.OnBusy:
		return 486
	case pbx.OnNoAnswer:
		return 408
	case pbx.OnUnregistered:
		return 480
	}
	return 0
}
