package call

import (
	"slices"
	"sync"

	"vpbx/pbx"
	"vpbx/sip"
)

// busy follows which extensions talk with whom, and tells package sip, whose
// phones show it (RFC 4235). It is made from the events of the calls alone.
type busy struct {
	mu    sync.Mutex
	calls map[pbx.CallID]*lines
	byExt map[extension][]*line
}

// extension names an extension of a company.
type extension struct {
	tenant pbx.TenantID
	number string
}

// lines are the legs of one call to and from extensions, with what is told of
// the other side.
type lines struct {
	legs   map[pbx.LegID]*line
	caller pbx.LegID
	from   other // who calls
	to     other // who is called, then who is talked with
}

type other struct{ number, name string }

// line is one leg of an extension.
type line struct {
	of    *lines
	who   extension
	leg   *sip.Leg
	phase pbx.DialogPhase // "": it does not ring yet
	held  bool
}

// note takes in an event of a call.
func (b *busy) note(c *Call, e pbx.CallEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.calls[c.id]
	if l == nil {
		l = &lines{legs: map[pbx.LegID]*line{}}
		if b.calls == nil {
			b.calls, b.byExt = map[pbx.CallID]*lines{}, map[extension][]*line{}
		}
		b.calls[c.id] = l
	}
	switch e.Kind {
	case pbx.Arrived:
		l.caller, l.from, l.to = e.Leg, named(c, e.From, e.Name), named(c, e.To, "")
		if e.Trunk != "" { // whatever number it shows, it is not that extension
			l.from.name = e.Name
		}
	case pbx.LookedUp:
		if name := e.CRM.Contact; name != "" {
			l.from.name = name
		}
	case pbx.CallerDialled:
		l.caller = e.Leg
	case pbx.Bridged:
		l.to = named(c, e.Who, "")
	case pbx.LegEnded:
		b.drop(c, l, e.Leg)
		return
	}
	changed := e.Kind == pbx.Bridged // whom they talk with
	if n := b.line(c, l, e.Leg); n != nil {
		before := *n
		n.follow(e)
		changed = changed || *n != before
	}
	if changed {
		for _, n := range l.legs {
			b.tell(c, n.who)
		}
	}
}

// follow takes in an event of the leg.
func (n *line) follow(e pbx.CallEvent) {
	switch e.Kind {
	case pbx.Arrived:
		n.phase = pbx.DialogTrying
	case pbx.Ringing, pbx.EarlyMedia:
		if n.phase != pbx.DialogConfirmed {
			n.phase = pbx.DialogEarly
		}
	case pbx.Answered, pbx.Served, pbx.Bridged:
		n.phase = pbx.DialogConfirmed
	case pbx.Held:
		n.held = true
	case pbx.Resumed:
		n.held = false
	}
}

// named gives a party of a call a name: that of the extension, or the one it
// gave itself.
func named(c *Call, number, name string) other {
	if e := c.company.Extensions[number]; e != nil {
		name = e.Name
	}
	return other{number, name}
}

// line finds the leg of an extension in a call, and takes it in when it is new;
// nil when the leg is not one of an extension.
func (b *busy) line(c *Call, l *lines, leg pbx.LegID) *line {
	if n := l.legs[leg]; n != nil {
		return n
	}
	i := slices.IndexFunc(c.legs, func(w whose) bool { return w.leg.ID == leg })
	if i < 0 || c.legs[i].leg.Extension == "" {
		return nil
	}
	n := &line{of: l, who: extension{c.company.ID, c.legs[i].leg.Extension}, leg: c.legs[i].leg}
	l.legs[leg] = n
	b.byExt[n.who] = append(b.byExt[n.who], n)
	return n
}

// drop forgets a leg that is over. It is called with b.mu held.
func (b *busy) drop(c *Call, l *lines, leg pbx.LegID) {
	n := l.legs[leg]
	if n == nil {
		return
	}
	delete(l.legs, leg)
	b.byExt[n.who] = slices.DeleteFunc(b.byExt[n.who], func(x *line) bool { return x == n })
	if len(b.byExt[n.who]) == 0 {
		delete(b.byExt, n.who)
	}
	b.tell(c, n.who)
}

// forget drops all that a call that is over has left.
func (b *busy) forget(c *Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.calls[c.id]
	if l == nil {
		return
	}
	for leg := range l.legs {
		b.drop(c, l, leg)
	}
	delete(b.calls, c.id)
}

// tell gives package sip the calls that an extension has now; it keeps them and
// returns at once, so that they arrive there in order. It is called with b.mu
// held.
func (b *busy) tell(c *Call, who extension) {
	var list []pbx.DialogState
	for _, n := range b.byExt[who] {
		if n.phase != "" {
			list = append(list, n.state())
		}
	}
	c.m.SIP.ExtensionState(who.tenant, who.number, list)
}

// state is the leg as the phones of others see it.
func (n *line) state() pbx.DialogState {
	st := n.leg.State()
	peer := n.of.from
	if n.leg.ID == n.of.caller {
		peer = n.of.to
	}
	return pbx.DialogState{
		ID: string(n.leg.ID), Phase: n.phase, Initiator: !n.leg.Outbound, Held: n.held,
		CallID: st.CallID, LocalTag: st.RemoteTag, RemoteTag: st.LocalTag,
		Remote: peer.number, RemoteName: peer.name,
	}
}
