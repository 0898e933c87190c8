package recordings

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

const frame = 160 // samples of a packet of 20 ms

// ms gives milliseconds in samples.
func ms(n int) int64 { return int64(n) * rate / 1000 }

// strip is a time line with what it handed out, of one side.
type strip struct {
	t *testing.T
	timeline
	sound []int16
}

func (s *strip) emit(out []int16) error {
	for i := 0; i < len(out); i += 2 {
		s.sound = append(s.sound, out[i])
		if out[i+1] != 0 {
			s.t.Fatal("sound on the side that was silent")
		}
	}
	return nil
}

// put plays a packet of 20 ms that arrived at that millisecond, all samples of
// which are v, and writes what is old enough by then.
func (s *strip) put(seq uint16, ts uint32, arrival int, v int16) {
	s.advance(ms(arrival)-hold, s.emit)
	s.timeline.put(0, seq, ts, ms(arrival), slices.Repeat([]int16{v}, frame))
}

// runs tells what sounds when: "100-160:5" is the value 5 from 100 to 160 ms.
func (s *strip) runs(until int) string {
	s.advance(ms(until), s.emit)
	var out []string
	for i := 0; i < len(s.sound); {
		j := i
		for j < len(s.sound) && s.sound[j] == s.sound[i] {
			j++
		}
		if v := s.sound[i]; v != 0 {
			out = append(out, fmt.Sprintf("%d-%d:%d", i*1000/rate, j*1000/rate, v))
		}
		i = j
	}
	return strings.Join(out, " ")
}

func TestTimeline(t *testing.T) {
	type packet struct {
		seq     uint16
		ts      uint32
		arrival int // ms
		v       int16
	}
	for _, c := range []struct {
		name    string
		packets []packet
		want    string
	}{
		{"in order", []packet{{1, 1000, 100, 1}, {2, 1160, 120, 2}, {3, 1320, 140, 3}}, "100-120:1 120-140:2 140-160:3"},
		{"jitter does not tear", []packet{{1, 0, 100, 1}, {2, 160, 150, 2}, {3, 320, 151, 3}, {4, 480, 190, 4}}, "100-120:1 120-140:2 140-160:3 160-180:4"},
		{"loss is silence", []packet{{1, 0, 100, 1}, {3, 320, 140, 3}}, "100-120:1 140-160:3"},
		{"reordered", []packet{{1, 0, 100, 1}, {3, 320, 140, 3}, {2, 160, 141, 2}}, "100-120:1 120-140:2 140-160:3"},
		{"twice", []packet{{1, 0, 100, 1}, {1, 0, 101, 1}, {2, 160, 120, 2}}, "100-120:1 120-140:2"},
		{"late but in time", []packet{{1, 0, 100, 1}, {3, 320, 140, 3}, {2, 160, 419, 2}}, "100-120:1 120-140:2 140-160:3"},
		{"too late", []packet{{1, 0, 100, 1}, {3, 320, 140, 3}, {2, 160, 500, 2}, {4, 480, 501, 4}}, "100-120:1 140-160:3"},
		{"timestamps wrap", []packet{{65535, 1<<32 - 160, 100, 1}, {0, 0, 120, 2}, {1, 160, 140, 3}}, "100-120:1 120-140:2 140-160:3"},
		{"silence suppressed", []packet{{1, 0, 100, 1}, {2, 160 + 16000, 2120, 2}}, "100-120:1 2120-2140:2"},
		{"nothing for a minute", []packet{{1, 0, 100, 1}, {2, 8000 * 60, 60100, 2}}, "100-120:1 60100-60120:2"},
		{"another SSRC", []packet{{1, 0, 100, 1}, {9000, 3e9, 120, 2}, {9001, 3e9 + 160, 140, 3}}, "100-120:1 120-140:2 140-160:3"},
		{"a burst after a stall of a second keeps its place", func() (p []packet) {
			for i := range 50 {
				p = append(p, packet{uint16(i), uint32(i * frame), 100 + i*20, 1})
			}
			for i := 50; i < 100; i++ { // held up from 1.1 s to 2.1 s
				p = append(p, packet{uint16(i), uint32(i * frame), 2100 + i - 50, 2})
			}
			for i := 100; i < 150; i++ {
				p = append(p, packet{uint16(i), uint32(i * frame), 2150 + (i-100)*20, 3})
			}
			return p
		}(), "100-1100:1 1836-2100:2 2100-3100:3"},
		{"timestamps that skip two seconds: placed by arrival soon", func() (p []packet) {
			for i := range 10 {
				p = append(p, packet{uint16(i), uint32(i * frame), 100 + i*20, 1})
			}
			for i := 10; i < 40; i++ {
				p = append(p, packet{uint16(i), uint32(i*frame + 2*rate), 100 + i*20, 2})
			}
			return p
		}(), "100-300:1 500-900:2"},
		{"timestamps that fall back one second: placed by arrival soon", func() (p []packet) {
			for i := range 100 {
				p = append(p, packet{uint16(i), uint32(i * frame), 100 + i*20, 1})
			}
			for i := 100; i < 130; i++ {
				p = append(p, packet{uint16(i), uint32(i*frame - rate), 100 + i*20, 2})
			}
			return p
		}(), "100-2100:1 2300-2700:2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := strip{t: t}
			last := 0
			for _, p := range c.packets {
				s.put(p.seq, p.ts, p.arrival, p.v)
				last = p.arrival
			}
			if got := s.runs(last + 1000); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestDrift lets half an hour pass with a sender whose clock is wrong by 200 parts in
// a million: the sound stays within 100 ms of where it was heard.
func TestDrift(t *testing.T) {
	for _, ppm := range []int64{200, -200} {
		var l timeline
		heard := map[int64]int64{} // the mark in the sound -> when it arrived
		worst, gaps := int64(0), 0
		emit := func(out []int16) error {
			base := l.written - int64(len(out)/2)
			for i := 0; i < len(out); i += 2 {
				if v := int64(out[i]); v > 1 {
					worst = max(worst, max(base+int64(i/2)-heard[v], heard[v]-base-int64(i/2)))
				} else if v == 0 && base > rate {
					gaps++
				}
			}
			return nil
		}
		samples := make([]int16, frame)
		for i := range int64(1800 * 50) {
			arrival := i*frame + i*frame*ppm/1e6
			for j := range samples {
				samples[j] = 1
			}
			if i%500 == 0 { // marked every ten seconds
				samples[0] = int16(2 + i/500)
				heard[2+i/500] = arrival
			}
			if i%10 == 0 {
				l.advance(arrival-hold, emit)
			}
			l.put(0, uint16(i), uint32(i*frame), arrival, samples)
		}
		if worst > ms(100) {
			t.Errorf("%d ppm: sound is %d ms off", ppm, worst*1000/rate)
		}
		if gaps > int(rate) {
			t.Errorf("%d ppm: %d samples of silence in half an hour", ppm, gaps)
		}
	}
}

// TestTimelineNoise throws packets at random at the time line: it never hands
// out another length than asked for, and never sound twice.
func TestTimelineNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var l timeline
	var got int64
	emit := func(out []int16) error { got += int64(len(out) / 2); return nil }
	var at int64
	for range 20000 {
		at += r.Int64N(400)
		l.put(r.IntN(2), uint16(r.Uint32()), r.Uint32(), at+r.Int64N(200)-100, make([]int16, r.IntN(1400)))
		if err := l.advance(at-hold, emit); err != nil {
			t.Fatal(err)
		}
		if got != max(0, at-hold) || l.written != got {
			t.Fatalf("handed out %d samples, want %d", got, at-hold)
		}
	}
}

func TestSamplesIn(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 0, time.Second: 8000, 20 * time.Millisecond: 160, 125 * time.Microsecond: 1, 124 * time.Microsecond: 0, -time.Second: -8000,
		1<<63 - 1: (1<<63 - 1) / 125000,
	} {
		if got := samplesIn(d); got != want {
			t.Errorf("samplesIn(%v) = %d, want %d", d, got, want)
		}
	}
}

func FuzzTimeline(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 0, 0, 0, 20, 160, 1, 0, 2, 0, 0, 0, 160, 20, 160})
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var l timeline
		var got, at int64
		emit := func(out []int16) error { got += int64(len(out) / 2); return nil }
		for ; len(b) >= 9; b = b[9:] {
			at += int64(b[7]) * 40
			ts := uint32(b[3])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
			l.put(int(b[0]&1), uint16(b[1])<<8|uint16(b[2]), ts, at, make([]int16, int(b[8])*6))
			if err := l.advance(at-hold, emit); err != nil || got != max(0, at-hold) {
				t.Fatalf("handed out %d of %d: %v", got, at-hold, err)
			}
		}
	})
}
