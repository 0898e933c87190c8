package phone

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// State is how far a call is.
type State int

// The states of a call.
const (
	Calling  State = iota // INVITE sent, nothing heard
	Ringing               // 18x seen, or an incoming call that is not answered
	Answered              // 200 sent or received
	Ended
)

// String is the state in lower case.
func (s State) String() string {
	return [...]string{"calling", "ringing", "answered", "ended"}[s]
}

// Provisional is an 18x answer to our INVITE.
type Provisional struct {
	Status  int
	Reason  string
	SDP     []byte
	At      time.Time
	Message *sip.Response
}

// End is how a call ended.
type End struct {
	By     string // us, peer, or network when nobody answered
	Status int    // of the final answer or, for an answered call, 200; 487 when cancelled
	Phrase string // of the final answer
	Reason string // the Reason header of BYE, CANCEL or the final answer (RFC 3326)
	At     time.Time
}

// StatusError is an answer that was not a success.
type StatusError struct {
	Status int
	Reason string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%d %s", e.Status, e.Reason) }

// Call is a call, ours or theirs. Its methods may be called by any goroutine; those
// with a context wait.
type Call struct {
	p        *Phone
	outgoing bool

	progress chan struct{} // closed at the first 18x
	answered chan struct{} // closed with the 200
	acked    chan struct{} // closed when the ACK of our 200 has come
	done     chan struct{} // closed at the end

	// Everything below is owned by the loop.
	state     State
	status    int
	ringing   []Provisional
	ending    End
	misbehave Misbehave
	gone      bool
	first     sip.Message // INVITE of an incoming call, final answer of an outgoing one

	// The dialog (RFC 3261 §12).
	callID              string
	localTag, remoteTag string
	local, remote       string // name-addr or URI in brackets, without tag
	target              string // request URI of requests in the dialog
	routes              []string
	localSeq, remoteSeq uint32
	hop                 hop
	allowsUpdate        bool

	// Our INVITE that has no final answer, or theirs.
	invite     *request
	inviteTx   *serverTx
	rseq       int // of our last reliable 18x
	cancelling bool
	cancelSent bool
	reinviting bool
	ackRaw     []byte // of the last 2xx to an INVITE of ours

	// Offer and answer.
	offered   bool // we made the offer
	held      bool
	sdpID     uint64
	version   uint64
	lastLocal []byte
	lastRaw   []byte // their last SDP
	remoteSDP *description
	onOffer   func(offer []byte) (status int, answer []byte)
	offers    int // re-INVITEs and UPDATEs with an offer that the peer sent

	referrals []*referral // REFERs of ours, oldest first
	infoKeys  string      // digits that came in INFO

	timer session
	audio *media
}

// newCall makes a call with a media socket. Only the loop may call it.
func (p *Phone) newCall() (*Call, error) {
	m, err := p.openMedia()
	if err != nil {
		return nil, err
	}
	return &Call{
		p: p, audio: m, misbehave: p.cfg.Misbehave, localTag: newTag(), sdpID: uint64(time.Now().Unix()), version: 1,
		progress: make(chan struct{}), answered: make(chan struct{}), acked: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

func (c *Call) key() string { return c.callID + " " + c.localTag }

// State is how far the call is.
func (c *Call) State() State {
	var s State
	c.p.do(func() { s = c.state })
	return s
}

// Status is the final answer to the INVITE, 0 before there is one.
func (c *Call) Status() int {
	var s int
	c.p.do(func() { s = c.status })
	return s
}

// Ringing lists the 18x answers in the order of arrival.
func (c *Call) Ringing() []Provisional {
	var list []Provisional
	c.p.do(func() { list = slices.Clone(c.ringing) })
	return list
}

// RemoteDisplay is the display name in From of the INVITE; "" for a call of ours.
func (c *Call) RemoteDisplay() string {
	if from := c.from(); from != nil {
		return unquote(from.DisplayName)
	}
	return ""
}

// RemoteNumber is the user part of From of the INVITE, or of our target.
func (c *Call) RemoteNumber() string {
	if from := c.from(); from != nil {
		return from.Address.User
	}
	user, _, _ := strings.Cut(strings.TrimPrefix(strings.Trim(c.remote, "<>"), "sip:"), "@")
	return user
}

// DialledNumber is the user part of the request URI of an incoming call.
func (c *Call) DialledNumber() string {
	if c.outgoing {
		return ""
	}
	return c.first.(*sip.Request).Recipient.User
}

func (c *Call) from() *sip.FromHeader {
	if c.outgoing {
		return nil
	}
	return c.first.From()
}

// Header is the first value of a header of the INVITE of an incoming call, or of
// the final answer to a call of ours.
func (c *Call) Header(name string) string {
	var value string
	c.p.do(func() { value = headerOf(c.first, name) })
	return value
}

// Headers are all values of a header of the same message.
func (c *Call) Headers(name string) []string {
	var list []string
	c.p.do(func() {
		for _, h := range c.first.GetHeaders(name) {
			list = append(list, h.Value())
		}
	})
	return list
}

// HeaderLines are the headers of the same message with these names, as they are
// written, by name.
func (c *Call) HeaderLines(names ...string) []string {
	var list []string
	c.p.do(func() {
		for _, name := range names {
			for _, h := range c.first.GetHeaders(name) {
				list = append(list, name+": "+h.Value())
			}
		}
	})
	return list
}

// CallID is the Call-ID of the dialog.
func (c *Call) CallID() string { return c.callID }

// LastRemoteSDP is the description the peer sent last.
func (c *Call) LastRemoteSDP() []byte {
	var raw []byte
	c.p.do(func() { raw = c.lastRaw })
	return raw
}

// OnHold reports whether the peer's last description does not want to hear us.
func (c *Call) OnHold() bool {
	var held bool
	c.p.do(func() {
		held = c.remoteSDP != nil && (c.remoteSDP.direction == sendonly || c.remoteSDP.direction == inactive)
	})
	return held
}

// Offers is how many re-INVITEs and UPDATEs came from the peer.
func (c *Call) Offers() int {
	var n int
	c.p.do(func() { n = c.offers })
	return n
}

// OnReInvite sets who answers re-INVITEs: f gets the offer (nil when there is
// none) and returns the status and, for 200, the SDP (nil lets the phone answer).
// It runs in the loop and must not call the phone or the call.
func (c *Call) OnReInvite(f func(offer []byte) (status int, answer []byte)) {
	c.p.do(func() { c.onOffer = f })
}

// Misbehave sets the faults of the call from now on.
func (c *Call) Misbehave(m Misbehave) {
	c.p.do(func() {
		c.misbehave = m
		c.audio.silence(m.Mute)
	})
}

// Say makes it speak in the place of the tone: these samples, 8000 a second, once from its
// first packet on, then silence. It is called before the answer.
func (c *Call) Say(samples []int16) { c.p.do(func() { c.audio.say(samples) }) }

// Gone makes this call that of a crashed phone: nothing is answered or sent any
// more, audio included.
func (c *Call) Gone() {
	c.p.do(func() {
		c.gone = true
		c.audio.silence(true)
		if c.inviteTx != nil {
			c.inviteTx.mute()
		}
	})
}

// Done is closed when the call has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// WaitRinging waits for the first 18x to a call of ours. An answer without 18x
// counts.
func (c *Call) WaitRinging(ctx context.Context) error {
	select {
	case <-c.progress:
		return nil
	case <-c.answered:
		return nil
	case <-c.done:
		return c.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Answered waits until the call is answered. If it ends first, the error is a
// *StatusError with the final status.
func (c *Call) Answered(ctx context.Context) error {
	select {
	case <-c.answered:
		return nil
	default:
	}
	select {
	case <-c.answered:
		return nil
	case <-c.done:
		return c.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ended waits for the end.
func (c *Call) Ended(ctx context.Context) (End, error) {
	select {
	case <-c.done:
	case <-ctx.Done():
		return End{}, ctx.Err()
	}
	var e End
	c.p.do(func() { e = c.ending })
	return e, nil
}

func (c *Call) failure() error {
	var e End
	c.p.do(func() { e = c.ending })
	return &StatusError{e.Status, e.Phrase}
}

// end closes the call once. Only the loop may call it.
func (c *Call) end(e End) {
	if c.state == Ended {
		return
	}
	e.At = time.Now()
	if e.Status == 0 {
		e.Status = 200
		if c.state != Answered {
			e.Status = 487
		}
	}
	if e.Phrase == "" {
		e.Phrase = reasonPhrase(e.Status)
	}
	if c.status == 0 {
		c.status = e.Status
	}
	c.state, c.ending = Ended, e
	c.p.clock.stop(c.timer.alarm)
	delete(c.p.calls, c.key())
	c.audio.close()
	close(c.done)
}

// establish marks the call answered.
func (c *Call) establish() {
	c.state, c.status = Answered, 200
	if !c.gone {
		c.audio.start()
	}
	close(c.answered)
}

// learn takes route set and target of the dialog from the peer's message
// (RFC 3261 §12.1). Record-Route is reversed for the caller.
func (c *Call) learn(msg sip.Message, reverse bool) {
	c.routes = nil
	for _, h := range msg.GetHeaders("Record-Route") {
		c.routes = append(c.routes, h.Value())
	}
	if reverse {
		slices.Reverse(c.routes)
	}
	c.retarget(msg)
}

// retarget follows the Contact of the peer (RFC 3261 §12.2.1.2).
func (c *Call) retarget(msg sip.Message) {
	for _, h := range msg.GetHeaders("Contact") {
		if contact, ok := h.(*sip.ContactHeader); ok {
			c.target = contact.Address.String()
		}
	}
	if allowed := headerOf(msg, "Allow"); allowed != "" {
		c.allowsUpdate = hasToken(msg, "Allow", "UPDATE")
	}
}

// way is where the next request of the dialog goes: the first route, else the
// target, else where the dialog came from. Connections are used again.
func (c *Call) way() hop {
	if c.hop.stream != nil && !c.hop.stream.closed {
		return c.hop
	}
	next := c.target
	if len(c.routes) > 0 {
		next = strings.Trim(c.routes[0], "<>")
	}
	var uri sip.Uri
	if err := sip.ParseUri(next, &uri); err != nil {
		return c.hop
	}
	ip, err := netip.ParseAddr(strings.Trim(uri.Host, "[]"))
	if err != nil {
		return c.hop
	}
	port := uint16(uri.Port)
	if port == 0 {
		port = 5060
	}
	to := netip.AddrPortFrom(ip.Unmap(), port)
	return hop{to, c.p.streams[to]}
}
