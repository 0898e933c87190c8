package autodialer

import (
	"context"
	"hash/fnv"
	"math"
	"time"

	"vpbx/autodialer/pace"
	"vpbx/pbx"
)

// dials is how many calls a campaign with operators would launch now, and when to ask
// again at the latest; zero: when something has happened.
func (r *Runner) dials(k key, x *run, company *pbx.Company, s *pbx.Campaign, at time.Time) (n int, again time.Time) {
	talk, bound := 0, 0.0 // of other campaigns: operators at work for them, and awaited
	for _, y := range r.rivals(k, s) {
		talk += y.talking()
		bound += y.needs()
	}
	online, free := max(0, x.online-talk), max(0, x.free-int(math.Ceil(bound)))
	if s.Mode == pbx.DialPredictive {
		if p := r.predictive(k, x, s, at); p != nil {
			left := -1
			if len(x.waiting) < lowWater && !x.reading {
				left = len(x.waiting)
			}
			return p.Launches(at, pace.Now{Operators: max(online, free), Free: free, Left: left, Until: closing(company, s, at)})
		}
	}
	return pace.Progressive(free, x.dialling()), time.Time{}
}

// talking counts the attempts that have an operator.
func (x *run) talking() int {
	n := 0
	for _, d := range x.open {
		if d.operator && !d.done {
			n++
		}
	}
	return n
}

// needs is how many of the operators who are free the attempts of a campaign will take: each
// of those who have answered, and of the others as many as are expected to.
func (x *run) needs() float64 {
	answer := 1.0
	if x.pacer != nil && x.pacer.State().Mode == pace.ModePredictive {
		answer = x.pacer.State().AnswerHigh
	}
	n := 0.0
	for _, d := range x.open {
		switch {
		case d.operator || d.done:
		case d.answered:
			n++
		default:
			n += answer
		}
	}
	return n
}

// closing is when the hours of a campaign end by the clock of the company, zero when they
// have not begun.
func closing(company *pbx.Company, s *pbx.Campaign, at time.Time) time.Time {
	hours := company.Schedules[s.When]
	if hours == nil {
		return time.Time{}
	}
	if now := hours.At(at.In(home(company, &pbx.Campaign{}))); now.Open {
		return now.Until
	}
	return time.Time{}
}

// dialling counts the attempts that have no operator yet and may need one.
func (x *run) dialling() int {
	n := 0
	for _, d := range x.open {
		if !d.operator && !d.done {
			n++
		}
	}
	return n
}

// predictive gives the pacer of a campaign, nil until it is known what was before: that is
// asked beside the loop.
func (r *Runner) predictive(k key, x *run, s *pbx.Campaign, at time.Time) *pace.Predictive {
	if x.asking || at.Before(x.askAt) {
		return nil
	}
	bounds := pacedBy{limit: s.Pace.Abandoned, within: s.Operators.Within}
	if x.pacer != nil && x.pacedBy == bounds {
		return x.pacer
	}
	x.pacer, x.pacedBy, x.asking = nil, bounds, true
	since := x.began
	if x.state.Started != nil {
		since = *x.state.Started
	}
	zone := time.UTC
	if company, _ := r.settings(k); company != nil {
		zone = home(company, &pbx.Campaign{})
	}
	since = since.In(zone)
	seed := fnv.New64a()
	seed.Write([]byte(k.tenant + "/" + pbx.TenantID(k.name)))
	p := pace.NewPredictive(pace.Settings{Limit: s.Pace.Abandoned, Since: since, Wait: s.Operators.Within, Seed: seed.Sum64()})
	day, month := pace.Windows(since, at)
	r.aside(func() {
		m := knownPast{key: k, pacer: p}
		m.day, m.err = r.tally(k, day)
		if m.err == nil {
			m.month, m.err = r.tally(k, month)
		}
		r.tell(m)
	})
	return nil
}

// knownPast is what was before a pacer began.
type knownPast struct {
	key
	pacer      *pace.Predictive
	day, month pace.Tally
	err        error
}

func (r *Runner) tally(k key, since time.Time) (pace.Tally, error) {
	ctx, cancel := context.WithTimeout(r.ctx, storeBound)
	defer cancel()
	live, abandoned, err := r.Store.Abandonment(ctx, k.tenant, k.name, since)
	return pace.Tally{Live: live, Abandoned: abandoned}, err
}

func (r *Runner) past(m knownPast) {
	x := r.runs[m.key]
	if x == nil {
		return
	}
	x.asking = false
	if m.err != nil {
		x.askAt = time.Now().Add(retryStore)
		r.Log.Error("campaign does not know what was abandoned", "tenant", m.tenant, "campaign", m.name, "error", m.err)
		return
	}
	m.pacer.Past(time.Now(), m.day, m.month)
	x.pacer = m.pacer
	for _, d := range x.open { // they are over soon, and count then
		m.pacer.Launched(d.at, string(d.call))
	}
}

// Heard takes note of what happens in a call of a campaign, as it happens. It may be
// called for the events of any call, from its goroutine, and does not block.
func (r *Runner) Heard(e pbx.Live) {
	switch e.Kind {
	case pbx.Answered, pbx.Detected, pbx.Wanted, pbx.Bridged, pbx.Sorry, pbx.Ended:
	default:
		return
	}
	k, is := r.calls.Load(e.Call)
	if !is {
		return
	}
	select {
	case r.mail <- heard{k.(openCall), e}:
	default: // the record says it again
	}
}

// openCall is the attempt of a call.
type openCall struct {
	key
	target int64
}

type heard struct {
	openCall
	live pbx.Live
}

// listen learns from what happens in a call.
func (r *Runner) listen(h heard) {
	x := r.runs[h.key]
	if x == nil {
		return
	}
	d := x.open[h.target]
	if d == nil || d.call != h.live.Call {
		return
	}
	x.dirty = true
	switch h.live.Kind {
	case pbx.Wanted:
		d.live(x.pacer, h.live.At)
	case pbx.Bridged:
		d.live(x.pacer, h.live.At)
		d.operator = true
		if x.pacer != nil {
			x.pacer.Connected(h.live.At, string(d.call))
		}
	case pbx.Sorry:
		d.done, d.settled = true, true
		if x.pacer != nil {
			x.pacer.Abandoned(h.live.At, string(d.call))
		}
	case pbx.Detected:
		if h.live.Name == "machine" {
			d.done, d.settled = true, true
			if x.pacer != nil {
				x.pacer.Machine(h.live.At, string(d.call))
			}
		}
	}
}

// live notes once that a person has answered.
func (d *dialled) live(p *pace.Predictive, at time.Time) {
	if d.answered {
		return
	}
	d.answered = true
	if p != nil {
		p.Answered(at, string(d.call))
	}
}

// learnt tells the pacer of the end of an attempt, and what it has not been told before.
func (r *Runner) learnt(x *run, d *dialled, e ended, at time.Time) {
	if x.pacer == nil || d == nil {
		return
	}
	call := string(d.call)
	o := e.attempt.Outcome
	switch {
	case o == "" || o == pbx.AttemptMissed: // nobody was dialled
		x.pacer.Withdrawn(call)
		return
	case d.settled:
	case o == pbx.AttemptConnected:
		d.live(x.pacer, at)
		if !d.operator {
			x.pacer.Connected(at, call)
		}
	case o == pbx.AttemptAbandoned:
		d.live(x.pacer, at)
		x.pacer.Abandoned(at, call)
	case o == pbx.AttemptMachine:
		x.pacer.Machine(at, call)
	}
	if o == pbx.AttemptConnected {
		x.pacer.Finished(at, call)
	} else {
		x.pacer.Failed(at, call)
	}
}

// pacing tells how a campaign with operators decides, nil for the others.
func (r *Runner) pacing(k key, x *run, at time.Time) *pbx.PaceState {
	_, s := r.settings(k)
	if s == nil || s.Mode != pbx.DialProgressive && s.Mode != pbx.DialPredictive {
		return nil
	}
	p := &pbx.PaceState{Mode: string(pace.ModeProgressive), Ratio: 1, Limit: s.Pace.Abandoned, Why: "one call for each free operator"}
	if x.pacer == nil {
		return p
	}
	st := x.pacer.State()
	share, bound := st.Month.Share(), st.Month.Bound()
	if st.Day.Share() > share {
		share, bound = st.Day.Share(), st.Day.Bound()
	}
	return &pbx.PaceState{Mode: string(st.Mode), Ratio: st.Ratio, Answer: st.Answer, AnswerLow: st.AnswerLow, AnswerHigh: st.AnswerHigh,
		Ring: st.Ring.Seconds(), Handle: st.Handle.Seconds(), Abandoned: share, AbandonedHigh: bound, Risk: st.Risk, Limit: s.Pace.Abandoned, Why: st.Why}
}
