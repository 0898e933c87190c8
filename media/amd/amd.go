package amd

import "time"

const (
	rate      = 8000                  // samples per second
	blockSize = 80                    // samples that are looked at together
	blockTime = 10 * time.Millisecond // the same
)

// Detector listens to one answered call. It belongs to one goroutine.
type Detector struct {
	opt      Options
	block    [blockSize]int16
	have     int
	blocks   int // that were heard
	decision Decision
	beeps    int
	beepEnd  time.Duration
	ends     int
	end      time.Duration
}

// New makes a detector with options that are valid; the zero Options are Default.
func New(o Options) *Detector {
	if o == (Options{}) {
		o = Default()
	}
	return &Detector{opt: o}
}

// Options are those it works by.
func (d *Detector) Options() Options { return d.opt }

// Feed takes sound of 8 kHz and says what the verdict is by now.
func (d *Detector) Feed(pcm []int16) Verdict {
	for len(pcm) > 0 {
		n := copy(d.block[d.have:], pcm)
		d.have, pcm = d.have+n, pcm[n:]
		if d.have == blockSize {
			d.have = 0
			d.blocks++
			d.look()
		}
	}
	return d.decision.Verdict
}

// Decision is the verdict with its reason.
func (d *Detector) Decision() Decision { return d.decision }

// Beeps is how many beeps have been heard to their end, and when the last one ended, from the answer.
func (d *Detector) Beeps() (n int, end time.Duration) { return d.beeps, d.beepEnd }

// Ended reports whether a machine's greeting is over by silence, and when that was so,
// from the answer.
func (d *Detector) Ended() (over bool, at time.Duration) { return d.ends > 0, d.end }

// Done reports whether nothing more will be told: a human has answered, or Options.Listen is over.
func (d *Detector) Done() bool {
	return d.decision.Verdict == Human || d.now() >= d.opt.Listen
}

func (d *Detector) now() time.Duration { return time.Duration(d.blocks) * blockTime }

func (d *Detector) look() {
	if d.decision.Verdict == Undecided && d.now() >= d.opt.Bound {
		d.decision = Decision{Verdict: Unsure, Reason: InitialSilence, After: d.now()}
	}
}
