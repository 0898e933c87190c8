package media

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// level is n samples of one value, so that a frame shows which packet it is of.
func level(v int16, n int) []int16 { return slices.Repeat([]int16{v}, n) }

// Packets that come at given times, in milliseconds; frames go out every 20 ms
// from 10 ms on. Packet n has the level 1000+n.
func TestJitterBuffer(t *testing.T) {
	type arrival struct{ at, packet int }
	even := func(n int) (list []arrival) {
		for i := range n {
			list = append(list, arrival{20 * i, i})
		}
		return list
	}
	tests := []struct {
		name string
		in   []arrival
		out  int // frames
		want []int16
		late int
	}{
		{"on time", even(6), 7, []int16{0, 1000, 1001, 1002, 1003, 1004, 1005}, 0},
		{"ends", even(3), 9, []int16{0, 1000, 1001, 1002, 501, 250, 125, 0, 0}, 0},
		{"one lost", []arrival{{0, 0}, {20, 1}, {60, 3}, {80, 4}, {100, 5}}, 7, []int16{0, 1000, 1001, 500, 1003, 1004, 1005}, 0},
		{"swapped", []arrival{{0, 0}, {20, 1}, {60, 3}, {61, 2}, {80, 4}, {100, 5}}, 7, []int16{0, 1000, 1001, 1002, 1003, 1004, 1005}, 0},
		{"one late", []arrival{{0, 0}, {20, 1}, {60, 3}, {80, 4}, {95, 2}, {100, 5}}, 7, []int16{0, 1000, 1001, 500, 1003, 1004, 1005}, 1},
		{"jitter within the delay", []arrival{{0, 0}, {35, 1}, {41, 2}, {75, 3}, {81, 4}, {115, 5}}, 8, []int16{0, 0, 1000, 1001, 1002, 1003, 1004, 1005}, 0},
		{"dries up, then more delay", []arrival{{0, 0}, {20, 1}, {90, 2}, {91, 3}, {100, 4}, {120, 5}}, 10, []int16{0, 1000, 1001, 500, 250, 1002, 1003, 1004, 1005, 502}, 0},
		{"a burst after a pause is cut", append([]arrival{{0, 0}, {20, 1}}, func() (b []arrival) {
			for i := 2; i < 16; i++ {
				b = append(b, arrival{300, i})
			}
			return b
		}()...), 18, []int16{0, 1000, 1001, 500, 250, 125, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1011, 1012, 1013}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var j jitter
			var got []int16
			var late int
			in := tt.in
			for n := range tt.out {
				for len(in) > 0 && in[0].at < 20*n+10 {
					if !j.put(7, uint32(50+160*in[0].packet), level(int16(1000+in[0].packet), 160)) {
						late++
					}
					in = in[1:]
				}
				var frame [frameBytes]int16
				loud := j.take(&frame)
				if !slices.Equal(frame[:], level(frame[0], 160)) {
					t.Fatalf("frame %d is torn", n)
				}
				if !loud && frame[0] != 0 {
					t.Errorf("frame %d: silence of %d", n, frame[0])
				}
				got = append(got, frame[0])
			}
			if !slices.Equal(got, tt.want) || late != tt.late {
				t.Errorf("got  %v, %d late\nwant %v, %d late", got, late, tt.want, tt.late)
			}
		})
	}
}

// Packets of any length come out whole.
func TestJitterPacketLengths(t *testing.T) {
	for _, size := range []int{8, 80, 160, 240, 320, 480, 800} {
		var j jitter
		var frame [frameBytes]int16
		next := int16(1)
		ts := uint32(0xFFFFFF00) // it wraps
		var expect int16
		for sent, taken := 0, 0; taken < 8000; {
			for sent < taken+jitterStart {
				pcm := make([]int16, size)
				for i := range pcm {
					pcm[i] = next
					next = next%30000 + 1
				}
				j.put(1, ts, pcm)
				ts, sent = ts+uint32(size), sent+size
			}
			j.take(&frame)
			for _, v := range frame {
				if expect = expect%30000 + 1; v != expect {
					t.Fatalf("size %d, sample %d: %d, want %d", size, taken, v, expect)
				}
				taken++
			}
		}
	}
}

func TestJitterNewBeginnings(t *testing.T) {
	tests := []struct {
		name     string
		ssrc, ts uint32
	}{
		{"another source", 8, 77},
		{"a step ahead", 7, 1_000_000},
		{"a step back", 7, 1<<32 - 1_000_000},
		{"a step within the ring's reach", 7, 320 + 5000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var j jitter
			var frame [frameBytes]int16
			j.put(7, 0, level(100, 160))
			j.put(7, 160, level(100, 160))
			j.take(&frame)
			for i := range uint32(2) {
				if !j.put(tt.ssrc, tt.ts+160*i, level(200, 160)) {
					t.Fatal("refused")
				}
			}
			if j.take(&frame); frame[0] != 200 {
				t.Errorf("%d", frame[0])
			}
		})
	}
}

// A peer whose clock went back a little is late for some packets only.
func TestJitterClockGoesBack(t *testing.T) {
	var j jitter
	var frame [frameBytes]int16
	ts := uint32(100000)
	refused := 0
	for i := range 60 {
		if i == 30 {
			ts -= 6000
		}
		if !j.put(1, ts, level(50, 160)) {
			refused++
		}
		ts += 160
		j.take(&frame)
	}
	if refused != jitterLate-1 && refused != 0 || !j.take(&frame) || frame[0] == 0 {
		t.Errorf("%d refused, then %d", refused, frame[0])
	}
}

// Delay that is not needed any more is given back, and a clock that is too fast
// or too slow does not fill or empty the buffer for long.
func TestJitterFollows(t *testing.T) {
	for _, tt := range []struct {
		name   string
		period float64 // of the packets, in frames
	}{{"exact", 1}, {"fast", 0.999}, {"slow", 1.001}} {
		t.Run(tt.name, func(t *testing.T) {
			var j jitter
			var frame [frameBytes]int16
			ts := uint32(0)
			for range 7 { // a burst: 140 ms of delay
				j.put(1, ts, level(50, 160))
				ts += 160
			}
			next, dry, most := 0.0, 0, 0
			for n := range 30000 { // ten minutes
				for ; next <= float64(n); next += tt.period {
					j.put(1, ts, level(50, 160))
					ts += 160
				}
				if !j.take(&frame) || frame[0] != 50 {
					dry++
				}
				if n > 2000 {
					most = max(most, j.waits())
				}
			}
			if most > 3*160 || dry > 70 {
				t.Errorf("up to %d samples wait, %d frames were made up", most, dry)
			}
		})
	}
}

// Random loss and jitter: the buffer stays bounded and what came in time is heard.
func TestJitterUnderLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	type arrival struct {
		at float64
		n  int
	}
	var in []arrival
	for n := range 5000 {
		if rng.Float64() < 0.05 {
			continue
		}
		in = append(in, arrival{float64(n)*20 + rng.Float64()*60, n})
	}
	slices.SortFunc(in, func(a, b arrival) int { return int(1e6 * (a.at - b.at)) })
	var j jitter
	var frame [frameBytes]int16
	heard, late := 0, 0
	for n := range 5000 {
		for len(in) > 0 && in[0].at < float64(20*n) {
			if !j.put(1, uint32(160*in[0].n), level(1000, 160)) {
				late++
			}
			in = in[1:]
		}
		if j.take(&frame) && frame[0] == 1000 {
			heard++
		}
		if j.waits() > jitterMost {
			t.Fatalf("%d wait", j.waits())
		}
	}
	if heard < 4600 || late > 100 { // 4,750 were sent
		t.Errorf("%d heard, %d late", heard, late)
	}
}

func FuzzJitter(f *testing.F) {
	f.Add([]byte{1, 0, 0, 160, 1, 0, 1, 64, 0, 0, 0, 0})
	f.Add([]byte{1, 255, 255, 255, 2, 0, 0, 0, 1, 128, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var j jitter
		var frame [frameBytes]int16
		for len(b) >= 4 {
			if b[0] == 0 {
				if !j.take(&frame) && frame != ([frameBytes]int16{}) {
					t.Fatal("silence is not silent")
				}
			} else {
				ts := uint32(b[1])<<24 | uint32(b[2])<<12 | uint32(b[3])
				j.put(uint32(b[0]&3), ts, level(9, int(b[0])*5))
			}
			if j.begun && (j.waits() > jitterMost || j.waits() < 0) {
				t.Fatalf("%d samples wait", j.waits())
			}
			b = b[4:]
		}
	})
}
