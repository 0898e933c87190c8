package autodialer

import (
	"maps"
	"time"

	"vpbx/pbx"
)

// dead are outcomes behind which a campaign never calls a number again, whatever its
// redial rules say.
var dead = map[pbx.AttemptOutcome]pbx.HoldReason{
	pbx.AttemptRefused: pbx.HeldCarrier,
	pbx.AttemptInvalid: pbx.HeldInvalid,
}

// after gives what becomes of a target when an attempt is over: it is done, or due again
// with one of its numbers.
func after(c *pbx.Campaign, t pbx.Target, a pbx.Attempt, at time.Time) pbx.Target {
	t.Outcome, t.Attempts, t.Updated, t.Operator = a.Outcome, a.N, at, ""
	t.Came = counted(t.Came, a.Outcome)
	if a.Outcome != pbx.AttemptMissed { // nobody was dialled
		t.Tried = counted(t.Tried, a.Number)
	}
	if a.Result != nil && a.Result.OptedOut {
		return over(t, pbx.TargetDone, pbx.HeldStopList)
	}
	wait := c.Redial.Spacing
	if reason, is := dead[a.Outcome]; is {
		t.Dead = maps.Clone(t.Dead)
		if t.Dead == nil {
			t.Dead = map[string]pbx.HoldReason{}
		}
		t.Dead[a.Number] = reason
		if len(t.Dead) >= len(t.Numbers) {
			return over(t, pbx.TargetDone, reason)
		}
	} else {
		rule, has := ruleFor(c, a.Outcome)
		if !has || t.Came[a.Outcome] > rule.Times {
			return spent(t, a.Outcome)
		}
		wait = max(wait, rule.After)
		if c.Redial.ByTurn {
			t.Turn = (t.Turn + 1) % len(t.Numbers)
		}
	}
	if a.Outcome == pbx.AttemptAbandoned && c.Operators.Reserve {
		t.Operator = pbx.AnyOperator
	}
	return again(c, t, at.Add(wait))
}

// missedRule is for operators who do not take the call that was to be made, where the
// campaign does not say: somebody else may.
var missedRule = pbx.RedialRule{Times: 5, After: time.Minute}

func ruleFor(c *pbx.Campaign, o pbx.AttemptOutcome) (pbx.RedialRule, bool) {
	rule, has := c.Redial.Rules[o]
	if !has && o == pbx.AttemptMissed {
		return missedRule, true
	}
	return rule, has
}

// again makes a target wait until next for an attempt with the first number in its turn
// that may still be called.
func again(c *pbx.Campaign, t pbx.Target, next time.Time) pbx.Target {
	if t.Attempts-t.Came[pbx.AttemptMissed] >= c.Redial.Attempts {
		return over(t, pbx.TargetExhausted, pbx.HeldAttempts)
	}
	for range t.Numbers {
		number := t.Numbers[t.Turn]
		if _, is := t.Dead[number]; !is && t.Tried[number] < c.Redial.PerNumber {
			t.State, t.Reason, t.Next = pbx.TargetWaiting, pbx.HeldWaits, next
			return t
		}
		t.Turn = (t.Turn + 1) % len(t.Numbers)
	}
	return over(t, pbx.TargetExhausted, pbx.HeldNumber)
}

// spent is a target whose last outcome is not followed by another attempt.
func spent(t pbx.Target, o pbx.AttemptOutcome) pbx.Target {
	switch o {
	case pbx.AttemptInterrupted:
		return over(t, pbx.TargetInterrupted, pbx.HeldWaits)
	case pbx.AttemptAnswered, pbx.AttemptConnected, pbx.AttemptMachine:
		return over(t, pbx.TargetDone, pbx.HeldWaits)
	}
	return over(t, pbx.TargetExhausted, pbx.HeldAttempts)
}

func over(t pbx.Target, s pbx.TargetState, r pbx.HoldReason) pbx.Target {
	t.State, t.Reason = s, r
	return t
}

// counted gives m with one more of key; m may be shared and stays as it is.
func counted[K comparable](m map[K]int, key K) map[K]int {
	m = maps.Clone(m)
	if m == nil {
		m = map[K]int{}
	}
	m[key]++
	return m
}
