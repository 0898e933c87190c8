package call

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vpbx/media"
	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/routing"
)

// watchEvery is how often it is looked whether somebody still speaks.
const watchEvery = 250 * time.Millisecond

// Boxes is where messages are. Package store implements it. Each method is about one
// company only.
type Boxes interface {
	// Mailbox counts the messages of a box.
	Mailbox(ctx context.Context, t pbx.TenantID, box string) (pbx.Mailbox, error)
	// VoiceMessages gives a page of them, newest first.
	VoiceMessages(ctx context.Context, t pbx.TenantID, q pbx.VoiceQuery) (page []pbx.VoiceMessage, next string, err error)
	// MarkMessage notes that one was heard, or is new again.
	MarkMessage(ctx context.Context, t pbx.TenantID, box string, id pbx.RecordingID, read bool) error
}

// leave lets the caller leave a message. It returns true when the call is over, which
// it is unless no message can be left.
func (c *Call) leave(s routing.Leave) bool {
	box := c.company.Box(s.Box)
	if box == nil || c.consult != nil || c.into != nil { // who wants to talk with somebody first leaves no message
		c.fail(pbx.NewCause(pbx.PartyCallee, pbx.NoAnswer))
		return false
	}
	free, err := c.roomIn(s.Box, box)
	if err != nil {
		return true
	}
	if err := c.answerAlone(spoken); err != nil {
		c.why(fmt.Sprintf("no message can be left for %s: %v", s.Box, err))
		c.fail(c.mediaCause(pbx.PartyCaller, err))
		return false
	}
	c.quiet()
	c.caller.media.StopPlay()
	if !free {
		return c.boxFull(s.Box)
	}
	c.stopRecording()
	if err := c.caller.media.Admit(media.Record); err != nil {
		c.m.metrics.said.WithLabelValues(leftFailed).Inc()
		c.fail(c.mediaCause(pbx.PartyPBX, err))
		return false
	}
	c.transferred(s.Box)
	key, err := c.greet(s.Box, box)
	switch {
	case err != nil:
		return true
	case key == '*' && c.company.BoxPIN(s.Box) != "":
		c.note(pbx.CallEvent{Kind: pbx.Served, Who: c.caller.who, Leg: c.caller.leg.ID, Text: string(routing.Mailbox)})
		c.openBox(s.Box)
		return true
	}
	return c.takeMessage(s.Box, box)
}

// roomIn tells whether a box takes another message. One that cannot be counted does. An
// error means that the call is over.
func (c *Call) roomIn(number string, box *pbx.Box) (bool, error) {
	have, err := c.count(number)
	if err != nil {
		return false, err
	}
	return have.New+have.Old < box.Room(), nil
}

// count counts the messages of a box, 0 when that fails.
func (c *Call) count(number string) (pbx.Mailbox, error) {
	type counted struct {
		m   pbx.Mailbox
		err error
	}
	r, err := await(c, func(ctx context.Context) counted {
		ctx, cancel := context.WithTimeout(ctx, saveBound)
		defer cancel()
		m, err := c.m.Boxes.Mailbox(ctx, c.company.ID, number)
		return counted{m, err}
	})
	if err != nil {
		return pbx.Mailbox{}, err
	}
	if r.err != nil {
		c.log.Warn("messages not counted", "box", number, "error", r.err)
	}
	return r.m, nil
}

// boxFull tells the caller, who has been answered, that the box takes no more. It
// returns true when the call is over.
func (c *Call) boxFull(number string) bool {
	c.m.metrics.said.WithLabelValues(leftFull).Inc()
	c.why("the voicemail of " + number + " is full")
	if c.say(c.voice().full, nil) != nil {
		return true
	}
	c.spoke = !c.speechless
	c.fail(pbx.NewCause(pbx.PartyPBX, pbx.NoAnswer))
	return false
}

// greet plays the greeting of a box and the tone behind it. A key of the caller ends the
// greeting and is returned, 0: there was none. An error means that the call is over.
func (c *Call) greet(number string, box *pbx.Box) (key byte, err error) {
	s, err := c.greeting(number, box)
	if err != nil {
		return 0, err
	}
	c.typed = nil
	if _, err := c.collect(collect{sounds: []sound{s}, interrupt: true}); err != nil {
		return 0, err
	}
	if len(c.typed) > 0 {
		key = c.typed[0]
	}
	c.typed = nil
	if key == '*' {
		return key, nil
	}
	_, err = c.collect(collect{sounds: []sound{{p: c.m.prompts.speakNow()}}})
	return key, err
}

// greeting is what the owner has recorded, the prompt of the box, or a text.
func (c *Call) greeting(number string, box *pbx.Box) (sound, error) {
	prompt, name := c.company.Prompts[box.Greeting], box.Greeting
	if e := c.company.Extensions[number]; e != nil && e.Personal != nil && e.Personal.Greeting != "" {
		prompt, name = &pbx.Prompt{Name: "greeting of " + number, Upload: true, Sound: e.Personal.Greeting}, ""
	}
	if prompt != nil {
		p, err := c.sound(prompt)
		if err != nil {
			return sound{}, err
		}
		if p != nil {
			return sound{name, p}, nil
		}
	}
	return c.spokenText(c.voice().away, map[string]string{"box": number})
}

// takeMessage records what the caller says, until it has said it. It returns true when
// the call is over.
func (c *Call) takeMessage(number string, box *pbx.Box) bool {
	r, err := c.tapeFor(number)
	if err != nil {
		c.m.metrics.said.WithLabelValues(leftFailed).Inc()
		c.fail(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
		return false
	}
	why, err := c.whileSpeaking(r, box.Longest(), box.Quiet())
	kept := c.keepMessage(r, number, why)
	if err != nil {
		return true
	}
	if kept {
		if c.say(c.voice().saved, nil) != nil {
			return true
		}
	}
	c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
	return true
}

// tapeFor begins to record the caller alone, on both sides: a message of a box, or what
// is of none. The trace has it from the begin, so that a dead process loses none of it.
func (c *Call) tapeFor(box string) (*recordings.Recorder, error) {
	r, err := c.m.Recordings.Start(c.company.ID, c.id, time.Now())
	if err != nil {
		c.log.Error("message not recorded", "box", box, "error", err)
		c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &pbx.Recording{Tenant: c.company.ID, Call: c.id, Box: box, Error: "the recording could not be started"}})
		return nil, err
	}
	r.Listen()
	c.note(pbx.CallEvent{Kind: pbx.RecordStart, Recording: &pbx.Recording{ID: r.ID(), Tenant: c.company.ID, Call: c.id, Box: box}})
	c.caller.media.SetTap(r.Extra())
	return r, nil
}

// whileSpeaking waits until the caller has said what it wants to say: it presses #, says
// nothing for a while, or has spoken for as long as it may. It says which; an error means
// that the call is over.
func (c *Call) whileSpeaking(r *recordings.Recorder, longest, quiet time.Duration) (why string, err error) {
	began := time.Now()
	timer := time.NewTimer(min(watchEvery, longest))
	defer timer.Stop()
	c.listens, c.typed = true, nil
	defer func() { c.listens, c.typed = false, nil }()
	for {
		e, err := c.next(timer.C)
		switch {
		case err != nil && c.hungUp == "":
			return "the call was ended", err
		case err != nil:
			return "the caller hung up", err
		}
		ends := slices.Contains(c.typed, '#')
		c.typed = nil // of many keys the last would find no room
		if ends {
			return "ended by #", nil
		}
		if _, tick := e.(expired); !tick {
			continue
		}
		if _, silent := r.Heard(); silent >= quiet {
			return "ended by silence", nil
		}
		gone := time.Since(began)
		if gone >= longest {
			return "as long as it may be", nil
		}
		timer.Reset(min(watchEvery, longest-gone))
	}
}

// keepMessage ends the recording of a message and tells whether it is one. What is too
// short, or silent, is thrown away.
func (c *Call) keepMessage(r *recordings.Recorder, box, why string) bool {
	rec := c.untape(r)
	rec.Box = box
	voiced, _ := r.Heard()
	dropped := ""
	switch {
	case rec.Seconds < pbx.ShortestMessage.Seconds() && rec.Error != "":
		c.m.metrics.said.WithLabelValues(leftFailed).Inc()
		c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &rec, Why: []string{"no message for " + box + ": " + rec.Error}})
		return false
	case rec.Seconds < pbx.ShortestMessage.Seconds():
		dropped = fmt.Sprintf("no message for %s: it was shorter than %v", box, pbx.ShortestMessage)
		c.m.metrics.said.WithLabelValues(leftShort).Inc()
	case voiced < pbx.LeastVoice:
		dropped = "no message for " + box + ": nothing was said"
		c.m.metrics.said.WithLabelValues(leftSilent).Inc()
	}
	if dropped != "" {
		c.discard(rec, dropped)
		return false
	}
	c.m.metrics.said.WithLabelValues(leftKept).Inc()
	c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &rec, Why: []string{fmt.Sprintf("message for %s, %s", box, why)}})
	return true
}

// untape ends what tapeFor began.
func (c *Call) untape(r *recordings.Recorder) pbx.Recording {
	if !c.caller.over {
		c.caller.media.SetTap(nil)
	}
	return r.Close()
}

// discard throws a recording away that nobody is to hear.
func (c *Call) discard(rec pbx.Recording, why ...string) {
	c.note(pbx.CallEvent{Kind: pbx.RecordDropped, Recording: &pbx.Recording{ID: rec.ID, Tenant: rec.Tenant, Call: rec.Call, Box: rec.Box}, Why: why})
	c.m.discard(rec)
}

// discard removes the file of a recording that has no record, beside the call: the
// storage may be slow. The call that wants it has not ended yet.
func (m *Manager) discard(rec pbx.Recording) {
	m.wg.Go(func() {
		if err := m.Recordings.Remove(rec.Tenant, rec.ID); err != nil {
			m.Log.Warn("a recording that was thrown away is still there", "tenant", rec.Tenant, "call", rec.Call, "recording", rec.ID, "error", err)
		}
	})
}

// speakNow is the tone behind a greeting.
func (p *prompts) speakNow() *media.Prompt {
	return p.made("speak now", func() *media.Prompt {
		return media.TonePrompt(audio.Cadence{Freqs: []float64{1000}, Amplitude: 0.15, Pattern: []time.Duration{400 * time.Millisecond, 20 * time.Millisecond}})
	})
}

// ask is what is heard in the place of a text.
func (p *prompts) ask() *media.Prompt { return p.made("ask", media.PINPrompt) }
