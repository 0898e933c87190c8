package sip

import (
	"context"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// maxFinals bounds the refused INVITEs that are remembered.
const maxFinals = 1 << 16

// finals remembers how INVITEs of ours that were refused are acknowledged, for
// as long as the refusal may be repeated (timer D, RFC 3261 §17.1.1.2). sipgo
// would do that, but it answers a repeated refusal after four seconds in which
// it holds the lock of the transaction; so a transaction is ended with its
// final response, and what comes later arrives as a stray response.
type finals struct {
	mu    sync.Mutex
	known map[string]*final // by branch
	order []*final          // oldest first
}

type final struct {
	branch string
	ack    *msg.Request
	hop    hop
	until  time.Time
}

func (f *finals) init() { f.known = make(map[string]*final) }

// keep remembers the ACK to the refusal res of the INVITE inv (RFC 3261
// §17.1.1.3), which went over h. Over TCP and TLS nothing is repeated.
func (f *finals) keep(inv *msg.Request, res *msg.Response, h hop, at time.Time) {
	if h.transport != "udp" {
		return
	}
	k := &final{hop: h, ack: ackOf(inv, res), until: at.Add(lingering)}
	k.branch, _ = param(inv.Via().Params, "branch")
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.order) > 0 && (!f.order[0].until.After(at) || len(f.order) >= maxFinals) {
		delete(f.known, f.order[0].branch)
		f.order[0] = nil
		f.order = f.order[1:]
	}
	f.known[k.branch] = k
	f.order = append(f.order, k)
}

// find gives the ACK for a repeated refusal, nil when it is none of ours.
func (f *finals) find(res *msg.Response) *final {
	via := res.Via()
	if via == nil {
		return nil
	}
	branch, _ := param(via.Params, "branch")
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[branch]
}

// send acknowledges once more.
func (k *final) send(ctx context.Context, s *Server) {
	if err := s.write(ctx, k.hop, k.ack.Clone()); err != nil {
		s.log.Debug("sip: ACK not sent", "error", err)
	}
}

// ackOf builds the ACK to a refusal: with the Via of the INVITE and the To of
// the response.
func ackOf(inv *msg.Request, res *msg.Response) *msg.Request {
	ack := msg.NewRequest(msg.ACK, inv.Recipient)
	ack.AppendHeader(inv.Via().Clone())
	for _, name := range []string{"Route", "From"} {
		msg.CopyHeaders(name, inv, ack)
	}
	msg.CopyHeaders("To", res, ack)
	msg.CopyHeaders("Call-ID", inv, ack)
	hops := msg.MaxForwardsHeader(70)
	ack.AppendHeader(&msg.CSeqHeader{SeqNo: inv.CSeq().SeqNo, MethodName: msg.ACK})
	ack.AppendHeader(&hops)
	return ack
}
