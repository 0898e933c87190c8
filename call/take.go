package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"vpbx/media"
	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/recordings"
)

// tail is what is left of the silence behind what was said.
const tail = 500 * time.Millisecond

// take is how a caller records a sound of the company: it speaks, hears what was recorded
// and keeps it, or not.
type take struct {
	what     string        // that is recorded: "greeting"
	longest  time.Duration // that the caller may speak
	speak    string        // text said ahead of the tone, "": none
	reviewed string        // text said behind what was recorded, "": a tone that asks
	keys     string        // 1 keeps, 2 begins anew, every other throws it away
	save     func(ctx context.Context, hash string) error
	saved    string // what the record says then
}

// take records until the caller is content or gives up, and tells whether what it said is
// kept. errFailed: it could not be, the record has why; errDone: nothing was chosen; another
// error means that the call is over, whether it is kept or not.
func (x *chooser) take(t take) (kept bool, err error) {
	for {
		if t.speak != "" {
			if err := x.say(t.speak, nil); err != nil {
				return false, err
			}
		}
		if _, err := x.collect(collect{sounds: []sound{{p: x.m.prompts.speakNow()}}}); err != nil {
			return false, err
		}
		again, kept, err := x.takeOnce(t)
		if err != nil || !again {
			return kept, err
		}
	}
}

// takeOnce records once, plays it back and asks. The recording itself is thrown away: what
// is kept is a sound of the company.
func (x *chooser) takeOnce(t take) (again, kept bool, err error) {
	r, err := x.tapeFor("")
	if err != nil {
		return false, false, errFailed
	}
	_, err = x.whileSpeaking(r, t.longest, pbx.MessageSilence)
	rec := x.untape(r)
	defer func() { x.discard(rec, "a "+t.what+" was recorded") }()
	if err != nil {
		return false, false, err
	}
	if rec.Error != "" {
		x.why("the " + t.what + " could not be recorded: " + rec.Error)
		return false, false, errFailed
	}
	if voiced, _ := r.Heard(); voiced < pbx.LeastVoice {
		x.why("nothing was said")
		return false, false, nil
	}
	data, key, err := x.review(t, r)
	if err != nil || key != '1' {
		return key == '2', false, err
	}
	kept, err = x.through(func(ctx context.Context) error {
		stored, err := x.m.Library.Add(ctx, x.company.ID, data)
		if err != nil {
			return err
		}
		return t.save(ctx, stored.Hash)
	}, t.saved, "the "+t.what+" could not be kept")
	return false, kept, err
}

// review plays what was recorded, as it would be kept, until a key says what becomes of it.
func (x *chooser) review(t take, r *recordings.Recorder) (data []byte, key byte, err error) {
	var p *media.Prompt
	err = x.done(func(ctx context.Context) error {
		whole, err := x.soundOf(r.ID())
		if err != nil {
			return err
		}
		_, silent := r.Heard()
		if data, err = cutEnd(whole, silent-tail); err != nil {
			return err
		}
		p, err = x.m.Library.Decode(ctx, data)
		return err
	}, "the "+t.what+" cannot be played back")
	if err != nil {
		return nil, 0, err
	}
	ask := sound{p: x.m.prompts.ask()}
	if t.reviewed != "" {
		if ask, err = x.spokenText(t.reviewed, nil); err != nil {
			return nil, 0, err
		}
	}
	key, err = x.choose(t.keys, sound{p: p}, ask)
	return data, key, err
}

// cutEnd gives a sound file without its end, of that length.
func cutEnd(data []byte, end time.Duration) ([]byte, error) {
	pcm, err := audio.ReadSound(data, audio.Limits{Length: maxTake + time.Minute})
	if err != nil {
		return nil, fmt.Errorf("read a recording: %w", err)
	}
	n := int(max(end, 0) * time.Duration(pcm.Rate) / time.Second)
	pcm.Samples = pcm.Samples[:max(len(pcm.Samples)-n, 0)]
	if data, err = audio.EncodeWAV(pcm); err != nil {
		return nil, fmt.Errorf("cut a recording: %w", err)
	}
	return data, nil
}

// through does what is not given up when the caller hangs up meanwhile: who has pressed the
// key that keeps need not wait. The call ends when it is known what came of it, saveBound
// later at most; the record says either did or why not. An errFailed wraps the reason.
func (c *Call) through(f func(ctx context.Context) error, did, why string) (ok bool, err error) {
	type came struct{ err error }
	done := make(chan came, 1)
	r, err := await(c, func(context.Context) (r came) {
		r.err = errors.New("it broke")
		defer func() { done <- r }()
		ctx, cancel := context.WithTimeout(context.Background(), saveBound)
		defer cancel()
		r.err = f(ctx)
		return r
	})
	if err != nil {
		r = <-done // behind the hang-up
	}
	if r.err != nil {
		c.log.Error(why, "error", r.err)
		c.why(why + reason(r.err))
		return false, cmp.Or(err, fmt.Errorf("%w: %w", errFailed, r.err))
	}
	c.why(did)
	return true, err
}
