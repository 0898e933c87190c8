package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpbx/media"
	"vpbx/pbx"
)

// maxRecordings bounds what keys and the API can begin in one call.
const maxRecordings = 100

// tape is the recording of a call beside the sound: how those who talk learn of it,
// and when it has to be looked after next.
type tape struct {
	notice    *media.Prompt // the announcement of the company, nil: none, or it cannot be played
	announced bool
	telling   map[*media.Session]bool // who hears it now, before the two are joined
	begun     int                     // recordings of the call
	busyUntil time.Time               // something is played over the talk until then
	beepAt    time.Time               // the next tone, zero: none
	resumeAt  time.Time               // when a pause ends by itself, zero: never
	due       *time.Timer             // for the earlier of the two, nil: neither
}

// startRecording records the talk that begins when the plan says so: the caller
// on the left, the callee on the right; who takes the place of one of them after a
// transfer is heard on that side. A recording that cannot begin does not stop the
// call; the record says so. Where two talk already, the announcement is played over
// their talk.
func (c *Call) startRecording() {
	if c.recorder != nil {
		c.tap()
		return
	}
	if !c.decision.Record || c.silenced() {
		return
	}
	r, err := c.m.Recordings.Start(c.company.ID, c.id, time.Now())
	if err != nil {
		c.log.Error("recording not started", "error", err)
		c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &pbx.Recording{Tenant: c.company.ID, Call: c.id, Error: "the recording could not be started"}})
		return
	}
	if c.unannounced() {
		for _, t := range c.told(c.peer) {
			c.sayAnnouncement(t)
		}
	}
	c.recorder = r
	c.tape.begun++
	c.tap()
	c.note(pbx.CallEvent{Kind: pbx.RecordStart, Recording: c.recording()})
	if c.decision.Notice.Beep && c.company.Recordings.Beep > 0 {
		c.tape.beepAt = time.Now()
	}
	c.arm()
}

// recording names the recording that goes on.
func (c *Call) recording() *pbx.Recording {
	return &pbx.Recording{ID: c.recorder.ID(), Tenant: c.company.ID, Call: c.id}
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
	c.tape.beepAt, c.tape.resumeAt = time.Time{}, time.Time{}
	c.arm()
	c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &rec})
}

// pauseRecording leaves out what is said until resumeRecording, or until the time is
// over; 0 stands for what the company says. who asked for it, "" through the API.
func (c *Call) pauseRecording(who string, most time.Duration) error {
	if !c.recorder.Pause() {
		return conflict("the recording is paused already, or cannot go on")
	}
	if most == 0 {
		most = c.company.Recordings.PauseLimit
	}
	if most > 0 {
		c.tape.resumeAt = time.Now().Add(most)
		c.arm()
	}
	c.note(pbx.CallEvent{Kind: pbx.RecordPaused, Who: who, Recording: c.recording()})
	return nil
}

// offRecord pauses the recording while the caller presses what nobody is to hear again, and
// gives what ends that.
func (c *Call) offRecord(why string) (over func()) {
	if c.recorder == nil || !c.recorder.Pause() {
		return func() {}
	}
	who := c.caller.who
	c.note(pbx.CallEvent{Kind: pbx.RecordPaused, Who: who, Why: []string{why}, Recording: c.recording()})
	return func() {
		if err := c.resumeRecording(who); err != nil {
			c.log.Warn("recording not resumed", "error", err)
		}
	}
}

// resumeRecording ends a pause.
func (c *Call) resumeRecording(who string, why ...string) error {
	if !c.recorder.Resume() {
		return conflict("the recording is not paused, or was paused too often")
	}
	c.tape.resumeAt = time.Time{}
	c.arm()
	c.note(pbx.CallEvent{Kind: pbx.RecordResumed, Who: who, Why: why, Recording: c.recording()})
	return nil
}

func conflict(text string) error { return &pbx.Error{Kind: pbx.Conflict, Msg: text} }

// record does what somebody who talks, or the API, wants of the recording.
func (c *Call) record(o pbx.RecordOrder) error {
	if c.peer == nil {
		return conflict("nobody talks in this call now")
	}
	if o.Do == pbx.RecordOn {
		return c.recordOnDemand()
	}
	if c.recorder == nil {
		return conflict("the call is not being recorded")
	}
	switch o.Do {
	case pbx.RecordOff:
		c.decision.Record = false
		c.stopRecording()
		return nil
	case pbx.RecordHalt:
		return c.pauseRecording(o.By, o.For)
	case pbx.RecordGoOn:
		return c.resumeRecording(o.By)
	}
	return &pbx.Error{Kind: pbx.Invalid, Field: "do", Msg: "not something to do with a recording"}
}

// recordOnDemand begins a recording that the plan has not asked for: with all that
// the company has to tell of it.
func (c *Call) recordOnDemand() error {
	rules := &c.company.Recordings
	defer c.settled()
	switch {
	case c.recorder != nil:
		return conflict("the call is being recorded already")
	case c.tape.begun >= maxRecordings:
		return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("the call has %d recordings already", maxRecordings)}
	case rules.Announce != "" && c.tape.notice == nil && !c.tape.announced:
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "the announcement cannot be played"}
	case errors.Is(errors.Join(c.caller.media.Admit(media.Record), c.peer.media.Admit(media.Record)), media.ErrBusy):
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "no room to record another call"}
	}
	c.decision.Record = true
	c.decision.Notice = pbx.Notice{Announce: rules.Announce != "", Beep: rules.Beep > 0}
	if c.startRecording(); c.recorder == nil {
		c.decision.Record = false
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "the recording could not be started"}
	}
	return nil
}

// settled gives back the room for sound that those who talk do not need after all.
func (c *Call) settled() {
	c.caller.media.Settled()
	c.peer.media.Settled()
}

// arm sets the timer for what comes next.
func (c *Call) arm() {
	if c.tape.due != nil {
		c.tape.due.Stop()
		c.tape.due = nil
	}
	next := c.tape.beepAt
	if r := c.tape.resumeAt; next.IsZero() || !r.IsZero() && r.Before(next) {
		next = r
	}
	if !next.IsZero() {
		c.tape.due = time.NewTimer(time.Until(next))
	}
}

// dues is the channel of that timer, nil when there is none.
func (c *Call) dues() <-chan time.Time {
	if c.tape.due == nil {
		return nil
	}
	return c.tape.due.C
}

// attendTape does what is due.
func (c *Call) attendTape() {
	now := time.Now()
	if at := c.tape.resumeAt; !at.IsZero() && !now.Before(at) {
		c.tape.resumeAt = time.Time{}
		if err := c.resumeRecording("", "the recording was paused for as long as it may be"); err != nil {
			c.log.Warn("recording not resumed", "error", err)
		}
	}
	if at := c.tape.beepAt; !at.IsZero() && !now.Before(at) {
		c.tape.beepAt = now.Add(c.company.Recordings.Beep)
		c.beep(now)
	}
	c.arm()
}

// beep lets both who talk hear that they are recorded, in the place of each other for
// that moment. Who waits, and who listens, does not hear it.
func (c *Call) beep(now time.Time) {
	if c.peer == nil || c.transfer != nil || c.holder != nil || c.recorder.Paused() || now.Before(c.tape.busyUntil) {
		return
	}
	for _, p := range []*party{c.caller, c.peer} {
		p.media.Play(c.m.prompts.recordingBeep(), false)
	}
	c.recorder.Beep()
}

// recordingBeep is the tone that says that a talk is recorded.
func (p *prompts) recordingBeep() *media.Prompt {
	return p.made("beep", media.RecordingBeepPrompt)
}

// Record begins, ends, pauses or resumes the recording of those who talk. Ended, it
// is a whole recording; begun again, it is another.
func (m *Manager) Record(ctx context.Context, tenant pbx.TenantID, id pbx.CallID, o pbx.RecordOrder) error {
	return m.do(ctx, tenant, id, func(c *Call) error { return c.record(o) })
}
