package call

import (
	"fmt"
	"time"

	"vpbx/media"
	"vpbx/media/amd"
	"vpbx/pbx"
)

const (
	machineWait = time.Minute // for the beep of a machine or the end of its greeting
	maxBeeps    = 3           // after which a message for a machine begins again
	verdictLate = time.Second // how much later than promised a verdict may come

	detectLag      = 150 * time.Millisecond // from the sound to the verdict that it makes
	leastListening = 500 * time.Millisecond // to a target that says nothing
)

// listenToTarget begins to find out whether the target that has just answered is a machine,
// where the campaign wants to know.
func (c *Call) listenToTarget() {
	if c.campaign.order.Settings.Machine.Do != pbx.MachineIgnored {
		o := c.m.AMD
		if o == (amd.Options{}) {
			o = amd.Default()
		}
		if c.campaign.order.Settings.Mode.OperatorMode() { // who says nothing is not to wait longer for its operator
			o.Silence = max(leastListening, c.campaign.operatorTime()-detectLag)
		}
		c.caller.media.Detect(o)
	}
}

// metMachine waits until it is known who has answered, and tells whether it is taken for a
// machine: never, where the campaign does not ask. An error means that the call is over.
func (c *Call) metMachine() (bool, error) {
	rule := c.campaign.order.Settings.Machine
	if rule.Do == pbx.MachineIgnored {
		return false, nil
	}
	bound := c.m.AMD.Bound
	if bound == 0 {
		bound = amd.Default().Bound
	}
	timer := time.NewTimer(2*bound + verdictLate) // of the first voice, which comes within the first bound
	defer timer.Stop()
	for {
		e, err := c.next(timer.C)
		if err != nil {
			return false, err
		}
		switch e := e.(type) {
		case media.Detected:
			c.campaign.greeted = c.campaign.greeted.Add(e.After - e.Quiet)
			return c.detected(rule, e.Verdict, e.Reason.String()), nil
		case expired:
			return c.detected(rule, amd.Unsure, amd.Timeout.String()), nil
		}
	}
}

// detected notes who has answered, and tells whether it is taken for a machine.
func (c *Call) detected(rule pbx.MachineRule, v amd.Verdict, why string) bool {
	machine := c.m.AMD.Treat(v) == amd.Machine || v == amd.Unsure && rule.Unsure
	taken := pbx.AnswererHuman
	if machine {
		taken = pbx.AnswererMachine
	}
	c.note(pbx.CallEvent{Kind: pbx.Detected, Who: c.caller.who, Text: v.String(), Name: taken, Why: []string{"who answered: " + v.String() + " (" + why + ")"}})
	return machine
}

// leaveMessage does what the campaign says about a machine, and ends the call.
func (c *Call) leaveMessage() {
	s := c.campaign.order.Settings
	if s.Machine.Do == pbx.MachineMessage {
		play := s.Machine.Play
		if len(play) == 0 && len(s.Script) > 0 {
			play = s.Script[0].Play
		}
		if c.sayToMachine(c.ready(play)) != nil {
			return
		}
	}
	_ = c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
}

// sayToMachine says something once the machine records: behind its beep, or behind its
// greeting when none comes. It begins again with a beep that comes meanwhile, since only what
// follows is kept. An error means that the call is over.
func (c *Call) sayToMachine(sounds []sound) error {
	records, err := c.awaitBeep()
	if err != nil {
		return err
	}
	if !records {
		c.why(fmt.Sprintf("the machine neither beeped nor ended its greeting in %v", machineWait))
		return nil
	}
	for range maxBeeps {
		again := false
		for _, s := range sounds {
			if again, err = c.playToBeep(s); err != nil || again {
				break
			}
		}
		if err != nil {
			return err
		}
		if !again {
			c.campaign.told = true
			c.note(pbx.CallEvent{Kind: pbx.Told, Who: c.caller.who})
			return nil
		}
	}
	c.why(fmt.Sprintf("the machine beeped %d times into the message", maxBeeps))
	return nil
}

// awaitBeep waits until the machine records, and tells whether it does.
func (c *Call) awaitBeep() (bool, error) {
	timer := time.NewTimer(machineWait)
	defer timer.Stop()
	for {
		e, err := c.next(timer.C)
		if err != nil {
			return false, err
		}
		switch e.(type) {
		case media.Beep, media.GreetingEnd:
			return true, nil
		case expired:
			return false, nil
		}
	}
}

// playToBeep plays a prompt to its end, or to a beep, and tells whether one came.
func (c *Call) playToBeep(s sound) (bool, error) {
	c.note(pbx.CallEvent{Kind: pbx.Playing, Who: c.caller.who, Text: s.name})
	began := time.Now()
	c.caller.media.Play(s.p, false)
	for {
		e, err := c.next(nil)
		if err != nil {
			return false, err
		}
		switch e.(type) {
		case media.Beep:
			c.caller.media.StopPlay()
			return true, nil
		case media.PlayDone: // one that comes early belongs to what a beep has cut
			if time.Since(began) > s.p.Duration()/2 {
				return false, nil
			}
		}
	}
}
