package sip

import (
	"context"
	"runtime/debug"
	"slices"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// notifyGap is the least time between two NOTIFYs of a subscription: what
// changes meanwhile is told once, as it is then. The packages recommend more,
// a second and five (RFC 4235 §3.10, RFC 3856 §6.10), which is late for a lamp
// that is to tell that a phone rings.
const notifyGap = 100 * time.Millisecond

// notification is one NOTIFY: what is told, and where.
type notification struct {
	d       dialog
	seq     uint32
	flow    way
	state   string // Subscription-State
	entity  string // the URI of what is watched
	content string
	last    bool
}

// run is the life of a subscription: it tells the state at once and after every
// change, one NOTIFY after the other, until the subscription has run out or the
// phone does not want it any more.
func (w *watch) run() {
	defer w.s.watches.drop(w)
	defer func() {
		if p := recover(); p != nil {
			w.s.met.panics.Inc()
			w.s.log.Error("sip: panic in a subscription", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	ctx := w.s.dlg.ctx
	timer := time.NewTimer(mostExpires)
	defer timer.Stop()
	var t picture
	for {
		until, ok := w.tell(ctx, &t)
		if !ok {
			return
		}
		timer.Reset(time.Until(until))
		select {
		case <-w.news:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// picture is what the phone knows.
type picture struct {
	content string
	version uint32 // of the next NOTIFY
}

// tell sends NOTIFYs until the phone knows how things are, and says until when
// there will be nothing more to tell by itself; ok is false when the
// subscription is over. It is apart from run because a subscription at rest
// should not need the stack that this takes.
func (w *watch) tell(ctx context.Context, t *picture) (until time.Time, ok bool) {
	for {
		n, until, due := w.plan(time.Now(), t.content)
		if !due {
			return until, !until.IsZero()
		}
		if !w.notify(ctx, &n, t.version) || n.last || !pause(ctx.Done(), notifyGap) {
			return time.Time{}, false
		}
		t.content = n.content
		t.version++
	}
}

// plan says what is to be told now; told is what the phone knows. due is false
// when there is nothing, until the time given, or for ever when that is zero.
func (w *watch) plan(now time.Time, told string) (n notification, until time.Time, due bool) {
	sc, exists := w.s.watches.scene(w.topic)
	if exists {
		n.content, n.entity = sc.tell(w.event.name), sc.uri(sc.number)
	}
	t := &w.s.watches
	t.mu.Lock()
	defer t.mu.Unlock()
	reason := w.ending
	switch {
	case w.gone:
		return n, time.Time{}, false
	case reason != "":
	case !exists:
		reason = "noresource"
	case !now.Before(w.until):
		reason = "timeout"
	case !w.asked && n.content == told:
		return n, w.until, false
	}
	n.state = "active;expires=" + seconds(w.until.Sub(now))
	if reason != "" { // RFC 6665 §4.1.3
		n.state, n.last = "terminated;reason="+reason, true
	}
	w.asked = false
	w.d.localSeq++
	n.d, n.flow, n.seq = w.d, w.flow, w.d.localSeq
	return n, time.Time{}, true
}

// notify sends a NOTIFY and waits for its answer; false when the subscription
// is over with it (RFC 6665 §4.2.2).
func (w *watch) notify(ctx context.Context, n *notification, version uint32) bool {
	log := w.s.log.With("tenant", w.who.tenant, "extension", w.who.user, "watches", w.topic.number)
	req, h, err := w.request(n, version)
	if err != nil {
		log.Info("sip: NOTIFY not sent", "error", err)
		return false
	}
	res, err := w.s.ask(ctx, h, req)
	if err != nil {
		log.Debug("sip: NOTIFY without answer", "error", err)
		return false
	}
	return !slices.Contains(fatal, res.StatusCode)
}

// fatal are the answers that end the subscription or its dialog (RFC 5057
// §5.1). After any other the next change is told again.
var fatal = []int{404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604}

// request makes a NOTIFY (RFC 6665 §4.2.2), and the hop to the phone.
func (w *watch) request(n *notification, version uint32) (*msg.Request, hop, error) {
	h, err := w.s.hop(n.flow.transport, n.flow.addr)
	if err != nil {
		return nil, hop{}, err
	}
	req, err := n.d.request(msg.NOTIFY, n.seq)
	if err != nil {
		return nil, hop{}, err
	}
	req.AppendHeader(&msg.ContactHeader{Address: w.contact(h)})
	header(req, "Event", w.event.String())
	header(req, "Subscription-State", n.state)
	header(req, "Allow-Events", allowEvents)
	content := n.content
	if content == "" {
		return req, h, nil
	}
	if w.event.name == eventDialog {
		content = dialogInfo(n.entity, version, content)
	}
	header(req, "Content-Type", bodies[w.event.name])
	req.SetBody([]byte(content))
	return req, h, nil
}

// contact is our Contact in the dialog of the subscription.
func (w *watch) contact(h hop) msg.Uri {
	u := h.contact
	u.User = escapeUser(w.topic.number)
	return u
}

// ask sends a request outside calls over h and waits for its final response,
// 32 s at most (timer F).
func (s *Server) ask(ctx context.Context, h hop, req *msg.Request) (*msg.Response, error) {
	tx, err := s.send(ctx, h, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, tx.Err()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
