package recordings

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
)

// delivery is a packet, and when it comes.
type delivery struct {
	at      time.Duration
	seq     uint16
	ts      uint32
	payload []byte
}

// said is a tone of a codec in packets that come when they should.
func said(c audio.Codec, d time.Duration) []delivery {
	enc, phase := audio.NewEncoder(c, rate), 0.0
	var list []delivery
	for i := range int(d / (20 * time.Millisecond)) {
		pcm, buf := make([]int16, frame), make([]byte, audio.MaxFrame)
		phase = audio.Tone(pcm, rate, 440, 0.5, phase)
		list = append(list, delivery{at: time.Duration(i) * 20 * time.Millisecond, seq: uint16(i), ts: uint32(i * c.Clock() / 50), payload: buf[:enc.Encode(buf, pcm)]})
	}
	return list
}

// recorded gives the right side of a recording of what came on it.
func recorded(t *testing.T, c audio.Codec, list []delivery) (right []int16) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		track, begin := r.Side(1), time.Now()
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(a, b delivery) int { return int(a.at - b.at) })
		for _, p := range list {
			time.Sleep(time.Until(begin.Add(p.at)))
			track.RTP(c, p.seq, p.ts, false, p.payload, time.Now())
		}
		time.Sleep(time.Until(begin.Add(3 * time.Second)))
		rec := r.Close()
		if rec.Error != "" || rec.Lost != 0 || rec.Seconds != 3 {
			t.Errorf("recording %+v", rec)
		}
		_, right = openRecording(t, s, rec)
	})
	return right
}

// A recording of a call whose packets come late and in disorder is to the sample that of a call whose packets come as they
// should, whatever the codec, also of the packets that come last.
func TestDisorder(t *testing.T) {
	for _, c := range []audio.Codec{audio.PCMA, audio.G722, audio.Opus} {
		t.Run(c.String(), func(t *testing.T) {
			list := said(c, 2900*time.Millisecond)
			want := recorded(t, c, list)
			rng := rand.New(rand.NewPCG(4, uint64(c)))
			for i := range list[1:] {
				list[i+1].at += time.Duration(rng.IntN(100)) * time.Millisecond
			}
			if got := recorded(t, c, list); !slices.Equal(got, want) {
				t.Errorf("differs at %d ms", slices.IndexFunc(indices(got), func(i int) bool { return got[i] != want[i] })*1000/rate)
			}
		})
	}
}

func indices(pcm []int16) []int {
	list := make([]int, len(pcm))
	for i := range list {
		list[i] = i
	}
	return list
}

// What is lost is made up, up to 60 ms; a longer gap is silence, and what comes after it has its place.
func TestLossInRecordings(t *testing.T) {
	for _, c := range []audio.Codec{audio.PCMU, audio.G722, audio.Opus} {
		t.Run(c.String(), func(t *testing.T) {
			list := said(c, 3*time.Second)
			lost := []int{20, 40, 41, 60, 62, 80, 81, 82, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109}
			list = slices.DeleteFunc(list, func(p delivery) bool { return slices.Contains(lost, int(p.seq)) })
			got := recorded(t, c, list)
			for at := 100; at < 2900; at += 20 {
				part := between(got, time.Duration(at)*time.Millisecond, time.Duration(at+20)*time.Millisecond)
				var energy float64
				for _, v := range part {
					energy += float64(v) * float64(v)
				}
				gap, fading := at >= 2000 && at < 2200, at >= 1640 && at < 1660
				if level := energy / float64(len(part)); gap && level > 100*100 || !gap && !fading && level < 1000*1000 {
					t.Errorf("%d ms: level² %.0f", at, level)
				}
			}
		})
	}
}
