package sip

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// Reliable provisional responses (RFC 3262), both ways.

// reliably is the option tag of the extension.
const reliably = "100rel"

// reliable is a provisional response of ours that the peer has to confirm by a
// PRACK. There is at most one at a time (RFC 3262 §3).
type reliable struct {
	res   *msg.Response
	rseq  uint32
	cseq  uint32 // of the INVITE
	sdp   bool   // it describes the session
	pause time.Duration
	until time.Time // 64·T1
}

// rack is the value of a RAck header (RFC 3262 §7.2).
type rack struct {
	rseq, cseq uint32
	method     string
}

// parseRSeq reads the value of an RSeq header: 1 to 2^32-1 (RFC 3262 §7.1).
func parseRSeq(v string) (uint32, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 32)
	return uint32(n), err == nil && n > 0
}

// parseRAck reads the value of a RAck header: "776656 1 INVITE".
func parseRAck(v string) (rack, bool) {
	f := strings.Fields(v)
	if len(f) != 3 {
		return rack{}, false
	}
	rseq, ok := parseRSeq(f[0])
	cseq, err := strconv.ParseUint(f[1], 10, 32)
	return rack{rseq, uint32(cseq), f[2]}, ok && err == nil
}

// inOrder says whether a provisional response to our INVITE may be used, and
// confirms it when it asks for that. One that comes again, or before its turn,
// is dropped: the PRACK is repeated by its own transaction, and the peer repeats
// what was not confirmed (RFC 3262 §4).
func (l *Leg) inOrder(res *msg.Response) bool {
	if !oneOf(reliably, options(res, "require")...) {
		return true
	}
	rseq, ok := parseRSeq(value(res, "rseq"))
	if !ok {
		l.log.Info("sip: reliable provisional without number", "code", res.StatusCode)
		return true
	}
	tag := toTag(res)
	i := slices.IndexFunc(l.seen, func(s seenReliable) bool { return s.tag == tag })
	switch {
	case i < 0 && len(l.seen) >= maxForks:
		return false
	case i < 0:
		l.seen = append(l.seen, seenReliable{tag, rseq})
	case rseq != l.seen[i].rseq+1:
		return false
	default:
		l.seen[i].rseq = rseq
	}
	l.prack(res, rseq)
	return true
}

// seenReliable is the last reliable provisional response of one fork.
type seenReliable struct {
	tag  string
	rseq uint32
}

// prack confirms a reliable provisional response, inside the early dialog that
// it made (RFC 3262 §4). The sequence numbers are shared by all early dialogs,
// so each sees them grow.
func (l *Leg) prack(res *msg.Response, rseq uint32) {
	d := l.d
	if err := d.establish(res); err != nil {
		l.log.Warn("sip: provisional cannot be confirmed", "error", err)
		return
	}
	l.d.localSeq++
	d.localSeq = l.d.localSeq
	req, err := d.request(msg.PRACK, d.localSeq)
	if err != nil {
		l.log.Warn("sip: PRACK not sent", "error", err)
		return
	}
	header(req, "RAck", strconv.FormatUint(uint64(rseq), 10)+" "+strconv.FormatUint(uint64(res.CSeq().SeqNo), 10)+" INVITE")
	l.send(&attempt{kind: kindPrack, req: req, d: &d, way: l.wayOf(&d)})
}

// provide sends a provisional response to the peer's INVITE: reliably when the
// peer requires that, or supports it and the response describes the session
// (RFC 3262 §3).
func (l *Leg) provide(code int, sdp []byte) {
	x := l.theirs
	required, able := oneOf(reliably, options(x.req, "require")...), oneOf(reliably, options(x.req, "supported")...)
	if l.rel == nil && !required && !(able && sdp != nil) {
		l.ringing = l.outcome(x, code, sdp)
		l.respond(x, l.ringing)
		return
	}
	if bytes.Equal(sdp, l.described) {
		sdp = nil // it has that description already
	}
	if l.rel != nil {
		if sdp == nil && l.waits != nil {
			sdp = l.waits.sdp
		}
		l.waits = &ringing{code, sdp}
		return
	}
	if l.rseq == 0 {
		l.rseq = rand.Uint32N(1 << 30)
	}
	l.rseq++
	res := l.outcome(x, code, sdp)
	header(res, "Require", reliably)
	header(res, "RSeq", strconv.FormatUint(uint64(l.rseq), 10))
	l.ringing = res
	l.rel = &reliable{res, l.rseq, x.req.CSeq().SeqNo, sdp != nil, firstRepeat, time.Now().Add(ackWithin)}
	l.respond(x, res)
	l.after(clockReliable, firstRepeat)
}

// repeatReliable sends a provisional response again until its PRACK comes, and
// refuses the call when none comes within 64·T1 (RFC 3262 §3).
func (l *Leg) repeatReliable() {
	if l.rel == nil || l.theirs == nil || l.phase != early {
		return
	}
	if !time.Now().Before(l.rel.until) {
		c := pbx.NewCause(l.peer(), pbx.NoACK)
		c.SIP = 504
		l.reject(c)
		return
	}
	l.respond(l.theirs, l.rel.res)
	l.rel.pause *= 2
	l.clock[clockReliable] = time.Now().Add(l.rel.pause)
	if l.clock[clockReliable].After(l.rel.until) {
		l.clock[clockReliable] = l.rel.until
	}
}

// onPrack takes a PRACK (RFC 3262 §3). One for a response that does not wait
// for it is none of ours: 481.
func (l *Leg) onPrack(x *exchange) {
	k, ok := parseRAck(value(x.req, "rack"))
	r := l.rel
	switch {
	case r == nil:
		l.close(x, 481)
		return
	case !ok:
		l.close(x, 400)
		return
	case k != (rack{r.rseq, r.cseq, "INVITE"}):
		l.close(x, 481)
		return
	}
	l.rel = nil
	l.stop(clockReliable)
	if r.sdp {
		l.described = l.sent
	}
	code := 200
	switch inv, sdp := l.invited(), sdpOf(x.req); {
	case sdp == nil:
	case inv != nil && inv.offerless && inv.answer == nil && r.sdp:
		inv.answer = sdp // to the offer in our provisional response (RFC 3262 §5)
	case l.phase == early && l.aside == nil && l.agreed(x): // another offer (RFC 3262 §5)
		l.offeredEarly(x)
		return
	default:
		code = 488 // the one before has no answer
	}
	l.close(x, code)
	l.proceed()
}

// invited is the initial INVITE of the peer while it has no ACK.
func (l *Leg) invited() *exchange {
	if l.theirs != nil {
		return l.theirs
	}
	return l.unacked
}

// proceed does what had to wait for a PRACK.
func (l *Leg) proceed() {
	next, picked := l.waits, l.picked
	l.waits, l.picked = nil, nil
	switch {
	case l.phase != early || l.theirs == nil:
	case picked != nil:
		l.onAnswer(picked.sdp)
	case next != nil:
		l.provide(next.code, next.sdp)
	}
}
