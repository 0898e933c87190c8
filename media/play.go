package media

import (
	"time"

	"vpbx/media/audio"
)

// maxCatchUp is how many frames a player that was kept waiting sends at once; what
// is later than that is left out.
const maxCatchUp = 5

// player sends a prompt to one peer. While it is a session's player, packets of
// the bridge are not sent to that peer.
type player struct {
	s      *Session
	prompt *Prompt
	loop   bool
	stop   chan struct{}
	mouth  mouth
	read   promptReader
	shift  int // frames of silence before the prompt
}

// Play sends a prompt to the peer in place of the bridge, in a loop until
// StopPlay or once with PlayDone at the end. It replaces what is being played,
// for which no PlayDone comes. While the peer is on hold, not yet negotiated or
// has a codec that is not known nothing is sent, but the prompt's time passes.
func (s *Session) Play(p *Prompt, loop bool) {
	if p == nil || p.frames() == 0 {
		return
	}
	pl := &player{s: s, prompt: p, loop: loop, stop: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if old := s.player.Swap(pl); old != nil {
		close(old.stop)
	}
	s.wg.Go(func() {
		defer s.recovered("player")
		pl.run()
	})
}

// StopPlay ends the prompt, if one is being played; the bridge is heard again.
func (s *Session) StopPlay() {
	if pl := s.player.Swap(nil); pl != nil {
		close(pl.stop)
	}
}

// run sends the frames that are due. It counts by the clock, so that a late tick
// does not make the prompt slower.
func (pl *player) run() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	start := time.Now()
	for n, at := 0, start; ; {
		due := int(at.Sub(start)/frameTime) + 1
		n = max(n, due-maxCatchUp)
		for ; n < due; n++ {
			if !pl.loop && n-pl.shift >= pl.prompt.frames() {
				pl.finish()
				return
			}
			pl.send(n, at)
		}
		select {
		case at = <-tick.C:
		case <-pl.stop:
			return
		case <-pl.s.done:
			return
		}
	}
}

// finish reports the end, unless something else is being played by now.
func (pl *player) finish() {
	if pl.s.player.CompareAndSwap(pl, nil) {
		pl.s.deliver(PlayDone{S: pl.s})
	}
}

// send sends one frame if the peer can hear it now.
func (pl *player) send(n int, at time.Time) {
	s := pl.s
	a, dst := s.agreed.Load(), s.dst.Load()
	if a == nil || dst == nil || !a.dir.Receives() || s.player.Load() != pl {
		return
	}
	end := pl.code(n, a.codec.Audio())
	if end == headerLen {
		return
	}
	h := header{pt: a.codec.PT, seq: uint16(n), ts: uint32(n) * units(frameTime, a.codec.Rate), start: headerLen, end: end}
	h, why := s.out.next(pl, h, a.codec.Rate, at)
	if why != kept {
		return
	}
	h.write(pl.mouth.buf[:])
	if why := s.write(pl.mouth.buf[:end], *dst); why != kept {
		s.in.count(why)
	}
}

// code puts the frame that is due behind the header and says where it ends: that of the
// prompt where it has been coded so, otherwise what the codec makes of it.
func (pl *player) code(n int, c audio.Codec) int {
	n = (n - pl.shift) % pl.prompt.frames()
	if payload := pl.prompt.frame(n, c); payload != nil {
		return headerLen + copy(pl.mouth.buf[headerLen:], payload)
	}
	end, said := pl.mouth.code(pl.s, pl, c, pl.read.read(pl.prompt, n, pl.prompt.rate()), uint16(n))
	if !said {
		pl.shift++
	}
	return end
}
