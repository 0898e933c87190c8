package call

import (
	"context"
	"fmt"
	"strings"

	"vpbx/pbx"
	"vpbx/sip"
)

// do lets the goroutine of a company's call do something and gives its error.
func (m *Manager) do(ctx context.Context, tenant pbx.TenantID, id pbx.CallID, f func(*Call) error) error {
	m.mu.Lock()
	c := m.calls[id]
	m.mu.Unlock()
	over := &pbx.Error{Kind: pbx.NotFound, Msg: "no such call"}
	if c == nil || c.company.ID != tenant {
		return over
	}
	cmd := command{do: f, reply: make(chan error, 1)}
	select {
	case c.mail <- cmd:
	case <-c.gone:
		return over
	case <-ctx.Done():
		return fmt.Errorf("reach call %s: %w", id, ctx.Err())
	}
	select {
	case err := <-cmd.reply:
		return err
	case <-c.gone:
	case <-ctx.Done():
		return fmt.Errorf("wait for call %s: %w", id, ctx.Err())
	}
	select {
	case err := <-cmd.reply:
		return err
	default:
		return over
	}
}

// Transfer sends the other side of t.By on: to t.To, or to who talks with t.By in
// the call t.With. It returns when that has begun; what comes of it is in the
// record and in the events.
func (m *Manager) Transfer(ctx context.Context, tenant pbx.TenantID, id pbx.CallID, t pbx.Transfer) error {
	if t.With != "" && t.With == id {
		return &pbx.Error{Kind: pbx.Invalid, Field: "with", Msg: "is the call itself"}
	}
	if t.With == "" && pbx.CleanNumber(t.To) == "" {
		return &pbx.Error{Kind: pbx.Invalid, Field: "to", Msg: "not a number"}
	}
	return m.do(ctx, tenant, id, func(c *Call) error {
		if c.guest != nil {
			return c.sendMember(t)
		}
		p, err := c.extension(t.By)
		if err != nil {
			return err
		}
		w := &transfer{by: p, to: pbx.CleanNumber(t.To)}
		if t.With != "" {
			if w.to, w.with, w.leg = "", t.With, m.legOf(t.With, p); w.leg == nil {
				return &pbx.Error{Kind: pbx.NotFound, Field: "with", Msg: "no such call of " + p.who}
			}
		}
		switch c.mayTransfer(p) {
		case 0:
			c.startTransfer(w)
			return nil
		case 491:
			return &pbx.Error{Kind: pbx.Conflict, Msg: "the call cannot be transferred now: nobody talks"}
		}
		return &pbx.Error{Kind: pbx.Denied, Msg: "only an extension can transfer"}
	})
}

// legOf finds the leg that the extension of p has in another call of the company.
func (m *Manager) legOf(id pbx.CallID, p *party) *sip.Leg {
	m.mu.Lock()
	defer m.mu.Unlock()
	for l, in := range m.legs {
		if in == id && l.Extension == p.number && l.Company.ID == p.leg.Company.ID {
			return l
		}
	}
	return nil
}

// Hold makes the other side of an extension wait; neither hears the other.
func (m *Manager) Hold(ctx context.Context, tenant pbx.TenantID, id pbx.CallID, by string) error {
	return m.do(ctx, tenant, id, func(c *Call) error {
		p, err := c.talking(by)
		if err != nil {
			return err
		}
		if c.holder != nil {
			return &pbx.Error{Kind: pbx.Conflict, Msg: "the call is on hold already"}
		}
		c.holder = p
		c.unbridge()
		c.other(p).media.Play(c.hold(), true)
		c.note(pbx.CallEvent{Kind: pbx.Held, Who: p.who, Leg: p.leg.ID})
		return nil
	})
}

// Resume ends what Hold began.
func (m *Manager) Resume(ctx context.Context, tenant pbx.TenantID, id pbx.CallID) error {
	return m.do(ctx, tenant, id, func(c *Call) error {
		p := c.holder
		if p == nil {
			return &pbx.Error{Kind: pbx.Conflict, Msg: "the call is not on hold by the API"}
		}
		c.other(p).media.StopPlay()
		c.holder = nil
		c.connect(c.peer)
		c.note(pbx.CallEvent{Kind: pbx.Resumed, Who: p.who, Leg: p.leg.ID})
		return nil
	})
}

// forgetHold ends a hold whose two no longer talk with each other.
func (c *Call) forgetHold() {
	if c.holder == nil {
		return
	}
	c.other(c.holder).media.StopPlay()
	c.holder = nil
}

// Press sends digits to one of those who talk, as if the other side had pressed
// them; to "" to the one outside.
func (m *Manager) Press(ctx context.Context, tenant pbx.TenantID, id pbx.CallID, to, digits string) error {
	return m.do(ctx, tenant, id, func(c *Call) error {
		p, err := c.talking(to)
		if err != nil {
			return err
		}
		if o := c.other(p); to == "" && o.number == "" {
			p = o
		}
		if err := p.media.Press(digits); err != nil {
			return &pbx.Error{Kind: pbx.Invalid, Field: "digits", Msg: err.Error()}
		}
		return nil
	})
}

// talking finds who talks, by extension or number; "" is the extension, where
// there is only one.
func (c *Call) talking(who string) (*party, error) {
	if c.peer == nil || c.transfer != nil {
		return nil, &pbx.Error{Kind: pbx.Conflict, Msg: "nobody talks in this call now"}
	}
	var found *party
	for _, p := range []*party{c.caller, c.peer} {
		if who == "" && p.number == "" || who != "" && p.who != who {
			continue
		}
		if found != nil {
			return nil, &pbx.Error{Kind: pbx.Invalid, Msg: "say which side: " + c.caller.who + " or " + c.peer.who}
		}
		found = p
	}
	if found == nil {
		return nil, &pbx.Error{Kind: pbx.Invalid, Msg: "talks in this call: " + c.caller.who + " and " + c.peer.who}
	}
	return found, nil
}

// extension is talking for those who must be an extension.
func (c *Call) extension(who string) (*party, error) {
	p, err := c.talking(who)
	if err == nil && p.number == "" {
		return nil, &pbx.Error{Kind: pbx.Denied, Msg: "only an extension can do that"}
	}
	return p, err
}

// everybody lists who is in the call.
func (c *Call) everybody() []*party {
	return append([]*party{c.caller}, c.parties...)
}

// The keys that begin a transfer, with the number and # behind them: at once, or
// after a word with the target.
const (
	blindKeys    = "##"
	attendedKeys = "**"
)

// pressed takes a key, which is not noted: people press card numbers.
func (c *Call) pressed(p *party, digit byte) {
	if p == nil {
		return
	}
	defer c.recordKey(p, digit)
	if c.mayTransfer(p) != 0 {
		return
	}
	p.keys += string(digit)
	if len(p.keys) < len(blindKeys) {
		if digit != blindKeys[0] && digit != attendedKeys[0] {
			p.keys = ""
		}
		return
	}
	code := p.keys[:len(blindKeys)]
	if code != blindKeys && code != attendedKeys {
		p.keys = ""
		return
	}
	to, whole := strings.CutSuffix(p.keys[len(code):], "#")
	switch {
	case !whole && len(to) < maxKeys:
		return
	case whole && pbx.CleanNumber(to) != "":
		t := &transfer{by: p, to: pbx.CleanNumber(to)}
		if code == attendedKeys {
			t.waits = c.other(p)
		}
		c.startTransfer(t)
	}
	p.keys = ""
}

// maxKeys bounds a number that is pressed.
const maxKeys = 32
