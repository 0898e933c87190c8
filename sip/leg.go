package sip

import (
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	legBox    = 32               // messages to a leg that it has not read yet
	legQueue  = 64               // events its owner has not taken yet
	ownWithin = 5 * time.Second  // an accepted leg must have an owner by then
	lingering = 32 * time.Second // 64·T1: how long the leftovers of an ended leg are waited for
)

// Leg is one call between us and one peer: one INVITE and the dialog it makes,
// whoever sent it. The exported fields are facts that never change; what
// happens later arrives as events at the owner.
//
// All methods return at once, never touch the network themselves, and may be
// called at any time, also after the leg has ended.
type Leg struct {
	ID        pbx.LegID
	Company   *pbx.Company
	Outbound  bool
	From      Party          // the caller as given
	To        string         // dialled user part
	Extension string         // set when the peer is an extension of ours
	Trunk     *pbx.Trunk     // set when the peer is a trunk
	Source    netip.AddrPort // the peer; invalid for a trunk that was not resolved yet
	Transport string
	UserAgent string
	CallID    string
	SDP       []byte    // offer of the initial INVITE, nil: none
	Replaces  *Replaces // the dialog whose place an inbound leg wants to take
	Arrived   time.Time
	Claims    Claims // what the initial INVITE of an inbound leg says of the caller

	s      *Server
	log    *slog.Logger
	box    chan any      // commands, requests, results
	owners chan owner    // Own meets run here: what run has taken, it will serve
	over   chan struct{} // closed when run has returned
	state  atomic.Pointer[LegState]
	ladder ladder

	// Everything below belongs to run.
	owner  owner
	queue  []any // events the owner has not taken yet
	phase  phase
	d      dialog
	clock  [clocks]time.Time
	timer  *time.Timer
	flow   way       // phones: the flow they are reached over, whatever their Contact says
	us     string    // user part of our Contact, "": as in From
	heard  way       // where the peer's last request came from
	sent   []byte    // session description we sent last
	got    []byte    // session description the peer sent last
	sess   session   // RFC 4028
	fresh  time.Time // when sess was refreshed
	update bool      // the peer takes UPDATE
	wanted *proposal // our next offer
	failed int       // refusals of wanted by 491

	theirs  *exchange // request of the peer that the owner has to answer
	aside   *exchange // UPDATE or PRACK of the peer with an offer, before the call is answered
	unacked *exchange // INVITE of the peer whose 2xx waits for the ACK
	ringing *msg.Response

	call  *attempt     // our initial INVITE, until its final response
	ours  *attempt     // our re-INVITE or UPDATE
	hosts []netip.Addr // trunks: servers our INVITE could go to
	open  map[*attempt]struct{}
	acks  []*ackSent
	forks []fork
	seen  []seenReliable // RFC 3262: reliable provisionals of the forks

	rel       *reliable  // our provisional that waits for its PRACK
	rseq      uint32     // of our last reliable provisional
	waits     *ringing   // the provisional to send after that PRACK
	picked    *answering // the answer to send after that PRACK
	described []byte     // what the peer has confirmed by PRACK

	refer    *refer   // REFER of the peer that is under way
	referred bool     // there was one
	notices  []notice // NOTIFYs that wait for their turn
	noticed  *attempt // NOTIFY without an answer

	keys      []keyPress // keys that wait for their INFO
	informing *attempt   // INFO without an answer

	last   LegEnded  // how it ended; for all to see when over is closed
	ending pbx.Cause // why we hang up, for a BYE or CANCEL that has to wait
	owed   bool      // the BYE waits for NOTIFYs
	tried  bool      // CANCEL is sent

	replied atomic.Bool // a request of ours had a response
}

// phase is where a leg stands.
type phase int

const (
	early     phase = iota // the INVITE has no final response
	answered               // our 2xx waits for its ACK
	confirmed              // both ends have answered
	ended                  // LegEnded is queued; only leftovers are finished
)

func (p phase) String() string {
	return [...]string{"early", "answered", "confirmed", "ended"}[p]
}

// The clocks of a leg; they share one timer.
const (
	clockOwner    = iota // nobody took the leg
	clockRing            // the last provisional is repeated (RFC 3261 §13.3.1.1)
	clockReliable        // a reliable provisional is repeated (RFC 3262 §3)
	clockRepeat          // the 2xx is repeated (RFC 3261 §13.3.1.4)
	clockACK             // the ACK does not come any more
	clockOffer           // the owner did not answer an offer
	clockGlare           // our offer was crossed and is sent again
	clockReply           // our request got no final response
	clockRefresh         // RFC 4028: our refresh is due
	clockExpire          // RFC 4028: the session is over
	clockRefer           // the owner did not answer a REFER
	clockReferred        // the subscription of a REFER is over
	clockOwed            // a BYE has waited long enough for NOTIFYs
	clockLinger          // leftovers have had their time
	clocks
)

// owner is who gets the events of a leg.
type owner struct {
	events chan<- any
	gone   <-chan struct{}
}

// The commands of the owner.
type (
	ringing struct {
		code int
		sdp  []byte
	}
	answering struct{ sdp []byte }
	rejecting struct{ cause pbx.Cause }
	offering  struct{ sdp []byte }
	accepting struct{ sdp []byte }
	refusing  struct{ code int }
	hangingUp struct{ cause pbx.Cause }

	acceptingRefer struct{}
	refusingRefer  struct{ code int }
	progressing    struct{ code int }

	keyPress struct {
		digit byte
		d     time.Duration
	}
)

// Own makes the caller the owner of the leg: its events are posted to events
// from now on. When gone is closed the leg hangs itself up. An accepted leg must
// be owned within 5 s.
//
// It may be called again, by another owner: events that the former one has not
// taken go to the new one; an offer or a REFER of the peer that is not answered
// is told again, and so is the end of the leg. What becomes of the former owner
// matters no more when Own has returned. Each owner is told of the end once.
func (l *Leg) Own(events chan<- any, gone <-chan struct{}) {
	o := owner{events, gone}
	select {
	case l.owners <- o:
	case <-l.over: // too late: all there is to say is that it ended
		go o.tell(l.last)
	}
}

// tell posts one event to an owner, until the owner is gone.
func (o owner) tell(event any) {
	select {
	case o.events <- event:
	case <-o.gone:
	}
}

// Ring sends a provisional response: 180, or 183 with early media. It is
// ignored after a final response.
func (l *Leg) Ring(code int, sdp []byte) { l.post(ringing{code, sdp}) }

// Answer accepts an inbound leg: 200 with our answer, or with our offer when
// the INVITE had none. The 200 is repeated until the ACK comes; after 32 s
// without, the leg ends with NoACK.
func (l *Leg) Answer(sdp []byte) { l.post(answering{sdp}) }

// Reject refuses an inbound leg with the status of the cause.
func (l *Leg) Reject(c pbx.Cause) { l.post(rejecting{c}) }

// Offer sends our offer inside the call (re-INVITE). Its result arrives as
// OfferAnswered. It waits while another offer is under way; a newer offer takes
// the place of one that still waits.
func (l *Leg) Offer(sdp []byte) { l.post(offering{sdp}) }

// AnswerOffer answers the peer's offer of the last Offered event.
func (l *Leg) AnswerOffer(sdp []byte) { l.post(accepting{sdp}) }

// RefuseOffer refuses the peer's offer of the last Offered event with a status
// (488 …); the call goes on as it was.
func (l *Leg) RefuseOffer(code int) { l.post(refusing{code}) }

// AcceptRefer accepts the peer's REFER of the last Referred event (202).
func (l *Leg) AcceptRefer() { l.post(acceptingRefer{}) }

// RefuseRefer refuses it with a status (403, 603 …).
func (l *Leg) RefuseRefer(code int) { l.post(refusingRefer{code}) }

// ReferProgress tells the peer how the call is getting on that its REFER asked
// for: 180, 200, 486 … A final status ends the matter; it also reaches the peer
// when Hangup follows at once.
func (l *Leg) ReferProgress(code int) { l.post(progressing{code}) }

// Press sends a key to the peer by INFO: 0 to 9, *, #, A to D. It waits for those
// pressed before; what the peer refuses is lost, as are keys of a leg that is not
// answered or has ended, and those above 32 that wait.
func (l *Leg) Press(digit byte, d time.Duration) { l.post(keyPress{digit, d}) }

// Hangup ends the leg whatever its state: final response, CANCEL or BYE. Only
// the first call has an effect.
func (l *Leg) Hangup(c pbx.Cause) { l.post(hangingUp{c}) }

// State gives the leg as of its last change.
func (l *Leg) State() LegState { return *l.state.Load() }

// Replied tells whether the peer has responded to anything that we sent, be it by a 100:
// then it is there. It may be called by any goroutine.
func (l *Leg) Replied() bool { return l.replied.Load() }

// post leaves a message for run.
func (l *Leg) post(m any) {
	select {
	case l.box <- m:
	case <-l.over:
	}
}

func (l *Leg) key() dialogKey { return dialogKey{l.d.callID, l.d.localTag} }

// peer is the party at the other end.
func (l *Leg) peer() pbx.Party {
	if l.Outbound {
		return pbx.PartyCallee
	}
	return pbx.PartyCaller
}

// prepare makes the parts of a new leg that run needs.
func (l *Leg) prepare(s *Server) {
	l.s = s
	l.ID = pbx.NewLegID(l.Arrived)
	l.CallID = l.d.callID
	l.log = s.dlg.logger(l)
	l.box = make(chan any, legBox)
	l.owners = make(chan owner)
	l.over = make(chan struct{})
	l.open = make(map[*attempt]struct{})
	l.note()
}

// run is the life of a leg. It is the only place where the leg waits.
func (l *Leg) run() {
	defer l.leave()
	l.timer = time.NewTimer(lingering)
	defer l.timer.Stop()
	if l.Outbound {
		l.invite()
	}
	for !l.through() {
		l.kick()
		l.arm()
		var out chan<- any
		var head any
		if len(l.queue) > 0 {
			out, head = l.owner.events, l.queue[0]
		}
		select {
		case m := <-l.box:
			l.handle(m)
		case o := <-l.owners:
			l.take(o)
		case out <- head:
			l.queue = l.queue[1:]
		case <-l.owner.gone:
			l.lastWords()
			l.orphan()
		case <-l.timer.C:
			l.tick(time.Now())
		case <-l.s.dlg.ctx.Done():
			return
		}
	}
}

// through says whether nothing is left to do.
func (l *Leg) through() bool {
	if l.phase != ended {
		return false
	}
	waiting := len(l.queue) > 0 || len(l.open) > 0 || l.unacked != nil
	return !waiting || l.clock[clockLinger].IsZero()
}

// leave clears up behind run, also when run panicked: a leg that breaks is one
// call lost, not the process.
func (l *Leg) leave() {
	if p := recover(); p != nil {
		l.s.met.panics.Inc()
		l.log.Error("sip: panic in a leg", "panic", p, "stack", string(debug.Stack()))
	}
	l.end(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
	l.terminate()
	l.s.dlg.remove(l.key())
	for a := range l.open {
		a.cancel()
	}
	close(l.over)
	if l.clock[clockLinger].IsZero() || l.owner.events == nil {
		return // the owner had its time
	}
	for _, event := range l.queue {
		select {
		case l.owner.events <- event:
		case <-l.owner.gone:
			return
		case <-l.s.dlg.ctx.Done():
			return
		}
	}
}

// handle does what one message asks for.
func (l *Leg) handle(m any) {
	switch m := m.(type) {
	case ringing:
		l.onRing(m.code, m.sdp)
	case answering:
		l.onAnswer(m.sdp)
	case rejecting:
		l.hangup(m.cause)
	case hangingUp:
		l.hangup(m.cause)
	case offering:
		if l.phase != ended {
			l.wanted, l.failed = &proposal{sdp: m.sdp}, 0
		}
	case accepting:
		l.onAnswerOffer(m.sdp)
	case refusing:
		l.refuse(m.code)
	case acceptingRefer:
		l.onAcceptRefer()
	case refusingRefer:
		l.refuseRefer(m.code)
	case progressing:
		l.onReferProgress(m.code)
	case keyPress:
		l.onPress(m)
	case *exchange:
		l.in(transportOf(m.req), m.req.Source(), m.req)
		l.onRequest(m)
	case acked:
		l.in(transportOf(m.req), m.req.Source(), m.req)
		l.onACK(m.req)
	case cancelled:
		l.onCancel(m.x)
	case lost:
		l.onLost(m.x)
	case started:
		m.a.hops, m.a.rest = []hop{m.h}, m.rest
		l.near(m.h)
		l.served(m)
		l.ladder.at(m.h)
		l.out(m.h.transport, m.h.dest, m.a.req)
	case responded:
		l.in(transportOf(m.res), m.res.Source(), m.res)
		if m.a.kind == kindInvite && m.res.StatusCode >= 300 && len(m.a.hops) > 0 {
			h := m.a.hops[0]
			l.out(h.transport, h.dest, ackOf(m.a.req, m.res)) // as sipgo has sent it
		}
		l.onResponse(m.a, m.res)
	case undone:
		l.onFailure(m.a, m.err)
	case again:
		l.in(transportOf(m.res), m.res.Source(), m.res)
		l.onAgain(m.res)
	}
}

// tick runs the clocks that are due.
func (l *Leg) tick(now time.Time) {
	for c := range l.clock {
		if at := l.clock[c]; at.IsZero() || at.After(now) {
			continue
		}
		l.clock[c] = time.Time{}
		switch c {
		case clockOwner:
			if l.phase != ended {
				l.log.Error("sip: nobody took a call")
			}
			l.hangup(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
			l.queue = nil
		case clockRing:
			l.ringAgain()
		case clockReliable:
			l.repeatReliable()
		case clockRepeat:
			l.repeat()
		case clockACK:
			l.noACK()
		case clockOffer:
			l.refuse(500)
		case clockReply:
			l.noReply()
		case clockRefer:
			l.refuseRefer(500)
		case clockReferred:
			l.referExpired()
		case clockOwed:
			l.owedTooLong()
		case clockRefresh:
			l.refresh()
		case clockExpire:
			l.hangup(pbx.NewCause(l.peer(), pbx.SessionExpired))
		}
	}
}

// after sets a clock.
func (l *Leg) after(c int, d time.Duration) { l.clock[c] = time.Now().Add(d) }

// stop clears clocks.
func (l *Leg) stop(list ...int) {
	for _, c := range list {
		l.clock[c] = time.Time{}
	}
}

// arm sets the timer to the next clock.
func (l *Leg) arm() {
	var next time.Time
	for _, at := range l.clock {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() {
		l.timer.Stop()
		return
	}
	l.timer.Reset(time.Until(next))
}

// emit queues an event for the owner. An owner that leaves legQueue events
// unread is as good as gone.
func (l *Leg) emit(event any) {
	if _, last := event.(LegEnded); !last && len(l.queue) >= legQueue {
		l.log.Error("sip: the owner of a leg does not read its events")
		l.orphan()
		return
	}
	l.queue = append(l.queue, event)
}

// lastWords does what the owner asked for before it went.
func (l *Leg) lastWords() {
	for {
		select {
		case m := <-l.box:
			l.handle(m)
		default:
			return
		}
	}
}

// orphan hangs up a leg whose owner is gone: nobody is left to tell.
func (l *Leg) orphan() {
	l.hangup(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
	l.owner = owner{}
	l.queue = nil
}

// hangup does what is right to end the leg in its state.
func (l *Leg) hangup(c pbx.Cause) {
	switch l.phase {
	case early:
		if l.Outbound {
			l.cancel(c)
		} else {
			l.reject(c)
		}
	case answered:
		// RFC 3261 §15: no BYE before the ACK. It follows then, or after 32 s.
		l.ending = c
		l.end(c)
	case confirmed:
		l.drop(c)
	}
}

// drop ends a confirmed leg with a BYE. A peer that is owed the outcome of its
// REFER gets that first.
func (l *Leg) drop(c pbx.Cause) {
	if l.phase == ended || l.owes(c) {
		return
	}
	l.end(c)
	l.terminate()
	l.bye(c)
}

// end queues LegEnded and lets go of everything but the leftovers.
func (l *Leg) end(c pbx.Cause) {
	if l.phase == ended {
		return
	}
	l.phase = ended
	l.stop(clockRing, clockReliable, clockOffer, clockGlare, clockReply, clockRefresh, clockExpire)
	if l.owner.events != nil {
		l.stop(clockOwner)
	}
	l.after(clockLinger, lingering)
	l.wanted, l.keys = nil, nil
	if x := l.aside; x != nil {
		l.aside = nil
		l.close(x, 487)
	}
	l.last.L, l.last.Cause = l, c
	l.emit(l.last)
	l.note()
}
