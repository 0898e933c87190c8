package call

import (
	"cmp"
	"fmt"
	"time"

	"vpbx/pbx"
	"vpbx/routing"
)

const (
	maxBlocks    = 64              // of a script that one call goes through
	maxBlockTry  = 10              // times that a block is said
	keyWait      = 5 * time.Second // for a key, where the block does not say how long
	operatorWait = 2 * time.Second // for an operator, where the campaign does not: 47 CFR 64.1200(a)(7)
)

// tellMessage calls the target and speaks to it as the script says.
func (c *Call) tellMessage(dial routing.Dial) {
	if c.reachTarget(dial) != nil {
		return
	}
	machine, err := c.metMachine()
	switch {
	case err != nil:
	case machine:
		c.leaveMessage()
	default:
		c.script()
	}
}

// script says the blocks of the script, from the first on, and ends the call.
func (c *Call) script() {
	c.listens, c.typed = true, nil
	s := c.campaign.order.Settings
	block := &s.Script[0]
	for n := 0; block != nil; n++ {
		if n == maxBlocks {
			c.why(fmt.Sprintf("the script is left after %d blocks", maxBlocks))
			break
		}
		action, err := c.sayBlock(block)
		if err != nil {
			return
		}
		if block, err = c.react(block, action); err != nil {
			return
		}
	}
	_ = c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
}

// sayBlock says a block and gives what the key that was pressed means, or that none was;
// nil: the call ends. An error means that it is over.
func (c *Call) sayBlock(b *pbx.ScriptBlock) (*pbx.ScriptAction, error) {
	sounds, asks := c.ready(b.Play), len(b.Keys) > 0
	for try := 1; try <= min(max(b.Tries, 1), maxBlockTry); try++ {
		if _, err := c.collect(collect{sounds: sounds, interrupt: asks}); err != nil {
			return nil, err
		}
		if !asks {
			c.heardMessage(b)
			return b.Otherwise, nil
		}
		if len(c.typed) == 0 {
			c.heardMessage(b)
		}
		key, err := c.collect(collect{max: 1, first: cmp.Or(b.Timeout, keyWait)})
		if err != nil {
			return nil, err
		}
		c.typed = nil // what is pressed for one block says nothing to the next
		if a, known := b.Keys[key]; known {
			c.note(pbx.CallEvent{Kind: pbx.Replied, Who: c.caller.who, Text: b.Name, Digit: key, Name: a.Answer})
			return &a, nil
		}
		why := "nothing was pressed"
		if key != "" {
			why = "what was pressed is no choice"
		}
		c.why(fmt.Sprintf("block %s: %s (%d of %d)", b.Name, why, try, max(b.Tries, 1)))
	}
	c.note(pbx.CallEvent{Kind: pbx.Replied, Who: c.caller.who, Text: b.Name})
	return b.Otherwise, nil
}

// heardMessage notes, once, that the message was heard to its end: all of the first block.
func (c *Call) heardMessage(b *pbx.ScriptBlock) {
	if k := c.campaign; !k.told && b == &k.order.Settings.Script[0] {
		k.told = true
		c.note(pbx.CallEvent{Kind: pbx.Told, Who: c.caller.who})
	}
}

// react does an action and gives the block that follows, nil when the call ends. An error
// means that it is over.
func (c *Call) react(b *pbx.ScriptBlock, a *pbx.ScriptAction) (*pbx.ScriptBlock, error) {
	if a == nil {
		return nil, nil
	}
	if a.OptOut { // before it is confirmed: whoever hangs up meanwhile has said so, too
		c.note(pbx.CallEvent{Kind: pbx.OptedOut, Who: c.caller.who})
	}
	if _, err := c.collect(collect{sounds: c.ready(a.Play)}); err != nil {
		return nil, err
	}
	c.typed = nil
	switch {
	case a.Connect != "":
		return nil, c.connectTarget(a.Connect)
	case a.Go != "":
		return c.campaign.order.Settings.Block(a.Go), nil
	case a.Repeat:
		return b, nil
	}
	return nil, nil
}

// connectTarget joins the target with an extension, a group or a queue, if somebody answers
// there in time; else it is told that nobody is there. It always gives an error: the call is
// over then.
func (c *Call) connectTarget(to string) error {
	c.listens, c.typed = false, nil
	k := c.campaign
	f := routing.Connect(c.asked, to)
	c.recordAlso(f.Record, f.Notice)
	if err := c.announceAlone(); err != nil {
		return err
	}
	c.note(pbx.CallEvent{Kind: pbx.Wanted, Who: c.caller.who, To: to, Why: f.Why})
	within := k.operatorTime()
	k.deadline = time.Now().Add(within)
	if !c.branch(hurried(f.Steps, within)) {
		if c.cause.Reason != "" {
			return errOver
		}
		return c.sorry()
	}
	for c.cause.Reason == "" { // an operator sends the target on
		if !c.carryOut(c.move()) {
			break
		}
	}
	return errOver
}

// announceAlone plays the announcement of a recording to the target before an operator is
// called, who would have to wait for its end.
func (c *Call) announceAlone() error {
	if !c.unannounced() || c.silenced() {
		return nil
	}
	c.tape.announced = true
	_, err := c.collect(collect{sounds: []sound{{c.company.Recordings.Announce, c.tape.notice}}})
	return err
}

// hurried makes steps do without what takes longer than an operator is waited for: a queue
// neither greets nor overflows nor calls back.
func hurried(steps []routing.Step, within time.Duration) []routing.Step {
	list := make([]routing.Step, 0, len(steps))
	for _, s := range steps {
		if q, is := s.(routing.Queue); is {
			g, queue := *q.Group, *q.Group.Queue
			queue.MaxWait, queue.Greeting, queue.Overflow, queue.Callback = within, "", nil, nil
			g.Queue = &queue
			q.Group = &g
			s = q
		}
		list = append(list, s)
	}
	return list
}

// sorry tells the target that nobody is there for it, and ends the call.
func (c *Call) sorry() error {
	c.caller.media.StopPlay()
	c.music = nil
	c.note(pbx.CallEvent{Kind: pbx.Sorry, Who: c.caller.who})
	if name := c.campaign.order.Settings.Operators.SafeHarbour; name != "" {
		if _, err := c.collect(collect{sounds: c.ready([]string{name})}); err != nil {
			return err
		}
	}
	return c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
}

// within cuts a time to what is left until an operator must be there.
func (k *campaigning) within(d time.Duration) time.Duration {
	if k == nil || k.deadline.IsZero() {
		return d
	}
	return max(0, min(d, time.Until(k.deadline)))
}

// late tells whether that time is over: nobody else is called.
func (k *campaigning) late() bool {
	return k != nil && !k.deadline.IsZero() && !time.Now().Before(k.deadline)
}

// inTime notes that an operator is there: how long anything takes is free again.
func (k *campaigning) inTime() {
	if k != nil {
		k.deadline = time.Time{}
	}
}
