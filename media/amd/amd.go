package amd

import "time"

const (
	rate      = 8000                  // samples per second
	blockSize = 80                    // samples that are looked at together
	blockTime = 10 * time.Millisecond // the same
)

// Detector listens to one answered call. It belongs to one goroutine.
type Detector struct {
	opt  Options
	tail [windowSize]float64 // the latest samples, without what is below voices
	have int                 // samples of a block that is not whole yet
	now  int                 // blocks that were heard

	hum    highpass
	ground ground
	voice  voice
	tone   toneRun
	net    network

	decision Decision
	beeps    int
	beepEnd  int // block
	ended    int // block at which the greeting was over by silence; 0: it is not
}

// New makes a detector with options that are valid; the zero Options are Default.
func New(o Options) *Detector {
	if o == (Options{}) {
		o = Default()
	}
	d := &Detector{opt: o, voice: voice{first: -1, last: -1, loudest: silent}}
	d.ground.begin()
	return d
}

// Options are those it works by.
func (d *Detector) Options() Options { return d.opt }

// Feed takes sound of 8 kHz and says what the verdict is by now.
func (d *Detector) Feed(pcm []int16) Verdict {
	for len(pcm) > 0 {
		n := min(len(pcm), blockSize-d.have)
		block := d.tail[windowSize-blockSize+d.have:]
		for i, v := range pcm[:n] {
			block[i] = d.hum.pass(float64(v))
		}
		pcm = pcm[n:]
		if d.have += n; d.have == blockSize {
			d.now++
			d.look()
			copy(d.tail[:], d.tail[blockSize:])
			d.have = 0
		}
	}
	return d.decision.Verdict
}

// Decision is the verdict with its reason.
func (d *Detector) Decision() Decision { return d.decision }

// Beeps is how many beeps have been heard to their end, but for those of a telephone that
// rings or is busy, and when the last of them ended, from the answer.
func (d *Detector) Beeps() (n int, end time.Duration) { return d.beeps, since(d.beepEnd) }

// Ended reports whether a machine's greeting is over by silence, and when that was so, from
// the answer.
func (d *Detector) Ended() (over bool, at time.Duration) { return d.ended > 0, since(d.ended) }

// Done reports whether nothing more will be told: a human has answered, or Options.Listen
// is over.
func (d *Detector) Done() bool {
	return d.decision.Verdict == Human || d.decision.Verdict != Undecided && since(d.now) >= d.opt.Listen
}

// since is the time from the answer to the end of a block.
func since(blocks int) time.Duration { return time.Duration(blocks) * blockTime }

// count is how many blocks a time takes.
func count(t time.Duration) int { return int((t + blockTime - 1) / blockTime) }

// look looks at the block that is whole.
func (d *Detector) look() {
	level := d.ground.hear(d.tail[windowSize-blockSize:])
	threshold := d.ground.threshold(&d.opt, d.voice.loudest)
	over, ended := d.tone.hear(&d.tail, level > toneLevel, d.now)
	d.voice.hear(level, threshold, d.tone.suspected(), d.now, &d.opt)
	if ended {
		d.toned(over)
	}
	if !d.tone.on() && d.net.alone(d.now) {
		d.beeps++
		d.beepEnd = d.net.informed
	}
	switch d.decision.Verdict {
	case Undecided:
		d.judge()
	case Machine, Unsure:
		d.listenOn()
	}
}

// judge comes to a verdict when there is enough.
func (d *Detector) judge() {
	v, o := &d.voice, &d.opt
	d.net.machine = d.net.machine || v.first < 0 && d.tone.now.fax()
	switch {
	case d.net.machine, d.tone.long():
		d.decide(Machine, Tone)
	case d.beeps > 0:
		d.decide(Machine, Beep)
	case v.length() >= count(o.Greeting):
		d.decide(Machine, LongGreeting)
	case v.words > o.Words:
		d.decide(Machine, Words)
	case v.first >= 0 && !v.speaking && !d.tone.on() && d.now-max(v.last, d.tone.end) >= count(d.pause()):
		d.decide(Human, SilenceAfterGreeting)
	case v.first >= 0 && d.now-v.first >= count(o.Bound), d.now >= 2*count(o.Bound):
		d.decide(Unsure, Timeout)
	case v.first >= 0 || d.now < count(o.silence()):
	case d.net.progress || d.tone.on():
		d.decide(Unsure, Tone)
	default:
		d.decide(Unsure, InitialSilence)
	}
}

// pause is the silence that ends a greeting of the length of this one.
func (d *Detector) pause() time.Duration {
	if since(d.voice.length()) <= d.opt.Short {
		return d.opt.ShortPause
	}
	return d.opt.Pause
}

func (d *Detector) decide(v Verdict, r Reason) {
	d.decision = Decision{Verdict: v, Reason: r, After: since(d.now), Quiet: since(d.now - d.greeted())}
}

// greeted is the block at which the greeting ended: now, while somebody speaks, and the answer
// where nobody has.
func (d *Detector) greeted() int {
	switch {
	case d.voice.first < 0:
		return 0
	case d.voice.speaking, d.tone.on():
		return d.now
	}
	return max(d.voice.last, d.tone.end)
}

// toned takes a tone that is over.
func (d *Detector) toned(t toneSound) {
	least := count(d.opt.Beep) - windowSize/blockSize + 1
	if t.deep() {
		least += deepMore
	}
	waiting := d.decision.Verdict == Undecided && d.voice.first < 0
	if t.blocks < least || t.blocks > beepMost || t.key() || t.octave() || !t.steady() || waiting && d.net.hear(t, d.now) || d.net.machine {
		return
	}
	d.beeps++
	d.beepEnd = d.tone.end
}

// listenOn waits for the end of a machine's greeting.
func (d *Detector) listenOn() {
	last := max(d.voice.last, d.tone.end)
	if d.ended == 0 && last > 0 && !d.voice.speaking && !d.tone.on() && d.now-last >= count(d.opt.End) {
		d.ended = d.now
	}
}
