package sip

import (
	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// ackSent is an ACK to a 2xx, kept to be repeated with that 2xx.
type ackSent struct {
	seq uint32
	tag string
	req *msg.Request
	way way
}

// acknowledge sends the ACK to a 2xx to our INVITE (RFC 3261 §13.2.2.4) and
// keeps it.
func (l *Leg) acknowledge(a *attempt, d *dialog) {
	seq := a.req.CSeq().SeqNo
	req, err := d.request(msg.ACK, seq)
	if err != nil {
		l.log.Warn("sip: ACK not sent", "error", err)
		return
	}
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		msg.CopyHeaders(name, a.req, req) // RFC 3261 §13.2.2.4
	}
	if len(l.acks) >= maxForks {
		l.acks = l.acks[1:]
	}
	k := &ackSent{seq, d.remoteTag, req, l.wayOf(d)}
	l.acks = append(l.acks, k)
	l.sendACK(k)
}

// sendACK writes an ACK. Over UDP, and over a connection that is open, that
// needs no waiting; names and new connections do.
func (l *Leg) sendACK(k *ackSent) {
	req := k.req.Clone()
	l.out(k.way.transport, k.way.addr, req)
	if k.way.literal() && (k.way.transport == "udp" || l.s.connected(k.way.transport, k.way.addr)) {
		l.write(req, k.way)
		return
	}
	l.s.dlg.work.Go(func() { l.write(req, k.way) })
}

// write sends a request without transaction.
func (l *Leg) write(req *msg.Request, w way) {
	hops, err := l.s.dlg.reach(l.s.dlg.ctx, w)
	if err == nil {
		err = l.s.write(l.s.dlg.ctx, hops[0], req)
	}
	if err != nil {
		l.log.Warn("sip: request not sent", "method", req.Method, "error", err)
	}
}

// onAgain takes a 2xx to an INVITE outside of what the transaction told: one
// that is repeated because our ACK was lost, or that of another fork, which is
// one phone too many (RFC 3261 §13.2.2.4).
func (l *Leg) onAgain(res *msg.Response) {
	seq, tag := res.CSeq().SeqNo, toTag(res)
	for _, k := range l.acks {
		if k.seq == seq && k.tag == tag {
			l.sendACK(k)
			return
		}
	}
	if l.call != nil { // a target that had its turn answers after all (RFC 3263 §4.3)
		for _, req := range l.call.silent {
			if sameBranch(req, res) {
				l.refuseFork(&attempt{req: req}, res)
				return
			}
		}
	}
	if l.Outbound && len(l.acks) > 0 && seq == l.acks[0].seq {
		l.refuseFork(nil, res)
	}
}

// sameBranch says whether a response belongs to a request.
func sameBranch(req *msg.Request, res *msg.Response) bool {
	if req.Via() == nil || res.Via() == nil {
		return false
	}
	a, _ := param(req.Via().Params, "branch")
	b, _ := param(res.Via().Params, "branch")
	return a == b
}

// refuseFork acknowledges a 2xx that we do not want, and hangs it up.
func (l *Leg) refuseFork(a *attempt, res *msg.Response) {
	d := l.d
	d.routes = nil
	if err := d.establish(res); err != nil {
		d.remoteTag = toTag(res)
		l.log.Warn("sip: 2xx of a stray phone", "error", err)
	}
	seq := res.CSeq().SeqNo
	if a == nil {
		a = &attempt{req: l.acks[0].req}
	}
	inv := &attempt{req: a.req.Clone()}
	inv.req.CSeq().SeqNo = seq
	l.acknowledge(inv, &d)
	cause := l.ending
	if cause == (pbx.Cause{}) {
		cause = pbx.NewCause(pbx.PartyPBX, pbx.Elsewhere)
	}
	l.byeTo(&d, cause)
}
