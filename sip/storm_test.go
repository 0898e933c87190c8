package sip

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

// stormEnd is one of two servers that call each other.
type stormEnd struct {
	s       *Server
	company *pbx.Company
	legs    chan *Leg
}

func newStormEnd(t *testing.T, n *simnet.Net, own, other string) *stormEnd {
	host := n.Host(own)
	e := &stormEnd{legs: make(chan *Leg, 1000)}
	e.company = &pbx.Company{
		Tenant:  pbx.Tenant{ID: "acme", Domain: "acme.test"},
		Trunks:  []*pbx.Trunk{{Name: "other", Host: other + ":5060", Transport: "udp", From: []netip.Prefix{netip.MustParsePrefix(other + "/32")}}},
		Numbers: map[string]*pbx.Number{},
	}
	dir := pbx.NewDirectory([]*pbx.Company{e.company})
	var err error
	e.s, err = New(Config{
		Listen:       []Listen{{"udp", "0.0.0.0:5060"}},
		ListenPacket: host.ListenPacket, ListenTCP: host.Listen, Dial: host.Dial, LocalFor: host.LocalFor,
		LocalNets:      []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Directory:      func() *pbx.Directory { return dir },
		Accept:         func(l *Leg) { e.legs <- l },
		SessionExpires: 90 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.s.Start(); err != nil {
		t.Fatal(err)
	}
	return e
}

// outcome of a leg as its owner saw it.
type outcome struct {
	up    bool
	ended int
	cause pbx.Cause
	after any // an event behind LegEnded
}

// own is the owner of a leg for the test: it answers offers, does what plan
// says, and hears the leg out.
func own(l *Leg, inbound bool, events chan any, seed uint64, result *outcome) {
	rng := rand.New(rand.NewPCG(seed, 1))
	ms := func(most int) <-chan time.Time { return time.After(time.Duration(rng.IntN(most)) * time.Millisecond) }
	act := ms(4000)
	quit := time.After(6 * time.Minute)
	for {
		select {
		case <-act:
			switch k := rng.IntN(10); {
			case inbound && !result.up && k < 6:
				l.Answer([]byte(answerSDP))
			case inbound && !result.up && k < 7:
				l.Reject(pbx.NewCause(pbx.PartyPBX, pbx.Busy))
			case inbound && !result.up:
				l.Ring(180, nil)
			case result.up && k < 5:
				l.Offer([]byte(holdSDP + fmt.Sprintf("a=x:%d\r\n", rng.Int())))
			case k < 7 || !result.up && k < 9:
			default:
				l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
			}
			act = ms(60000)
		case e := <-events:
			if result.ended > 0 {
				result.after = e
			}
			switch e := e.(type) {
			case PickedUp, Confirmed:
				result.up = true
			case Offered:
				l.AnswerOffer([]byte(offerSDP))
			case LegEnded:
				result.ended++
				result.cause = e.Cause
			}
		case <-quit:
			l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.TooLong))
			quit = nil
			for {
				select {
				case e := <-events:
					if result.ended > 0 {
						result.after = e
					}
					if e, ok := e.(LegEnded); ok {
						result.ended++
						result.cause = e.Cause
					}
				case <-time.After(time.Minute):
					return
				}
			}
		}
	}
}

// TestStorm: two servers call each other over a bad network; whatever happens,
// every leg ends once, with nothing behind it, and nothing is left.
func TestStorm(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(simnet.Options{Seed: seed, Jitter: 30 * time.Millisecond, Loss: 0.2})
			a, b := newStormEnd(t, n, "10.0.0.1", "10.0.0.2"), newStormEnd(t, n, "10.0.0.2", "10.0.0.1")
			gone := make(chan struct{})
			results := make(chan *outcome, 1000)
			count := 0
			start := func(l *Leg, inbound bool, events chan any) {
				count++
				res, id := &outcome{}, uint64(count)
				go func() { own(l, inbound, events, seed<<32|id, res); results <- res }()
			}
			const calls = 60
			for i := range calls {
				from := []*stormEnd{a, b}[i%2]
				events := make(chan any)
				l := from.s.Dial(Invite{Company: from.company, Target: from.s.TrunkTarget(from.company, from.company.Trunks[0], "100"), SDP: []byte(offerSDP), Events: events, Gone: gone})
				start(l, false, events)
			}
			settle := time.After(40 * time.Second)
		accepting:
			for {
				var l *Leg
				select {
				case l = <-a.legs:
				case l = <-b.legs:
				case <-settle:
					break accepting
				}
				events := make(chan any)
				l.Own(events, gone)
				start(l, true, events)
			}
			up := 0
			for range count {
				r := <-results
				if r.ended != 1 || r.after != nil {
					t.Errorf("a leg ended %d times, then came %T", r.ended, r.after)
				}
				if r.up {
					up++
				}
			}
			if up < calls/2 {
				t.Errorf("only %d legs of %d calls were up", up, calls)
			}
			time.Sleep(2 * time.Minute)
			for _, e := range []*stormEnd{a, b} {
				e.s.dlg.mu.Lock()
				if left := len(e.s.dlg.legs); left != 0 {
					t.Errorf("%d legs are left", left)
				}
				e.s.dlg.mu.Unlock()
				if err := e.s.Close(); err != nil {
					t.Error(err)
				}
			}
			close(gone)
			n.Close()
		})
	}
}
