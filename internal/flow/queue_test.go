package flow

import (
	"errors"
	"fmt"
	"time"

	"vpbx/pbx"
)

// checkQueues: nobody waits any more, and no agent is stuck.
func (w *world) checkQueues() error {
	var queues struct{ Items []pbx.QueueInfo }
	var agents struct{ Items []pbx.AgentInfo }
	if err := errors.Join(w.get("acme", "queues", &queues), w.get("acme", "agents?limit=500", &agents)); err != nil {
		return err
	}
	var errs []error
	for _, q := range queues.Items {
		for _, v := range q.Waiting {
			if !v.Callback {
				errs = append(errs, fmt.Errorf("%s waits in queue %s for ever", v.From, q.Number))
			}
		}
	}
	for _, a := range agents.Items {
		if a.Status == pbx.AgentRinging || a.Status == pbx.AgentTalking || a.Status == pbx.AgentReserved {
			errs = append(errs, fmt.Errorf("agent %s is %s for ever", a.Number, a.Status))
		}
	}
	return errors.Join(errs...)
}

// checkQueued: who comes into a queue leaves it once, and an agent is not offered a caller
// who has left.
func checkQueued(r record) error {
	in := ""
	for _, e := range r.Trace {
		switch e.Kind {
		case pbx.Queued:
			if in != "" {
				return fmt.Errorf("it came into queue %s and had not left %s", e.To, in)
			}
			in = e.To
		case pbx.QueueLeft:
			if in != e.To {
				return fmt.Errorf("it left queue %s and was in %q", e.To, in)
			}
			in = ""
		case pbx.QueueOffered:
			if in != e.To {
				return fmt.Errorf("it was offered to %s for queue %s and was in %q", e.Who, e.To, in)
			}
		}
	}
	if in != "" && r.Cause.Reason != pbx.Interrupted {
		return fmt.Errorf("it never left queue %s", in)
	}
	return nil
}

// line adds what happens at queues: agents come and go, callers come, wait, give up, ask
// to be called back.
func (g *generator) line() {
	at := g.add("call %s to %s patience=3m talk=%v", g.one("+79160000001", "+79160000002", "+79160000003"), g.one("+74950000002", "+74950000009"), g.some(2*time.Minute))
	switch g.IntN(6) {
	case 0:
		g.addAt(at+g.some(20*time.Second), "call %s to %s talk=1m", g.one(g.names...), g.one("700", "701", "702"))
	case 1:
		g.addAt(at+g.some(20*time.Second), "call %s to %s", g.one("101", "102", "103", "104"), g.one("*45", "*46", "*461", "*45702"))
	case 2:
		g.addAt(at+g.some(20*time.Second), "%s presses 1", g.one("+79160000001", "+79160000002", "+79160000003"))
	case 3:
		g.addAt(at+g.some(20*time.Second), "api POST agents/%s/%s maybe", g.one("101", "102", "103", "104"), g.one("login", "resume", "pause", "logout", "login"))
	case 4:
		g.addAt(at+g.some(30*time.Second), "%s refers to %s hangs=%s", g.one(g.names...), g.one("700", "701"), g.one("at-once", "never"))
	}
}
