package call

import (
	"cmp"
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

// lines are the legs of one call to and from extensions, with who talks with
// whom.
type lines struct {
	legs map[pbx.LegID]*line
	talk
}

// talk is what a call is about.
type talk struct {
	caller pbx.LegID // leg of the caller, "" while only its own phones are rung
	from   other     // the caller
	to     other     // who is called, then who is talked with
	client string    // name that the CRM gives the caller
	orbit  string    // where the caller is parked
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

// note takes in an event of a call, whose goroutine calls it.
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
	before := l.talk
	l.follow(c, e)
	changed := l.talk != before
	if e.Kind == pbx.LegEnded {
		b.drop(c, l, e.Leg)
	} else if n := b.line(c, l, e.Leg); n != nil {
		before := *n
		n.follow(e)
		changed = changed || *n != before
	}
	if l.orbit != before.orbit {
		b.orbit(c, before.orbit, nil)
		b.orbit(c, l.orbit, []pbx.DialogState{{ID: string(c.id), Phase: pbx.DialogConfirmed, Remote: l.from.number, RemoteName: l.from.name}})
	}
	if changed {
		for _, n := range l.legs {
			b.tell(c, n.who)
		}
	}
}

// orbit tells who waits where calls are parked.
func (b *busy) orbit(c *Call, number string, waits []pbx.DialogState) {
	if number != "" {
		c.m.SIP.ExtensionState(c.company.ID, number, waits)
	}
}

// follow takes in what an event says of the call.
func (t *talk) follow(c *Call, e pbx.CallEvent) {
	switch e.Kind {
	case pbx.Arrived:
		t.to = named(c, e.To)
	case pbx.LookedUp:
		t.client = e.CRM.Contact
	case pbx.Transferring:
		if e.To != "" {
			t.to = named(c, e.To)
		}
	case pbx.Parked:
		t.orbit, t.to = e.To, other{number: e.To}
	case pbx.Entered, pbx.Dialled:
		t.orbit = ""
	case pbx.Bridged:
		t.orbit, t.to = "", named(c, e.Who)
	case pbx.JoinedRoom:
		t.orbit, t.to = "", other{e.To, e.Text}
	}
	was := t.caller
	if t.caller = ""; c.caller.leg != nil {
		t.caller = c.caller.leg.ID
	}
	if was != "" && was != t.caller {
		t.client = "" // of somebody else
	}
	t.from = named(c, c.caller.who)
	if c.caller.number == "" { // whatever number it shows, it is not that extension
		t.from.name = cmp.Or(t.client, c.caller.name)
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
	case pbx.Answered, pbx.Served, pbx.Supervised:
		n.phase = pbx.DialogConfirmed
	case pbx.Bridged:
		n.phase, n.held = pbx.DialogConfirmed, false
	case pbx.Held:
		n.held = true
	case pbx.Resumed:
		n.held = false
	}
}

// named gives a number of a call its name, when it is an extension's.
func named(c *Call, number string) other {
	if e := c.company.Extensions[number]; e != nil {
		return other{number, e.Name}
	}
	if x := c.company.Conferences[number]; x != nil {
		return other{number, x.Name}
	}
	if m := c.company.MenuAt(number); m != nil {
		return other{number, m.Name}
	}
	return other{number, ""}
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

// talking tells whether an extension talks with somebody.
func (b *busy) talking(who extension) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.byExt[who], func(n *line) bool { return n.phase == pbx.DialogConfirmed })
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
	b.orbit(c, l.orbit, nil)
	delete(b.calls, c.id)
}

// tell gives package sip the calls that an extension has now; it keeps them and
// returns at once, so that they arrive there in order. It is called with b.mu
// held.
func (b *busy) tell(c *Call, who extension) {
	var list []pbx.DialogState
	all := b.byExt[who]
	for i, n := range all {
		moved := slices.ContainsFunc(all[i+1:], func(x *line) bool { return x.leg == n.leg }) // to another call
		if n.phase != "" && !moved {
			list = append(list, n.state())
		}
	}
	c.m.SIP.ExtensionState(who.tenant, who.number, list)
}

// state is the leg as the phones of others see it.
func (n *line) state() pbx.DialogState {
	d, peer := n.leg.Dialog(), n.of.from
	if n.of.caller == "" || n.of.caller == n.leg.ID {
		peer = n.of.to
	}
	return pbx.DialogState{
		ID: string(n.leg.ID), Phase: n.phase, Initiator: !n.leg.Outbound, Held: n.held,
		CallID: d.CallID, LocalTag: d.RemoteTag, RemoteTag: d.LocalTag,
		Remote: peer.number, RemoteName: peer.name,
	}
}
