package pace

import "time"

// Mode is how calls are dialled now.
type Mode string

// Progressive: a call for each free operator. Predictive: calls ahead.
const (
	ModeProgressive Mode = "progressive"
	ModePredictive  Mode = "predictive"
)

// Why a mode was chosen.
const (
	WhyEvidence   = "too few answers and talks are known to dial ahead"
	WhyLimit      = "the limit of abandoned calls is reached"
	WhyRisk       = "dialling ahead could break the limit of abandoned calls"
	WhyOperators  = "operators have left"
	WhyNobody     = "no operator is at work"
	WhyPredictive = "the limit of abandoned calls is held with the probability that is set"
)

// State is what a [Predictive] knows and how it decides.
type State struct {
	Mode       Mode
	Ratio      float64       // calls that ring for each operator who is free, or is expected to be within the time of ringing
	Answer     float64       // chance that a live person answers
	AnswerLow  float64       // 90 % interval of it
	AnswerHigh float64       //
	Ring       time.Duration // until the answer, mean
	Handle     time.Duration // talk and wrap-up, mean; zero: none known
	Day        Tally         // of the calendar day
	Month      Tally         // of the window of 30 days
	Target     float64       // share of the next answers that may be abandoned, 0 when nothing is dialled ahead
	Risk       float64       // simulated probability that one of the windows breaks the limit
	RiskBound  float64       // 95 % upper bound of it
	Why        string
}

// State gives what the last [Predictive.Launches] was decided by.
func (p *Predictive) State() State { return p.state }

// show fills in the state, but for mode and reason.
func (p *Predictive) show(now Now, ringing, launches int) {
	s := &p.state
	answer := p.answer.now()
	s.Answer = answer.mean()
	s.AnswerLow, s.AnswerHigh = answer.interval()
	s.Ring, s.Handle = p.ring.mean(), p.handle.expected()
	s.Day, s.Month = p.day, p.month
	s.Target, s.Risk, s.RiskBound = p.target, p.risk, p.riskUp
	if s.Mode == ModeProgressive {
		s.Target = 0
	}
	ready := float64(now.Free)
	if s.Handle > 0 {
		ready += float64(now.Operators-now.Free) * min(1, s.Ring.Seconds()/s.Handle.Seconds())
	}
	s.Ratio = 0
	if ready > 0 {
		s.Ratio = float64(ringing+launches) / ready
	}
}
