package phone

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// The timers of RFC 3261 §17.
const (
	t1      = 500 * time.Millisecond
	t2      = 4 * time.Second
	timeout = 64 * t1
)

// maxServerTx bounds the transactions others can open on the phone.
const maxServerTx = 4096

// ErrTimeout is the end of a request that nobody answered (timers B and F).
var ErrTimeout = errors.New("no answer to the request")

// clientTx is a client transaction. It belongs to the loop.
type clientTx struct {
	p       *Phone
	r       *request
	raw     []byte
	ack     []byte // of an error to an INVITE
	hop     hop
	key     string
	final   bool
	repeat  *alarm // timers A and E
	expiry  *alarm // timers B and F, later D and K
	backoff time.Duration
	on      func(*sip.Response, error)
}

// start sends r in a transaction of its own. The callback gets every provisional
// answer, the final one, repetitions of a 2xx to INVITE, or one error.
func (p *Phone) start(r *request, h hop, on func(*sip.Response, error)) *clientTx {
	branch := ""
	if r.method == "CANCEL" { // RFC 3261 §9.1: in the branch of its INVITE
		branch = r.tx.branch()
	} else {
		r.via, branch = p.newVia(h)
	}
	tx := &clientTx{p: p, r: r, raw: r.bytes(), hop: h, key: branch + r.method, backoff: t1, on: on}
	r.tx = tx
	p.clients[tx.key] = tx
	p.send(h, tx.raw)
	if h.stream == nil {
		tx.repeat = p.clock.after(t1, tx.again)
	}
	tx.expiry = p.clock.after(timeout, func() { tx.fail(ErrTimeout) })
	return tx
}

func (tx *clientTx) branch() string { return tx.key[:len(tx.key)-len(tx.r.method)] }

// again repeats the request (timers A and E).
func (tx *clientTx) again() {
	tx.p.send(tx.hop, tx.raw)
	tx.backoff *= 2
	if tx.r.method != "INVITE" {
		tx.backoff = min(tx.backoff, t2)
	}
	tx.repeat = tx.p.clock.after(tx.backoff, tx.again)
}

func (tx *clientTx) receive(res *sip.Response) {
	invite := tx.r.method == "INVITE"
	switch {
	case tx.final && invite && res.StatusCode >= 300:
		tx.p.send(tx.hop, tx.ack)
	case tx.final && invite && res.StatusCode >= 200:
		tx.on(res, nil)
	case tx.final:
	case res.StatusCode < 200:
		if invite { // RFC 3261 §17.1.1.2: it may ring as long as it likes
			tx.stop()
		} else {
			tx.backoff = t2
		}
		tx.on(res, nil)
	default:
		tx.complete(res)
	}
}

// complete deals with the first final answer and keeps the transaction for its
// repetitions (timers D and K, RFC 6026 timer M).
func (tx *clientTx) complete(res *sip.Response) {
	tx.stop()
	tx.final = true
	keep := 5 * time.Second
	if tx.r.method == "INVITE" {
		keep = timeout
		if res.StatusCode >= 300 {
			// RFC 3261 §17.1.1.3
			ack := &request{
				method: "ACK", uri: tx.r.uri, via: tx.r.via, from: tx.r.from, to: res.To().Value(),
				callID: tx.r.callID, cseq: tx.r.cseq, routes: tx.r.routes,
			}
			tx.ack = ack.bytes()
			tx.p.send(tx.hop, tx.ack)
		}
	}
	tx.expiry = tx.p.clock.after(keep, tx.forget)
	tx.on(res, nil)
}

func (tx *clientTx) stop() {
	tx.p.clock.stop(tx.repeat)
	tx.p.clock.stop(tx.expiry)
	tx.repeat, tx.expiry = nil, nil
}

func (tx *clientTx) forget() {
	tx.stop()
	delete(tx.p.clients, tx.key)
}

// fail ends a transaction that has no final answer.
func (tx *clientTx) fail(err error) {
	tx.forget()
	if !tx.final {
		tx.final = true
		tx.on(nil, fmt.Errorf("%s to %v: %w", tx.r.method, tx.hop.peer, err))
	}
}

// transact sends r, answers challenges, and passes on everything else.
func (p *Phone) transact(r *request, h hop, on func(*sip.Response, error)) {
	p.preempt(r)
	p.start(r, h, func(res *sip.Response, err error) {
		if err == nil && (res.StatusCode == 401 || res.StatusCode == 407) && p.answerChallenge(r, res) {
			if r.next != nil {
				r.cseq = r.next()
			} else {
				r.cseq++
			}
			p.transact(r, h, on)
			return
		}
		on(res, err)
	})
}

// serverTx is a server transaction. It belongs to the loop.
type serverTx struct {
	p       *Phone
	req     *sip.Request
	hop     hop
	key     string
	last    []byte // response to repeat
	status  int
	repeat  *alarm // timer G, and the repetition of 2xx (RFC 3261 §13.3.1.4)
	expiry  *alarm // timers H, I and J
	backoff time.Duration
	acked   bool
	onAcked func(ok bool) // of a 2xx to INVITE
}

// serverKey identifies the transaction of a request (RFC 3261 §17.2.3).
func serverKey(req *sip.Request) string {
	via := req.Via()
	branch, _ := via.Params.Get("branch")
	method := string(req.Method)
	if method == "ACK" {
		method = "INVITE"
	}
	return branch + " " + via.SentBy() + " " + method
}

// receiveRequest sorts a request to its transaction, or makes one.
func (p *Phone) receiveRequest(req *sip.Request, h hop) {
	h = p.backTo(req, h)
	key := serverKey(req)
	tx := p.servers[key]
	if req.Method == sip.ACK {
		if tx != nil && tx.status >= 300 {
			tx.acknowledged(false)
			return
		}
		p.receiveACK(req)
		return
	}
	if tx != nil {
		if tx.last != nil && !(tx.acked && tx.status >= 200) {
			p.send(tx.hop, tx.last)
		}
		return
	}
	if len(p.servers) >= maxServerTx {
		return
	}
	tx = &serverTx{p: p, req: req, hop: h, key: key, backoff: t1}
	p.servers[key] = tx
	p.dispatch(tx)
}

// backTo is where the answers go: the source with rport, else the port of Via at
// the source's address (RFC 3261 §18.2.2, RFC 3581 §4).
func (p *Phone) backTo(req *sip.Request, h hop) hop {
	via := req.Via()
	if h.stream != nil || via.Params.Has("rport") {
		return h
	}
	port := via.Port
	if port == 0 {
		port = 5060
	}
	return hop{peer: netip.AddrPortFrom(h.peer.Addr(), uint16(port))}
}

// reply sends a response and, after a final one, keeps the transaction for
// repeated requests.
func (tx *serverTx) reply(res *sip.Response) {
	if tx.status >= 200 {
		return
	}
	tx.status = res.StatusCode
	tx.last = []byte(res.String())
	tx.p.send(tx.hop, tx.last)
	switch {
	case tx.status < 200:
	case tx.req.Method == sip.INVITE:
		if tx.hop.stream == nil || tx.status < 300 {
			tx.repeat = tx.p.clock.after(t1, tx.again)
		}
		tx.expiry = tx.p.clock.after(timeout, func() { tx.finish(false) })
	default:
		tx.expiry = tx.p.clock.after(timeout, tx.forget)
	}
}

// answer is reply for a status without a body.
func (tx *serverTx) answer(status int, headers ...sip.Header) {
	tx.reply(tx.p.response(tx.req, status, "", newTag(), nil, headers...))
}

func (tx *serverTx) again() {
	tx.p.send(tx.hop, tx.last)
	tx.backoff = min(2*tx.backoff, t2)
	tx.repeat = tx.p.clock.after(tx.backoff, tx.again)
}

// acknowledged ends the repetition of a final answer to INVITE; success says it
// was a 2xx.
func (tx *serverTx) acknowledged(success bool) {
	if tx.acked {
		return
	}
	tx.acked = true
	tx.p.clock.stop(tx.repeat)
	tx.p.clock.stop(tx.expiry)
	tx.expiry = tx.p.clock.after(5*time.Second, tx.forget) // timer I
	if success && tx.onAcked != nil {
		tx.onAcked(true)
	}
}

// finish gives up waiting for the ACK.
func (tx *serverTx) finish(ok bool) {
	tx.forget()
	if tx.status < 300 && tx.onAcked != nil {
		tx.onAcked(ok)
	}
}

func (tx *serverTx) forget() {
	tx.p.clock.stop(tx.repeat)
	tx.p.clock.stop(tx.expiry)
	delete(tx.p.servers, tx.key)
}

// mute stops every repetition; the transaction stays, so that a repeated request
// is not taken for a new one.
func (tx *serverTx) mute() {
	tx.p.clock.stop(tx.repeat)
	tx.p.clock.stop(tx.expiry)
	tx.last, tx.status = nil, max(tx.status, 200)
}

// retryAfter is a header for refusals.
func retryAfter(seconds int) sip.Header {
	return sip.NewHeader("Retry-After", strconv.Itoa(seconds))
}
