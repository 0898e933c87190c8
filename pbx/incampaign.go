package pbx

import (
	"slices"
	"time"
)

// NetworkBlocked is the reason phrase of a 603 by which a network says that it has
// blocked a call it took for an unwanted one (ATIS-1000099).
const NetworkBlocked = "Network Blocked"

// attemptReasons says what it means for an attempt that a call ended for a reason of
// ours, whatever codes go with it.
var attemptReasons = map[Reason]AttemptOutcome{
	Blocked:      AttemptRefused,
	OverLimit:    AttemptCongestion,
	NoPorts:      AttemptCongestion,
	Overloaded:   AttemptCongestion,
	ShuttingDown: AttemptInterrupted,
	Interrupted:  AttemptInterrupted,
	Unanswered:   AttemptMissed,
}

// attemptStatuses says what a final response means. What is not here is a failure.
var attemptStatuses = map[int]AttemptOutcome{
	404: AttemptInvalid,
	410: AttemptInvalid,
	480: AttemptNoAnswer,
	484: AttemptInvalid,
	486: AttemptBusy,
	503: AttemptCongestion,
	600: AttemptBusy,
	603: AttemptRejected,
	604: AttemptInvalid,
	607: AttemptRefused, // RFC 8197: the callee does not want such calls
	608: AttemptRefused, // RFC 8688: somebody on the way has rejected it for the callee
}

// attemptCauses says what a Q.850 cause value means that the peer has given itself. What is
// not here leaves it to the status.
var attemptCauses = map[int]AttemptOutcome{
	1:  AttemptInvalid, // unallocated number
	2:  AttemptFailed,  // no route to the transit network
	3:  AttemptFailed,  // no route to the destination
	17: AttemptBusy,
	18: AttemptNoAnswer, // no user responds
	19: AttemptNoAnswer, // alerted, no answer
	20: AttemptNoAnswer, // subscriber absent
	21: AttemptRejected,
	22: AttemptInvalid,    // number changed
	28: AttemptInvalid,    // number incomplete
	34: AttemptCongestion, // no circuit
	38: AttemptCongestion, // network out of order
	41: AttemptCongestion, // temporary failure
	42: AttemptCongestion, // switching equipment congested
	44: AttemptCongestion, // circuit not available
	47: AttemptCongestion, // resource unavailable
}

// AttemptOutcomeOf classifies why a number that was called for a campaign was not reached.
// rang says that it has rung. The peer's own Q.850 value goes before the status, which
// gateways choose with less care; docs/decisions/32-campaign-calls.md has the table.
func AttemptOutcomeOf(c Cause, rang bool) AttemptOutcome {
	if o, known := attemptReasons[c.Reason]; known {
		return o
	}
	switch {
	case c.Party == PartyPBX && c.Reason == UnknownNumber:
		return AttemptInvalid
	case c.Party == PartyPBX && c.Reason == Hangup: // it was ended before anybody answered
		return AttemptInterrupted
	case c.Party == PartyPBX:
		return AttemptFailed
	case c.SIP == 607 || c.SIP == 608:
		return AttemptRefused
	case c.Reason == NoReply && rang:
		return AttemptNoAnswer
	}
	if o, known := attemptCauses[c.Q850]; known && c.Q850 != q850(c.SIP) {
		return o
	}
	if o, known := attemptStatuses[c.SIP]; known {
		return o
	}
	return AttemptFailed
}

// campaignFold is the part of the fold that is about the call of a campaign. of is nil in
// any other call.
type campaignFold struct {
	of       *InCampaign
	target   LegID // that was dialled last
	rang     bool
	answered bool
	machine  bool      // it is taken for one
	wanted   time.Time // since when an operator is to come; zero: none is
	sorry    bool
}

func (f *campaignFold) add(e CallEvent) {
	if e.Kind == Campaigned && e.Attempt != nil {
		f.of = &InCampaign{AttemptRef: *e.Attempt}
	}
	if f.of == nil {
		return
	}
	switch e.Kind {
	case Dialled:
		if !f.answered && e.Who == f.of.Number {
			f.target, f.rang = e.Leg, false
		}
	case Ringing:
		f.rang = f.rang || e.Leg == f.target
	case Answered:
		f.answered = f.answered || e.Leg == f.target && f.target != ""
	case Detected:
		f.of.Answerer, f.machine = e.Text, e.Name == AnswererMachine
	case Replied:
		if e.Digit != "" {
			f.of.Answers = append(f.of.Answers, Answer{Block: e.Text, Key: e.Digit, Answer: e.Name})
		}
	case Told:
		f.of.Told = true
	case OptedOut:
		f.of.OptedOut = true
	case Wanted:
		if f.of.Connected == nil {
			f.wanted = e.At
		}
	case Bridged:
		f.connected(e)
	case Sorry:
		f.sorry = true
		if !f.wanted.IsZero() {
			waited := seconds(e.At.Sub(f.wanted))
			f.of.Sorry = &waited
		}
	}
}

// connected notes that the target talks with somebody, the first time.
func (f *campaignFold) connected(e CallEvent) {
	if f.of.Connected != nil {
		return
	}
	f.of.Operator = e.Who
	waited := 0.0
	if !f.wanted.IsZero() {
		waited = seconds(e.At.Sub(f.wanted))
	}
	f.of.Connected = &waited
}

// finish gives what the attempt came to, nil when the call was none.
func (f *campaignFold) finish(cause Cause) *InCampaign {
	if f.of == nil {
		return nil
	}
	switch {
	case cause.Reason == Interrupted:
		f.of.Outcome = AttemptInterrupted
	case f.of.Connected != nil:
		f.of.Outcome = AttemptConnected
	case f.sorry:
		f.of.Outcome = AttemptAbandoned
	case f.machine:
		f.of.Outcome = AttemptMachine
	case f.answered:
		f.of.Outcome = AttemptAnswered
	default:
		f.of.Outcome = AttemptOutcomeOf(cause, f.rang)
	}
	f.of.Answers = slices.Clip(f.of.Answers)
	return f.of
}

// Who has answered, in [InCampaign.Answerer] and [CallEvent.Text] of Detected.
const (
	AnswererHuman   = "human"
	AnswererMachine = "machine"
	AnswererUnsure  = "unsure"
)
