package pbx

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestInQueue: what the record of a call says of its time in queues.
func TestInQueue(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	cause := func(p Party, r Reason) *Cause { c := NewCause(p, r); return &c }
	arrived := CallEvent{At: t0, Kind: Arrived, Who: "+79160000001", From: "+79160000001", To: "+74950000000", Direction: In, Leg: "A"}
	in := CallEvent{At: t0, Kind: Queued, Who: "+79160000001", To: "700", Text: "Sales", Position: 3}
	for name, c := range map[string]struct {
		trace []CallEvent
		want  string
	}{
		"answered by the second": {[]CallEvent{arrived, in,
			{At: at(10), Kind: QueueOffered, Who: "101", To: "700"}, {At: at(10), Kind: Dialled, Who: "101", Leg: "B"},
			{At: at(25), Kind: LegEnded, Who: "101", Leg: "B", Cause: cause(PartyCallee, NoAnswer)},
			{At: at(25), Kind: QueueOffered, Who: "102", To: "700"}, {At: at(25), Kind: Dialled, Who: "102", Leg: "C"},
			{At: at(30), Kind: Bridged, Who: "102", Leg: "C"}, {At: at(30), Kind: QueueLeft, Who: "102", To: "700", Text: "answered", Position: 1},
			{At: at(60), Kind: LegEnded, Who: "102", Leg: "C", Cause: cause(PartyCaller, Hangup)},
			{At: at(60), Kind: Ended, Cause: cause(PartyCaller, Hangup)},
		}, "700 answered after 30 from 3 by 102 talk 30: 101 no_answer 15, 102 answered 5"},
		"killed": {[]CallEvent{arrived, in, {At: at(10), Kind: QueueOffered, Who: "101", To: "700"}}, "700 interrupted after 10 from 3 by  talk 0: 101 cancelled 0"},
		"gave up": {[]CallEvent{arrived, in, {At: at(7), Kind: Ended, Cause: cause(PartyCaller, Hangup)}},
			"700 abandoned after 7 from 3 by  talk 0: "},
		"two queues": {[]CallEvent{arrived, in, {At: at(9), Kind: QueueLeft, To: "700", Text: "timeout", Position: 2},
			{At: at(9), Kind: Queued, To: "701"}, {At: at(9), Kind: QueueLeft, To: "701", Text: "full"}, {At: at(9), Kind: Ended, Cause: cause(PartyCallee, Busy)}},
			"700 timeout after 9 from 3 by  talk 0: ; 701 full after 0 from 0 by  talk 0: "},
		"still talks": {[]CallEvent{arrived, in, {At: at(5), Kind: Bridged, Who: "101", Leg: "B"}, {At: at(5), Kind: QueueLeft, Who: "101", To: "700", Text: "answered", Position: 1},
			{At: at(9), Kind: Ended, Cause: cause(PartyCaller, Hangup)}}, "700 answered after 5 from 3 by 101 talk 4: "},
	} {
		cdr := Summarize("acme", "c1", c.trace)
		var list []string
		for _, v := range cdr.Queues {
			list = append(list, visitText(v))
		}
		if got := strings.Join(list, "; "); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
		if cdr.Explained.EN == "" || !strings.Contains(cdr.Explained.RU, "Sales") {
			t.Errorf("%s: explained %+v", name, cdr.Explained)
		}
	}
}

func visitText(v InQueue) string {
	num := func(f float64) string { return time.Duration(f * float64(time.Second)).Round(time.Second).String() }
	var offers []string
	for _, o := range v.Offers {
		what := string(o.Reason)
		if o.Answered {
			what = "answered"
		}
		offers = append(offers, o.Agent+" "+what+" "+strings.TrimSuffix(num(o.Rang), "s"))
	}
	return v.Number + " " + string(v.Left) + " after " + strings.TrimSuffix(num(v.Waited), "s") + " from " + string(rune('0'+v.Position)) + " by " + v.Agent +
		" talk " + strings.TrimSuffix(num(v.Talk), "s") + ": " + strings.Join(offers, ", ")
}

// TestQueueFigures: the service level of a queue.
func TestQueueFigures(t *testing.T) {
	x := NewQueueFold("700", 20*time.Second, time.Time{}, time.Time{})
	if f := x.Figures(); f.SLA != 0 || f.Agents == nil {
		t.Errorf("of nothing: %+v", f)
	}
	for _, v := range []InQueue{
		{Left: LeftAnswered, Waited: 10, Agent: "101", Talk: 60, Offers: []OfferedAgent{{Agent: "102", Reason: NoAnswer}, {Agent: "101", Answered: true, Rang: 4}}},
		{Left: LeftAnswered, Waited: 30, Agent: "101", Talk: 30, Offers: []OfferedAgent{{Agent: "101", Answered: true, Rang: 2}, {Agent: "103", Reason: Elsewhere}}},
		{Left: LeftAbandoned, Waited: 50}, {Left: LeftTimeout, Waited: 100}, {Left: LeftFull}, {Left: LeftEmpty}, {Left: LeftCallback, Waited: 5},
		{Left: LeftEnded}, {Left: LeftInterrupted},
	} {
		x.Visit(v)
	}
	x.Callback(CallbackOrder{State: CallbackReached})
	x.Callback(CallbackOrder{State: CallbackFailed})
	f := x.Figures()
	if f.Offered != 9 || f.Answered != 2 || f.Within != 1 || f.Abandoned != 1 || f.Overflowed != 3 || f.Callbacks != 1 || f.Reached != 1 || f.Other != 2 ||
		f.SLA != 11.111 || f.AverageWait != 20 || f.LongestWait != 100 || f.AverageTalk != 45 {
		t.Errorf("%+v", f)
	}
	want := []AgentFigures{{Agent: "101", Offered: 2, Answered: 2, Talk: 90, AverageTalk: 45, AverageRing: 3}, {Agent: "102", Offered: 1, Missed: 1}, {Agent: "103", Offered: 1}}
	if !slices.Equal(f.Agents, want) {
		t.Errorf("%+v", f.Agents)
	}
}
