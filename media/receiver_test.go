package media

import (
	"math"
	"testing"
	"time"

	"vpbx/media/sdp"
)

func TestReceiverCountsLoss(t *testing.T) {
	span := func(from, to int) []uint16 {
		var s []uint16
		for i := from; i <= to; i++ {
			s = append(s, uint16(i))
		}
		return s
	}
	tests := []struct {
		name           string
		seqs           []uint16
		lost, expected uint64
		duplicates     uint64
		jumps          uint64
	}{
		{"in order", span(10, 19), 0, 10, 0, 0},
		{"wrap", span(65530, 65545), 0, 16, 0, 0},
		{"loss over the wrap", []uint16{65534, 65535, 2, 3}, 2, 6, 0, 0},
		{"swapped", []uint16{1, 3, 2, 4}, 0, 4, 0, 0},
		{"late over the wrap", []uint16{65535, 1, 0, 2}, 0, 4, 0, 0},
		{"duplicates", []uint16{1, 1, 2, 1, 3, 3}, 0, 3, 3, 0},
		{"duplicate hides no loss", []uint16{1, 1, 3, 3}, 1, 3, 2, 0},
		{"before the first", []uint16{5, 4, 6}, 0, 2, 0, 0},
		{"one stray", []uint16{1, 2, 30000, 3, 4}, 0, 4, 0, 1},
		{"restart", []uint16{1, 2, 30000, 30001, 30002}, 0, 4, 0, 1},
		{"restart backwards", []uint16{30000, 30001, 7, 8, 9, 11}, 1, 6, 0, 1},
		{"long gap", []uint16{1, 2000}, 1998, 2000, 0, 0},
	}
	f := &format{codec: sdp.Codec(PCMA)}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r receiver
			at := time.Unix(1000, 0)
			for _, seq := range tt.seqs {
				r.accept(header{seq: seq, ssrc: 1, ts: uint32(seq) * 160}, f, at)
				at = at.Add(20 * time.Millisecond)
			}
			lost, expected := r.lost()
			if lost != tt.lost || expected != tt.expected || r.drops[dropDuplicate] != tt.duplicates || r.drops[dropSequence] != tt.jumps {
				t.Errorf("lost %d of %d, %d duplicates, %d jumps", lost, expected, r.drops[dropDuplicate], r.drops[dropSequence])
			}
		})
	}
}

func TestReceiverAddsSources(t *testing.T) {
	var r receiver
	f := &format{codec: sdp.Codec(PCMA)}
	at := time.Unix(1000, 0)
	for _, h := range []header{{ssrc: 1, seq: 1}, {ssrc: 1, seq: 3}, {ssrc: 2, seq: 900}, {ssrc: 2, seq: 902}, {ssrc: 2, seq: 903}} {
		r.accept(h, f, at)
	}
	if lost, expected := r.lost(); lost != 2 || expected != 7 || r.packets != 5 {
		t.Errorf("lost %d of %d", lost, expected)
	}
}

func TestFractionLost(t *testing.T) {
	var r receiver
	f := &format{codec: sdp.Codec(PCMA)}
	at := time.Unix(1000, 0)
	for _, step := range []struct {
		seqs []uint16
		want uint8
	}{{[]uint16{0, 1, 2, 3}, 0}, {[]uint16{5, 7}, 128}, {nil, 0}, {[]uint16{6, 8}, 0}, {[]uint16{9, 12}, 128}} {
		for _, seq := range step.seqs {
			r.accept(header{seq: seq, ssrc: 1}, f, at)
		}
		if got := r.fraction(); got != step.want {
			t.Errorf("after %v: %d, want %d", step.seqs, got, step.want)
		}
	}
}

func TestJitter(t *testing.T) {
	f := &format{codec: sdp.Codec(PCMA)}
	tests := []struct {
		name      string
		late      func(i int) time.Duration
		skip      func(i int) uint32
		low, high float64
	}{
		{"none", func(int) time.Duration { return 0 }, nil, 0, 0.01},
		// Every other packet 10 ms late: |D| is 10 ms each time, which J approaches.
		{"10 ms", func(i int) time.Duration { return time.Duration(i%2) * 10 * time.Millisecond }, nil, 9.9, 10.1},
		{"a step of the clock", func(int) time.Duration { return 0 }, func(i int) uint32 {
			if i >= 100 {
				return 1 << 30
			}
			return 0
		}, 0, 0.01},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r receiver
			for i := range 200 {
				ts := uint32(i) * 160
				if tt.skip != nil {
					ts += tt.skip(i)
				}
				at := time.Unix(1000, 0).Add(time.Duration(i)*20*time.Millisecond + tt.late(i))
				r.accept(header{seq: uint16(i), ts: ts, ssrc: 1}, f, at)
			}
			if got := ms(r.duration(r.jitter)); got < tt.low || got > tt.high {
				t.Errorf("%.2f ms, want %v to %v", got, tt.low, tt.high)
			}
		})
	}
}

func TestQualityOfACall(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b, pa, pb := r.pair()
		if q := a.Quality(); q.MOS != 0 || q.FirstRTPMs != -1 || q.OneWay || q.Codec != "PCMA" {
			t.Errorf("before anything: %+v", q)
		}
		a.Expect()
		b.Expect()
		time.Sleep(40 * time.Millisecond)
		for i := range 100 {
			if i%10 == 3 {
				pa.seq++ // lost
				pa.ts += frameBytes
			} else {
				pa.voice(1)
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(780 * time.Millisecond)
		pa.voice(1)
		q := a.Quality()
		if q.Received != 91 || q.Lost != 10 || math.Abs(q.Loss-10.0/101) > 1e-9 || q.FirstRTPMs != 40 || q.LongestGapMs != 800 || !q.OneWay {
			t.Errorf("%+v", q)
		}
		if q.MOS < 3 || q.MOS > 3.6 {
			t.Errorf("MOS %v at 10 %% loss", q.MOS)
		}
		if q := b.Quality(); q.FirstRTPMs != -1 || q.MOS != 0 || !q.OneWay || q.Sent != 91 || q.LongestGapMs != 2820 {
			t.Errorf("of the silent side: %+v", q)
		}
		pb.voice(1)
		if a.Quality().OneWay || b.Quality().OneWay {
			t.Error("one way, with packets both ways")
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if q := a.Quality(); q.Received != 91 || q.LongestGapMs != 800 {
			t.Errorf("after the end: %+v", q)
		}
	})
}

func TestReasonNames(t *testing.T) {
	seen := map[string]bool{}
	for why := kept; why < reasons; why++ {
		if why.String() == "" || seen[why.String()] {
			t.Errorf("%d is called %q", why, why)
		}
		seen[why.String()] = true
	}
}
