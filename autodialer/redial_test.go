package autodialer

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"vpbx/pbx"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func attempt(n int, number string, o pbx.AttemptOutcome) pbx.Attempt {
	return pbx.Attempt{Target: 1, N: n, Number: number, Outcome: o, Result: &pbx.InCampaign{Outcome: o}}
}

// TestA05RedialByOutcome: each outcome has its own rule, with pause and count.
func TestA05RedialByOutcome(t *testing.T) {
	c := &pbx.Campaign{Redial: pbx.Redial{Attempts: 10, PerNumber: 10, Spacing: time.Minute, Rules: map[pbx.AttemptOutcome]pbx.RedialRule{
		pbx.AttemptBusy: {Times: 2, After: 5 * time.Minute}, pbx.AttemptNoAnswer: {Times: 1, After: time.Hour}, pbx.AttemptCongestion: {Times: 1, After: time.Second},
	}}}
	one, two := "+79160000001", "+79160000002"
	for name, test := range map[string]struct {
		numbers []string
		came    []pbx.AttemptOutcome
		state   pbx.TargetState
		reason  pbx.HoldReason
		wait    time.Duration
	}{
		"busy":             {[]string{one}, []pbx.AttemptOutcome{"busy"}, pbx.TargetWaiting, "", 5 * time.Minute},
		"busy twice":       {[]string{one}, []pbx.AttemptOutcome{"busy", "busy"}, pbx.TargetWaiting, "", 5 * time.Minute},
		"busy three times": {[]string{one}, []pbx.AttemptOutcome{"busy", "busy", "busy"}, pbx.TargetExhausted, pbx.HeldAttempts, 0},
		"each its count":   {[]string{one}, []pbx.AttemptOutcome{"busy", "no_answer", "busy"}, pbx.TargetWaiting, "", 5 * time.Minute},
		"no answer":        {[]string{one}, []pbx.AttemptOutcome{"no_answer"}, pbx.TargetWaiting, "", time.Hour},
		"spacing":          {[]string{one}, []pbx.AttemptOutcome{"congestion"}, pbx.TargetWaiting, "", time.Minute},
		"answered":         {[]string{one}, []pbx.AttemptOutcome{"answered"}, pbx.TargetDone, "", 0},
		"rejected":         {[]string{one}, []pbx.AttemptOutcome{"rejected"}, pbx.TargetExhausted, pbx.HeldAttempts, 0},
		"invalid":          {[]string{one}, []pbx.AttemptOutcome{"invalid"}, pbx.TargetDone, pbx.HeldInvalid, 0},
		"invalid, another": {[]string{one, two}, []pbx.AttemptOutcome{"invalid"}, pbx.TargetWaiting, "", time.Minute},
		"refused":          {[]string{one}, []pbx.AttemptOutcome{"refused_mass"}, pbx.TargetDone, pbx.HeldCarrier, 0},
		"interrupted":      {[]string{one}, []pbx.AttemptOutcome{"interrupted"}, pbx.TargetInterrupted, "", 0},
	} {
		target := pbx.Target{ID: 1, Numbers: test.numbers}
		for i, o := range test.came {
			target = after(c, target, attempt(i+1, one, o), noon)
		}
		if target.State != test.state || target.Reason != test.reason {
			t.Errorf("%s: %s %s, want %s %s", name, target.State, target.Reason, test.state, test.reason)
		}
		if test.state == pbx.TargetWaiting && target.Next.Sub(noon) != test.wait {
			t.Errorf("%s: waits %s, want %s", name, target.Next.Sub(noon), test.wait)
		}
	}
}

// TestOptOutIsFinal: whoever opted out is not called again, whatever came of the call.
func TestOptOutIsFinal(t *testing.T) {
	c := &pbx.Campaign{Redial: pbx.Redial{Attempts: 5, PerNumber: 5, Rules: map[pbx.AttemptOutcome]pbx.RedialRule{pbx.AttemptAbandoned: {Times: 5}}}}
	a := attempt(1, "+79160000001", pbx.AttemptAbandoned)
	a.Result.OptedOut = true
	if got := after(c, pbx.Target{Numbers: []string{a.Number}}, a, noon); got.State != pbx.TargetDone || got.Reason != pbx.HeldStopList {
		t.Errorf("%s %s", got.State, got.Reason)
	}
}

// TestA06CapsOfRedial: no target and no number is due more often than its cap, and a
// target always comes to an end.
func TestA06CapsOfRedial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &pbx.Campaign{Redial: pbx.Redial{Attempts: rapid.IntRange(1, 8).Draw(t, "attempts"), PerNumber: rapid.IntRange(1, 4).Draw(t, "number"),
			ByTurn: rapid.Bool().Draw(t, "turn"), Rules: map[pbx.AttemptOutcome]pbx.RedialRule{}}}
		for _, o := range pbx.AttemptOutcomes {
			if rapid.Bool().Draw(t, string(o)) {
				c.Redial.Rules[o] = pbx.RedialRule{Times: rapid.IntRange(0, 9).Draw(t, "times"), After: time.Minute}
			}
		}
		target := pbx.Target{State: pbx.TargetWaiting}
		for i := range rapid.IntRange(1, pbx.MaxTargetNumbers).Draw(t, "numbers") {
			target.Numbers = append(target.Numbers, "+7916000000"+string(rune('0'+i)))
		}
		tried := map[string]int{}
		n, dialled := 0, 0
		for target.State == pbx.TargetWaiting {
			number := target.Numbers[target.Turn]
			if reason, is := target.Dead[number]; is {
				t.Fatalf("%s is called and is %s", number, reason)
			}
			n++
			o := rapid.SampledFrom(pbx.AttemptOutcomes).Draw(t, "outcome")
			target = after(c, target, attempt(n, number, o), noon)
			if o != pbx.AttemptMissed {
				dialled++
				tried[number]++
			}
			if dialled > c.Redial.Attempts || tried[number] > c.Redial.PerNumber {
				t.Fatalf("attempt %d of %d, %d of %d to %s", dialled, c.Redial.Attempts, tried[number], c.Redial.PerNumber, number)
			}
		}
		if !target.State.Over() {
			t.Fatalf("state %s", target.State)
		}
	})
}
