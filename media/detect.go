package media

import (
	"sync"
	"time"

	"vpbx/media/amd"
	"vpbx/media/audio"
)

// Events of Detect, as values. Times are from Detect to when the sound said so.
type (
	// Detected says who has answered. It comes once, at the latest when the bound of the
	// options is over, whether the peer sends anything or not.
	Detected struct {
		S       *Session
		Verdict amd.Verdict // Human, Machine or Unsure
		Reason  amd.Reason
		After   time.Duration
		Quiet   time.Duration // see [amd.Decision]
	}
	// Beep says that a beep has ended. It comes after a verdict of Machine or Unsure, for
	// each beep: what is said now is recorded, unless the greeting goes on.
	Beep struct {
		S     *Session
		After time.Duration
	}
	// GreetingEnd says that a machine has been silent for as long as the options want,
	// once, after a verdict of Machine or Unsure. A Beep may still follow.
	GreetingEnd struct {
		S     *Session
		After time.Duration
	}
)

const (
	// detectLag is how long sound is waited for before its absence is silence.
	detectLag = 100 * time.Millisecond
	// detectKept is how many events wait to be told.
	detectKept = 8
)

// detection listens for an answering machine. The "rtp" goroutine gives it the peer's sound;
// the "rtcp" goroutine gives it silence when nothing comes, and tells the owner.
type detection struct {
	began time.Time

	mu     sync.Mutex // guards the fields below; it is taken after receiver.mu
	line   *audio.Listener
	det    *amd.Detector
	bound  time.Duration // of the options; 0 when the verdict is there
	fed    time.Duration
	latest time.Time // when it was fed
	on     bool      // line has an epoch
	epoch  uint32
	next   int64 // where on the line the next samples should be
	beeps  int
	ended  bool
	tell   []any
}

// Detect listens from now on, the answer, whether a human or a machine has answered, and posts
// Detected to the owner, then Beep and GreetingEnd. It ends by itself after a human's
// greeting, when the options listen no longer, and with StopDetect. The options must be
// valid; the zero ones are amd.Default. What is being detected is begun anew.
func (s *Session) Detect(o amd.Options) {
	at, det := time.Now(), amd.New(o)
	s.detect.Store(&detection{
		began: at, latest: at, bound: det.Options().Bound,
		line: audio.NewListener(promptRate), det: det, tell: make([]any, 0, detectKept),
	})
	s.wake()
}

// StopDetect ends Detect. What was on its way to the owner may still come.
func (s *Session) StopDetect() { s.detect.Store(nil) }

// hear takes a packet of the peer's sound. It reports whether there is something to tell.
func (d *detection) hear(s *Session, f *format, h header, payload []byte, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	place, pcm := d.line.Hear(f.audio, h.ssrc, h.ts, payload)
	if len(pcm) == 0 {
		return false
	}
	behind := at.Sub(d.began) - d.fed - span(len(pcm))
	if d.on && d.line.Epoch() == d.epoch {
		behind = min(behind, span(int(min(place-d.next, promptRate))))
	}
	d.on, d.epoch, d.next = true, d.line.Epoch(), place+int64(len(pcm))
	d.silence(behind)
	d.feed(pcm)
	d.latest = at
	return d.news(s)
}

// span is how long samples last.
func span(samples int) time.Duration { return time.Duration(samples) * time.Second / promptRate }

// silence feeds silence for a time; for none when it is negative.
func (d *detection) silence(t time.Duration) {
	var none [frameBytes]int16
	for left := int(t * promptRate / time.Second); left > 0; left -= len(none) {
		d.feed(none[:min(left, len(none))])
	}
}

func (d *detection) feed(pcm []int16) {
	d.det.Feed(pcm)
	d.fed += span(len(pcm))
}

// news notes what the owner is to be told, and reports whether there is anything.
func (d *detection) news(s *Session) bool {
	if x := d.det.Decision(); d.bound > 0 && x.Verdict != amd.Undecided {
		d.bound = 0
		d.note(Detected{S: s, Verdict: x.Verdict, Reason: x.Reason, After: x.After, Quiet: x.Quiet})
	}
	if d.bound > 0 {
		return false
	}
	if n, end := d.det.Beeps(); n != d.beeps {
		d.beeps = n
		d.note(Beep{S: s, After: end})
	}
	if over, end := d.det.Ended(); over && !d.ended {
		d.ended = true
		d.note(GreetingEnd{S: s, After: end})
	}
	return len(d.tell) > 0 || d.det.Done()
}

func (d *detection) note(event any) {
	if len(d.tell) < detectKept {
		d.tell = append(d.tell, event)
	}
}

// due is when the "rtcp" goroutine should look.
func (d *detection) due() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.tell) > 0 || d.det.Done() {
		return d.latest
	}
	due := d.latest.Add(detectLag)
	if end := d.began.Add(d.bound); d.bound > 0 && end.Before(due) && end.After(d.latest) {
		due = end
	}
	return due
}

// checkDetect gives the detection the silence of a peer that sends nothing and tells the owner
// what is new. It runs on the "rtcp" goroutine.
func (s *Session) checkDetect(at time.Time) {
	d := s.detect.Load()
	if d == nil {
		return
	}
	d.mu.Lock()
	if !at.Before(d.latest.Add(detectLag)) || d.bound > 0 && !at.Before(d.began.Add(d.bound)) {
		d.silence(at.Sub(d.began) - d.fed)
		d.latest = at
	}
	d.news(s)
	var tell [detectKept]any
	n := copy(tell[:], d.tell)
	d.tell = d.tell[:0]
	done := d.det.Done()
	d.mu.Unlock()
	for _, event := range tell[:n] {
		if s.detect.Load() == d {
			s.deliver(event)
		}
	}
	if done {
		s.detect.CompareAndSwap(d, nil)
	}
}
