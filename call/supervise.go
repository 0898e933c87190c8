package call

import (
	"context"
	"slices"
	"time"

	"vpbx/media"
	"vpbx/pbx"
)

// supervises says what a supervisor does, for the record.
var supervises = map[pbx.Supervision]string{
	pbx.Listen:  " listens to another call",
	pbx.Whisper: " whispers in another call",
	pbx.Barge:   " joins another call",
}

// maxSupervisors bounds those who listen to one call.
const maxSupervisors = 8

// supervision is what a supervisor wants of a call.
type supervision struct {
	call pbx.CallID
	mode pbx.Supervision
	to   string // whom it whispers to
}

// Supervise rings an extension and lets it listen to a call, whisper to one of
// those who talk, or talk with both. It returns when the phone is being rung.
func (m *Manager) Supervise(_ context.Context, tenant pbx.TenantID, s pbx.Supervise) (pbx.CallID, error) {
	company := m.Directory().Company(tenant)
	if company == nil {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
	}
	if company.Extensions[s.From] == nil {
		return "", &pbx.Error{Kind: pbx.Invalid, Field: "from", Msg: "not an extension of this company"}
	}
	m.mu.Lock()
	target := m.calls[s.Call]
	m.mu.Unlock()
	if target == nil || target.company.ID != tenant {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "no such call"}
	}
	if err := m.open(); err != nil {
		return "", err
	}
	dialled := ""
	if i := target.info.Load(); i != nil {
		if dialled = i.To; i.From == s.From || i.To == s.From || i.With == s.From {
			return "", &pbx.Error{Kind: pbx.Conflict, Field: "from", Msg: s.From + " is in that call"}
		}
	}
	c := m.newCall(company, time.Now())
	c.originate, c.dialled = s.From, dialled
	c.supervise = &supervision{s.Call, s.Mode, s.To}
	c.caller = &party{who: s.From, number: s.From, calling: true}
	m.start(c)
	return c.id, nil
}

// superviseCall gives the supervisor, who has picked up, to the call.
func (c *Call) superviseCall() {
	s := c.supervise
	a := adopt{p: c.caller.moving(), from: c.id, supervise: s, reply: make(chan handed, 1)}
	h, err := await(c, func(ctx context.Context) handed { return c.m.ask(ctx, s.call, a, a.reply) })
	switch {
	case err != nil:
	case h.cause.Reason != "":
		c.why("the call could not be supervised")
		if r := h.cause.Reason; r == pbx.NoReply || r == pbx.BadRequest { // of the other call, not of a peer
			h.cause = pbx.NewCause(pbx.PartyPBX, pbx.NoRoute)
		}
		c.end(h.cause)
	default:
		c.left(c.caller)
		c.moved = s.call
		c.why(c.caller.who + supervises[s.mode])
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Joined))
	}
}

// supervised takes a supervisor into a call in which two talk.
func (c *Call) supervised(a adopt) {
	refuse := func(r pbx.Reason) { a.reply <- handed{cause: pbx.NewCause(pbx.PartyPBX, r)} }
	if c.peer == nil || c.transfer != nil || c.consult != nil || c.holder != nil {
		refuse(pbx.NoReply)
		return
	}
	if len(c.supervisors) >= maxSupervisors {
		refuse(pbx.OverLimit)
		return
	}
	role := media.Role{}
	switch a.supervise.mode {
	case pbx.Listen:
		role.Mute = true
	case pbx.Whisper:
		to, err := c.talking(a.supervise.to)
		if a.supervise.to == "" {
			to, err = c.extension("")
		}
		if err != nil {
			refuse(pbx.BadRequest)
			return
		}
		role.Only = to.media
	}
	if err := c.mix(a.p, role); err != nil {
		c.log.Info("call cannot be mixed", "error", err)
		refuse(c.mediaCause(pbx.PartyPBX, err).Reason)
		return
	}
	c.own(a.p, a.from)
	a.p.barges = a.supervise.mode == pbx.Barge
	c.supervisors = append(c.supervisors, a.p)
	if c.recorder != nil {
		c.tap()
	}
	a.reply <- handed{}
	c.note(pbx.CallEvent{Kind: pbx.Supervised, Who: a.p.who, Leg: a.p.leg.ID, Text: string(a.supervise.mode)})
}

// mix brings p into the sound of the two who talk.
func (c *Call) mix(p *party, role media.Role) error {
	conference := c.conference
	if conference == nil {
		conference = c.m.Media.NewConference()
	}
	for _, t := range []*party{c.caller, c.peer} {
		if err := conference.Add(t.media, media.Role{}); err != nil {
			return c.unmixed(conference, err)
		}
	}
	if err := conference.Add(p.media, role); err != nil {
		return c.unmixed(conference, err)
	}
	c.conference, c.bridge = conference, nil
	return nil
}

// unmixed joins the two again when a third cannot come in.
func (c *Call) unmixed(conference *media.Conference, err error) error {
	if c.conference == nil {
		conference.Close()
		c.bridge = media.Join(c.caller.media, c.peer.media)
	}
	return err
}

// connect makes the caller and another party hear each other.
func (c *Call) connect(p *party) {
	if c.conference == nil {
		c.bridge = media.Join(c.caller.media, p.media)
		return
	}
	for _, t := range []*party{c.caller, p} {
		if err := c.conference.Add(t.media, media.Role{}); err != nil {
			c.log.Info("call is no longer supervised", "error", err)
			c.dropSupervisors()
			c.bridge = media.Join(c.caller.media, p.media)
			return
		}
	}
}

// dropSupervisors hangs up those who listen.
func (c *Call) dropSupervisors() {
	for _, p := range slices.Clone(c.supervisors) {
		c.letGo(p, pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
	}
	if c.conference != nil {
		c.conference.Close()
		c.conference = nil
	}
}
