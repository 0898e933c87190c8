package call

import (
	"time"

	"vpbx/pbx"
)

// startRecording records the talk that begins when the plan says so: the caller
// on the left, the callee on the right. A recording that cannot begin does not
// stop the call; the record says so.
func (c *Call) startRecording() {
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
	c.caller.media.SetTap(r.Side(0))
	c.peer.media.SetTap(r.Side(1))
	c.note(pbx.CallEvent{Kind: pbx.RecordStart, Recording: &pbx.Recording{ID: r.ID(), Tenant: c.company.ID, Call: c.id}})
}

// stopRecording closes the recording and notes what came of it.
func (c *Call) stopRecording() {
	if c.recorder == nil {
		return
	}
	c.caller.media.SetTap(nil)
	c.peer.media.SetTap(nil)
	rec := c.recorder.Close()
	c.recorder = nil
	c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &rec})
}
