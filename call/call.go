package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/routing"
	"vpbx/sip"
)

const (
	maxSteps   = 64                     // steps of a plan
	maxParties = 32                     // legs dialled by one call at once
	maxTrace   = 2000                   // events after which those that a peer can repeat are no longer noted
	ringback   = 100 * time.Millisecond // silence a caller hears before we say that it rings
	saveBound  = 5 * time.Second
)

// errOver unwinds a call that is over; Call.cause says why.
var errOver = errors.New("call is over")

// Call is one call. Its goroutine, run, owns every field; others post to mail.
type Call struct {
	m       *Manager
	id      pbx.CallID
	company *pbx.Company
	arrived time.Time
	log     *slog.Logger

	mail  chan any      // events of legs and sessions, commands
	gone  chan struct{} // closed when run has returned
	info  snapshot
	rings atomic.Pointer[[]string] // extensions that ring and can be picked up; nil: none

	refused    *pbx.Cause // over a limit from the start
	refusedWhy string
	uses       []string // what it counts against, under m.mu
	grants     []*grant // leaves to call the outside, likewise
	counted    string   // the extension that began the call, counted among its calls a minute
	wentOut    bool     // it has used a grant, under m.mu
	originate  string   // extension to ring first; "": the caller called us
	dialled    string   // what was dialled

	caller   *party
	parties  []*party // dialled and not over
	peer     *party   // joined with the caller
	parted   bool     // they no longer are
	early    *party   // whose sound the caller hears before the answer
	bridge   *media.Bridge
	asked    routing.Request
	decision routing.Decision
	hops     []routing.Hop // the forwardings of the step that goes on
	forwards int           // of all steps

	search     *search // for the owner of an extension that follows; nil: none goes on
	redirected string  // where the phone that has ended last sends the call
	recorder   *recordings.Recorder
	tape       tape
	failed     pbx.Cause // what the last step came to
	signaled   bool      // the caller has been told that it rings, or been answered

	transfer    *transfer // of whom the caller talked with, until it has come to something
	transfers   int
	consult     *consult      // an attended transfer by keys
	back        *transfer     // the last that failed: the transferor has the other side back
	backAt      time.Time     // since when
	seat        int           // side of the recording for those who are dialled
	open        bool          // somebody may pick up: the caller waits for an answer
	holder      *party        // who holds by the API
	line        *operatorLine // that its caller holds for campaigns
	supervise   *supervision  // what the call is for: to take part in another
	supervisors []*party      // who takes part in this one
	conference  *media.Conference
	auto        bool // phones are asked to answer by themselves
	tight       bool // nothing more can be transcoded on this machine, which would have given more codecs

	guest    *membership     // of the conference that the caller is in
	admitted string          // number of a conference for which no PIN is asked
	sending  *sending        // the caller is to leave the conference for somebody else
	into     *into           // the call is for bringing somebody into a conference
	turns    *pbx.Conference // those who talk are to go on there

	freed   chan struct{} // says that somebody may be free for who waits in a queue; nil: it does not
	visits  int           // queues that it has come into
	returns *returning    // what the call is for: to call somebody back; nil: it is not

	campaign *campaigning // what the call is for: the attempt of a campaign; nil: it is not

	variables map[string]string // for the texts that are spoken
	spoke     bool              // the last thing the caller heard was an announcement to its end
	music     *media.Prompt     // that the caller hears while somebody is rung
	lulled    *party            // who hears music because the other side's phone holds
	listens   bool              // keys of the caller are read
	typed     []byte            // keys that were pressed and not read yet
	menus     int               // that the call was led into

	speechless bool // texts of voicemail cannot be spoken

	legs    []whose // all legs there were, for the ladder
	known   legList // the same, for readers beside run
	trace   []pbx.CallEvent
	cause   pbx.Cause  // why the call is over; zero: it is not
	hungUp  string     // who ended it, "": none of those who talk
	moved   pbx.CallID // the call in which it goes on
	endedAt time.Time
	cdr     pbx.CDR // once it is written
	limit   *time.Timer
	awaits  int
}

// commands
type (
	hangup struct{ cause pbx.Cause }
	// command is done by the call's own goroutine.
	command struct {
		do    func(*Call) error
		reply chan error // has room for one
	}
)

// expired is what next returns when its timer fired.
type expired struct{}

// result carries what await's helper came to.
type result struct {
	n int
	v any
}

// post hands an event to the call; it blocks while the mailbox is full and
// returns when the call is over.
func (c *Call) post(e any) {
	select {
	case c.mail <- e:
	case <-c.gone:
	}
}

// run is the whole life of a call, top to bottom.
func (c *Call) run() {
	defer c.m.forget(c)
	defer close(c.gone)
	defer c.recovered()
	defer c.finish() // hang up what is left, stop media, write the record
	defer c.recovered()
	c.limit = time.NewTimer(c.m.MaxLength)
	defer c.limit.Stop()

	defer c.returned()
	if err := c.begin(); err != nil {
		return
	}
	if c.returns != nil {
		c.bringBack()
		return
	}
	if c.campaign != nil {
		c.attemptTarget()
		return
	}
	if c.supervise != nil {
		c.superviseCall()
		return
	}
	if c.into != nil {
		c.bringIn()
		return
	}
	if leg := c.caller.leg; leg.Replaces != nil {
		c.replace(leg.Replaces)
		return
	}
	d, err := c.route()
	if err != nil {
		return
	}
	for steps := d.Steps; c.carryOut(steps); {
		steps = c.move()
	}
}

// carryOut does the steps of a plan in order. It returns true when the call is
// not over and wants another plan: there is a transfer or a consultation.
func (c *Call) carryOut(steps []routing.Step) bool {
	for i := 0; i < len(steps) && i < maxSteps; i++ {
		if done := c.do(steps[i]); done {
			break
		}
	}
	if c.cause.Reason == "" && !c.moves() && c.consult == nil {
		if c.failed.Reason == "" {
			c.failed = pbx.NewCause(pbx.PartyPBX, pbx.NoRoute)
		}
		_ = c.noWay(c.failed) // it is over, whatever is heard
	}
	return c.cause.Reason == ""
}

// follow does the steps that a step leads to, see [routing.Continue]. It returns true
// when the plan is over; otherwise it goes on behind that step.
func (c *Call) follow(list []pbx.Step) bool {
	f := routing.Continue(c.asked, list)
	if len(f.Why) > 0 {
		c.why(f.Why...)
	}
	c.recordAlso(f.Record, f.Notice)
	return c.branch(f.Steps)
}

// branch does steps within a step.
func (c *Call) branch(steps []routing.Step) bool {
	for _, s := range steps {
		if c.do(s) {
			return true
		}
	}
	return false
}

// do is the table of what the PBX can do with a caller. It returns true when
// the plan is over: the call is, or a transfer has taken the plan's place.
func (c *Call) do(s routing.Step) bool {
	if c.campaign.late() {
		return false
	}
	c.failed = pbx.Cause{}
	if _, rejects := s.(routing.Reject); !rejects {
		c.spoke = false
	}
	switch s := s.(type) {
	case routing.Ring:
		return c.ring(s)
	case routing.Dial:
		return c.dial(s)
	case routing.Play:
		return c.play(s)
	case routing.Feature:
		return c.feature(s)
	case routing.Park:
		return c.park(s)
	case routing.Page:
		return c.page(s)
	case routing.Confer:
		return c.confer(s)
	case routing.Menu:
		return c.menu(s)
	case routing.Leave:
		return c.leave(s)
	case routing.Queue:
		return c.queue(s)
	case routing.Reject:
		if t := c.transfer; t != nil {
			c.guardedPlan(t.who, c.company.E164(t.to), s.Cause)
		} else {
			c.guardedPlan(c.caller.number, c.decision.To, s.Cause)
		}
		if c.failed = s.Cause; c.transfer == nil && c.consult == nil {
			_ = c.noWay(s.Cause)
		}
		return true
	}
	c.log.Error("unknown step", "step", fmt.Sprintf("%T", s))
	return false
}

// begin notes the arrival and makes the caller's leg ready: its session for a
// caller who called us, a picked-up phone for one whom we call first.
func (c *Call) begin() error {
	c.note(c.arrival())
	c.noteCampaign()
	if c.refused != nil {
		c.refusedAtOnce()
		return c.end(*c.refused)
	}
	c.m.Library.Ready(c.company, pbx.DefaultMusic) // for whoever waits later
	if c.originate != "" {
		return c.ringCaller()
	}
	if c.into != nil || c.campaign != nil {
		return nil
	}
	return c.openCaller()
}

func (c *Call) arrival() pbx.CallEvent {
	e := pbx.CallEvent{Kind: pbx.Arrived, At: c.arrived, Who: c.caller.who, From: c.caller.who, To: c.dialled,
		Trunk: c.caller.trunk, Name: c.caller.name, Direction: pbx.Out}
	if c.caller.leg != nil {
		e.Leg = c.caller.leg.ID
		e.Identity = identityOf(c.caller.leg)
	}
	switch {
	case c.campaign != nil:
	case c.into != nil && c.into.from != "":
		e.Direction = pbx.InternalTo
		if c.caller.number == "" {
			e.Direction = pbx.In
		}
	case c.caller.trunk != "":
		e.Direction, e.To = pbx.In, c.company.E164(c.dialled)
	case c.supervise != nil || strings.HasPrefix(c.dialled, "*") || c.company.Inside(c.dialled):
		e.Direction = pbx.InternalTo
	}
	return e
}

// route asks for the plan of the call. The caller hears that it rings while
// the CRM thinks.
func (c *Call) route() (routing.Decision, error) {
	if leg := c.caller.leg; !c.caller.answered {
		t := time.AfterFunc(ringback, func() { leg.Ring(180, nil) })
		defer t.Stop()
	}
	c.asked = routing.Request{Company: c.company, Direction: c.trace[0].Direction, From: c.caller.who, To: c.dialled,
		Trunk: c.caller.trunk, Caller: c.company.Extensions[c.caller.number], At: time.Now()}
	r := c.asked
	found, err := await(c, func(ctx context.Context) routed { return routed{c.m.Router.Route(ctx, r, c.id), c.announcement(ctx)} })
	d := found.d
	if err != nil {
		return d, err
	}
	c.decision, c.tape.notice = d, found.notice
	if d.Lookup != nil {
		c.note(pbx.CallEvent{Kind: pbx.LookedUp, CRM: d.Lookup})
	}
	c.note(pbx.CallEvent{Kind: pbx.Routed, Why: d.Why, Direction: d.Direction, To: d.To})
	if d.Record {
		if err := c.caller.media.Admit(media.Record); err != nil { // rather no call than one without its recording
			return d, c.end(c.mediaCause(pbx.PartyPBX, err))
		}
	}
	return d, nil
}

// next is the only place where a call waits. The caller's end unwinds the call;
// hold, commands and media trouble are dealt with here, whatever the step.
func (c *Call) next(timer <-chan time.Time) (any, error) {
	for {
		select {
		case e := <-c.mail:
			if pass, err := c.handle(e); err != nil || pass {
				return e, err
			}
		case <-c.dues():
			c.attendTape()
		case <-c.freed:
			return turned{}, nil
		case <-timer:
			return expired{}, nil
		case <-c.limit.C:
			return nil, c.end(pbx.NewCause(pbx.PartyPBX, pbx.TooLong))
		}
	}
}

// pause lets time pass in which nothing but what can happen at any time is done. An
// error means that the call is over.
func (c *Call) pause(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		e, err := c.next(timer.C)
		if err != nil {
			return err
		}
		if _, done := e.(expired); done {
			return nil
		}
	}
}

// handle deals with what can happen at any time. It tells whether the step
// that is going on has to see the event, too.
func (c *Call) handle(e any) (pass bool, err error) {
	switch e := e.(type) {
	case sip.LegEnded:
		return c.legEnded(e)
	case sip.Rang:
		return c.party(e.L) != nil, nil
	case sip.PickedUp:
		return c.party(e.L) != nil, nil
	case sip.Confirmed:
		return false, c.confirmed(e)
	case sip.Offered:
		c.offered(e)
	case sip.OfferAnswered:
		return false, c.offerAnswered(e)
	case sip.Referred:
		c.referred(e)
		return c.moves(), nil
	case sip.Pressed:
		c.byInfo(e)
	case media.DTMF:
		p := c.sounding(e.S)
		switch {
		case c.typing(p, e.Digit), c.campaign.waits(p):
			return true, nil
		case c.search.asking(p):
			return true, nil
		case p != nil && p == c.caller && c.guest != nil:
			c.roomKey(e.Digit)
			return false, nil
		}
		if c.endsTalk(p, e.Digit) {
			return false, c.endedBy(p, pbx.NewCause(pbx.PartyCallee, pbx.Hangup))
		}
		c.pressed(p, e.Digit)
		return c.moves(), nil
	case media.KeyOut:
		c.keyOut(e)
	case cameIn, lonely, mutedNews, shownOut, roomRecording:
		return false, c.fromRoom(e)
	case referNews:
		if c.party(e.l) != nil {
			e.l.ReferProgress(e.status)
		}
	case surrender:
		return false, c.surrender(e)
	case adopt:
		return c.adopt(e)
	case lend:
		c.lend(e)
	case lineNews:
		return true, nil
	case command:
		e.reply <- e.do(c)
		return c.moves() || c.sending != nil, nil
	case media.Timeout:
		return false, c.silent(e.S)
	case media.PlayDone:
		return c.caller.media == e.S || c.announcing(e.S) || c.search.asking(c.sounding(e.S)) || c.campaign.waits(c.sounding(e.S)), nil
	case media.Detected:
		return c.caller.media == e.S, nil
	case media.Beep:
		return c.caller.media == e.S, nil
	case media.GreetingEnd:
		return c.caller.media == e.S, nil
	case result:
		return e.n == c.awaits, nil
	case hangup:
		return false, c.end(e.cause)
	}
	return false, nil
}

// beside runs f beside the call, which gets a result of that number. drop ends the context
// of f; whoever begins anything else beside the call does not hear of the result any more.
// It holds the only go statement in this package outside Manager.
func (c *Call) beside(f func(context.Context) any) (n int, drop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c.awaits++
	n = c.awaits
	go func() {
		defer func() {
			if r := recover(); r != nil {
				c.broke(r)
				c.post(hangup{pbx.NewCause(pbx.PartyPBX, pbx.Broken)})
			}
		}()
		c.post(result{n, f(ctx)})
	}()
	return n, cancel
}

// await runs f beside the call, which goes on hearing its events meanwhile.
func await[T any](c *Call, f func(context.Context) T) (T, error) {
	_, cancel := c.beside(func(ctx context.Context) any { return f(ctx) })
	defer cancel()
	for {
		e, err := c.next(nil)
		if err != nil {
			var zero T
			return zero, err
		}
		if r, ok := e.(result); ok {
			return r.v.(T), nil
		}
		if c.search != nil {
			c.search.keep(e)
		}
	}
}

// end notes why and when the call is over; the first cause counts.
func (c *Call) end(cause pbx.Cause) error {
	if c.cause.Reason == "" {
		if cause.Reason == pbx.NoCodec && c.tight {
			cause = pbx.NewCause(pbx.PartyPBX, pbx.Overloaded)
		}
		c.cause, c.endedAt = cause, time.Now()
	}
	return errOver
}

func (c *Call) recovered() {
	if r := recover(); r != nil {
		c.broke(r)
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
	}
}

// broke tells of a panic: one call is lost, not the process.
func (c *Call) broke(panicked any) {
	c.log.Error("call broke", "panic", panicked, "stack", string(debug.Stack()))
	c.m.metrics.panics.Inc()
}

// finish lets go of everybody, closes the recording and writes the record.
func (c *Call) finish() {
	if c.cause.Reason == "" {
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
	}
	c.part()
	c.stopRecording()
	c.dropSupervisors()
	for _, p := range slices.Clone(c.parties) {
		c.letGo(p, c.cause)
	}
	if t := c.transfer; t != nil && t.by != nil {
		c.tell(t, c.cause)
		c.letGo(t.by, c.cause)
	}
	if k := c.consult; k != nil {
		c.letGo(k.waits, c.cause)
	}
	if c.into != nil {
		c.into.report(c.cause)
	}
	if k := c.campaign; k != nil && k.operator != nil {
		c.letGo(k.operator, c.cause)
	}
	if !c.caller.over && c.caller.leg != nil { // nil: none of the caller's own phones has answered
		c.letGo(c.caller, c.cause)
	}
	cause := c.cause
	c.trace = append(c.trace, pbx.CallEvent{At: c.endedAt, Kind: pbx.Ended, Who: c.hungUp, Cause: &cause, Other: c.moved})
	cdr := pbx.Summarize(c.company.ID, c.id, c.trace)
	cdr.Ladder = c.ladder()
	c.cdr = cdr
	ctx, cancel := context.WithTimeout(context.Background(), saveBound)
	defer cancel()
	if err := c.m.Journal.Record(ctx, c.company.ID, cdr, c.trace); err != nil {
		c.log.Error("record of the call is lost", "error", err)
		c.m.metrics.lost.Inc()
	}
	c.m.Publish(pbx.Live{Tenant: c.company.ID, Call: c.id, CallEvent: c.trace[len(c.trace)-1]})
	c.m.metrics.ended(cdr)
	c.log.Info("call ended", "direction", cdr.Direction, "outcome", cdr.Outcome, "reason", cause.Reason,
		"party", cause.Party, "wait", cdr.Wait, "talk", cdr.Talk)
}

// note appends to the trace and tells whoever watches. A peer that rings, holds
// and resumes without end does not make the trace grow without end.
func (c *Call) note(e pbx.CallEvent) {
	c.m.busy.note(c, e)
	if len(c.trace) >= maxTrace && repeatable(e.Kind) {
		return
	}
	switch {
	case !c.endedAt.IsZero():
		e.At = c.endedAt
	case e.At.IsZero():
		e.At = time.Now()
	}
	c.trace = append(c.trace, e)
	c.snapshot(e)
	c.m.Publish(pbx.Live{Tenant: c.company.ID, Call: c.id, CallEvent: e})
	if e.Kind == pbx.LegEnded {
		c.m.desks.poke(c.company.ID) // an agent may be free
	}
	if err := c.m.Journal.JournalCall(context.Background(), c.company.ID, c.id, c.trace); err != nil {
		c.log.Warn("journal not written", "error", err)
	}
}

// repeatable tells whether a peer alone decides how often an event happens.
func repeatable(k pbx.EventKind) bool {
	return k == pbx.Ringing || k == pbx.EarlyMedia || k == pbx.Held || k == pbx.Resumed || k == pbx.Pressed ||
		k == pbx.RecordPaused || k == pbx.RecordResumed
}

// why adds a line to what a manager reads, with no event of its own kind.
func (c *Call) why(lines ...string) {
	c.note(pbx.CallEvent{Kind: pbx.Noted, Why: lines})
}

// blame notes who could not be called, or is silent, and why.
func (c *Call) blame(who string, cause pbx.Cause, why string) {
	c.note(pbx.CallEvent{Kind: pbx.Noted, Who: who, Cause: &cause, Why: []string{why}})
}

// pass notes that somebody could not be called, and goes on.
func (c *Call) pass(who string, cause pbx.Cause, why string) {
	c.fail(cause)
	c.blame(who, cause, why)
}

// passTrunk is pass about a trunk.
func (c *Call) passTrunk(name string, cause pbx.Cause, why string) {
	c.fail(cause)
	c.note(pbx.CallEvent{Kind: pbx.Noted, Who: name, Trunk: name, Cause: &cause, Why: []string{why}})
}

// snapshot renews what Live shows of this call.
func (c *Call) snapshot(e pbx.CallEvent) {
	i := pbx.CallInfo{ID: c.id, Tenant: c.company.ID, Started: c.arrived}
	if old := c.info.Load(); old != nil {
		i = *old
	}
	switch e.Kind {
	case pbx.Arrived:
		i.Direction, i.From, i.To, i.State = e.Direction, e.From, e.To, e.Kind
	case pbx.Routed:
		if e.To != "" {
			i.Direction, i.To = e.Direction, e.To
		}
	case pbx.Ringing:
		i.State, i.With = e.Kind, e.Who
	case pbx.Bridged, pbx.Served:
		i.State, i.With = e.Kind, e.Who
		if e.Kind == pbx.Served {
			i.With = e.Text
		}
		if i.Answered == nil {
			i.Answered = &e.At
		}
	case pbx.Carded:
		i.Card, i.With = e.Card, e.Who
	case pbx.Held, pbx.Resumed, pbx.Transferring:
		i.State = e.Kind
	case pbx.Parked, pbx.Queued:
		i.State, i.With = e.Kind, e.To
	case pbx.JoinedRoom:
		i.State, i.With = e.Kind, e.To
		if i.Answered == nil {
			i.Answered = &e.At
		}
	case pbx.RecordStart, pbx.RecordResumed:
		i.Recording = pbx.RecordingOn
	case pbx.RecordPaused:
		i.Recording = pbx.RecordingPaused
	case pbx.RecordEnd, pbx.LeftRoom:
		if c.recorder == nil {
			i.Recording = ""
		}
	}
	c.info.Store(&i)
}
