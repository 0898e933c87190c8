package media

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
)

// The other party talks all the time; what b hears is one stream in which each
// key is an event of its own.
func TestPressInsideARelayedStream(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		_, b, pa, pb := r.pair()
		talk := func(packets int) {
			for range packets {
				pa.voice(0x55)
				time.Sleep(20 * time.Millisecond)
			}
		}
		talk(3)
		if err := b.Press("1#"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // the keys lie between the packets of the talk
		talk(25)
		type key struct {
			code     byte
			ts       uint32
			marker   bool
			ends     int
			duration []uint16
		}
		var keys []key
		var voices int
		got := pb.hear()
		for i, h := range got {
			if h.seq != got[0].seq+uint16(i) || h.ssrc != got[0].ssrc {
				t.Fatalf("packet %d: %+v", i, h.header)
			}
			if i > 0 && int32(h.ts-got[i-1].ts) < 0 {
				t.Errorf("packet %d: the timestamp goes back", i)
			}
			if h.pt != 101 {
				voices++
				continue
			}
			if h.payload[1]&0x3f != keyVolume {
				t.Errorf("volume %d", h.payload[1]&0x3f)
			}
			if len(keys) == 0 || keys[len(keys)-1].ts != h.ts {
				keys = append(keys, key{code: h.payload[0], ts: h.ts, marker: h.marker})
			} else if h.marker {
				t.Errorf("packet %d: marker within a key", i)
			}
			k := &keys[len(keys)-1]
			k.duration = append(k.duration, uint16(h.payload[2])<<8|uint16(h.payload[3]))
			if h.payload[1]&0x80 != 0 {
				k.ends++
			}
		}
		if len(keys) != 2 {
			t.Fatalf("%+v", keys)
		}
		for i, k := range keys {
			want := []uint16{160, 320, 480, 640, 800, 800, 800}
			if k.code != "\x01\x0b"[i] || !k.marker || k.ends != 3 || len(k.duration) != len(want) {
				t.Errorf("%+v", k)
			}
			for n := range want {
				if k.duration[n] != want[n] {
					t.Errorf("key %d: durations %v", i, k.duration)
				}
			}
		}
		// The clock of the stream is that of the wall: 200 ms from key to key.
		if d := keys[1].ts - keys[0].ts; d < 1590 || d > 1610 {
			t.Errorf("%d from key to key", d)
		}
		last := got[len(got)-1]
		if d := last.ts - got[0].ts; d < 27*160 || d > 27*160+40 {
			t.Errorf("the stream moved on by %d in 540 ms", d)
		}
		if voices != 28-14 {
			t.Errorf("%d packets of talk", voices)
		}
		if synctest.Wait(); len(b.keying) != 0 || b.out.only != nil {
			t.Error("still pressing")
		}
	})
}

// The session that hears what Press sends understands it as the same keys.
func TestPressIsHeard(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		a.answer(t, describe("198.51.100.1:4000"))
		pa := r.phone("198.51.100.1:4000", a)
		pb := r.phone("198.51.100.2:5000", b)
		b.answer(t, describe("198.51.100.2:5000"))
		const all = "0123456789*#ABCD"
		for _, more := range []string{all[:5], strings.ToLower(all[5:])} {
			if err := a.Press(more); err != nil {
				t.Fatal(err)
			}
		}
		var digits []byte
		for range 17 * 10 {
			for _, h := range pa.hear() {
				pb.raw(rtp(h.pt, h.marker, h.seq, h.ts, h.ssrc, h.payload))
			}
			if ev, ok := b.next().(DTMF); ok {
				if ev.Duration != 100*time.Millisecond {
					t.Errorf("%c for %v", ev.Digit, ev.Duration)
				}
				digits = append(digits, ev.Digit)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if string(digits) != all {
			t.Errorf("heard %q", digits)
		}
	})
}

// A peer without telephone events hears the two tones of each key, and nothing of
// the other party meanwhile.
func TestPressInBand(t *testing.T) {
	for _, law := range []Codec{PCMA, PCMU} {
		bubble(t, nil, func(r *rig) {
			a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
			pa, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
			a.answer(t, describe("198.51.100.1:4000"))
			b.answer(t, describeCodecs("198.51.100.2:5000", "0 8"), law)
			Join(a.Session, b.Session)
			if err := b.Press("7"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
			for range 10 {
				time.Sleep(20 * time.Millisecond)
				pa.voice(0x12)
			}
			got := pb.hear()
			if len(got) != 10+1 {
				t.Fatalf("%d packets", len(got))
			}
			pcm := make([]int16, frameBytes)
			for i, h := range got[:10] {
				audio.Decode(pcm, h.payload, law.Audio())
				low, high := audio.Goertzel(pcm, 8000, 852), audio.Goertzel(pcm, 8000, 1209)
				if i < 5 && (low < 0.4 || high < 0.4) {
					t.Errorf("frame %d: 852 Hz %.2f, 1209 Hz %.2f", i, low, high)
				}
				if i >= 5 && !bytes.Equal(h.payload, bytes.Repeat(h.payload[:1], frameBytes)) {
					t.Errorf("frame %d is no silence", i)
				}
				if h.seq != got[0].seq+uint16(i) || h.ts != got[0].ts+uint32(i)*frameBytes {
					t.Errorf("frame %d: %+v", i, h.header)
				}
			}
			a.wantDrops(t, map[string]uint64{"playing": 9})
		})
	}
}

// A prompt waits while a key sounds; its time passes.
func TestPressDuringPrompt(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describe("198.51.100.1:4000"))
		a.Play(sound(30), false)
		time.Sleep(101 * time.Millisecond)
		if err := a.Press("5"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		var fill []byte
		for _, h := range pa.hear() {
			if h.pt == 8 {
				fill = append(fill, h.payload[0])
			}
		}
		// 140 ms of the prompt are left out: the frames at 120 to 240 ms.
		want := []byte{0, 1, 2, 3, 4, 5, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}
		if !bytes.Equal(fill, want) {
			t.Errorf("%v", fill)
		}
	})
}

func TestPressRefused(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		is(t, a.Press("1"), ErrNoCodec)
		a.answer(t, describeCodecs("198.51.100.1:4000", "18"), g729)
		is(t, a.Press("1"), ErrNoCodec)
		a.answer(t, describe("198.51.100.1:4000", "a=sendonly"))
		is(t, a.Press("1"), ErrHeld)
		a.answer(t, describe("198.51.100.1:4000"))
		for _, bad := range []string{"", "1 2", "E", "1\n", "+7", "٣", strings.Repeat("1", 33)} {
			is(t, a.Press(bad), ErrDigits)
		}
		if err := a.Press(strings.Repeat("1", 20)); err != nil {
			t.Fatal(err)
		}
		is(t, a.Press(strings.Repeat("2", 13)), ErrDigits)
		if err := a.Press(strings.Repeat("2", 12)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := a.Close(); err != nil { // with keys that wait
			t.Fatal(err)
		}
		is(t, a.Press("1"), ErrClosed)
	})
}

// Opus has a clock of its own, and its events too (RFC 4733 §2.1).
func TestPressOnAnotherClock(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describeCodecs("198.51.100.1:4000", "111 100 101", "a=rtpmap:111 opus/48000/2",
			"a=rtpmap:100 telephone-event/8000", "a=rtpmap:101 telephone-event/48000"), opus)
		if err := a.Press("99"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		got := pa.hear()
		if len(got) != 14 {
			t.Fatalf("%d packets", len(got))
		}
		if got[6].pt != 101 || !bytes.Equal(got[6].payload, []byte{9, 0x80 | keyVolume, 4800 >> 8, 4800 & 0xff}) || got[7].ts-got[6].ts != 9600 {
			t.Errorf("%+v, then %+v", got[6], got[7])
		}
	})
}

func TestHoldPrompt(t *testing.T) {
	p := HoldPrompt()
	if p.Duration() != 12800*time.Millisecond {
		t.Errorf("%v", p.Duration())
	}
	pcm := make([]int16, len(p.alaw))
	audio.DecodeALaw(pcm, p.alaw)
	var loudest int16
	for _, v := range pcm {
		loudest = max(loudest, v, -v)
	}
	if loudest < 3000 || loudest > 8000 {
		t.Errorf("loudest sample %d", loudest)
	}
	if share := audio.Goertzel(pcm[:1000], 8000, 261.63); share < 0.9 {
		t.Errorf("the first note holds %.2f of the energy", share)
	}
	if last := pcm[len(pcm)-1]; last > 50 || last < -50 {
		t.Errorf("a click of %d at the seam", last)
	}
}
