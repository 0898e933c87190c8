package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// intruder sends sound from a third address to every media port there may be, and
// counts what comes back.
type intruder struct {
	conn *net.UDPConn
	back atomic.Int64
	sent atomic.Int64
	stop chan struct{}
	done chan struct{}
}

// intrude starts an intruder on ports from to to of the loopback address.
func intrude(t *testing.T, from, to int, freq float64) *intruder {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 66)})
	if err != nil {
		t.Fatalf("open a socket: %v", err)
	}
	in := &intruder{conn: conn, stop: make(chan struct{}), done: make(chan struct{}, 2)}
	go in.listen()
	go in.send(from, to, freq)
	t.Cleanup(in.end)
	return in
}

func (in *intruder) listen() {
	defer func() { in.done <- struct{}{} }()
	buf := make([]byte, 2048)
	for {
		if _, _, err := in.conn.ReadFromUDPAddrPort(buf); err != nil {
			return
		}
		in.back.Add(1)
	}
}

// send is a proper RTP stream of a tone, 20 ms a packet (RFC 3550 §5.1).
func (in *intruder) send(from, to int, freq float64) {
	defer func() { in.done <- struct{}{} }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	pcm, phase := make([]int16, 160), 0.0
	packet := make([]byte, 172)
	packet[0], packet[1] = 0x80, 8
	copy(packet[8:], "EVIL")
	for n := uint16(0); ; n++ {
		select {
		case <-in.stop:
			return
		case <-tick.C:
		}
		phase = audio.Tone(pcm, rate, freq, 0.9, phase)
		audio.EncodeALaw(packet[12:], pcm)
		packet[2], packet[3] = byte(n>>8), byte(n)
		ts := uint32(n) * 160
		packet[4], packet[5], packet[6], packet[7] = byte(ts>>24), byte(ts>>16), byte(ts>>8), byte(ts)
		for port := from; port <= to; port++ {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
			if _, err := in.conn.WriteToUDPAddrPort(packet, at); err == nil {
				in.sent.Add(1)
			}
		}
	}
}

func (in *intruder) end() {
	select {
	case <-in.stop:
		return
	default:
	}
	close(in.stop)
	in.conn.Close()
	<-in.done
	<-in.done
}

// mediaBlocksTaken counts the ranges that mediaPorts has given.
var mediaBlocksTaken atomic.Uint32

// mediaPorts is a small range of ports that is free now, as the config writes it, 16 at most.
// It lies outside the ports that the kernel hands out and those that other servers take,
// so that no phone's own socket gets into it, and is given once.
func mediaPorts(t *testing.T, n int) (from, to int) {
	t.Helper()
	const first, blocks = 30000, 160
	for range blocks {
		from := first + 16*int((mediaBlocksTaken.Add(1)+uint32(os.Getpid()))%blocks)
		if portsFree("127.0.0.1", from, n) {
			return from, from + n - 1
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0, 0
}

// TestBleedAndInject sprays sound from a third address at every media port, from
// before the call until its end: nobody hears it, and nothing goes back there.
func TestBleedAndInject(t *testing.T) {
	t.Parallel()
	from, to := mediaPorts(t, 16)
	in := intrude(t, from, to, 1500)
	s, anna, ivan := talking(t, serverOptions{Config: fmt.Sprintf("media: {ports: %d-%d}\n", from, to)})
	anna.waitHeard(880, 2)
	ivan.waitHeard(440, 2)
	s.waitRecorded(0, 440, 1.5)
	s.waitRecorded(1, 880, 1.5)
	anna.do("hangup", "")
	ivan.waitEvent("CALL_CLOSED")
	r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
	rec := s.recording(r)
	for side, tone := range []float64{440, 880} {
		rec.wantTone(t, "the recording", side, tone, 1.5)
		rec.wantNone(t, "the recording", side, 1500)
	}
	if q := r.Caller.Quality; q == nil || q.Dropped == 0 {
		t.Errorf("the packets of the intruder are not counted: %+v", q)
	}
	anna.heard().wantNone(t, "what the caller hears", 0, 1500)
	ivan.heard().wantNone(t, "what the callee hears", 0, 1500)
	in.end()
	if n := in.back.Load(); n != 0 {
		t.Errorf("%d packets came to the intruder", n)
	}
	if in.sent.Load() == 0 {
		t.Error("the intruder sent nothing")
	}
}

// TestPortsUsedUp has ports for one call only: the second is refused with 503 and
// Retry-After, and the first goes on.
func TestPortsUsedUp(t *testing.T) {
	t.Parallel()
	from, to := mediaPorts(t, 4)
	s, anna, ivan := talking(t, serverOptions{Config: fmt.Sprintf("media: {ports: %d-%d}\n", from, to)})
	p := startSIPp(t, sippOptions{Scenario: "carrier_refused", To: s.udp.String(), Values: call(owned, "status", "503")})
	p.done()
	if !strings.Contains(p.file("messages.log"), "Retry-After:") {
		t.Error("503 without Retry-After")
	}
	s.wantRecord(owned, pbx.OutcomeFailed, pbx.NoPorts)
	anna.waitHeard(880, 1)
	anna.do("hangup", "")
	ivan.waitEvent("CALL_CLOSED")
	s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
}
