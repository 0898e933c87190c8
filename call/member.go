package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
)

// maxAlone is how long somebody stays in a conference with nobody else.
const maxAlone = 30 * time.Minute

// membership is what a call knows of the conference that its caller is in.
type membership struct {
	room  *room
	seat  *seat
	in    bool        // its sound is there
	music bool        // there is nobody to hear
	star  bool        // the key before was a star
	alone *time.Timer // runs while there is nobody to hear
	how   string      // it was shown out, as in [pbx.LeftRoom]
}

// confer lets the caller into a conference. It returns true when the plan is over.
func (c *Call) confer(s routing.Confer) bool {
	conf, moderator := s.Conference, false
	if c.admitted != conf.Number && (conf.PIN != "" || conf.ModeratorPIN != "") {
		if err := c.answerAlone(c.mixable()); err != nil {
			return c.notIn(conf, err)
		}
		mod, ok, err := c.askPIN(conf)
		if err != nil {
			return true
		}
		if !ok {
			c.fail(pbx.NewCause(pbx.PartyPBX, pbx.WrongPIN))
			return false
		}
		moderator = mod
	}
	for {
		if in := c.member(conf, moderator); !in || c.cause.Reason != "" || c.moves() {
			return in
		}
		if c.sendOn() {
			return true
		}
	}
}

// member is the time in the conference. It returns false when the caller could not
// come in, and true when it has been there: the call is over then, or moves on.
func (c *Call) member(conf *pbx.Conference, moderator bool) bool {
	if err := c.seated(conf, moderator); err != nil || c.guest == nil {
		return err != nil
	}
	err := c.caller.media.Admit(media.Mix)
	if err == nil {
		err = c.answerAlone(c.mixable())
	}
	if err != nil {
		c.standUp()
		return c.notIn(conf, err)
	}
	if err := c.welcome(conf); err != nil {
		return true
	}
	g := c.guest
	come := comeIn{g.seat, make(chan error, 1)}
	type came struct{ err error }
	in, err := await(c, func(ctx context.Context) came {
		if err, ok := askRoom(ctx, g.room, come, come.reply); ok {
			return came{err}
		}
		return came{fmt.Errorf("the conference is over: %w", media.ErrClosed)}
	})
	if err != nil {
		return true
	}
	if in.err != nil {
		c.standUp()
		return c.notIn(conf, in.err)
	}
	c.transferred(conf.Shown())
	if c.into != nil {
		c.into.progress(200)
	}
	for !c.moves() && c.sending == nil {
		e, err := c.next(g.alone.C)
		if err != nil {
			return true
		}
		if _, late := e.(expired); late {
			c.why("nobody else came into the conference any more")
			c.end(pbx.NewCause(pbx.PartyPBX, pbx.TooLong))
			return true
		}
		if _, ended := e.(media.PlayDone); ended && g.music {
			c.caller.media.Play(c.hold(), true)
		}
	}
	return true
}

// moves tells whether what is going on gives way to something else.
func (c *Call) moves() bool { return c.transfer != nil || c.turns != nil }

// mixable lists the codecs of the caller that can be mixed.
func (c *Call) mixable() []media.Codec {
	var allowed []string
	if e := c.company.Extensions[c.caller.number]; e != nil {
		allowed = e.Codecs
	}
	list := slices.DeleteFunc(slices.Clone(c.codecs(allowed)), func(k media.Codec) bool { return !k.Known() })
	if len(list) == 0 {
		return spoken
	}
	return list
}

// notIn notes why the caller cannot come in.
func (c *Call) notIn(conf *pbx.Conference, err error) bool {
	cause := pbx.NewCause(pbx.PartyPBX, pbx.Busy)
	if !errors.Is(err, media.ErrFull) {
		cause = c.mediaCause(pbx.PartyCaller, err)
	}
	c.fail(cause)
	c.why(fmt.Sprintf("%s cannot come into conference %s: %v", c.caller.who, conf.Shown(), err))
	return false
}

// seated asks for a place. An error means that the call is over; without one and
// without c.guest there is none.
func (c *Call) seated(conf *pbx.Conference, moderator bool) error {
	c.sending = nil
	s := &seat{call: c.id, who: c.caller.who, name: c.nameOfCaller(), moderator: moderator,
		session: c.caller.media, mail: c.mail, left: make(chan struct{})}
	s.held.Store(c.caller.held)
	g := &membership{room: c.m.enterRoom(c.company, conf), seat: s, alone: time.NewTimer(maxAlone)}
	c.guest = g
	ask := takeSeat{s, make(chan *refusal, 1)}
	no, err := await(c, func(ctx context.Context) *refusal {
		if no, ok := askRoom(ctx, g.room, ask, ask.reply); ok {
			return no
		}
		return refuse(pbx.Broken, "the conference is over")
	})
	if err != nil {
		return err
	}
	if no != nil {
		c.standUp()
		if no.cause.Reason == pbx.Busy {
			no.cause.Party = pbx.PartyCallee
		}
		c.pass(conf.Shown(), no.cause, no.why)
	}
	return nil
}

// nameOfCaller is how others are shown who calls.
func (c *Call) nameOfCaller() string {
	if e := c.company.Extensions[c.caller.number]; e != nil {
		return e.Name
	}
	return c.shown().Name
}

// welcome plays what who comes in has to hear first, if anything.
func (c *Call) welcome(conf *pbx.Conference) error {
	p, err := c.prompt(conf.Announce)
	if err != nil || p == nil {
		return err
	}
	c.note(pbx.CallEvent{Kind: pbx.Playing, Who: c.caller.who, Text: conf.Announce})
	c.caller.media.Play(p, false)
	for {
		e, err := c.next(nil)
		if err != nil {
			return err
		}
		if _, ok := e.(media.PlayDone); ok {
			return nil
		}
	}
}

// prompt loads a prompt of the company; nil when the name is "" or it cannot be.
func (c *Call) prompt(name string) (*media.Prompt, error) {
	p := c.company.Prompts[name]
	if p == nil {
		return nil, nil
	}
	return c.sound(p)
}

// standUp gives the seat back and notes that the caller has left. The room answers
// as soon as the disk lets it.
func (c *Call) standUp() {
	g := c.guest
	if g == nil {
		return
	}
	c.guest = nil
	g.alone.Stop()
	close(g.seat.left)
	out := goOut{g.seat, make(chan farewell, 1)}
	f, _ := askRoom(context.Background(), g.room, out, out.reply)
	c.farewell(g, f)
}

// farewell notes that the caller has left a conference.
func (c *Call) farewell(g *membership, f farewell) {
	if g.in {
		c.note(pbx.CallEvent{Kind: pbx.LeftRoom, Who: c.caller.who, Leg: c.caller.leg.ID, With: f.met, Text: g.how})
	}
	for _, rec := range f.made {
		rec.Call = c.id
		c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &rec})
	}
}

// fromRoom takes in what the room says. An error means that the call is over.
func (c *Call) fromRoom(e any) error {
	g := c.guest
	switch e := e.(type) {
	case cameIn:
		if g != nil && g.seat == e.s {
			g.in = true
			c.note(pbx.CallEvent{Kind: pbx.JoinedRoom, Who: c.caller.who, Leg: c.caller.leg.ID, To: g.room.number, Text: g.room.conf.Name, Other: g.room.conf.Call})
		}
	case lonely:
		if g != nil && g.seat == e.s && g.music != e.on {
			c.amuse(g, e.on)
		}
	case mutedNews:
		if g != nil && g.seat == e.s {
			c.muted(g, e.on)
		}
	case roomRecording:
		if g != nil && g.seat == e.s {
			c.note(pbx.CallEvent{Kind: pbx.RecordStart, Recording: &pbx.Recording{ID: e.id, Tenant: c.company.ID, Call: c.id}})
		}
	case shownOut:
		if g != nil && g.seat == e.s {
			g.how = e.how
			c.why(e.why)
			return c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		}
	}
	return nil
}

// amuse plays music to who is alone.
func (c *Call) amuse(g *membership, on bool) {
	if g.music = on; on {
		g.alone.Reset(maxAlone)
		c.caller.media.Play(c.hold(), true)
		return
	}
	g.alone.Stop()
	c.caller.media.StopPlay()
}

// muted notes whether the member is heard, and lets it hear that.
func (c *Call) muted(g *membership, on bool) {
	kind, tone := pbx.Unmuted, c.m.prompts.confirmation()
	if on {
		kind, tone = pbx.Muted, media.MutedPrompt()
	}
	c.note(pbx.CallEvent{Kind: kind, Who: c.caller.who, Leg: c.caller.leg.ID})
	if !g.music {
		c.caller.media.Play(tone, false)
	}
}

// roomKey takes a key of a member: a star and a digit is for the room. The others
// hear no keys.
func (c *Call) roomKey(key byte) {
	g := c.guest
	if key != '*' && g.star && g.in {
		c.tellRoom(keyed{g.seat, key})
	}
	g.star = key == '*'
}

// tellRoom leaves a message for the room unless its mailbox is full: the room may be
// waiting for room in ours.
func (c *Call) tellRoom(message any) {
	select {
	case c.guest.room.mail <- message:
	default:
		c.log.Debug("conference has no time", "message", fmt.Sprintf("%T", message))
	}
}

// holdsRoom lets the room know that the phone of a member holds it, or no longer
// does: whatever music the phone plays then is not heard.
func (c *Call) holdsRoom(p *party) {
	if c.guest != nil && p == c.caller {
		c.guest.seat.held.Store(p.held)
		c.tellRoom(look{})
	}
}
