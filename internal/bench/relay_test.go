package bench

import (
	"encoding/binary"
	"sync"
	"time"
)

const (
	period    = 20 * time.Millisecond // of a packet
	parts     = 20                    // a period is sent in, so that calls do not send all at once
	rtpHeader = 12
)

// stream sends the caller's packets of all calls. The called side sends each
// packet back as it is, so that the server relays it twice; what it adds is half of
// the way there and back.
type stream struct {
	r     *rig
	calls []*dialog
	begin time.Time
	sent  int

	mu    sync.Mutex
	delay []time.Duration // one way
	quiet chan struct{}   // closed when the readers have ended
}

// flow is what came of a stream.
type flow struct {
	packets  int // relayed, both ways
	loss     float64
	p50, p99 time.Duration
}

func newStream(r *rig, calls []*dialog) *stream {
	return &stream{r: r, calls: calls, begin: time.Now(), quiet: make(chan struct{})}
}

// echo sends back what comes to the called side until its socket closes.
func (r *rig) echo() {
	buf := make([]byte, 2048)
	for {
		n, from, err := r.called.rtp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n == rtpHeader+160 {
			_, _ = r.called.rtp.WriteToUDPAddrPort(buf[:n], from) // a full queue is a loss, and counted as one
		}
	}
}

// listen measures what comes back to the caller until the deadline of its socket.
func (s *stream) listen() {
	defer close(s.quiet)
	buf := make([]byte, 2048)
	for {
		n, _, err := s.r.caller.rtp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n == rtpHeader+160 {
			at := time.Duration(binary.BigEndian.Uint64(buf[rtpHeader:]))
			there := time.Since(s.begin) - at
			s.mu.Lock()
			s.delay = append(s.delay, there/2)
			s.mu.Unlock()
		}
	}
}

// send sends one packet of each call, over the period that begins at due. When it
// is late it does not wait.
func (s *stream) send(due time.Duration, tick <-chan time.Time) error {
	packet := make([]byte, rtpHeader+160)
	packet[0], packet[1] = 0x80, 8
	binary.BigEndian.PutUint16(packet[2:], s.r.seq)
	binary.BigEndian.PutUint32(packet[4:], uint32(s.r.seq)*160)
	for part := range parts {
		for time.Since(s.begin) < due+time.Duration(part)*period/parts {
			<-tick
		}
		for i := part; i < len(s.calls); i += parts {
			binary.BigEndian.PutUint32(packet[8:], uint32(i)+1)
			binary.BigEndian.PutUint64(packet[rtpHeader:], uint64(time.Since(s.begin)))
			if _, err := s.r.caller.rtp.WriteToUDPAddrPort(packet, s.calls[i].media); err != nil {
				return err
			}
			s.sent++
		}
	}
	s.r.seq++
	return nil
}

// run sends for so many periods and gives what came back.
func (s *stream) run(periods int) (flow, error) {
	if err := s.r.caller.rtp.SetReadDeadline(time.Time{}); err != nil {
		return flow{}, err
	}
	go s.listen()
	tick := time.NewTicker(period / parts)
	defer tick.Stop()
	for i := range periods {
		if err := s.send(time.Duration(i)*period, tick.C); err != nil {
			return flow{}, err
		}
	}
	if err := s.r.caller.rtp.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		return flow{}, err
	}
	<-s.quiet
	back := len(s.delay)
	p50, p99 := quantiles(s.delay)
	return flow{packets: s.sent + back, loss: 1 - float64(back)/float64(s.sent), p50: p50, p99: p99}, nil
}
