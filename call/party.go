package call

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/sip"
)

// party is a participant: who it is, its leg and its sound.
type party struct {
	who        string // extension or outside number, as the record shows it
	number     string // extension, "" for an outside party
	trunk      string
	name       string // display name it gave
	leg        *sip.Leg
	media      *media.Session
	grant      *grant   // to call it outside, nil inside
	out        outgoing // how its trunk is told who calls
	usage      string   // what it counts against, "" for the caller and the other phones of an extension
	answered   bool
	serves     bool // it is an agent who talks with a caller of a queue
	over       bool
	alerted    bool          // its phone has rung (180)
	waited     time.Duration // how long it rang until we gave up
	held       bool          // it has put the other side on hold
	calling    bool          // it is the caller of the record
	seat       int           // side of the recording
	keys       string        // what it presses for the PBX
	recordKeys string        // likewise, for the recording
	barges     bool          // it supervises, and is heard by both
	line       *operatorLine // that its leg goes back to, nil: it is hung up
	security   media.Security
	tapped     *recordings.Recorder
}

// party finds whose leg l is, among those who are still there.
func (c *Call) party(l *sip.Leg) *party {
	if c.caller.leg == l && !c.caller.over {
		return c.caller
	}
	if t := c.transfer; t != nil && t.by != nil && t.by.leg == l {
		return t.by
	}
	if k := c.consult; k != nil && k.waits.leg == l {
		return k.waits
	}
	if k := c.campaign; k != nil && k.operator != nil && k.operator.leg == l {
		return k.operator
	}
	return c.callee(l)
}

// callee finds whose leg l is, among those the call dialled and those who listen.
func (c *Call) callee(l *sip.Leg) *party {
	for _, list := range [][]*party{c.parties, c.supervisors} {
		if i := slices.IndexFunc(list, func(p *party) bool { return p.leg == l }); i >= 0 {
			return list[i]
		}
	}
	return nil
}

// sounding finds whose session s is.
func (c *Call) sounding(s *media.Session) *party {
	if c.caller.media == s && !c.caller.over {
		return c.caller
	}
	if k := c.campaign; k != nil && k.operator != nil && k.operator.media == s {
		return k.operator
	}
	i := slices.IndexFunc(c.parties, func(p *party) bool { return p.media == s })
	if i < 0 {
		return nil
	}
	return c.parties[i]
}

// openCaller makes the session of a caller who called us.
func (c *Call) openCaller() error {
	leg := c.caller.leg
	web := media.WebRTC(leg.SDP)
	if leg.SDP == nil { // the offer will be ours
		web = c.browser(c.caller.number, leg.WebSocket())
	}
	s, err := c.m.Media.Open(media.Options{Name: string(leg.ID), Peer: leg.Source.Addr(), WebRTC: web,
		Security: c.securityOf(leg), Datagrams: leg.Datagrams(), Keys: c.keysOf(c.caller), Events: c.mail, Gone: c.gone})
	if err != nil {
		return c.end(c.mediaCause(pbx.PartyCaller, err))
	}
	c.caller.media = s
	if leg.SDP == nil {
		return nil // a delayed offer: ours goes with the answer (RFC 3261 §13.2.1)
	}
	if err := s.SetOffer(leg.SDP); err != nil {
		c.insecure(c.caller.who, err)
		return c.end(c.mediaCause(pbx.PartyCaller, err))
	}
	return nil
}

// browser tells whether a phone of an extension is offered what browsers take: as the
// extension says, or where it has registered as they do.
func (c *Call) browser(number string, websocket bool) bool {
	if ext := c.company.Extensions[number]; ext != nil && ext.WebRTC != nil {
		return *ext.WebRTC
	}
	return websocket
}

// mediaCause says what an error of package media means for the call, and notes
// what the record should tell.
func (c *Call) mediaCause(who pbx.Party, err error) pbx.Cause {
	switch {
	case errors.Is(err, media.ErrBusy):
		c.why("no room for more sound on this machine")
		return pbx.NewCause(pbx.PartyPBX, pbx.Overloaded)
	case errors.Is(err, media.ErrNoPorts):
		c.why("no media port is free")
		return pbx.NewCause(pbx.PartyPBX, pbx.NoPorts)
	case errors.Is(err, media.ErrInsecure), errors.Is(err, media.ErrSecured):
		return pbx.NewCause(who, pbx.NoSRTP)
	case errors.Is(err, media.ErrNoCodec), errors.Is(err, media.ErrNotAcceptable):
		return pbx.NewCause(who, pbx.NoCodec)
	}
	c.log.Info("session description of no use", "party", who, "error", err)
	return pbx.NewCause(who, pbx.BadRequest)
}

// spoken are the codecs that can be played, recorded and turned into each other, in
// the order in which they cost least; g711 is what every carrier can do.
var (
	spoken = []media.Codec{media.PCMA, media.PCMU, media.G722, media.Opus}
	g711   = spoken[:2]
)

// codecs lists what a new party may be offered: first what needs no transcoding,
// which is what the caller can do, in the caller's order, or what has been agreed
// with the caller already; behind it what it can be turned into. That is G.711,
// unless the company has a list: then these names, both parts in its order. Where
// the call is to be recorded, only what can be, if the caller can do any such codec.
func (c *Call) codecs(allowed []string) []media.Codec {
	besides := g711
	if len(allowed) > 0 {
		besides = spoken
	}
	shared := besides
	if s := c.caller.media; s != nil {
		if agreed := s.Codec(); agreed.Name != "" {
			shared = []media.Codec{agreed}
		} else if offered := s.Codecs(); len(offered) > 0 {
			shared = offered
		}
	}
	var others []media.Codec
	if known := slices.DeleteFunc(slices.Clone(shared), func(k media.Codec) bool { return !k.Known() }); len(known) > 0 {
		if c.decision.Record {
			shared = known
		}
		others = slices.DeleteFunc(slices.Clone(besides), func(k media.Codec) bool { return has(shared, k) })
	}
	if s := c.caller.media; s != nil && slices.ContainsFunc(others, costly(shared)) && s.Admit(media.Transcode) != nil {
		others, c.tight = slices.DeleteFunc(others, costly(shared)), true
	}
	if len(allowed) == 0 {
		return slices.Concat(shared, others)
	}
	return slices.Concat(inOrder(shared, allowed), inOrder(others, allowed))
}

// costly tells whether a codec has to be turned into each of those, for which the
// other law of G.711 costs nothing.
func costly(shared []media.Codec) func(media.Codec) bool {
	return func(k media.Codec) bool {
		return !slices.ContainsFunc(shared, func(s media.Codec) bool { return s.Audio() == k.Audio() || has(g711, s) && has(g711, k) })
	}
}

// inOrder cuts a list to the names and puts it in their order.
func inOrder(list []media.Codec, names []string) []media.Codec {
	var cut []media.Codec
	for _, name := range names {
		for _, k := range list {
			if strings.EqualFold(k.Name, name) {
				cut = append(cut, k)
			}
		}
	}
	return cut
}

// has tells whether a list has a codec.
func has(list []media.Codec, k media.Codec) bool {
	return slices.ContainsFunc(list, func(o media.Codec) bool { return strings.EqualFold(o.Name, k.Name) })
}

// convertible lists the codecs that a bridge can turn into k, k first: all that are
// known into each other, everything else only into itself.
func convertible(k media.Codec) []media.Codec {
	list := []media.Codec{k}
	for _, other := range spoken {
		if k.Known() && other.Audio() != k.Audio() {
			list = append(list, other)
		}
	}
	return list
}

// invite dials a target for the call. What goes wrong before the INVITE is sent
// is returned, everything after arrives as an event.
func (c *Call) invite(p *party, t sip.Target, from sip.Party, codecs []media.Codec) error {
	if len(c.parties) >= maxParties {
		return fmt.Errorf("more than %d legs at once", maxParties)
	}
	if len(codecs) == 0 {
		return media.ErrNoCodec
	}
	p.security = c.security(p.number, t.Trunk, t.Secure())
	s, err := c.m.Media.Open(media.Options{Name: string(c.id) + "/" + p.who, Peer: t.Peer(),
		WebRTC: c.browser(p.number, t.WebSocket()), Security: p.security, Datagrams: t.Datagrams(), Keys: c.keysOf(p), Events: c.mail, Gone: c.gone})
	if err != nil {
		return fmt.Errorf("open session for %s: %w", p.who, err)
	}
	offer, err := s.Offer(codecs)
	if err != nil {
		return errors.Join(fmt.Errorf("make an offer for %s: %w", p.who, err), s.Close())
	}
	p.media, p.seat = s, c.seat
	p.leg = c.m.SIP.Dial(sip.Invite{Company: c.company, Target: t, From: from, FromHost: p.out.host, Contact: p.out.contact, SDP: offer,
		Headers: slices.Concat(p.out.headers, c.diverted(p, t, from), c.alert(p)), Events: c.mail, Gone: c.gone})
	c.parties = append(c.parties, p)
	c.keep(p)
	kind := pbx.Dialled
	if c.caller.leg == nil && c.into == nil && c.campaign == nil {
		kind = pbx.CallerDialled
	}
	c.note(pbx.CallEvent{Kind: kind, Who: p.who, Leg: p.leg.ID, Trunk: p.trunk})
	return nil
}

// alert tells a phone of ours what is special about a call: that it should answer
// by itself, in the three ways that phones know, and who has sent the caller on
// (RFC 3892).
func (c *Call) alert(p *party) []sip.Header {
	var list []sip.Header
	if p.trunk != "" {
		return nil
	}
	if c.auto {
		list = append(list,
			sip.Header{Name: "Alert-Info", Value: "<http://" + c.company.Domain + ">;info=alert-autoanswer;delay=0"},
			sip.Header{Name: "Call-Info", Value: "<sip:" + c.company.Domain + ">;answer-after=0"},
			sip.Header{Name: "Answer-Mode", Value: "Auto"}) // RFC 5373 §4.1
	}
	if c.transfer != nil {
		list = append(list, sip.Header{Name: "Referred-By", Value: "<sip:" + c.transfer.who + "@" + c.company.Domain + ">"})
	}
	return list
}

// letGo hangs a party up, for a cause of ours, and notes its end. An operator who has
// come from its line goes back there.
func (c *Call) letGo(p *party, cause pbx.Cause) {
	if c.backToLine(p) {
		return
	}
	if p.leg != nil {
		p.leg.Hangup(cause)
	}
	c.over(p, cause)
}

// legEnded is the end of a leg, as the peer or the network brought it.
func (c *Call) legEnded(e sip.LegEnded) (pass bool, err error) {
	p := c.party(e.L)
	if p == nil {
		return false, nil // one that we let go before
	}
	cause := e.Cause
	if p.answered {
		cause.Party = p.side(cause.Party)
	}
	if c.consulted(p, cause) {
		return c.transfer != nil, nil // another is the caller of a step that goes on
	}
	switch t := c.transfer; {
	case t != nil && t.by == p && t.begun: // it need not wait for what becomes of the transfer
		t.by, c.asked.Gone = nil, true
		c.over(p, cause)
		return false, nil
	case c.campaign.waits(p):
		err := c.operatorGone(p)
		c.over(p, cause)
		return false, err
	case c.unheard(p):
		c.over(p, cause)
		return true, nil
	case p == c.caller:
		c.endedBy(p, cause)
		c.part()
		c.over(p, cause)
		return false, errOver
	case p == c.peer:
		return false, c.endedBy(p, cause)
	}
	if e.Moved != "" && !p.answered && p.number != "" {
		c.redirected = e.Moved
	}
	c.over(p, cause)
	return true, nil
}

// side names the party of a cause as the record does: a caller may have been
// called by us first, and who talks with the callee after a transfer is not the
// caller.
func (p *party) side(of pbx.Party) pbx.Party {
	if of != pbx.PartyCaller && of != pbx.PartyCallee {
		return of
	}
	if p.calling {
		return pbx.PartyCaller
	}
	return pbx.PartyCallee
}

// endedBy is end by what a party did.
func (c *Call) endedBy(p *party, cause pbx.Cause) error {
	if c.cause.Reason == "" {
		c.hungUp = p.who
	}
	return c.end(cause)
}

// over notes the end of a party's leg and closes its sound.
func (c *Call) over(p *party, cause pbx.Cause) {
	if p.over {
		return
	}
	p.over = true
	c.parties = slices.DeleteFunc(c.parties, func(q *party) bool { return q == p })
	c.supervisors = slices.DeleteFunc(c.supervisors, func(q *party) bool { return q == p })
	if c.conference != nil && p.media != nil {
		c.conference.Remove(p.media)
	}
	if p == c.early || p == c.peer || p == c.caller {
		c.unbridge()
	}
	e := pbx.CallEvent{Kind: pbx.LegEnded, Who: p.who, Cause: &cause}
	if p.leg != nil {
		e.Leg = p.leg.ID
		c.m.mu.Lock()
		c.m.disown(c, p.leg)
		c.m.mu.Unlock()
	}
	if p.media != nil {
		e.Codec, e.SRTP = p.media.Codec().Name, p.media.Security()
		if p.answered {
			q := quality(p.media.Quality())
			q.WebRTC = connection(p.media.Connection())
			e.Quality = &q
			if q.MOS > 0 {
				c.m.metrics.mos.Observe(q.MOS)
			}
		}
		if err := p.media.Close(); err != nil {
			c.log.Warn("session not closed", "party", p.who, "error", err)
		}
	}
	if p != c.caller && !p.answered && c.peer == nil && c.cause.Reason == "" && cause.Reason != pbx.Elsewhere && !c.dialling(p.who) {
		c.fail(cause)
		e.Why = []string{c.failure(p, cause)}
	}
	c.giveUp(p)
	c.note(e)
	c.served(p)
	c.paid(p, cause)
	c.lostLine(p, cause)
}

// giveUp ends what p counts against; while another phone of the same extension
// is in the call, that one counts.
func (c *Call) giveUp(p *party) {
	if p.usage == "" {
		return
	}
	i := slices.IndexFunc(c.parties, func(q *party) bool { return p.number != "" && q.number == p.number && q.usage == "" })
	if i < 0 {
		c.release(p.usage)
		return
	}
	c.parties[i].usage = p.usage
}

// dialling tells whether another leg to the same number is still going on.
func (c *Call) dialling(who string) bool {
	return slices.ContainsFunc(c.parties, func(p *party) bool { return p.who == who && !p.answered })
}

// fail notes what a step came to; of several parties the one that says most
// about why nobody answered counts.
func (c *Call) fail(cause pbx.Cause) {
	if rank(cause.Reason) >= rank(c.failed.Reason) {
		c.failed = cause
	}
}

func rank(r pbx.Reason) int {
	switch r {
	case "":
		return 0
	case pbx.Unregistered:
		return 1
	case pbx.NoAnswer:
		return 5
	case pbx.Busy:
		return 4
	case pbx.Declined:
		return 3
	}
	return 2
}

// failure tells in words why a party did not answer.
func (c *Call) failure(p *party, cause pbx.Cause) string {
	who := p.who
	if p.trunk != "" {
		who += " over " + p.trunk
	}
	switch cause.Reason {
	case pbx.NoAnswer:
		if p.waited > 0 {
			return fmt.Sprintf("%s did not answer in %v s", who, p.waited.Round(100*time.Millisecond).Seconds())
		}
		return who + " did not answer"
	case pbx.Busy:
		return who + " was busy"
	case pbx.Declined:
		return who + " declined"
	case pbx.NoCodec:
		if p.security == media.Required || p.security == media.RequiredDTLS {
			return who + " did not take a call with SRTP, which is required for it, or shares no codec with the caller"
		}
		return who + " shares no codec with the caller"
	case pbx.NoSRTP:
		return who + " did not secure its sound by SRTP, which is required for it"
	case pbx.NoReply:
		return who + " did not reply"
	}
	return fmt.Sprintf("%s: %s (SIP %d)", who, cause.Reason, cause.SIP)
}

// part notes that caller and callee no longer hear each other, once, or that the
// caller has left the conference.
func (c *Call) part() {
	c.standUp()
	if c.peer != nil && !c.parted {
		c.parted = true
		c.note(pbx.CallEvent{Kind: pbx.Unbridged, Who: c.peer.who, Leg: c.peer.leg.ID})
		c.talks(c.peer)
	}
}

func (c *Call) unbridge() {
	c.wake()
	if c.conference != nil {
		c.conference.Remove(c.caller.media)
		if c.peer != nil {
			c.conference.Remove(c.peer.media)
		}
	}
	if c.bridge != nil {
		c.bridge.Close()
		c.bridge = nil
	}
	c.early = nil
}

// quality is what media measured, in the record's terms and digits.
func quality(q media.Quality) pbx.Quality {
	return pbx.Quality{MOS: digits(q.MOS, 2), Loss: digits(q.Loss, 4), JitterMs: digits(q.JitterMs, 1), RTTMs: digits(q.RTTMs, 1),
		MaxJitter: digits(q.MaxJitterMs, 1), RemoteMOS: digits(q.RemoteMOS, 2), RemoteLoss: digits(q.RemoteLoss, 4), RemoteJitter: digits(q.RemoteJitterMs, 1),
		FirstRTPMs: digits(q.FirstRTPMs, 1), LongestGap: digits(q.LongestGapMs, 1),
		Sent: q.Sent, Received: q.Received, Lost: q.Lost, Dropped: q.Dropped, Unproven: q.Unproven, Replayed: q.Replayed, OneWay: q.OneWay}
}

// connection is how a browser was connected, in the record's terms.
func connection(c *media.Connection) *pbx.WebRTC {
	if c == nil {
		return nil
	}
	w := &pbx.WebRTC{ICE: c.ICE, DTLS: c.DTLS, Candidate: c.Candidate, SetupMs: digits(float64(c.Setup)/float64(time.Millisecond), 1),
		Restarts: c.Restarts, BytesSent: c.Sent, BytesReceived: c.Received}
	if c.Remote.IsValid() {
		w.Remote = c.Remote.String()
	}
	return w
}

// digits rounds v to n digits behind the point.
func digits(v float64, n int) float64 {
	p := math.Pow10(n)
	return math.Round(v*p) / p
}
