package pbx

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// lines are notices in short.
func lines(list []Notification) string {
	var all []string
	for _, n := range list {
		s := string(n.Kind)
		if n.Who != "" {
			s += " " + n.Who
			if n.Extension == "" {
				s += " outside"
			}
		}
		if n.By != "" {
			s += " by " + n.By
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

func TestNotifications(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	in := CallEvent{Kind: Arrived, Direction: In, From: "+79160000001", Who: "+79160000001", To: "+74950000000", Trunk: "carrier", Leg: "a"}
	out := CallEvent{Kind: Arrived, Direction: Out, From: "101", Who: "101", To: "89160000001", Leg: "a"}
	dial := func(leg LegID, who string) CallEvent { return CallEvent{Kind: Dialled, Leg: leg, Who: who} }
	rings := func(leg LegID) CallEvent { return CallEvent{Kind: Ringing, Leg: leg} }
	joins := func(leg LegID, who string) CallEvent { return CallEvent{Kind: Bridged, Leg: leg, Who: who} }
	hangup := NewCause(PartyCaller, Hangup)
	ended := CallEvent{Kind: Ended, Cause: &hangup}
	for name, test := range map[string]struct {
		trace []CallEvent
		want  string
	}{
		"answered":     {[]CallEvent{in, dial("b", "101"), rings("b"), rings("b"), joins("b", "101"), ended}, "arrived, ringing 101, answered 101, disconnected 101, ended"},
		"missed":       {[]CallEvent{in, dial("b", "101"), rings("b"), ended}, "arrived, ringing 101, disconnected, ended"},
		"refused":      {[]CallEvent{out, ended}, "arrived, disconnected, ended"},
		"group":        {[]CallEvent{in, dial("b", "101"), dial("c", "102"), dial("d", "101"), rings("c"), rings("b"), rings("d"), joins("c", "102"), ended}, "arrived, ringing 102, ringing 101, answered 102, disconnected 102, ended"},
		"rings again":  {[]CallEvent{in, dial("b", "101"), rings("b"), {Kind: LegEnded, Leg: "b"}, dial("c", "101"), rings("c"), ended}, "arrived, ringing 101, ringing 101, disconnected, ended"},
		"never rang":   {[]CallEvent{in, dial("b", "101"), joins("b", "101"), ended}, "arrived, ringing 101, answered 101, disconnected 101, ended"},
		"outgoing":     {[]CallEvent{out, {Kind: Routed, Direction: Out, To: "+79160000001"}, {Kind: Dialled, Leg: "b", Who: "+79160000001", Trunk: "carrier"}, {Kind: EarlyMedia, Leg: "b"}, joins("b", "+79160000001"), ended}, "arrived, ringing +79160000001 outside, answered +79160000001 outside, disconnected +79160000001 outside, ended"},
		"callback":     {[]CallEvent{{Kind: Arrived, Direction: Out, From: "101", Who: "101", To: "+7916"}, {Kind: CallerDialled, Leg: "a", Who: "101"}, rings("a"), {Kind: Routed}, {Kind: Dialled, Leg: "b", Who: "+7916", Trunk: "carrier"}, rings("b"), joins("b", "+7916"), ended}, "arrived, ringing +7916 outside, answered +7916 outside, disconnected +7916 outside, ended"},
		"transfer":     {[]CallEvent{in, dial("b", "101"), rings("b"), joins("b", "101"), dial("c", "102"), rings("c"), joins("c", "102"), {Kind: Transferred, Who: "101", To: "102"}, ended}, "arrived, ringing 101, answered 101, ringing 102, answered 102, transferred 102 by 101, disconnected 102, ended"},
		"taken over":   {[]CallEvent{in, dial("b", "101"), rings("b"), {Kind: Entered, Leg: "c", Who: "102"}, joins("c", "102"), ended}, "arrived, ringing 101, answered 102, disconnected 102, ended"},
		"back again":   {[]CallEvent{in, dial("b", "101"), rings("b"), joins("b", "101"), {Kind: Unbridged}, joins("b", "101"), ended}, "arrived, ringing 101, answered 101, disconnected 101, ended"},
		"conference":   {[]CallEvent{in, {Kind: Routed}, {Kind: JoinedRoom, Who: "+79160000001", To: "800"}, {Kind: LeftRoom, Who: "+79160000001"}, ended}, "arrived, answered, disconnected, ended"},
		"feature code": {[]CallEvent{{Kind: Arrived, Direction: InternalTo, From: "101", Who: "101", To: "*43"}, {Kind: Routed}, {Kind: Served, Who: "101"}, {Kind: Served, Who: "101"}, ended}, "arrived, answered, disconnected, ended"},
		"recorded": {[]CallEvent{in, dial("b", "101"), joins("b", "101"), {Kind: RecordStart}, {Kind: RecordEnd, Recording: &Recording{ID: "r"}}, {Kind: RecordEnd, Recording: &Recording{Error: "x"}}, ended},
			"arrived, ringing 101, answered 101, disconnected 101, ended, recorded"},
		"interrupted": {[]CallEvent{in, dial("b", "101")}, "arrived, disconnected, ended"},
	} {
		for i := range test.trace {
			test.trace[i].At = at.Add(time.Duration(i) * time.Second)
		}
		record := Summarize("acme", "c", test.trace)
		full := Notifications("c", test.trace, &record)
		if got := lines(full); got != test.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, test.want)
		}
		for i, n := range full {
			if n.Seq != i+1 || n.Call != "c" || n.From != record.From {
				t.Errorf("%s: notice %+v", name, n)
			}
		}
		for i := range test.trace {
			sofar := Notifications("c", test.trace[:i], nil)
			if len(sofar) > len(full) || !reflect.DeepEqual(sofar, full[:len(sofar)]) && len(sofar) > 0 {
				t.Errorf("%s: after %d events %s, which is not how it goes on", name, i, lines(sofar))
			}
		}
	}
}

func FuzzDeliveryID(f *testing.F) {
	for _, s := range []string{"", "-1", "a-1", "a-b-2", "a--1", "a-01", "a-99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if call, seq, ok := ParseDeliveryID(id); ok && DeliveryID(call, seq) != id {
			t.Error(fmt.Sprint(id, call, seq))
		}
	})
}
