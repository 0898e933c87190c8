package media

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// mixing is a mixer of n talking members without goroutines; step is 20 ms of it.
func mixing(tb testing.TB, n int) (step func()) { return conferring(tb, n, n, PCMA) }

// conferring is mixing with n members of one codec, of whom some say speech, at
// different places, and the others nothing.
func conferring(tb testing.TB, n, speak int, codec Codec) (step func()) {
	tb.Helper()
	e, err := New(Config{Listen: []netip.Addr{netip.MustParseAddr(ours)}})
	if err != nil {
		tb.Fatal(err)
	}
	rate := min(codec.Audio().Rate(), wideRate)
	words := line(tb, codec.Audio(), speech(tb, rate), rate, 0)
	quiet := line(tb, codec.Audio(), make([]int16, rate), rate, 0)
	m := newMixer(func() {})
	places := make([]place, n)
	packets, sources := make([][]byte, n), make([]netip.AddrPort, n)
	for i := range n {
		peer := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)}), 4000)
		s := newSession(e, Options{Peer: peer.Addr()}, e.cfg.Listen[0], uint16(20000+2*i), sink{}, sink{})
		if err := s.SetOffer(described(peer.String(), codec, 0)); err != nil {
			tb.Fatal(err)
		}
		if _, err := s.answer([]Codec{codec}); err != nil {
			tb.Fatal(err)
		}
		places[i] = place{ear: newEar(s, m), by: byAll, level: unity}
		s.ear.Store(places[i].ear)
		packets[i], sources[i] = make([]byte, maxPacket), peer
	}
	m.table.Store(&table{rate: rate, places: places})
	at, frame := time.Unix(1000, 0), 0
	return func() {
		for i, x := range places {
			from := quiet[frame%len(quiet)].payload
			if i < speak {
				from = words[(frame+i*17)%len(words)].payload
			}
			p := packets[i][:headerLen+copy(packets[i][headerLen:], from)]
			header{pt: codec.PT, seq: uint16(frame), ts: uint32(frame) * units(frameTime, codec.Rate), ssrc: 7}.write(p)
			x.ear.s.packet(p, sources[i], at)
		}
		m.mix(uint32(frame), at, at)
		frame++
		at = at.Add(frameTime)
	}
}

func TestMixAllocatesNothing(t *testing.T) {
	step := mixing(t, 5)
	if got := testing.AllocsPerRun(1000, step); got != 0 {
		t.Errorf("%v allocations a frame", got)
	}
}

// BenchmarkMix is 20 ms of a conference in which all talk at once: taking a packet
// of each, and a mix for each, without the system calls.
func BenchmarkMix(b *testing.B) {
	for _, n := range []int{3, 8, 32, 100} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			cpu(b, n, mixing(b, n))
		})
	}
}

// cpu reports what an operation took of the processor, whoever else was busy, and for
// each of so many. Run it with GOMAXPROCS=1.
func cpu(b *testing.B, each int, step func()) {
	b.Helper()
	b.ReportAllocs()
	before := spent(b)
	for b.Loop() {
		step()
	}
	took := float64((spent(b) - before).Nanoseconds()) / float64(b.N)
	b.ReportMetric(took, "cpu-ns/op")
	b.ReportMetric(took/float64(each), "cpu-ns/each")
}

// spent is the user time of the process.
func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano())
}

// bomb is a socket that panics when somebody writes to it.
type bomb struct {
	*memConn
	armed *atomic.Bool
}

func (b bomb) WriteToUDPAddrPort(p []byte, to netip.AddrPort) (int, error) {
	if b.armed.Load() {
		panic("boom")
	}
	return b.memConn.WriteToUDPAddrPort(p, to)
}

// A mistake while mixing ends this conference, not the process, and its calls are
// told; its Close does not wait for one of them that does not read.
func TestMixerPanics(t *testing.T) {
	var armed atomic.Bool
	var r *rig
	arm := func(c *Config) {
		c.ListenPacket = func(_, address string) (net.PacketConn, error) {
			conn, err := r.net.listen(address)
			return bomb{conn, &armed}, err
		}
	}
	bubble(t, arm, func(x *rig) {
		r = x
		list := r.members(3)
		c := r.e.NewConference()
		for _, m := range list {
			add(t, c, m, Role{})
		}
		for range cap(list[0].events) {
			list[0].events <- "full"
		}
		armed.Store(true)
		time.Sleep(2 * frameTime)
		armed.Store(false)
		c.Close()
		for _, m := range list[1:] {
			if ev := m.next(); ev != (Timeout{S: m.Session}) {
				t.Errorf("%#v", ev)
			}
		}
		close(list[0].gone)
	})
}
