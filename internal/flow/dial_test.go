package flow

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vpbx/internal/phone"
)

// dial makes the calls of a call line.
func (a *agent) dial(c *command) error {
	times, err := c.number("times", 1)
	if err != nil {
		return err
	}
	every, err := c.duration("every", time.Second)
	if err != nil {
		return err
	}
	for i := range times {
		if i > 0 {
			time.Sleep(every)
		}
		if times == 1 {
			return a.dialOnce(c)
		}
		a.w.wg.Go(func() {
			if err := a.dialOnce(c); err != nil {
				a.w.fail(err)
			}
		})
	}
	return nil
}

// options reads how a call is made.
func (a *agent) options(c *command) (to string, o phone.DialOptions, err error) {
	to = c.args[2]
	if !a.isExtension() {
		to = "sip:" + to + "@" + pbxIP
	}
	o = phone.DialOptions{NoSDP: c.has("no-sdp"), From: c.opts["from"], Refresher: c.opts["refresher"]}
	if o.SessionExpires, err = c.duration("session", 0); err != nil {
		return to, o, err
	}
	if c.has("hide") {
		o.From = "Anonymous <sip:anonymous@anonymous.invalid>"
	}
	if c.has("supported") {
		o.Supported = strings.Split(c.opts["supported"], ",")
	}
	if c.has("noack") || c.has("silent") {
		o.Misbehave = &phone.Misbehave{NoACK: c.has("noack"), Mute: c.has("silent")}
	}
	if via := c.opts["via"]; via != "" { // a call of a provider at which the PBX is registered
		list := a.w.agent(via).phone.Bindings()
		if len(list) == 0 {
			return to, o, fmt.Errorf("line %d: nobody is registered at %s", c.line, via)
		}
		to = list[0].Contact
		o.Headers = map[string]string{"To": "<sip:" + c.args[2] + "@" + via + ">"}
		o.From = "<sip:" + c.args[0] + "@" + via + ">"
	}
	if number, ok := strings.CutPrefix(c.opts["replaces"], "lamp:"); ok {
		o.Headers = map[string]string{"Replaces": a.lamp(number)}
	} else if c.has("replaces") {
		err = a.w.replace(c, &o)
	}
	return to, o, err
}

func (a *agent) dialOnce(c *command) error {
	to, o, err := a.options(c)
	if err != nil {
		return err
	}
	talk, err := c.duration("talk", 5*time.Second)
	if err != nil {
		return err
	}
	patience, err := c.duration("patience", time.Hour)
	if err != nil {
		return err
	}
	p := a.phone
	if via := c.opts["via"]; via != "" {
		p = a.w.agent(via).phone
	}
	instead := ""
	if r := c.opts["replaces"]; r != "" {
		instead = " in the place of the call of " + r
	}
	a.note("calls %s%s", c.args[2], instead)
	call, err := p.Dial(a.w.ctx, to, o)
	if err != nil {
		a.note("cannot call: %v", err)
		return nil
	}
	a.w.dialled(a, call)
	a.begun(call)
	a.follow(call, talk, patience)
	return nil
}

// follow is the caller's side of a call, from the INVITE to the end.
func (a *agent) follow(call *phone.Call, talk, patience time.Duration) {
	ctx, cancel := context.WithTimeout(a.w.ctx, patience)
	err := call.Answered(ctx)
	cancel()
	a.saw(call)
	switch {
	case a.w.ctx.Err() != nil:
		return
	case err != nil && call.State() != phone.Ended:
		a.hangUp(call)
		return
	case err != nil:
		reply := fmt.Sprintf("%d", call.Status())
		if v := call.Header("Retry-After"); v != "" {
			reply += ", Retry-After: " + v
		}
		a.note("gets %s", reply)
		return
	}
	a.note("gets 200")
	a.w.wg.Go(func() { a.ended(call, "is hung up on") })
	if pause(call, talk) {
		a.hangUp(call)
	}
}

// saw writes down the provisional answers, without repetitions.
func (a *agent) saw(call *phone.Call) {
	before := ""
	for _, p := range call.Ringing() {
		text := strconv.Itoa(p.Status)
		if len(p.SDP) > 0 {
			text += " with sound"
		}
		if text != before {
			a.w.log.addAt(p.At, a.name, "gets %s", text)
		}
		before = text
	}
}
