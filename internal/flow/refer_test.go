package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vpbx/internal/phone"
)

// ordinals say which of the calls that an agent has is meant.
var ordinals = []string{"first", "second", "third"}

// going lists the calls that the agent has now, oldest first.
func (a *agent) going() []*phone.Call {
	a.mu.Lock()
	legs := slices.Clone(a.legs)
	a.mu.Unlock()
	return slices.DeleteFunc(legs, func(c *phone.Call) bool { return c.State() == phone.Ended })
}

// legOf is the call that a line means and how the transcript names it: the latest,
// or the n-th of those that go on. Nil when there is none.
func (a *agent) legOf(c *command) (leg *phone.Call, named string) {
	if c.which == "" {
		return a.leg(), ""
	}
	named = " (" + c.which + " call)"
	if n, legs := slices.Index(ordinals, c.which), a.going(); n < len(legs) {
		leg = legs[n]
	}
	return leg, named
}

// reaction is how long a phone takes to act upon an answer or a NOTIFY; what came
// at the same instant has been dealt with then.
const reaction = time.Millisecond

// refer sends a REFER in a call and writes down what becomes of it.
func (a *agent) refer(ctx context.Context, c *command, leg *phone.Call, named string) error {
	hangs := c.opts["hangs"]
	if hangs != "" && hangs != "at-once" && hangs != "never" {
		return fmt.Errorf("hangs=%s is neither at-once nor never", hangs)
	}
	said, replaces := strings.Join(c.args, " "), ""
	target := c.args[2]
	if c.args[1] != "to" {
		if leg, replaces = a.consultation(c); leg == nil {
			a.note("has no two calls with somebody: %s", said)
			return nil
		}
		target = c.args[1]
	}
	to := phone.ReferTo(a.uriOf(target), replaces)
	if raw, ok := c.opts["raw"]; ok {
		to, said = raw, fmt.Sprintf("%s as %q", said, raw)
	}
	reply, news, err := leg.Refer(ctx, to)
	if err != nil {
		a.note("%s%s: no answer", said, named)
		return nil
	}
	a.w.log.addFirst(reply.At, a.name, "%s%s: %s", said, named, statusOf(reply))
	if news == nil {
		return nil
	}
	if hangs == "at-once" {
		a.hangUpSoon(leg)
	}
	return a.heed(news, leg, hangs == "")
}

// heed writes down what the NOTIFYs of a REFER say. The phone hangs up when the
// transfer has succeeded, if it is one that does.
func (a *agent) heed(news <-chan phone.Notification, leg *phone.Call, hangs bool) error {
	for {
		select {
		case n, ok := <-news:
			if !ok {
				a.note("hears no more of its REFER")
				return nil
			}
			a.w.log.addFirst(n.At, a.name, "NOTIFY %s", notificationText(n))
			if hangs && n.Status >= 200 && n.Status < 300 {
				a.hangUpSoon(leg)
			}
			if n.State == "terminated" {
				return nil
			}
		case <-a.w.over:
			return nil
		}
	}
}

// hangUpSoon ends a call that the other side has not just ended.
func (a *agent) hangUpSoon(leg *phone.Call) {
	if pause(leg, reaction) {
		a.hangUp(leg)
	}
}

// consultation is the call in which an attended transfer is asked for, the first or
// the second of two, and the Replaces value of the other.
func (a *agent) consultation(c *command) (leg *phone.Call, replaces string) {
	legs := a.going()
	if len(legs) < 2 {
		return nil, ""
	}
	leg, other := legs[0], legs[1]
	if c.opts["from"] == "second" {
		leg, other = other, leg
	}
	d := other.Dialog()
	if d.RemoteTag == "" {
		return nil, ""
	}
	return leg, spoil(d, c).Replaces()
}

// spoil puts a tag that nobody has into a dialog when the line wants it.
func spoil(d phone.Dialog, c *command) phone.Dialog {
	if tag, ok := c.opts["to-tag"]; ok {
		d.RemoteTag = tag
	}
	return d
}

// uriOf is the URI of a number as the agent calls it.
func (a *agent) uriOf(number string) string {
	switch {
	case strings.Contains(number, ":"):
		return number
	case strings.Contains(number, "@"):
		return "sip:" + number
	case a.isExtension():
		return "sip:" + number + "@" + a.domain
	}
	return "sip:" + number + "@" + pbxIP
}

func notificationText(n phone.Notification) string {
	s := "without a status"
	if n.Status > 0 {
		s = fmt.Sprintf("%d %s", n.Status, n.Reason)
	}
	if n.State != "active" {
		s += ", " + n.State
	}
	if n.Ended != "" {
		s += " (" + n.Ended + ")"
	}
	if n.Fault != "" {
		s += ", wrong: " + n.Fault
	}
	return s
}

// replace puts Replaces into the INVITE of a call line: the dialog of somebody's
// call as a watcher of that phone learns it, its own tag being the to-tag (RFC 4235
// §4.1.2), or what the line says when that is a value already.
func (w *world) replace(c *command, o *phone.DialOptions) error {
	value := c.opts["replaces"]
	if !strings.Contains(value, ";") {
		leg, err := w.replaced(value)
		if err != nil {
			return err
		}
		d := leg.Dialog()
		if !c.has("mirrored") {
			d = d.Swapped()
		}
		value = spoil(d, c).Replaces()
	}
	if c.has("early-only") {
		value += ";early-only"
	}
	if o.Headers == nil {
		o.Headers = map[string]string{}
	}
	o.Headers["Replaces"] = value
	if require, ok := c.opts["require"]; ok {
		o.Headers["Require"] = require
	}
	return nil
}

// replaced finds the call that NAME, NAME:ringing, NAME:talk or NAME:ended means,
// the latest of several.
func (w *world) replaced(said string) (*phone.Call, error) {
	name, state := said, ""
	if a := w.agent(name); a == nil {
		if i := strings.LastIndexByte(said, ':'); i >= 0 {
			name, state = said[:i], said[i+1:]
		}
	}
	a := w.agent(name)
	if a == nil {
		return nil, fmt.Errorf("there is no %s", name)
	}
	a.mu.Lock()
	legs := slices.Clone(a.legs)
	a.mu.Unlock()
	for _, leg := range slices.Backward(legs) {
		s := leg.State()
		switch state {
		case "":
			return leg, nil
		case "ringing":
			if s == phone.Ringing || s == phone.Calling {
				return leg, nil
			}
		case "talk":
			if s == phone.Answered {
				return leg, nil
			}
		case "ended":
			if s == phone.Ended {
				return leg, nil
			}
		default:
			return nil, fmt.Errorf("replaces=%s: a call is ringing, talk or ended", said)
		}
	}
	return nil, fmt.Errorf("%s has no such call: replaces=%s", name, said)
}
