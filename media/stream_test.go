package media

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A number is sent once, whatever comes late, is left out, or takes the place of another
// source: under SRTP two packets with one number would show what is in both (RFC 3711 §9.1).
func TestEachNumberOnce(t *testing.T) {
	at := time.Unix(1000, 0)
	next := func(o *stream, from any, seq uint16) (uint16, reason) {
		h, why := o.next(from, header{seq: seq, ts: uint32(seq) * 160, ssrc: 1, start: headerLen, end: headerLen + 160}, 8000, at)
		return h.seq, why
	}
	t.Run("late behind one that is left out", func(t *testing.T) {
		var o stream
		o.begin()
		first, _ := next(&o, "a", 10)
		o.skip("a", header{seq: 12, ssrc: 1})
		if late, why := next(&o, "a", 11); why == kept && late == first {
			t.Errorf("two packets have the number %d", first)
		}
	})
	t.Run("late behind another source", func(t *testing.T) {
		var o stream
		o.begin()
		seen := map[uint16]bool{}
		note := func(seq uint16, why reason) {
			if why == kept && seen[seq] {
				t.Errorf("two packets have the number %d", seq)
			}
			seen[seq] = seen[seq] || why == kept
		}
		for i := range uint16(200) {
			note(next(&o, "a", i))
		}
		note(next(&o, "b", 1000))
		for i := range uint16(50) { // late ones, which are dropped, and new ones
			note(next(&o, "b", 940+i))
			note(next(&o, "b", 1001+i))
		}
		for i := range uint16(10) {
			note(next(&o, "b", 990+i))
		}
	})
	t.Run("anything", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(4, 2))
		var o stream
		o.begin()
		seen := map[uint16]int{}
		base := uint16(65000)
		for n := range 20_000 {
			at = at.Add(frameTime)
			base += uint16(rng.IntN(3))
			seq, from := base-uint16(rng.IntN(60)*rng.IntN(2)), rng.IntN(60)/59
			if rng.IntN(10) == 0 {
				o.skip(from, header{seq: seq, ssrc: 1})
				continue
			}
			if out, why := next(&o, from, seq); why == kept {
				if before, ok := seen[out]; ok && n-before < 10_000 {
					t.Fatalf("packet %d has the number %d of packet %d", n, out, before)
				}
				seen[out] = n
			}
		}
		if len(seen) < 5_000 {
			t.Errorf("%d were sent", len(seen))
		}
	})
}
