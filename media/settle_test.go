package media

import (
	"testing"
	"time"

	"vpbx/media/audio"
)

// A phone of G.722 that hears one source after the other, each with a coder of its own,
// hears none of them louder than it is.
func TestNoBurstOfG722(t *testing.T) {
	wide, err := NewPrompt(speech(t, wideRate), wideRate)
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := NewPrompt(speech(t, promptRate), promptRate)
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, nil, func(r *rig) {
		a, b, third := r.talker(1, G722, 16000), r.talker(2, PCMA, 8000), r.talker(3, PCMA, 8000)
		src := speech(t, 8000)
		most := 0
		for _, v := range append(speech(t, wideRate), src...) {
			most = max(most, int(v), -int(v))
		}
		c := r.e.NewConference()
		steps := []func(){
			func() { Join(a.Session, b.Session) },
			func() { a.Play(wide, false) },
			func() { a.StopPlay() },
			func() { a.Play(narrow, false) },
			func() { a.Play(wide, false) },
			func() {
				a.StopPlay()
				for _, x := range []*talker{a, b, third} {
					if err := c.Add(x.Session, Role{}); err != nil {
						t.Fatal(err)
					}
				}
			},
			func() { a.Play(wide, false) },
			func() { a.StopPlay() },
			func() { c.Remove(third.Session) },
			func() {
				if err := c.Play(wide); err != nil {
					t.Fatal(err)
				}
			},
		}
		quiet := make([]int16, 320)
		begin, n := time.Now(), 0
		for i, step := range steps {
			step()
			from := len(a.out)
			for range 37 { // each at another place of the speech
				b.say(src[n%150*160:][:160])
				third.say(quiet[:160])
				a.say(quiet)
				time.Sleep(frameTime)
				a.listen(time.Since(begin))
				n++
			}
			peak := 0
			for _, v := range a.out[from:] {
				peak = max(peak, int(v), -int(v))
			}
			if peak > most*5/4 || peak < 1000 {
				t.Errorf("after step %d: a peak of %d, there are none above %d", i, peak, most)
			}
		}
		a.whole(t)
	})
}

// After silence of its encoder a decoder that heard something else is in the state of
// one that heard nothing.
func TestSettlingIsEnough(t *testing.T) {
	src := speech(t, wideRate)
	old, e := audio.NewEncoder(audio.G722, wideRate), audio.NewEncoder(audio.G722, wideRate)
	used, fresh := audio.NewDecoder(audio.G722, wideRate), audio.NewDecoder(audio.G722, wideRate)
	buf, pcm, want := make([]byte, audio.MaxFrame), make([]int16, 4000), make([]int16, 4000)
	for i := range 40 {
		used.Decode(pcm, buf[:old.Encode(buf, src[i*wideFrame:][:wideFrame])])
	}
	for i := range settleFrames + 3 {
		n := e.Settle(buf, i == 0)
		if i >= settleFrames {
			n = e.Encode(buf, src[(20+i)*wideFrame:][:wideFrame])
		}
		used.Decode(pcm, buf[:n])
		fresh.Decode(want, buf[:n])
	}
	if q := measure(want[:wideFrame], pcm[:wideFrame], wideRate); q.snr < 20 {
		t.Errorf("%v", q)
	}
}
