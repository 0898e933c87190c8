package call

import (
	"time"

	"vpbx/pbx"
)

// recordKey takes a key of one who talks: the company may have given it a meaning for
// the recording. Only extensions decide about it.
func (c *Call) recordKey(p *party, digit byte) {
	if p.number == "" || c.peer == nil || c.transfer != nil || p != c.caller && p != c.peer || len(p.keys) >= len(blindKeys) {
		p.recordKeys = ""
		return
	}
	p.recordKeys += string(digit)
	for p.recordKeys != "" {
		whole, begun := matchKeys(c.company.Recordings.Keys(), p.recordKeys)
		if whole {
			c.recordByKey(p, p.recordKeys)
			p.recordKeys = ""
		}
		if whole || begun {
			return
		}
		p.recordKeys = p.recordKeys[1:]
	}
}

// recordByKey does what a key means now. Two tones say that the talk is recorded from
// now on, one that it is not.
func (c *Call) recordByKey(p *party, key string) {
	rules := &c.company.Recordings
	resume := rules.ResumeKey
	if resume == "" {
		resume = rules.PauseKey
	}
	o := pbx.RecordOrder{By: p.who}
	switch paused := c.recorder != nil && c.recorder.Paused(); {
	case c.recorder == nil && key == rules.StartKey:
		o.Do = pbx.RecordOn
	case paused && key == resume:
		o.Do = pbx.RecordGoOn
	case c.recorder != nil && !paused && key == rules.PauseKey:
		o.Do = pbx.RecordHalt
	case c.recorder != nil && key == rules.StopKey:
		o.Do = pbx.RecordOff
	default:
		return
	}
	if err := c.record(o); err != nil {
		c.log.Info("recording not changed by a key", "party", p.who, "error", err)
		return
	}
	sign := c.m.prompts.recordingBeep()
	if o.Do == pbx.RecordOn || o.Do == pbx.RecordGoOn {
		sign = c.m.prompts.confirmation()
	}
	if now := time.Now(); !now.Before(c.tape.busyUntil) {
		p.media.Play(sign, false)
		c.tape.busyUntil = now.Add(sign.Duration())
	}
}

// matchKeys tells whether text is one of the keys, or begins one.
func matchKeys(keys []string, text string) (whole, begun bool) {
	for _, k := range keys {
		whole = whole || k == text
		begun = begun || len(k) > len(text) && k[:len(text)] == text
	}
	return whole, begun
}
