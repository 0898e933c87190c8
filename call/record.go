package call

import (
	"time"

	"vpbx/pbx"
)

// startRecording records the talk that begins when the plan says so: the caller
// on the left, the callee on the right; who takes the place of one of them after a
// transfer is heard on that side. A recording that cannot begin does not stop the
// call; the record says so.
func (c *Call) startRecording() {
	if c.recorder != nil {
		c.tap()
		return
	}
	if !c.decision.Record {
		return
	}
	r, err := c.m.Recordings.Start(c.company.ID, c.id, time.Now())
	if err != nil {
		c.log.Error("recording not started", "error", err)
		c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &pbx.Recording{Tenant: c.company.ID, Call: c.id, Error: "the recording could not be started"}})
		return
	}
	c.recorder = r
	c.tap()
	c.note(pbx.CallEvent{Kind: pbx.RecordStart, Recording: &pbx.Recording{ID: r.ID(), Tenant: c.company.ID, Call: c.id}})
}

// tap makes the recording hear those who talk now, and the supervisor whom both of
// them hear.
func (c *Call) tap() {
	for _, p := range []*party{c.caller, c.peer} {
		if p.tapped != c.recorder {
			p.tapped = c.recorder
			p.media.SetTap(c.recorder.Side(p.seat))
		}
	}
	for _, p := range c.supervisors {
		if p.barges && p.tapped != c.recorder {
			p.tapped = c.recorder
			p.media.SetTap(c.recorder.Extra())
		}
	}
}

// stopRecording closes the recording and notes what came of it.
func (c *Call) stopRecording() {
	if c.recorder == nil {
		return
	}
	for _, p := range append(c.everybody(), c.supervisors...) {
		if p.tapped = nil; p.media != nil && !p.over { // else another call may record it
			p.media.SetTap(nil)
		}
	}
	rec := c.recorder.Close()
	c.recorder = nil
	c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &rec})
}
