package pbx

import (
	"testing"
	"time"
)

func TestPersonal(t *testing.T) {
	e := &Extension{Number: "101", Forward: &Forward{Always: "102", Busy: "103", NoAnswer: "104", Unregistered: "105"}}
	for on, want := range map[On]string{OnAlways: "102", OnBusy: "103", OnNoAnswer: "104", OnUnregistered: "105", "": ""} {
		if got := e.ForwardOn(on); got != want {
			t.Errorf("on %q it forwards to %q", on, got)
		}
	}
	e.SetForward("")
	if e.ForwardOn(OnAlways) != "" || e.ForwardOn(OnBusy) != "103" {
		t.Error("only the forward of all calls is to be off")
	}
	e.SetForward("106")
	before := e.Personal
	e.SetDND(true)
	if e.ForwardOn(OnAlways) != "106" || !e.DND() || before.DND {
		t.Errorf("%+v, before %+v", e.Personal, before)
	}

	e = &Extension{Number: "101"}
	if e.DND() || e.ForwardOn(OnAlways) != "" {
		t.Error("nothing is set")
	}
	e.SetDND(true)
	e.SetForward("102")
	e.SetDND(false)
	e.SetForward("")
	if e.Personal != nil {
		t.Errorf("all is set back, and %+v is kept", e.Personal)
	}
}

// TestServed: a call that the PBX itself answers is an answered one.
func TestServed(t *testing.T) {
	at := func(s int) CallEvent { return CallEvent{At: time.Unix(int64(s), 0)} }
	arrived, served, ended := at(0), at(1), at(4)
	arrived.Kind, arrived.Who, arrived.Leg = Arrived, "101", "l"
	served.Kind, served.Who, served.Leg = Served, "101", "l"
	cause := NewCause(PartyPBX, Hangup)
	ended.Kind, ended.Cause = Ended, &cause
	c := Summarize("acme", "c", []CallEvent{arrived, served, ended})
	if c.Outcome != OutcomeAnswered || c.Wait != 1 || c.Talk != 3 {
		t.Errorf("%+v", c)
	}
}
