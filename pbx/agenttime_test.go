package pbx

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func agentsCompany() *Company {
	c := &Company{Tenant: Tenant{ID: "acme", Pauses: []PauseReason{{Name: "lunch"}, {Name: "training", Paid: true}}}, Extensions: map[string]*Extension{}, Groups: map[string]*Group{
		"600": {Number: "600", Members: []string{"109"}},
		"700": {Number: "700", Members: []string{"101", "102"}, Queue: &Queue{}},
		"701": {Number: "701", Members: []string{"102", "103"}, Queue: &Queue{Login: LoginRequired}},
		"702": {Number: "702", Queue: &Queue{Login: LoginOpen}},
	}}
	for i := 101; i < 110; i++ {
		number := fmt.Sprint(i)
		c.Extensions[number] = &Extension{Number: number, Name: "N" + number}
	}
	return c
}

func agentText(t AgentTime) string {
	var pauses []string
	for _, p := range t.Pauses {
		pauses = append(pauses, fmt.Sprintf("%s×%d %gs paid=%v", p.Reason, p.Times, p.Time, p.Paid))
	}
	return strings.TrimSpace(fmt.Sprintf("%s: in %g free %g talk %g (%d, %g) wrap %g pause %g %g%% %s", t.Agent, t.LoggedIn, t.Available, t.Talk, t.Talks, t.AverageTalk, t.Wrapup, t.Paused,
		t.Occupancy, strings.Join(pauses, ", ")))
}

// TestAgentTimes: an hour from 0 to 3600.
func TestAgentTimes(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	said := func(number string, s int, logged Logged, paused string, queues ...string) AgentState {
		return AgentState{Number: number, Since: at(s), Logged: logged, Paused: paused, Queues: queues}
	}
	talk := func(number string, from, to, wrapup int) AgentTalk {
		return AgentTalk{Number: number, Since: at(from), Until: at(to), Wrapup: time.Duration(wrapup) * time.Second}
	}
	const nothing = "101: in 3600 free 3600 talk 0 (0, 0) wrap 0 pause 0 0%"
	for name, c := range map[string]struct {
		states []AgentState
		talks  []AgentTalk
		want   []string
	}{
		"nobody says anything": {want: []string{nothing, "102: in 3600 free 3600 talk 0 (0, 0) wrap 0 pause 0 0%", "103: in 0 free 0 talk 0 (0, 0) wrap 0 pause 0 0%"}},
		"logs in, pauses, goes on, logs out": {[]AgentState{said("103", 600, LoggedIn, ""), said("103", 1200, LoggedIn, "lunch"), said("103", 1800, LoggedIn, ""),
			said("103", 1900, LoggedIn, "training"), said("103", 2000, LoggedOut, "training")}, nil,
			[]string{"103: in 1400 free 700 talk 0 (0, 0) wrap 0 pause 700 0% lunch×1 600s paid=false, training×1 100s paid=true"}},
		"was in before, and paused": {[]AgentState{said("103", -500, LoggedIn, "lunch"), said("103", 100, LoggedIn, "")}, nil,
			[]string{"103: in 3600 free 3500 talk 0 (0, 0) wrap 0 pause 100 0% lunch×0 100s paid=false"}},
		"says it behind the time": {[]AgentState{said("103", 3600, LoggedIn, "")}, nil, []string{"103: in 0 free 0 talk 0 (0, 0) wrap 0 pause 0 0%"}},
		"talks":                   {nil, []AgentTalk{talk("101", 100, 400, 10), talk("101", 500, 600, 0)}, []string{"101: in 3600 free 3190 talk 400 (2, 200) wrap 10 pause 0 11.388%"}},
		"over both ends": {nil, []AgentTalk{talk("101", -100, 50, 10), talk("101", 3590, 3700, 10)},
			[]string{"101: in 3600 free 3530 talk 60 (1, 110) wrap 10 pause 0 1.944%"}},
		"only the wrap-up lies in it":   {nil, []AgentTalk{talk("101", -100, -5, 10)}, []string{"101: in 3600 free 3595 talk 0 (0, 0) wrap 5 pause 0 0.138%"}},
		"pauses while it rests":         {[]AgentState{said("101", 405, "", "lunch")}, []AgentTalk{talk("101", 100, 400, 10)}, []string{"101: in 3600 free 100 talk 300 (1, 300) wrap 5 pause 3195 75.308% lunch×1 3195s paid=false"}},
		"logs out while it talks":       {[]AgentState{said("101", 200, LoggedOut, "")}, []AgentTalk{talk("101", 100, 400, 10)}, []string{"101: in 400 free 100 talk 300 (1, 300) wrap 0 pause 0 75%"}},
		"two talks at once":             {nil, []AgentTalk{talk("101", 100, 300, 0), talk("101", 200, 400, 0)}, []string{"101: in 3600 free 3300 talk 300 (2, 200) wrap 0 pause 0 8.333%"}},
		"an open queue":                 {[]AgentState{said("104", 600, "", "", "702"), said("104", 900, "", "")}, nil, []string{"104: in 300 free 300 talk 0 (0, 0) wrap 0 pause 0 0%"}},
		"no agent, no extension":        {[]AgentState{said("109", 600, LoggedIn, ""), said("999", 600, LoggedIn, "", "702")}, nil, []string{nothing, "102: in 3600 free 3600 talk 0 (0, 0) wrap 0 pause 0 0%", "103: in 0 free 0 talk 0 (0, 0) wrap 0 pause 0 0%"}},
		"left the queue since":          {nil, []AgentTalk{talk("108", 0, 60, 30)}, []string{"108: in 60 free 0 talk 60 (1, 60) wrap 0 pause 0 100%"}},
		"a reason that is gone":         {[]AgentState{said("101", 0, "", "beer")}, nil, []string{"101: in 3600 free 0 talk 0 (0, 0) wrap 0 pause 3600 0% beer×0 3600s paid=false"}},
		"pauses again for another":      {[]AgentState{said("101", 10, "", "lunch"), said("101", 20, "", "training"), said("101", 30, "", "lunch")}, nil, []string{"101: in 3600 free 10 talk 0 (0, 0) wrap 0 pause 3590 0% lunch×2 3580s paid=false, training×1 10s paid=true"}},
		"paused while it is logged out": {[]AgentState{said("103", 10, "", "lunch"), said("103", 20, LoggedIn, "lunch")}, nil, []string{"103: in 3580 free 0 talk 0 (0, 0) wrap 0 pause 3580 0% lunch×1 3580s paid=false"}},
	} {
		list := AgentTimes(agentsCompany(), c.states, c.talks, t0, at(3600))
		for i, want := range c.want {
			j := slices.IndexFunc(list, func(a AgentTime) bool { return strings.HasPrefix(want, a.Agent) })
			if j < 0 || agentText(list[j]) != want || len(c.want) > 1 && (i != j || len(list) != len(c.want)) {
				t.Errorf("%s: %v\nwant %s", name, list, want)
			}
		}
	}
}

// TestAgentTimesAgree: whatever happens, the times are what one finds who looks each second.
func TestAgentTimesAgree(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
		c, second := agentsCompany(), rapid.IntRange(-100, 300)
		var states []AgentState
		whens := rapid.SliceOfN(second, 0, 8).Draw(t, "whens")
		slices.Sort(whens)
		for _, s := range whens {
			states = append(states, AgentState{Number: "102", Since: at(s), Logged: rapid.SampledFrom([]Logged{"", LoggedIn, LoggedOut}).Draw(t, "logged"),
				Paused: rapid.SampledFrom([]string{"", "lunch", "training"}).Draw(t, "paused")})
		}
		var talks []AgentTalk
		for range rapid.IntRange(0, 5).Draw(t, "talks") {
			from := second.Draw(t, "from")
			talks = append(talks, AgentTalk{Number: "102", Since: at(from), Until: at(from + rapid.IntRange(0, 90).Draw(t, "for")),
				Wrapup: time.Duration(rapid.IntRange(0, 20).Draw(t, "wrapup")) * time.Second})
		}
		from := rapid.IntRange(0, 100).Draw(t, "since")
		to := from + rapid.IntRange(0, 150).Draw(t, "length")
		want := AgentTime{}
		for s := from; s < to; s++ {
			var said AgentState
			for _, x := range states {
				if !x.Since.After(at(s)) {
					said = x
				}
			}
			in := func(a, b time.Time) bool { return !at(s).Before(a) && at(s).Before(b) }
			logged := said.Logged != LoggedOut
			switch {
			case slices.ContainsFunc(talks, func(x AgentTalk) bool { return in(x.Since, x.Until) }):
				want.Talk++
			case !logged:
			case said.Paused != "":
				want.Paused++
			case slices.ContainsFunc(talks, func(x AgentTalk) bool { return in(x.Until, x.Until.Add(x.Wrapup)) }):
				want.Wrapup++
			default:
				want.Available++
			}
		}
		got := AgentTimes(c, states, talks, at(from), at(to))[1]
		if got.Talk != want.Talk || got.Paused != want.Paused || got.Wrapup != want.Wrapup || got.Available != want.Available ||
			math.Abs(got.LoggedIn-got.Talk-got.Paused-got.Wrapup-got.Available) > 0.01 || got.Occupancy < 0 || got.Occupancy > 100 {
			t.Fatalf("%+v\nwant %+v", got, want)
		}
		sum := 0.0
		for _, p := range got.Pauses {
			sum += p.Time
		}
		if sum != got.Paused {
			t.Fatalf("pauses %v of %g", got.Pauses, got.Paused)
		}
	})
}
