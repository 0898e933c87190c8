package media

import (
	"bytes"
	"testing"
	"time"

	"vpbx/media/audio"
)

// sound is a prompt of n frames, the i-th filled with the A-law code i.
func sound(n int) *Prompt {
	p := &Prompt{}
	for i := range n {
		p.alaw = append(p.alaw, bytes.Repeat([]byte{byte(i)}, frameBytes)...)
		p.ulaw = append(p.ulaw, bytes.Repeat([]byte{byte(100 + i)}, frameBytes)...)
	}
	return p
}

func TestPlayToTheEnd(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describe("198.51.100.1:4000"), PCMU)
		start := time.Now()
		a.Play(sound(10), false)
		if ev := <-a.events; ev != (PlayDone{S: a.Session}) || time.Since(start) != 200*time.Millisecond {
			t.Errorf("%#v after %v", ev, time.Since(start))
		}
		got := pa.hear()
		if len(got) != 10 {
			t.Fatalf("%d packets", len(got))
		}
		for i, h := range got {
			if h.pt != 0 || h.payload[0] != byte(100+i) || len(h.payload) != frameBytes || h.marker != (i == 0) ||
				h.seq != got[0].seq+uint16(i) || h.ts != got[0].ts+uint32(i)*frameBytes || h.ssrc != a.out.ssrc {
				t.Errorf("packet %d: %+v", i, h.header)
			}
		}
		if q := a.Quality(); q.Sent != 10 {
			t.Errorf("%+v", q)
		}
	})
}

func TestPlayLoopsUntilStopped(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describe("198.51.100.1:4000"))
		a.Play(sound(3), true)
		time.Sleep(139 * time.Millisecond)
		a.StopPlay()
		time.Sleep(time.Second)
		a.StopPlay()
		var fill []byte
		for _, h := range pa.hear() {
			fill = append(fill, h.payload[0])
		}
		if !bytes.Equal(fill, []byte{0, 1, 2, 0, 1, 2, 0}) {
			t.Errorf("%v", fill)
		}
		if ev := a.next(); ev != nil {
			t.Errorf("%#v after StopPlay", ev)
		}
	})
}

func TestPlayReplaces(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describe("198.51.100.1:4000"))
		a.Play(sound(100), false)
		time.Sleep(35 * time.Millisecond)
		a.Play(sound(2), false)
		if ev := <-a.events; ev != (PlayDone{S: a.Session}) {
			t.Errorf("%#v", ev)
		}
		time.Sleep(5 * time.Second)
		if ev := a.next(); ev != nil {
			t.Errorf("%#v of the replaced prompt", ev)
		}
		got := pa.hear()
		if len(got) != 4 || got[2].payload[0] != 0 || !got[2].marker || got[3].seq != got[0].seq+3 {
			t.Errorf("%+v", got)
		}
	})
}

// While a prompt plays the other party is not heard, then it is again, in one
// stream.
func TestPlayInPlaceOfBridge(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b, pa, pb := r.pair()
		pb.voice(50)
		time.Sleep(20 * time.Millisecond)
		a.Play(sound(3), false)
		time.Sleep(10 * time.Millisecond)
		pb.voice(51)
		pa.voice(60) // the other way goes on
		<-a.events
		<-a.events
		pb.voice(52)
		got := pa.hear()
		var fill []byte
		for i, h := range got {
			fill = append(fill, h.payload[0])
			if h.seq != got[0].seq+uint16(i) || h.ssrc != got[0].ssrc {
				t.Errorf("packet %d: %+v", i, h.header)
			}
		}
		if !bytes.Equal(fill, []byte{50, 0, 1, 2, 52}) {
			t.Errorf("%v", fill)
		}
		if last := got[4]; !last.marker || last.ts-got[0].ts != 4*frameBytes {
			t.Errorf("%+v", last.header)
		}
		if len(pb.hear()) != 1 {
			t.Error("the prompt silenced the wrong side")
		}
		b.wantDrops(t, map[string]uint64{"playing": 1})
	})
}

func TestPlayWhatCannotBeHeard(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		play := func() {
			t.Helper()
			start := time.Now()
			a.Play(sound(5), false)
			if ev := <-a.events; ev != (PlayDone{S: a.Session}) || time.Since(start) != 100*time.Millisecond {
				t.Errorf("%#v after %v", ev, time.Since(start))
			}
			if got := pa.hear(); len(got) != 0 {
				t.Errorf("%d packets", len(got))
			}
		}
		play() // nothing negotiated
		a.answer(t, describeCodecs("198.51.100.1:4000", "18"), g729)
		play() // another codec
		a.answer(t, describe("198.51.100.1:4000", "a=sendonly"))
		play() // on hold
		a.Play(nil, true)
		a.Play(&Prompt{}, true)
		if a.player.Load() != nil {
			t.Error("plays nothing")
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		a.Play(sound(5), true)
	})
}

func TestCloseEndsPlay(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, _, _ := r.pair()
		a.Play(sound(5), true)
		time.Sleep(time.Second)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTonePrompt(t *testing.T) {
	p := TonePrompt(audio.Ringback("RU"))
	if p.Duration() != 5*time.Second {
		t.Errorf("%v", p.Duration())
	}
	pcm := make([]int16, frameBytes)
	for _, c := range []audio.Codec{audio.PCMA, audio.PCMU} {
		if c == audio.PCMA {
			audio.DecodeALaw(pcm, p.frame(10, c))
		} else {
			audio.DecodeULaw(pcm, p.frame(10, c))
		}
		if share := audio.Goertzel(pcm, 8000, 425); share < 0.9 {
			t.Errorf("%v: 425 Hz holds %.3f of the energy", c, share)
		}
	}
	if p.frame(0, audio.Other) != nil {
		t.Error("a frame for an unknown codec")
	}
}

func TestNewPrompt(t *testing.T) {
	pcm := make([]int16, 16000+100)
	audio.Tone(pcm, 16000, 440, 0.5, 0)
	p, err := NewPrompt(pcm, 16000)
	if err != nil {
		t.Fatal(err)
	}
	if p.Duration() != 1020*time.Millisecond {
		t.Errorf("%v", p.Duration())
	}
	half := make([]int16, 4000)
	audio.DecodeALaw(half, p.alaw[:4000])
	if share := audio.Goertzel(half, 8000, 440); share < 0.99 {
		t.Errorf("440 Hz holds %.3f of the energy", share)
	}
	_, err = NewPrompt(nil, 8000)
	is(t, err, audio.ErrNotWAV)
}

// Wideband sound is heard as such by who can hear it, and as before by the others.
func TestWidebandPrompt(t *testing.T) {
	pcm := make([]int16, wideRate)
	audio.Tone(pcm, wideRate, 5000, 0.3, 0)
	low := make([]int16, wideRate)
	audio.Tone(low, wideRate, 1000, 0.3, 0)
	audio.Mix(pcm, low)
	p, err := NewPrompt(pcm, wideRate)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		codec Codec
		high  bool
	}{{PCMA, false}, {G722, true}, {Opus, true}} {
		bubble(t, nil, func(r *rig) {
			a := r.speaker(1, tt.codec, 0, 440)
			a.Play(p, false)
			a.speak(900 * time.Millisecond)
			l := audio.NewListener(wideRate)
			var out []int16
			for _, h := range a.all {
				_, got := l.Hear(tt.codec.Audio(), h.ssrc, h.ts, h.payload)
				out = append(out, got...)
			}
			if share := audio.Goertzel(out[4000:], wideRate, 5000); (share > 0.2) != tt.high {
				t.Errorf("%v: %.2f of it is the upper tone", tt.codec.Name, share)
			}
			if share := audio.Goertzel(out[4000:], wideRate, 1000); share < 0.3 {
				t.Errorf("%v: %.2f of it is the lower tone", tt.codec.Name, share)
			}
		})
	}
}

func TestNewPromptRefuses(t *testing.T) {
	for _, tt := range []struct {
		n, rate int
		err     error
	}{{0, 8000, audio.ErrNotWAV}, {1, 7999, audio.ErrNotWAV}, {1, 48001, audio.ErrNotWAV}, {8000*600 + 1, 8000, audio.ErrTooLong}} {
		_, err := NewPrompt(make([]int16, tt.n), tt.rate)
		is(t, err, tt.err)
	}
	for _, rate := range []int{8000, 11025, 44100, 48000} {
		p, err := NewPrompt(make([]int16, rate), rate)
		if err != nil || p.Duration() != time.Second || (p.wide != nil) != (rate >= wideRate) {
			t.Errorf("%d: %v, %v", rate, p.Duration(), err)
		}
	}
}
