package call

import (
	"slices"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/sip"
)

// keysOf says how keys pass between a party and us, as the company has set it for
// its extension or its trunk.
func (c *Call) keysOf(p *party) media.Keys {
	var set pbx.DTMF
	if e := c.company.Extensions[p.number]; e != nil {
		set = e.DTMF
	}
	if t := c.company.Trunk(p.trunk); t != nil {
		set = t.DTMF
	}
	switch set {
	case pbx.DTMFRFC4733:
		return media.KeysEvents
	case pbx.DTMFInband:
		return media.KeysTones
	case pbx.DTMFInfo:
		return media.KeysSignal
	}
	return media.KeysAuto
}

// byInfo takes a key that came by INFO (RFC 6086): it goes the way of those that
// come with the sound. A flash says nothing to us.
func (c *Call) byInfo(e sip.Pressed) {
	if p := c.party(e.L); p != nil && p.media != nil && e.Digit != '!' {
		p.media.Pressed(byte(e.Digit), e.Duration)
	}
}

// keyOut presses a key by INFO for a party that takes them so.
func (c *Call) keyOut(e media.KeyOut) {
	list := append(c.everybody(), c.supervisors...)
	if i := slices.IndexFunc(list, func(p *party) bool { return p.media == e.S && !p.over }); i >= 0 {
		list[i].leg.Press(e.Digit, e.Duration)
	}
}
