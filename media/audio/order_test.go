package audio

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// came is a packet of the n-th frame that comes at a millisecond.
func came(n, ms int) Packet {
	return Packet{Codec: PCMA, Seq: uint16(n), TS: uint32(n * 160), SSRC: 1, At: time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond),
		Payload: slices.Repeat([]byte{byte(n)}, 160)}
}

// heardOf gives what a listener hears, by the first byte of each packet.
func heardOf(o *Order, l *Listener, in []Packet) (order []byte, waited []time.Duration) {
	for _, p := range in {
		o.Add(l, p)
		for q := o.Next(l, p.At); q != nil; q = o.Next(l, p.At) {
			if _, pcm := l.Hear(q.Codec, q.SSRC, q.TS, q.Payload); pcm != nil {
				order, waited = append(order, q.Payload[0]), append(waited, p.At.Sub(q.At))
			}
		}
	}
	return order, waited
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		wait time.Duration
		in   []Packet
		want []byte
	}{
		{"in order", 0, []Packet{came(1, 20), came(2, 40), came(3, 60)}, []byte{1, 2, 3}},
		{"a loss is not waited for", 0, []Packet{came(1, 20), came(3, 60)}, []byte{1, 3}},
		{"the first in disorder is lost", 0, []Packet{came(1, 20), came(3, 60), came(2, 61), came(5, 100), came(4, 101), came(6, 120)}, []byte{1, 3, 4, 5, 6}},
		{"what was late long ago", 0, []Packet{came(1, 20), came(3, 60), came(2, 61), came(4, 80), came(1504, 30080), came(1506, 32000)}, []byte{1, 3, 4, 224, 226}},
		{"later than anybody waits", 0, []Packet{came(1, 20), came(3, 60), came(2, 121), came(5, 130), came(4, 131)}, []byte{1, 3, 5}},
		{"waits no longer than it must", 0, []Packet{came(1, 20), came(3, 60), came(2, 61), came(5, 100), came(6, 120), came(4, 121)}, []byte{1, 3, 5, 6}},
		{"a fixed time", 150 * time.Millisecond, []Packet{came(1, 20), came(3, 60), came(4, 80), came(2, 209), came(5, 210)}, []byte{1, 2, 3, 4, 5}},
		{"and no longer", 150 * time.Millisecond, []Packet{came(1, 20), came(3, 60), came(4, 80), came(5, 210), came(2, 211)}, []byte{1, 3, 4, 5}},
		{"many in disorder", 150 * time.Millisecond, []Packet{came(1, 20), came(5, 100), came(4, 101), came(3, 102), came(6, 120), came(2, 121)}, []byte{1, 2, 3, 4, 5, 6}},
		{"a pause is not waited for", 150 * time.Millisecond, []Packet{came(1, 20), came(10, 200)}, []byte{1, 10}},
		{"nor a short one, where that is learnt", 0, []Packet{came(1, 20), came(3, 60), came(2, 61), came(8, 160), came(7, 161)}, []byte{1, 3, 8}},
		{"silence in a row of numbers", 150 * time.Millisecond, []Packet{came(1, 20), func() Packet { p := came(3, 60); p.Seq = 2; return p }()}, []byte{1, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := heardOf(&Order{Wait: tt.wait}, NewListener(8000), tt.in); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever comes, each packet comes out once, no more wait than there is room for, none waits longer than it may once
// another comes, and a stream in order is not touched.
func TestOrderKeepsPackets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, l := &Order{Wait: time.Duration(rapid.SampledFrom([]int{0, 150}).Draw(t, "wait")) * time.Millisecond}, NewListener(8000)
		limit := max(o.Wait, orderMost)
		var in []Packet
		n := 0
		for range rapid.IntRange(1, 80).Draw(t, "packets") {
			n += rapid.IntRange(0, 6).Draw(t, "step")
			p := came(n, 0)
			p.SSRC = uint32(rapid.IntRange(0, 20).Draw(t, "ssrc") / 20)
			p.TS += uint32(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 80, 1e6}).Draw(t, "off"))
			p.At = p.At.Add(time.Duration(n*20+rapid.IntRange(0, 120).Draw(t, "jitter")) * time.Millisecond)
			in = append(in, p)
		}
		slices.SortStableFunc(in, func(a, b Packet) int { return a.At.Compare(b.At) })
		out := 0
		for _, p := range in {
			o.Add(l, p)
			for q := o.Next(l, p.At); q != nil; q = o.Next(l, p.At) {
				l.Hear(q.Codec, q.SSRC, q.TS, q.Payload)
				out++
			}
			if len(o.queue) >= orderSlots || len(o.queue) > 0 && p.At.Sub(o.queue[0].At) >= limit {
				t.Fatalf("%d wait, the first since %v", len(o.queue), p.At.Sub(o.queue[0].At))
			}
		}
		for o.Rest() != nil {
			out++
		}
		if out != len(in) || len(o.free) > orderSlots {
			t.Fatalf("%d of %d came out, %d kept", out, len(in), len(o.free))
		}
	})
}

func TestOrderAllocatesNothing(t *testing.T) {
	o, l, n := &Order{}, NewListener(8000), 0
	payload := make([]byte, 160)
	at := time.Unix(2000, 0)
	if got := testing.AllocsPerRun(1000, func() { // 1 0 3 2 …
		n++
		k := n ^ 1
		at = at.Add(20 * time.Millisecond)
		o.Add(l, Packet{Codec: PCMA, Seq: uint16(k), TS: uint32(k * 160), SSRC: 2, At: at, Payload: payload})
		for q := o.Next(l, at); q != nil; q = o.Next(l, at) {
			l.Hear(q.Codec, q.SSRC, q.TS, q.Payload)
		}
	}); got != 0 {
		t.Errorf("%v allocations a packet", got)
	}
}
