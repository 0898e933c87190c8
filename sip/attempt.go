package sip

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

const maxAuth = 3 // credentials sent with one request: 407, 401, and one stale nonce

// attempt is one client transaction of a leg.
type attempt struct {
	kind   kind
	req    *msg.Request
	d      *dialog // whose sequence numbers it uses
	way    way
	others []alternate // where it may go when it fails there (RFC 5626 §7)
	hops   []hop       // where it goes, or went, once that is known
	rest   []hop       // where it may go next (RFC 3263 §4.3)
	cancel context.CancelFunc

	about  *refer         // a NOTIFY tells of it
	offer  bool           // it carries an offer
	mine   bool           // the owner asked for it
	rang   bool           // it had a provisional response
	auth   int            // credentials sent so far
	longer bool           // sent again after a 422
	silent []*msg.Request // sent before to targets that did not answer in their turn
}

type kind int

const (
	kindInvite kind = iota // the initial INVITE
	kindOffer              // re-INVITE or UPDATE
	kindCancel
	kindBye
	kindPrack  // confirms a provisional response
	kindNotify // tells how a REFER goes
	kindInfo   // presses a key
)

// Messages about our transactions.
type (
	started struct {
		a    *attempt
		h    hop
		rest []hop
	}
	responded struct {
		a   *attempt
		res *msg.Response
	}
	undone struct {
		a   *attempt
		err error
	} // no final response came
	again struct{ res *msg.Response } // a 2xx to an INVITE, repeated or of another fork
)

// send starts a client transaction. A goroutine of its own waits for it, so
// that neither sipgo nor the leg waits for the other.
func (l *Leg) send(a *attempt) {
	ctx, cancel := context.WithCancel(l.s.dlg.ctx)
	a.cancel = cancel
	l.open[a] = struct{}{}
	behindNAT, req, hops := l.behindNAT(), a.req, a.hops
	ways := append([]alternate{{a.way, ""}}, a.others...)
	if len(a.others) > 0 {
		ways[0].uri = a.d.target
	}
	l.s.dlg.work.Go(func() { l.attend(ctx, req, ways, hops, behindNAT, a) })
}

// attend sends a request, and reads its responses until a final one. Which
// address of the way it went to, and everything else, is told by messages; of
// a only the pointer is used.
func (l *Leg) attend(ctx context.Context, req *msg.Request, ways []alternate, hops []hop, behindNAT bool, a *attempt) {
	tx, h, rest, err := l.s.dlg.transact(ctx, l, req, ways, hops, behindNAT)
	if err != nil {
		l.post(undone{a, err})
		return
	}
	if req.IsInvite() {
		tx.OnRetransmission(func(res *msg.Response) { l.post(again{res}) })
	}
	l.post(started{a, h, rest})
	turn := time.NewTimer(nextTarget)
	defer turn.Stop()
	if !req.IsInvite() || len(rest) == 0 {
		turn.Stop()
	}
	for {
		select {
		case <-turn.C:
			tx.Terminate()
			l.post(undone{a, errSilent})
			return
		case res := <-tx.Responses():
			turn.Stop()
			if req.IsInvite() && res.StatusCode >= 300 {
				l.s.dlg.finals.keep(req, res, h, time.Now())
				tx.Terminate()
			}
			l.post(responded{a, res})
			if !res.IsProvisional() {
				return
			}
		case <-tx.Done():
			l.post(undone{a, tx.Err()})
			return
		case <-ctx.Done():
			tx.Terminate()
			return
		}
	}
}

// transact finds the addresses of a way and starts the transaction over the
// first that takes it; rest are those behind it.
func (d *dialogs) transact(ctx context.Context, l *Leg, req *msg.Request, ways []alternate, hops []hop, behindNAT bool) (tx msg.ClientTransaction, h hop, rest []hop, err error) {
	if hops == nil {
		for _, w := range ways {
			found, failed := d.reach(ctx, w.way)
			for i := range found {
				found[i].uri = w.uri
			}
			hops = append(hops, found...)
			err = failed
		}
		if len(hops) == 0 {
			return nil, hop{}, nil, err
		}
		hops = d.overTCP(req, hops, behindNAT)
	}
	for i, h := range hops {
		if h.uri != "" {
			if req.Recipient, err = rawURI(h.uri); err != nil {
				continue
			}
		}
		switch req.Method {
		case msg.INVITE, msg.UPDATE, msg.NOTIFY:
			req.RemoveHeader("Contact")
			req.AppendHeader(&msg.ContactHeader{Address: l.contact(h)})
		}
		if tx, err = d.s.send(ctx, h, req); err == nil {
			return tx, h, hops[i+1:], nil
		}
		if h.within > 0 {
			d.streamless.note(h.dest, time.Now())
		}
		if req.Method != msg.CANCEL {
			req.RemoveHeader("Via")
		}
	}
	return nil, hop{}, nil, err
}

// done forgets a transaction that has its final response.
func (l *Leg) done(a *attempt) {
	a.cancel()
	delete(l.open, a)
}

// authenticate answers the challenge of a provider and sends the request
// again; false when there is nothing to answer it with.
func (l *Leg) authenticate(a *attempt, res *msg.Response) bool {
	code := res.StatusCode
	if code != 401 && code != 407 || l.Trunk == nil || l.Trunk.Username == "" || a.kind == kindCancel {
		return false
	}
	if l.phase == ended && a.kind != kindBye || !l.toTrunk(a) {
		return false
	}
	name := credentialsHeader(code)
	h, stale, err := answerChallenge(res, a.req, l.Trunk.Username, l.Trunk.Password)
	if err != nil {
		l.log.Warn("sip: challenge of a trunk cannot be answered", "trunk", l.Trunk.Name, "error", err)
		return false
	}
	if a.req.GetHeader(name) != nil && !stale || a.auth >= maxAuth {
		return false // it knows our credentials and does not like them
	}
	a.auth++
	b := l.resend(a, h)
	switch a.kind {
	case kindInvite:
		l.call = b
	case kindOffer:
		l.ours = b
	case kindNotify:
		l.noticed = b
	case kindInfo:
		l.informing = b
	}
	return true
}

// toTrunk says whether a request went to the trunk itself. A caller who came in
// from the trunk's address chose Contact and Record-Route: elsewhere our digest
// would serve somebody who guesses the password at leisure.
func (l *Leg) toTrunk(a *attempt) bool {
	if l.Outbound {
		return true
	}
	if len(a.hops) == 0 {
		return false
	}
	to, err := addrPort(a.hops[0].dest)
	return err == nil && (to.Addr() == l.Source.Addr() || slices.ContainsFunc(l.Trunk.From, func(p netip.Prefix) bool { return p.Contains(to.Addr()) }))
}

// resend sends a request again with the next sequence number, a new branch and the
// given headers in place of those of their names (RFC 3261 §8.1.3.5). It leaves a's
// own request alone: sipgo reads it as long as the peer repeats its answer.
func (l *Leg) resend(a *attempt, headers ...msg.Header) *attempt {
	b := *a
	b.req = a.req.Clone()
	b.req.RemoveHeader("Via")
	for _, h := range headers {
		b.req.RemoveHeader(h.Name())
		b.req.AppendHeader(h)
	}
	b.d.localSeq = max(b.d.localSeq, l.d.localSeq) + 1 // a PRACK has a dialog of its own, with our numbers
	l.d.localSeq = max(b.d.localSeq, l.d.localSeq)
	b.req.CSeq().SeqNo = b.d.localSeq
	b.hops, b.rest, b.rang = a.hops, nil, false // whom it has challenged knows the nonce
	if len(a.rest) > 0 && len(a.hops) > 0 {
		b.hops = append(a.hops[:1:1], a.rest...)
	}
	l.send(&b)
	return &b
}

// askLonger sends a request again with the session interval that a 422 demands
// (RFC 4028 §7.3).
func (l *Leg) askLonger(a *attempt, res *msg.Response) *attempt {
	least := max(parseDelta(value(res, "min-se")), minSession)
	s := session{Interval: max(least, l.s.cfg.SessionExpires), Ours: true}
	if l.sess.Interval != 0 {
		s = session{Interval: max(least, l.sess.Interval), Ours: l.sess.Ours}
	}
	a.longer = true
	return l.resend(a, msg.NewHeader("Session-Expires", s.header(true)), msg.NewHeader("Min-SE", strconv.Itoa(int(least/time.Second))))
}
