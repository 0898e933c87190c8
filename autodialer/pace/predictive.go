package pace

import (
	"math"
	"math/rand/v2"
	"time"
)

// Settings are what a company may choose of predictive dialling. The zero value of a
// field is its default.
type Settings struct {
	Limit   float64       // share of live answers that may be abandoned in a window; 0.03
	Risk    float64       // probability with which the limit may be broken; 0.05
	Since   time.Time     // begin of the campaign, in the location whose days are counted; see [Windows]
	Wait    time.Duration // after the answer in which an operator must be there; 2 s
	Ratio   float64       // calls that ring for each operator at work, at most; 5
	Answers int           // live answers that are known before it dials ahead; 50
	Talks   int           // talks that are known before; 20
	Seed    uint64        // of all chance
}

// Now is what a campaign has at a moment.
type Now struct {
	Operators int       // at work for it: free, talking with its people, or in wrap-up
	Free      int       // of them; without those that are reserved for somebody
	Left      int       // targets that may still be called today; negative: not known
	Until     time.Time // when dialling ends today; zero: not known
}

const (
	ask      = 3 * time.Second        // after which time alone has changed the odds
	replan   = 200 * time.Millisecond // a simulation is good for so long
	retarget = 30 * time.Second       // a target is
	settle   = 15 * time.Second       // without dialling ahead after operators have left
	leaving  = 0.1                    // share of the operators that is many
	ledgers  = 60.0                   // abandoned calls that the forecast is compared with
	trusted  = 4.0                    // abandoned calls that the forecast counts for by itself
	learning = 0.02                   // speed with which the price of a launch is found
	cheapest = 0.5
	dearest  = 30.0
)

// Predictive decides how many calls of one campaign are launched: see doc.go. One
// goroutine uses it.
type Predictive struct {
	set     Settings
	r       *rand.Rand
	answer  answering
	ring    ringing
	handle  handling
	calls   flights
	horizon horizon

	day, month           Tally
	dayFrom, monthFrom   time.Time
	dayEnds, rolled      time.Time
	operators            int
	settles              time.Time
	lives                int     // answers that it has seen itself
	foreseen, found      float64 // abandoned calls: forecast, and true
	price                float64 // what a launch may cost, as a multiple of the target
	target, risk, riskUp float64
	targeted             time.Time // when target was found
	targetOf             Tally     // and for what
	drawn                draws     // to find it
	dirty                bool      // estimates have changed since the last simulation
	plan                 plan
	state                State
}

// plan is what a simulation has come to.
type plan struct {
	at       time.Time
	costs    []float64 // expected abandoned calls of each further launch
	launches int       // that are worth it
	made     int       // of them
	chance   float64   // of an answer
	pending  float64   // abandoned calls that are expected of those that ring
}

// NewPredictive makes a pacer that has no evidence: it dials progressively until it has.
func NewPredictive(s Settings) *Predictive {
	if !(s.Limit > 0) {
		s.Limit = 0.03
	}
	if !(s.Risk > 0) {
		s.Risk = 0.05
	}
	if s.Wait <= 0 {
		s.Wait = 2 * time.Second
	}
	if !(s.Ratio > 0) {
		s.Ratio = 5
	}
	if s.Answers <= 0 {
		s.Answers = 50
	}
	if s.Talks <= 0 {
		s.Talks = 20
	}
	p := &Predictive{set: s, r: rand.New(rand.NewPCG(s.Seed, 1)), ring: newRinging(), calls: newFlights(), price: 1}
	p.horizon.z = quantiles()
	p.horizon.source.Seed(s.Seed, 3)
	p.dirty = true
	return p
}

// Past counts what was before, as the records of calls have it: live answers and
// abandoned calls since the times that [Windows] gives. It is called once, before the
// first call.
func (p *Predictive) Past(at time.Time, day, month Tally) {
	p.roll(at)
	p.day, p.month = day, month
}

// Launches is how many calls are launched now. It is asked whenever an operator comes,
// goes or becomes free, after each event of a call, and again at the latest at again;
// zero says that nothing but such an event changes it. It is never less than
// [Progressive] gives.
func (p *Predictive) Launches(at time.Time, now Now) (launches int, again time.Time) {
	p.roll(at)
	p.watch(at, now)
	ringing, waiting, _ := p.calls.count()
	floor := Progressive(now.Free, ringing+waiting)
	p.aim(at, now)
	p.state.Mode, p.state.Why = p.mode(at, now)
	if p.state.Mode == ModeProgressive {
		p.plan = plan{costs: p.plan.costs[:0]}
		p.show(now, ringing, floor)
		if p.settles.After(at) {
			again = p.settles
		}
		return floor, again
	}
	if at.Sub(p.plan.at) >= replan {
		p.look(at, now, ringing, waiting)
	}
	launches = max(floor, p.plan.launches-p.plan.made)
	p.show(now, ringing, launches)
	return launches, at.Add(ask)
}

// mode says whether calls are dialled ahead now, and why or why not.
func (p *Predictive) mode(at time.Time, now Now) (Mode, string) {
	switch {
	case p.day.reached(p.set.Limit) || p.month.reached(p.set.Limit):
		return ModeProgressive, WhyLimit
	case p.lives < p.set.Answers || p.handle.seen < p.set.Talks:
		return ModeProgressive, WhyEvidence
	case p.target <= 0:
		return ModeProgressive, WhyRisk
	case p.settles.After(at):
		return ModeProgressive, WhyOperators
	case now.Operators == 0:
		return ModeProgressive, WhyNobody
	}
	return ModePredictive, WhyPredictive
}

// roll goes on to the windows and the hour of at, and never back: what happened just
// before may be told a little later.
func (p *Predictive) roll(at time.Time) {
	at = later(at, p.rolled)
	p.rolled = at
	if !at.Before(p.dayEnds) {
		day, month := Windows(p.set.Since, at)
		if !day.Equal(p.dayFrom) {
			p.day, p.dayFrom = Tally{}, day
		}
		if !month.Equal(p.monthFrom) {
			p.month, p.monthFrom = Tally{}, month
		}
		p.dayEnds = day.AddDate(0, 0, 1)
		p.targeted = time.Time{}
	}
	p.answer.roll(at.In(p.set.Since.Location()).Hour())
	p.calls.forget(at)
}

// watch notices that many operators have left: what rings was dialled for more of them.
func (p *Predictive) watch(at time.Time, now Now) {
	if gone := p.operators - now.Operators; gone > 0 && float64(gone) >= leaving*float64(p.operators) {
		p.settles = at.Add(settle)
	}
	p.operators = now.Operators
}

// aim finds the share of the next answers that may be abandoned: the largest with which
// both windows are held with the probability that is set, and never more than the limit,
// however much a window may have left.
func (p *Predictive) aim(at time.Time, now Now) {
	same := p.targetOf.Abandoned == p.month.Abandoned && p.month.Live-p.targetOf.Live <= p.month.Live/50
	if same && !p.targeted.IsZero() && at.Sub(p.targeted) < retarget {
		return
	}
	p.targeted, p.targetOf = at, p.month
	f := future{more: p.expected(at, now), pending: p.plan.pending, trust: p.found}
	d := &p.drawn
	f.draw(p.r, d)
	try := func(target float64) bool {
		m1, b1 := f.risk(d, p.day, p.set.Limit, target)
		m2, b2 := f.risk(d, p.month, p.set.Limit, target)
		fits := b1 <= p.set.Risk*f.part(p.day) && b2 <= p.set.Risk*f.part(p.month)
		if fits || target == 0 {
			p.risk, p.riskUp = max(m1, m2), max(b1, b2)
		}
		return fits
	}
	p.target = 0
	if !try(0) {
		return
	}
	if try(p.set.Limit) {
		p.target = p.set.Limit
		return
	}
	high := p.set.Limit
	for range riskHalves {
		if middle := (p.target + high) / 2; try(middle) {
			p.target = middle
		} else {
			high = middle
		}
	}
}

// expected is how many live answers the rest of the day brings.
func (p *Predictive) expected(at time.Time, now Now) float64 {
	until := now.Until
	if until.IsZero() {
		until = at.Add(time.Hour)
	}
	if until.After(p.dayEnds) {
		until = p.dayEnds
	}
	each := p.handle.expected() + 10*time.Second
	n := max(0, until.Sub(at).Seconds()) / each.Seconds() * float64(now.Operators)
	if now.Left >= 0 {
		n = min(n, float64(now.Left)*p.answer.now().mean())
	}
	return n
}

// look simulates what further launches would come to, and finds how many are worth it:
// those that add no more abandoned calls for each answer than the price allows.
func (p *Predictive) look(at time.Time, now Now, ringing, waiting int) {
	h := &p.horizon
	if p.dirty {
		h.rings(&p.ring)
		h.handles(&p.handle)
		p.dirty = false
	}
	h.clear()
	busy := now.Operators - now.Free // who of those who talk comes back
	for _, c := range p.calls.list {
		switch c.phase {
		case rings:
			h.flight(at.Sub(c.since))
		case talks:
			if len(h.talks) < busy {
				h.serve(at.Sub(c.since))
			}
		}
	}
	s := scene{
		free:   now.Free - waiting,
		answer: p.answer.now(),
		sure:   p.handle.sd() / math.Sqrt(max(1, p.handle.n)),
		wait:   p.set.Wait,
	}
	room := min(most, max(0, int(math.Ceil(p.set.Ratio*float64(now.Operators)))-ringing))
	p.plan = plan{at: at, chance: s.answer.mean(), costs: p.plan.costs[:0]}
	for s.answers = min(few, room); ; s.answers = min(4*s.answers, room) {
		p.plan.costs = p.worth(s, p.plan.costs[:0])
		if len(p.plan.costs) < s.answers || s.answers == room {
			break
		}
	}
	p.plan.launches = len(p.plan.costs)
}

// worth simulates and gives the costs of the launches that are worth it, one after the
// other.
func (p *Predictive) worth(s scene, costs []float64) []float64 {
	draws := float64(p.horizon.run(p.r, s))
	p.plan.pending = p.bias() * p.horizon.lost / draws
	allowed := p.price * p.target * s.answer.mean()
	for _, sum := range p.horizon.costs[:s.answers] {
		cost := p.bias() * sum / draws
		if cost > allowed {
			break
		}
		costs = append(costs, cost)
	}
	return costs
}

// bias is by how much more calls have been abandoned than was forecast.
func (p *Predictive) bias() float64 { return (p.found + trusted) / (p.foreseen + trusted) }

// charge counts what a launch was forecast to cost, and finds the price with which the
// launches cost on average what the target allows: dear ones, which fill the last minutes of
// operators, are paid by the many that cost nothing.
func (p *Predictive) charge() {
	if p.state.Mode != ModePredictive || p.plan.chance == 0 || p.target <= 0 {
		return
	}
	cost := 0.0
	if p.plan.made < len(p.plan.costs) {
		cost = p.plan.costs[p.plan.made]
	}
	p.plan.made++
	p.foreseen += cost / p.bias()
	spent := min(cost/(p.target*p.plan.chance), 10)
	p.price = min(max(p.price*math.Exp(learning*(1-spent)), cheapest), dearest)
}

// compare keeps the comparison of forecasts and truth recent.
func (p *Predictive) compare() {
	if sum := p.foreseen + p.found; sum > 2*ledgers {
		p.foreseen *= 2 * ledgers / sum
		p.found *= 2 * ledgers / sum
	}
}
