package media

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"vpbx/media/amd"
	"vpbx/media/audio"
)

// Who sends nothing at all is Unsure when the bound is over, to the millisecond.
func TestDetectOfNobody(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		a.answer(t, describe("198.51.100.1:4000"))
		began := time.Now()
		a.Detect(amd.Default())
		ev, ok := (<-a.events).(Detected)
		want := Detected{S: a.Session, Verdict: amd.Unsure, Reason: amd.InitialSilence, After: 2 * time.Second, Quiet: 2 * time.Second}
		if took := time.Since(began); !ok || ev != want || took != 2*time.Second {
			t.Errorf("%+v after %v", ev, took)
		}
		time.Sleep(2 * time.Minute)
		if ev := a.next(); ev != nil {
			t.Errorf("%#v", ev)
		}
		if a.detect.Load() != nil {
			t.Error("it listens for ever")
		}
	})
}

func TestStopDetect(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		a.answer(t, describe("198.51.100.1:4000"))
		a.Detect(amd.Default())
		time.Sleep(time.Second)
		a.StopDetect()
		time.Sleep(5 * time.Second)
		if ev := a.next(); ev != nil {
			t.Errorf("%#v", ev)
		}
	})
}

// spoken is a clip of the corpus of package amd behind some silence, then more silence.
func spoken(t *testing.T, name string, after, then time.Duration) []int16 {
	t.Helper()
	data, err := os.ReadFile("amd/testdata/" + name + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	pcm, err := audio.ReadWAV(bytes.NewReader(data), audio.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(make([]int16, int(after.Seconds()*8000)), pcm.Samples, make([]int16, int(then.Seconds()*8000)))
}

const (
	sayHello   = "held-human-en-44-Alex"
	sayMachine = "held-machine-en-61-f4"
)

// speaks lets a peer say all of a sound, a whole number of frames of it, and gives back what was told.
func (p *speaker) speaks(pcm []int16) (told []any) {
	p.pcm = pcm
	for range len(pcm) / frameBytes {
		p.speak(frameTime)
		for ev := p.next(); ev != nil; ev = p.next() {
			told = append(told, ev)
		}
	}
	return told
}

// Who answers is found out in every codec, while a prompt is played and when nothing is.
func TestDetect(t *testing.T) {
	beep := make([]int16, 3200)
	audio.Tone(beep, 8000, 1000, 0.2, 0)
	hello := spoken(t, sayHello, 400*time.Millisecond, 1200*time.Millisecond)
	machine := slices.Concat(spoken(t, sayMachine, 400*time.Millisecond, 600*time.Millisecond), beep, make([]int16, 3*8000))
	for _, c := range []Codec{PCMA, PCMU, G722, Opus} {
		for _, plays := range []bool{false, true} {
			if raced && (plays || c != PCMA) {
				continue
			}
			t.Run(fmt.Sprintf("%s plays %t", c.Name, plays), func(t *testing.T) {
				bubble(t, nil, func(r *rig) {
					a, b := r.speaker(1, c, 8000, 440), r.speaker(2, c, 8000, 440)
					if plays {
						a.Play(sound(50), true)
						b.Play(sound(50), true)
					}
					a.Detect(amd.Default())
					wantHuman(t, a, a.speaks(hello))
					b.Detect(amd.Default())
					wantMachine(t, b, b.speaks(machine))
				})
			})
		}
	}
}

func wantHuman(t *testing.T, p *speaker, told []any) {
	t.Helper()
	if len(told) != 2 || told[0] != (FirstPacket{S: p.Session}) {
		t.Fatalf("%+v", told)
	}
	if x, ok := told[1].(Detected); !ok || x.Verdict != amd.Human || x.Reason != amd.SilenceAfterGreeting || x.After > 2*time.Second {
		t.Errorf("%+v", told)
	}
	if p.detect.Load() != nil {
		t.Error("a human is listened to for ever")
	}
}

func wantMachine(t *testing.T, p *speaker, told []any) {
	t.Helper()
	if len(told) != 4 {
		t.Fatalf("%+v", told)
	}
	if x, ok := told[1].(Detected); !ok || x.Verdict != amd.Machine || x.Reason != amd.LongGreeting {
		t.Errorf("%+v", told[1])
	}
	beep, ok := told[2].(Beep)
	if off := beep.After - time.Duration(len(p.pcm)/8-3000)*time.Millisecond; !ok || max(off, -off) > 100*time.Millisecond {
		t.Errorf("%+v, %v off", told[2], off)
	}
	if x, ok := told[3].(GreetingEnd); !ok || x.After-beep.After < 1900*time.Millisecond || x.After-beep.After > 2100*time.Millisecond {
		t.Errorf("%+v", told[3])
	}
}

// A peer that sends nothing while it is silent is as one that sends silence, and lost packets are nothing.
func TestDetectWithPauses(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.speaker(1, PCMA, 8000, 440)
		a.Detect(amd.Default())
		time.Sleep(700 * time.Millisecond)
		a.ts += 5600
		clip := spoken(t, sayHello, 0, 0)
		told := a.speaks(clip[:len(clip)/frameBytes*frameBytes])
		at := time.Duration(700+len(clip)/8) * time.Millisecond
		x, ok := (<-a.events).(Detected)
		if len(told) != 1 || !ok || x.Verdict != amd.Human || x.After < at || x.After > at+700*time.Millisecond {
			t.Errorf("%+v, %+v after %v", told, x, at)
		}
	})
}

// An owner that reads nothing holds up neither the sound nor Close, and the next owner is told.
func TestDetectWithFullMailbox(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.speaker(1, PCMA, 8000, 440), r.speaker(2, PCMA, 8000, 440)
		Join(a.Session, b.Session)
		for len(a.events) < cap(a.events) {
			a.events <- nil
		}
		a.Detect(amd.Default())
		a.speak(3*time.Second, b)
		if len(b.all) < 140 {
			t.Errorf("%d packets passed", len(b.all))
		}
		second := make(chan any, 8)
		a.Own(second, nil)
		if x, ok := (<-second).(Detected); !ok || x.Verdict == amd.Human {
			t.Errorf("%+v", x)
		}
	})
}

// What the packet path pays for: nothing without Detect, and no allocation with it.
func BenchmarkDetect(b *testing.B) {
	s := &Session{}
	d := &detection{began: time.Now(), line: audio.NewListener(promptRate), det: amd.New(amd.Options{}), bound: time.Hour, tell: make([]any, 0, detectKept)}
	f := &format{audio: audio.PCMA}
	payload := make([]byte, frameBytes)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	h := header{ssrc: 1}
	b.ReportAllocs()
	for b.Loop() {
		h.ts += frameBytes
		d.hear(s, f, h, payload, d.began)
	}
}
