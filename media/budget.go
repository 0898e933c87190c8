package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"vpbx/media/audio"
)

// ErrBusy means that the machine has as much of that work as its budget allows
// (503 with Retry-After): more would break the sound of those who talk.
var ErrBusy = errors.New("media budget is used up")

// Work is a kind of work that a session is.
type Work uint8

// The kinds. Every session is relayed; the others come on top.
const (
	Relay     Work = iota
	Transcode      // what its peer says is turned into another codec
	Mix            // it is in a conference of more than two
	Record         // it has a tap
	works
)

// String is the metric's label.
func (w Work) String() string {
	return [...]string{"relay", "transcode", "mix", "record"}[w%works]
}

// Budget is how many sessions at once may do each kind of work; 0 means as many as
// come. Of Relay a session counts more than once when its packets cost more (load).
type Budget [works]int

// Costs are the parts of one processor's time that a session takes, by kind.
type Costs [works]float64

// floor is what a budget made of measured costs allows at least: a machine that
// was busy with something else when it measured must not be lame ever after.
const floor = 20

// Budget is how many sessions of each kind the processors of this machine can do
// if they do nothing else for that share of their time, 0 to 1. A cost that is not
// known gives no limit.
func (c Costs) Budget(share float64) Budget {
	var b Budget
	for w, cost := range c {
		if cost > 0 {
			b[w] = max(floor, int(share*float64(runtime.GOMAXPROCS(0))/cost))
		}
	}
	return b
}

// packetsASecond is of a session, one way.
const packetsASecond = float64(time.Second / frameTime)

// Measure finds the costs on this machine, in about a tenth of a second of work,
// on sockets of its own on the loopback. Of several tries the cheapest counts,
// which the others on the machine disturbed least.
func Measure() (Costs, error) {
	var c Costs
	relay, err := relayCost()
	if err != nil {
		return c, fmt.Errorf("measure the cost of a packet: %w", err)
	}
	transcode := codeCost(audio.Opus, audio.PCMA)
	c[Relay] = relay * packetsASecond
	c[Transcode] = c[Relay] + transcode*packetsASecond
	c[Mix] = c[Relay] + codeCost(audio.PCMA, audio.PCMA)*packetsASecond
	// A tap copies a packet, and the recording decodes, places and writes it: by
	// measurement (docs/performance.md) a third of what relaying it costs.
	c[Record] = c[Relay] / 3
	return c, nil
}

// tries and rounds of one measurement.
const (
	tries  = 5
	rounds = 200
)

// cheapest is the least time that f took for a round, in seconds.
func cheapest(rounds int, f func() error) (float64, error) {
	var least time.Duration
	for range tries {
		begin := time.Now()
		for range rounds {
			if err := f(); err != nil {
				return 0, err
			}
		}
		if took := time.Since(begin); least == 0 || took < least {
			least = took
		}
	}
	return least.Seconds() / float64(rounds), nil
}

// relayCost is that of reading a packet of G.711 and writing it again.
func relayCost() (float64, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	self := c.LocalAddr().(*net.UDPAddr).AddrPort()
	b := make([]byte, headerLen+frameBytes)
	return cheapest(rounds, func() error {
		if _, err := c.WriteToUDPAddrPort(b, self); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		_, _, err := c.ReadFromUDPAddrPort(b)
		return err
	})
}

// codeCost is that of turning a frame of speech-like sound from one codec into
// another and back, halved: that of one direction.
func codeCost(a, b audio.Codec) float64 {
	const rate = promptRate
	pcm := make([]int16, frameBytes)
	phase := 0.0
	encs := [2]*audio.Encoder{audio.NewEncoder(a, rate), audio.NewEncoder(b, rate)}
	decs := [2]*audio.Decoder{audio.NewDecoder(a, rate), audio.NewDecoder(b, rate)}
	heard := make([]int16, rate)
	payload := make([]byte, audio.MaxFrame)
	cost, err := cheapest(rounds/4, func() error {
		phase = audio.Tone(pcm, rate, 330, 0.3, phase)
		for i := range encs {
			n := encs[i].Encode(payload, pcm)
			decs[i].Decode(heard, payload[:n])
		}
		return nil
	})
	if err != nil {
		return 0
	}
	return cost / 2
}

// What the packets of a session cost, in halves of those of a plain one, of which most
// is the system's: by measurement (docs/performance.md) SRTP adds less than a half, and so
// does looking for keys in G.711. A codec that has to be decoded for it costs as much as four packets.
const (
	plainLoad  = 2
	secureLoad = 1
	listenLoad = 1
	decodeLoad = 8
)

// load is what the session counts in the budget of Relay.
func (s *Session) load() int {
	load := plainLoad
	a := s.agreed.Load()
	switch {
	case a == nil:
		return load
	case a.guard != nil, s.browser != nil:
		load += secureLoad
	}
	if s.listens(a) {
		load += listenLoad
		if c := a.codec.Audio(); c == audio.G722 || c == audio.Opus {
			load += decodeLoad - listenLoad
		}
	}
	return load
}

// wanted are the kinds of work that an owner has admitted a session to and that it
// does not do yet, a bit each.
type wanted struct{ bits atomic.Uint32 }

func (w *wanted) has(k Work) bool { return w.bits.Load()&(1<<k) != 0 }

// Admit makes sure that there is room for a session to do a kind of work, or
// returns ErrBusy. The room is kept for it until Settled, and then as long as it
// does that work. Asking again for what it has is free.
func (s *Session) Admit(w Work) error {
	if s.does(w) {
		return nil
	}
	if !s.e.room(w, 1) {
		s.e.refused[w].Add(1)
		return fmt.Errorf("%s: %w", w, ErrBusy)
	}
	s.wanted.bits.Or(1 << w)
	return nil
}

// Settled gives back the room that was kept for work that has not come of it.
func (s *Session) Settled() { s.wanted.bits.Store(0) }

// does reports whether a session does a kind of work, or may begin to.
func (s *Session) does(w Work) bool {
	if w == Relay || s.wanted.has(w) {
		return true
	}
	switch w {
	case Transcode:
		r := s.route.Load()
		return r != nil && r.transcodes
	case Mix:
		return s.ear.Load() != nil
	case Record:
		return s.tap.Load() != nil
	}
	return false
}

// room reports whether n more sessions can do a kind of work. Two who ask at the
// same instant may both get the last place: a budget is a share of the machine,
// not its end.
func (e *Engine) room(w Work, n int) bool {
	most := e.cfg.Budget[w]
	if most == 0 {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if w == Relay {
		n *= plainLoad
		for s := range e.live {
			n += s.load()
		}
		return n <= most*plainLoad
	}
	for s := range e.live {
		if s.does(w) {
			n++
		}
	}
	return n <= most
}
