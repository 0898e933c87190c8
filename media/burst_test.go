package media

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"vpbx/media/sdp"
)

func TestBursts(t *testing.T) {
	pattern := func(s string, times int) (b bursts, all uint64) {
		for range times {
			for _, c := range s {
				b.packet(c == '.')
				all++
			}
		}
		return b, all
	}
	const quiet = "...................." // longer than a gap needs to be
	tests := []struct {
		name                     string
		pattern                  string
		times                    int
		burstDensity, gapDensity float64 // within 0.02
		burst, gap               time.Duration
		ratio                    float64
	}{
		{"nothing lost", quiet, 10, 0, 0, 0, 4 * time.Second, 1},
		{"alone, far apart", quiet + "x", 20, 0, 1.0 / 21, 0, 420 * 20 * time.Millisecond, 1},
		// Five of six packets are lost, then 40 come: the burst lasts about six packets.
		{"together", "xx.xxx" + quiet + quiet, 50, 5.0 / 6, 0, 120 * time.Millisecond, 41 * 20 * time.Millisecond, 2.5 * (1 - 5.0/46)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, all := pattern(tt.pattern, tt.times)
			m := b.measure(frameTime, all)
			if math.Abs(m.burstDensity-tt.burstDensity) > 0.1 || math.Abs(m.gapDensity-tt.gapDensity) > 0.02 {
				t.Errorf("densities %.3f in bursts, %.3f between, want %.3f and %.3f", m.burstDensity, m.gapDensity, tt.burstDensity, tt.gapDensity)
			}
			if d := m.burst - tt.burst; d.Abs() > 40*time.Millisecond {
				t.Errorf("bursts of %v, want %v", m.burst, tt.burst)
			}
			if d := m.gap - tt.gap; d.Abs() > tt.gap/10 {
				t.Errorf("gaps of %v, want %v", m.gap, tt.gap)
			}
			if got := b.ratio(float64(b.total) / float64(all)); math.Abs(got-tt.ratio) > 0.1 {
				t.Errorf("BurstR %.2f, want %.2f", got, tt.ratio)
			}
		})
	}
}

// TestBurstsAtRandom holds the ratio to its definition: 1 for loss at random.
func TestBurstsAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b bursts
	for range 200_000 {
		b.packet(r.Float64() >= 0.1)
	}
	if got := b.ratio(0.1); math.Abs(got-1) > 0.02 {
		t.Errorf("BurstR %.3f for loss at random", got)
	}
}

// TestReceiverFindsBursts feeds the numbers as the network gives them: what comes
// late, within the window, was not lost.
func TestReceiverFindsBursts(t *testing.T) {
	f := &format{codec: sdp.Codec(PCMA)}
	var r receiver
	at := time.Unix(1000, 0)
	accept := func(seq int) {
		r.accept(header{seq: uint16(seq), ts: uint32(seq) * 160, ssrc: 1}, f, at.Add(time.Duration(seq)*frameTime))
	}
	const from = 65000 // the numbers wrap
	for i := range 2000 {
		switch {
		case i%200 >= 50 && i%200 < 60: // ten in a row are lost
		case i%20 == 7: // comes after the next
		case i%20 == 8:
			accept(from + i)
			accept(from + i - 1)
		default:
			accept(from + i)
		}
	}
	all := r.all()
	if all.total != 100 || all.runs != 10 {
		t.Errorf("%d lost in %d stretches, want 100 in 10", all.total, all.runs)
	}
	if lost, expected := r.lost(); lost != 100 || expected != 2000 {
		t.Errorf("%d of %d lost", lost, expected)
	}
}
