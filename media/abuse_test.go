package media

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"vpbx/media/audio"
)

// abuses are what a peer, or somebody in its name, sends between its packets. Each is
// called before every packet of a second and says what else is to be sent.
var abuses = map[string]func(x *talker, rng *rand.Rand) [][]byte{
	"garbage": func(x *talker, rng *rand.Rand) [][]byte {
		b := make([]byte, rng.IntN(300))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return [][]byte{b}
	},
	"garbage behind a header": func(x *talker, rng *rand.Rand) [][]byte {
		b := make([]byte, rng.IntN(200))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		x.seq++
		return [][]byte{rtp(x.codec.PT, rng.IntN(2) == 0, x.seq-1, x.ts-7, x.phone.ssrc, b)}
	},
	"cut short": func(x *talker, rng *rand.Rand) [][]byte {
		return [][]byte{rtp(x.codec.PT, false, x.seq, x.ts, x.phone.ssrc, nil)[:rng.IntN(headerLen)]}
	},
	"one byte": func(x *talker, _ *rand.Rand) [][]byte {
		x.seq++
		return [][]byte{{0x80}, rtp(x.codec.PT, false, x.seq-1, x.ts-1, x.phone.ssrc, []byte{1})}
	},
	"1,500 bytes": func(x *talker, _ *rand.Rand) [][]byte {
		x.seq++
		return [][]byte{rtp(x.codec.PT, false, x.seq-1, x.ts-3, x.phone.ssrc, make([]byte, maxPacket-headerLen)),
			rtp(x.codec.PT, false, x.seq, x.ts, x.phone.ssrc, make([]byte, maxPacket-headerLen+1))}
	},
	"duplicates": func(x *talker, _ *rand.Rand) [][]byte {
		b := rtp(x.codec.PT, false, x.seq-1, x.ts-units(frameTime, x.codec.Rate), x.phone.ssrc, []byte{1, 2, 3})
		return [][]byte{b, b, b, b, b}
	},
	"old packets": func(x *talker, rng *rand.Rand) [][]byte {
		back := uint32(rng.IntN(90) + 2)
		return [][]byte{rtp(x.codec.PT, false, x.seq-uint16(back), x.ts-back*units(frameTime, x.codec.Rate), x.phone.ssrc, make([]byte, 160))}
	},
	"unknown payload types": func(x *talker, rng *rand.Rand) [][]byte {
		return [][]byte{rtp(uint8(34+rng.IntN(30)), false, x.seq, x.ts, x.phone.ssrc, make([]byte, 40))}
	},
	"comfort noise": func(x *talker, rng *rand.Rand) [][]byte {
		x.seq++
		return [][]byte{rtp(13, false, x.seq-1, x.ts-1, x.phone.ssrc, []byte{byte(rng.Uint32())}), rtp(13, false, x.seq, x.ts, x.phone.ssrc, nil)}
	},
	"events that say nothing": func(x *talker, rng *rand.Rand) [][]byte {
		return [][]byte{rtp(101, true, x.seq, x.ts, x.phone.ssrc, []byte{200, 0, 0, 0}), rtp(101, true, x.seq, x.ts, x.phone.ssrc, []byte{1})}
	},
	"another SSRC at times": func(x *talker, rng *rand.Rand) [][]byte {
		if rng.IntN(25) == 0 {
			x.phone.ssrc, x.ts, x.seq = rng.Uint32(), rng.Uint32(), uint16(rng.Uint32())
		}
		return nil
	},
	"a strange SSRC between": func(x *talker, rng *rand.Rand) [][]byte {
		if rng.IntN(10) > 0 {
			return nil
		}
		return [][]byte{rtp(x.codec.PT, false, uint16(rng.Uint32()), rng.Uint32(), rng.Uint32(), make([]byte, 160))}
	},
	"timestamps that jump": func(x *talker, rng *rand.Rand) [][]byte {
		if rng.IntN(20) == 0 {
			x.ts += rng.Uint32() >> rng.IntN(20)
		}
		return nil
	},
	"timestamps that go back": func(x *talker, rng *rand.Rand) [][]byte {
		if rng.IntN(25) == 0 {
			x.ts -= uint32(x.codec.Rate / 10)
		}
		return nil
	},
	"numbers that jump": func(x *talker, rng *rand.Rand) [][]byte {
		if rng.IntN(20) == 0 {
			x.seq += uint16(rng.Uint32())
		}
		return nil
	},
	"a flood of RTCP": func(x *talker, rng *rand.Rand) [][]byte {
		goodbye, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: x.phone.ssrc, NTPTime: rng.Uint64()}, &rtcp.Goodbye{Sources: []uint32{x.phone.ssrc}}})
		if err != nil {
			x.phone.t.Fatal(err)
		}
		for range 100 {
			b := append([]byte{}, goodbye...)
			b[rng.IntN(len(b))] = byte(rng.Uint32())
			if _, err := x.phone.rtcp.WriteToUDPAddrPort(b, x.to2()); err != nil {
				x.phone.t.Fatal(err)
			}
		}
		return [][]byte{goodbye}
	},
	"a header that lies": func(x *talker, rng *rand.Rand) [][]byte {
		b := rtp(x.codec.PT, false, x.seq, x.ts, x.phone.ssrc, make([]byte, 20))
		b[0] |= byte(rng.IntN(64))
		binary.BigEndian.PutUint16(b[14:], uint16(rng.Uint32()))
		return [][]byte{b}
	},
}

// Whatever comes between a peer's packets, those who listen hear it again at once when it
// is over, and nothing has grown.
func TestSoundGoesOn(t *testing.T) {
	for name, abuse := range abuses {
		for _, codec := range []Codec{PCMA, G722, Opus} {
			if raced && codec == G722 {
				continue
			}
			t.Run(name+"/"+codec.Name, func(t *testing.T) {
				bubble(t, nil, func(r *rig) { soundGoesOn(r, codec, abuse) })
			})
		}
	}
}

func soundGoesOn(r *rig, codec Codec, abuse func(x *talker, rng *rand.Rand) [][]byte) {
	t, rng := r.t, rand.New(rand.NewPCG(1, 7))
	// One in a bridge that relays, one in a bridge that decodes, one in a conference.
	into := PCMU
	bad := []*talker{r.talker(1, codec, 8000), r.talker(2, codec, 8000), r.talker(3, codec, 8000)}
	good := []*talker{r.talker(4, codec, 8000), r.talker(5, into, 8000), r.talker(6, into, 8000)}
	Join(bad[0].Session, good[0].Session)
	Join(bad[1].Session, good[1].Session)
	c := r.e.NewConference()
	for _, x := range []*talker{bad[2], good[2], r.talker(7, PCMA, 8000)} {
		if err := c.Add(x.Session, Role{}); err != nil {
			t.Fatal(err)
		}
	}
	speak := func(frames int, each func(x *talker)) {
		for n := range frames {
			for i, x := range bad {
				each(x)
				x.send(toneFrames()[x.codec.Name][n%50])
				good[i].listen(0)
			}
			time.Sleep(frameTime)
		}
		for _, x := range good {
			x.listen(0)
		}
	}
	speak(25, func(*talker) {})
	speak(50, func(x *talker) {
		for _, b := range abuse(x, rng) {
			if _, err := x.phone.rtp.WriteToUDPAddrPort(b, x.to); err != nil {
				t.Fatal(err)
			}
		}
	})
	speak(50, func(*talker) {})
	for i, x := range good {
		where := []string{"relay", "bridge that decodes", "conference"}[i]
		if len(x.out) < 4000 {
			t.Errorf("%s: %d samples", where, len(x.out))
			continue
		}
		end := x.out[len(x.out)-3200:]
		if share := audio.Goertzel(end, 8000, 500); share < 0.75 || audio.Level(end) < 3000*3000 {
			t.Errorf("%s: %.2f of the sound is the tone, level² %d", where, share, audio.Level(end))
		}
		if i == 2 || i == 1 && codec != PCMA { // what is only relayed keeps its order, whatever that is
			x.whole(t)
		}
	}
	e := bad[2].ear.Load()
	e.mu.Lock()
	if n := len(e.in.queue) + len(e.in.free); n > jitterSlots+1 {
		t.Errorf("%d packets are kept", n)
	}
	if w := len(e.in.queue); w > 12 {
		t.Errorf("%d packets wait afterwards", w)
	}
	e.mu.Unlock()
}

// Whatever changes behind a peer — prompts, keys, whom it hears and how, their SSRC, clock and
// codec, holding — it receives one stream: one SSRC, each number once and in order, timestamps that
// never go back and that stay with the wall's clock.
func TestOneStreamWhateverChanges(t *testing.T) {
	seeds := uint64(10)
	if raced {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, nil, func(r *rig) { oneStream(r, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func oneStream(r *rig, rng *rand.Rand) {
	t := r.t
	codecs := []Codec{PCMA, PCMU, G722, Opus}
	me := r.talker(1, codecs[rng.IntN(4)], 8000)
	var others []*talker
	for i := range 4 {
		others = append(others, r.talker(i+2, codecs[i], 8000))
	}
	conf := r.e.NewConference()
	beep := ConfirmationPrompt()
	wide, err := NewPrompt(twoTones(wideRate), wideRate)
	if err != nil {
		t.Fatal(err)
	}
	change := []func(){
		func() { Join(me.Session, others[rng.IntN(4)].Session) },
		func() {
			for _, x := range append([]*talker{me}, others[:1+rng.IntN(4)]...) {
				if err := conf.Add(x.Session, Role{Mute: x != me && rng.IntN(4) == 0}); err != nil {
					t.Fatal(err)
				}
			}
		},
		func() { conf.Remove(others[rng.IntN(4)].Session) },
		func() { conf.Remove(me.Session) },
		func() { me.Play(beep, rng.IntN(2) == 0) },
		func() { me.Play(wide, false) },
		func() { me.StopPlay() },
		func() {
			if err := conf.Play(beep); err != nil {
				t.Fatal(err)
			}
		},
		func() {
			x := others[rng.IntN(4)]
			x.phone.ssrc, x.seq, x.ts = rng.Uint32(), uint16(rng.Uint32()), rng.Uint32()
		},
		func() { others[rng.IntN(4)].ts += rng.Uint32() },
		func() { others[rng.IntN(4)].seq += uint16(rng.Uint32()) },
		func() { _ = me.Press("12") }, // it may be on hold
		func() {
			x, c := others[rng.IntN(4)], codecs[rng.IntN(4)]
			x.answer(t, described(x.rtp.addr.String(), c, c.Rate), c)
			x.codec = c
		},
		func() { me.answer(t, described("198.51.100.1:4000", me.codec, me.codec.Rate, "a=sendonly"), me.codec) },
	}
	for range 4 { // back from hold
		change = append(change, func() { me.answer(t, described("198.51.100.1:4000", me.codec, me.codec.Rate), me.codec) })
	}
	type came struct {
		heard
		at time.Time
	}
	var all []came
	for n := range 500 {
		if rng.IntN(12) == 0 {
			change[rng.IntN(len(change))]()
		}
		for _, x := range append([]*talker{me}, others...) {
			if rng.IntN(50) > 0 { // some are lost
				x.send(toneFrames()[x.codec.Name][n%50])
			} else {
				x.seq++
				x.ts += units(frameTime, x.codec.Rate)
			}
			if x != me {
				x.phone.hear()
			}
		}
		time.Sleep(frameTime)
		for _, h := range me.phone.hear() {
			all = append(all, came{h, time.Now()})
		}
		for me.next() != nil {
		}
		for _, x := range others {
			for x.next() != nil {
			}
		}
	}
	if len(all) < 40 {
		t.Fatalf("%d packets", len(all))
	}
	for i := 1; i < len(all); i++ {
		h, before := all[i], all[i-1]
		gap := h.seq - before.seq
		if h.ssrc != before.ssrc || gap == 0 || gap > maxDropout { // a peer may have lost packets that are only relayed
			t.Fatalf("packet %d: %+v after %+v", i, h.header, before.header)
		}
		if step := int32(h.ts - before.ts); step < 0 || step == 0 && h.pt == me.codec.PT {
			t.Fatalf("packet %d: the timestamp moves by %d: %+v after %+v", i, step, h.header, before.header)
		}
	}
	first, last := all[0], all[len(all)-1]
	passed := last.at.Sub(first.at)
	if clock := time.Duration(last.ts-first.ts) * time.Second / time.Duration(me.codec.Rate); clock-passed > 2*time.Second || passed-clock > 400*time.Millisecond {
		t.Errorf("%v by timestamps in %v", clock, passed)
	}
}
