package media

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"vpbx/media/audio"
)

// Bounds of a mixer.
const (
	maxSpeakers = 8   // the loudest are heard, of all who speak at once
	mixedApart  = 50  // frames after one's last word in which one has a mix of one's own
	loudLevel   = 100 // mean square of what is not silence
	unity       = 256 // of a gain
)

// Whom a member is heard by, where it is not the number of one place.
const (
	byAll    = -1
	byNobody = -2
)

// mixer is the working conference: a goroutine that mixes a frame for everybody
// each 20 ms. What all say is added up once; who speaks hears that less
// his own words, and all others the same frame, which is coded once for each codec.
type mixer struct {
	table  atomic.Pointer[table]
	tap    atomic.Pointer[mixTap]
	played func() // called on another goroutine when the last prompt is over
	stop   chan struct{}
	done   chan struct{}

	mu      sync.Mutex // guards prompts
	prompts []*Prompt  // the one being played first

	// What the mixer's goroutine owns.
	frame   int // of the prompt
	read    promptReader
	loudest [maxSpeakers]int // numbers of places, by level
	heard   int              // so many
	total   [wideFrame]int32
	own     [wideFrame]int32
	pcm     [wideFrame]int16
	before  [wideFrame]int16          // the mix of all, a frame ago
	shared  [2][audio.Opus + 1]chorus // of what all hear, and of silence for the deaf
}

// table is who is there and how they are mixed. It is never changed, only replaced.
type table struct {
	rate     int // of the mix
	places   []place
	whispers []int // places that are heard by one only
}

// place is one member, whom it hears and who hears it.
type place struct {
	ear     *ear
	deaf    bool
	private bool  // its keys are not passed on
	by      int   // the number of the one place where it is heard, byAll or byNobody
	level   int32 // of what it says, in 256ths
}

// hears reports whether the i-th place hears the k-th.
func (t *table) hears(i, k int) bool {
	return i != k && !t.places[i].deaf && (t.places[k].by == byAll || t.places[k].by == i)
}

// chorus is a frame that many hear, in one codec.
type chorus struct {
	enc   *audio.Encoder
	n     uint32 // the frame it has
	begun bool
	size  int
	loss  float64 // the most that one of those loses
	buf   [audio.MaxFrame]byte
}

// mixTap hears the mix of all.
type mixTap struct {
	to Tap

	mu   sync.Mutex       // guards the fields below: a mixer may be at its last frame when another begins
	down *audio.Resampler // of a wideband mix
	n    uint32           // of the latest frame
	at   time.Time        // when it was mixed
	ts   uint32
	seq  uint16
	low  [frameBytes]int16
	buf  [frameBytes]byte
}

func newMixer(played func()) *mixer {
	return &mixer{played: played, stop: make(chan struct{}), done: make(chan struct{})}
}

// run mixes the frames that are due, until stop, the first after 20 ms: what is
// only a step between two others, as somebody alone, sends nothing. It counts by
// the clock, so that late ticks do not make the sound slower.
func (m *mixer) run() {
	defer close(m.done)
	defer m.recovered()
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	start := time.Now()
	for n := 0; ; {
		select {
		case at := <-tick.C:
			due := int(at.Sub(start) / frameTime)
			n = max(n, due-maxCatchUp)
			for ; n < due; n++ {
				m.mix(uint32(n), start.Add(time.Duration(n+1)*frameTime), at)
			}
		case <-m.stop:
			return
		}
	}
}

// recovered keeps a mistake in one conference from ending the others: its calls
// are told that their sessions are silent, which ends them.
func (m *mixer) recovered() {
	p := recover()
	if p == nil {
		return
	}
	stack := string(debug.Stack())
	for _, x := range m.table.Load().places {
		s := x.ear.s
		s.log.Error("conference failed", "panic", p, "stack", stack)
		s.e.wg.Go(func() { s.deliver(Timeout{S: s}) }) // one owner that is slow keeps no other waiting
	}
}

// mix takes the n-th frame of everybody, which is due at an instant, and sends
// everybody's mix.
func (m *mixer) mix(n uint32, due, at time.Time) {
	t := m.table.Load()
	size := t.rate / int(time.Second/frameTime)
	for i := range t.places {
		if x := &t.places[i]; x.by != byNobody {
			x.ear.take(t.rate, due)
		}
	}
	m.choose(t)
	total := m.total[:size]
	clear(total)
	for _, i := range m.loudest[:m.heard] {
		x := &t.places[i]
		audio.Sum(total, x.ear.frame[:size], x.level)
	}
	m.prompt(total, t.rate)
	for i := range t.places {
		m.apart(t, i, total, n, at)
	}
	for i := range t.places {
		m.together(t, i, total, n, at)
	}
	audio.Clip(m.before[:size], total)
	if tap := m.tap.Load(); tap != nil {
		tap.hear(m.before[:size], n, at)
	}
}

// choose finds the loudest of those who are heard by all.
func (m *mixer) choose(t *table) {
	m.heard = 0
	for i := range t.places {
		x := &t.places[i]
		if x.by != byAll || x.ear.level <= loudLevel {
			continue
		}
		at := m.heard
		for at > 0 && t.places[m.loudest[at-1]].ear.level < x.ear.level {
			at--
		}
		if at == maxSpeakers {
			continue
		}
		m.heard = min(m.heard+1, maxSpeakers)
		copy(m.loudest[at+1:m.heard], m.loudest[at:])
		m.loudest[at] = i
	}
}

// speaks reports whether the i-th place is one of the loudest.
func (m *mixer) speaks(i int) bool {
	for _, k := range m.loudest[:m.heard] {
		if k == i {
			return true
		}
	}
	return false
}

// prompt adds the next frame of what is being played.
func (m *mixer) prompt(total []int32, rate int) {
	m.mu.Lock()
	var p *Prompt
	if len(m.prompts) > 0 {
		p = m.prompts[0]
	}
	m.mu.Unlock()
	if p == nil {
		return
	}
	audio.Sum(total, m.read.read(p, m.frame, rate), unity)
	if m.frame++; m.frame < p.frames() {
		return
	}
	m.frame = 0
	m.mu.Lock()
	m.prompts = m.prompts[1:]
	last := len(m.prompts) == 0
	m.mu.Unlock()
	if last {
		m.played()
	}
}

// maxPrompts may wait until those before them are over.
const maxPrompts = 8

// play adds a prompt to those that wait; it is false when there are too many.
func (m *mixer) play(p *Prompt) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.prompts) == maxPrompts {
		return false
	}
	m.prompts = append(m.prompts, p)
	return true
}

// plays reports whether anything is being played.
func (m *mixer) plays() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.prompts) > 0
}

// apart sends a mix of its own to the i-th place, if it needs one: it speaks itself,
// or did, somebody whispers to it, or its decoder has to get used to the mix.
func (m *mixer) apart(t *table, i int, total []int32, n uint32, at time.Time) {
	e := t.places[i].ear
	if t.places[i].deaf {
		e.apart = 0
		return
	}
	own := m.own[:len(total)]
	alike := true
	if m.speaks(i) {
		copy(own, total)
		audio.Sum(own, e.frame[:len(total)], -t.places[i].level)
		alike = false
	}
	for _, k := range t.whispers {
		if x := &t.places[k]; x.by == i && x.ear.level > loudLevel {
			if alike {
				copy(own, total)
				alike = false
			}
			audio.Sum(own, x.ear.frame[:len(total)], x.level)
		}
	}
	begin, anew := e.apart == 0, e.unsettled()
	if !alike || anew {
		e.apart = mixedApart
	} else if e.apart > 0 {
		e.apart--
	}
	if e.apart == 0 {
		return
	}
	if alike {
		own = total
	}
	a, ok := e.open()
	if !ok {
		return
	}
	pcm := m.pcm[:len(total)]
	audio.Clip(pcm, own)
	c := a.codec.Audio()
	if begin && !anew {
		var o *audio.Encoder
		if v := &m.shared[0][c]; v.begun && v.n+1 == n && v.enc.Frame() == len(pcm) {
			o = v.enc
		}
		e.mouth.follow(o, c, m.before[:len(pcm)])
	}
	e.last = n
	end, _ := e.mouth.code(e.s, e, c, pcm, e.seq)
	e.send(a, end, n, at)
}

// together sends the i-th place what all others hear, too.
func (m *mixer) together(t *table, i int, total []int32, n uint32, at time.Time) {
	e := t.places[i].ear
	if e.apart > 0 {
		return
	}
	a, ok := e.open()
	if !ok {
		return
	}
	c := a.codec.Audio()
	v := &m.shared[0][c]
	if t.places[i].deaf {
		v = &m.shared[1][c]
	}
	if !v.begun || v.n != n {
		pcm := m.pcm[:len(total)]
		if clear(pcm); !t.places[i].deaf {
			audio.Clip(pcm, total)
		}
		var o *audio.Encoder
		if e.last+1 == n {
			o = e.mouth.enc
		}
		if !v.code(c, pcm, n, m.before[:len(pcm)], o) {
			return
		}
	}
	if c == audio.Opus && n%adaptEvery == adaptEvery-1 {
		v.loss = max(v.loss, e.loss())
	}
	e.send(a, headerLen+copy(e.mouth.buf[headerLen:], v.buf[:v.size]), n, at)
}

// code codes the n-th frame. An encoder that rested goes on where o is, if any, or after
// the frame before.
func (v *chorus) code(c audio.Codec, pcm []int16, n uint32, before []int16, o *audio.Encoder) bool {
	was := v.enc
	switch {
	case was == nil || was.Codec() != c || was.Frame() != len(pcm):
		if v.enc = audio.NewEncoder(c, len(pcm)*int(time.Second/frameTime)); v.enc == nil {
			return false
		}
		if v.begun && v.n+1 == n {
			o = was
		}
		v.enc.Follow(o, before)
	case v.n+1 != n: // it rested
		v.enc.Follow(o, before)
	}
	if n%adaptEvery == 0 {
		v.enc.Lossy(v.loss)
		v.loss = 0
	}
	v.begun, v.n, v.size = true, n, v.enc.Encode(v.buf[:], pcm)
	return v.size > 0
}

// hear gives the tap a frame of the mix in A-law, on a clock that goes on when
// another mixer begins to count.
func (t *mixTap) hear(pcm []int16, n uint32, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(pcm) == wideFrame {
		pcm = t.low[:t.down.Resample(t.low[:], pcm)]
	}
	switch {
	case t.at.IsZero():
	case n == t.n+1:
		t.ts += frameBytes
	default:
		t.ts += max(frameBytes, units(at.Sub(t.at), promptRate))
	}
	t.n, t.at = n, at
	audio.EncodeALaw(t.buf[:], pcm)
	t.to.RTP(audio.PCMA, t.seq, t.ts, false, t.buf[:len(pcm)], at)
	t.seq++
}
