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

// tap makes the recording hear those who talk now.
func (c *Call) tap() {
	c.caller.media.SetTap(c.recorder.Side(c.caller.seat))
	c.peer.media.SetTap(c.recorder.Side(c.peer.seat))
}

// stopRecording closes the recording and notes what came of it.
func (c *Call) stopRecording() {
	if c.recorder == nil {
		return
	}
	for _, p := range c.everybody() {
		if p.media != nil {
			p.media.SetTap(nil)
		}
	}
	rec := c.recorder.Close()
	c.recorder = nil
	c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &rec})
}
