package autodialer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"vpbx/pbx"
)

// exchange is the telephone network of a test, in fake time: people answer, are busy or
// away by chance, machines answer, operators talk. It is the Dialer of a runner and keeps
// what it has seen.
type exchange struct {
	t      testing.TB
	heard  func(pbx.Live)
	habits func(number string) habits

	mu    sync.Mutex
	rand  *rand.Rand
	down  bool // the trunk takes nothing
	seen  []dialSeen
	atNow map[string]int // calls at once, by campaign
	most  map[string]int
	busy  map[string]time.Time // numbers that are in a call
	crew  crew
}

// habits are what becomes of calls to a number, as chances.
type habits struct{ human, machine, busy, invalid, refused float64 }

// crew are the operators.
type crew struct{ online, free int }

// dialSeen is one call.
type dialSeen struct {
	c        pbx.CampaignCall
	at       time.Time
	answered time.Time
	over     time.Time
	outcome  pbx.AttemptOutcome
}

const (
	safeHarbour = 2 * time.Second
	talkMean    = 90 * time.Second
	wrapup      = 10 * time.Second
)

func newExchange(t testing.TB, seed uint64) *exchange {
	return &exchange{t: t, rand: rand.New(rand.NewPCG(seed, 7)), atNow: map[string]int{}, most: map[string]int{}, busy: map[string]time.Time{},
		heard: func(pbx.Live) {},
		habits: func(string) habits {
			return habits{human: 0.4, machine: 0.15, busy: 0.1, invalid: 0.01, refused: 0.005}
		}}
}

// Operators gives who is at work and free.
func (x *exchange) Operators(pbx.TenantID, string) (int, int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.crew.online, x.crew.free
}

// Dial is a call.
func (x *exchange) Dial(ctx context.Context, c pbx.CampaignCall) (pbx.CDR, error) {
	began := time.Now()
	x.mu.Lock()
	if since, is := x.busy[c.Number]; is {
		x.t.Errorf("%s is dialled while it is in a call since %s", c.Number, since)
	}
	x.busy[c.Number] = began
	x.atNow[c.Campaign]++
	x.most[c.Campaign] = max(x.most[c.Campaign], x.atNow[c.Campaign])
	h, luck := x.habits(c.Number), x.rand.Float64()
	ring := time.Duration(3+x.rand.ExpFloat64()*8) * time.Second
	talk := time.Duration((0.3 + x.rand.ExpFloat64()) * float64(talkMean))
	down := x.down
	x.mu.Unlock()

	cdr := pbx.CDR{ID: c.Call, Tenant: c.Tenant, Direction: pbx.Out, From: c.Caller.Number, To: c.Number, Started: began}
	in := pbx.InCampaign{AttemptRef: pbx.AttemptRef{Campaign: c.Campaign, Target: c.Target, Key: c.Key, N: c.N, Number: c.Number, Kind: c.Kind, Mode: c.Mode}}
	cause := pbx.NewCause(pbx.PartyCallee, pbx.Hangup)
	answered := time.Time{}
	switch {
	case down:
		in.Outcome, cause = pbx.AttemptCongestion, pbx.NewCause(pbx.PartyTrunk, pbx.NoReply)
	case luck < h.invalid:
		time.Sleep(time.Second)
		in.Outcome, cause = pbx.AttemptInvalid, pbx.NewCause(pbx.PartyCallee, pbx.UnknownNumber)
	case luck < h.invalid+h.refused:
		time.Sleep(time.Second)
		in.Outcome, cause = pbx.AttemptRefused, pbx.NewCause(pbx.PartyCallee, pbx.Declined)
	case luck < h.invalid+h.refused+h.busy:
		time.Sleep(2 * time.Second)
		in.Outcome, cause = pbx.AttemptBusy, pbx.NewCause(pbx.PartyCallee, pbx.Busy)
	case luck < h.invalid+h.refused+h.busy+h.machine+h.human && ring < c.Settings.Ring:
		time.Sleep(ring)
		answered = time.Now()
		x.tell(c, pbx.Answered, "")
		if luck < h.invalid+h.refused+h.busy+h.machine {
			in.Outcome, in.Answerer = pbx.AttemptMachine, "machine"
			time.Sleep(time.Second)
			x.tell(c, pbx.Detected, "machine")
			break
		}
		in.Answerer = "human"
		if c.Mode.OperatorMode() {
			in.Outcome = x.operator(c, talk)
			break
		}
		time.Sleep(20 * time.Second)
		in.Outcome, in.Told = pbx.AttemptAnswered, true
	default:
		time.Sleep(c.Settings.Ring)
		in.Outcome, cause = pbx.AttemptNoAnswer, pbx.NewCause(pbx.PartyCallee, pbx.NoAnswer)
	}
	cdr.Ended, cdr.Campaign = time.Now(), &in
	cdr.Cause = pbx.CDRCause{Cause: cause, Text: cause.Text()}
	if !answered.IsZero() {
		cdr.Answered = &answered
		cdr.Talk = cdr.Ended.Sub(answered).Seconds()
	}
	x.mu.Lock()
	delete(x.busy, c.Number)
	x.atNow[c.Campaign]--
	x.seen = append(x.seen, dialSeen{c, began, answered, cdr.Ended, in.Outcome})
	x.mu.Unlock()
	return cdr, nil
}

// operator lets a free operator talk, or tells the callee that none is.
func (x *exchange) operator(c pbx.CampaignCall, talk time.Duration) pbx.AttemptOutcome {
	x.tell(c, pbx.Wanted, "")
	for until := time.Now().Add(safeHarbour); ; {
		x.mu.Lock()
		free := x.crew.free > 0
		if free {
			x.crew.free--
		}
		x.mu.Unlock()
		if free {
			break
		}
		if !time.Now().Before(until) {
			x.tell(c, pbx.Sorry, "")
			time.Sleep(5 * time.Second)
			return pbx.AttemptAbandoned
		}
		time.Sleep(100 * time.Millisecond)
	}
	x.tell(c, pbx.Bridged, "")
	time.Sleep(talk)
	go func() {
		time.Sleep(wrapup)
		x.mu.Lock()
		x.crew.free++
		x.mu.Unlock()
	}()
	return pbx.AttemptConnected
}

func (x *exchange) tell(c pbx.CampaignCall, k pbx.EventKind, who string) {
	x.heard(pbx.Live{Tenant: c.Tenant, Call: c.Call, CallEvent: pbx.CallEvent{At: time.Now(), Kind: k, Text: who, Name: who}})
}

// calls are those that are over.
func (x *exchange) calls() []dialSeen {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.seen)
}

// now is how many calls of a campaign go on.
func (x *exchange) now(name string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.atNow[name]
}

// peak is how many calls of a campaign there were at once.
func (x *exchange) peak(name string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.most[name]
}

// number is the n-th number of a test: a landline of Moscow, whose zone is known.
func number(n int) string { return fmt.Sprintf("+7495%07d", 1000000+n) }
