package media

import (
	"slices"
	"testing"
	"time"

	"vpbx/media/sdp"
)

func TestDTMFPassesAndIsHeard(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		pa, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
		a.answer(t, describe("198.51.100.1:4000"))
		b.answer(t, describeCodecs("198.51.100.2:5000", "8 96", "a=rtpmap:96 telephone-event/8000"))
		Join(a.Session, b.Session)
		pa.voice(1)
		a.next()
		start := pa.ts
		for i := range 8 { // 100 ms, then the end three times
			units, end := uint16(160*(i+1)), i >= 5
			pa.raw(rtp(101, i == 0, pa.seq, start, pa.ssrc, event(11, end, min(units, 800))))
			pa.seq++
			time.Sleep(20 * time.Millisecond)
		}
		if ev := a.next(); ev != (DTMF{S: a.Session, Digit: '#', Duration: 100 * time.Millisecond}) {
			t.Errorf("%#v", ev)
		}
		if ev := a.next(); ev != nil {
			t.Errorf("%#v once more", ev)
		}
		got := pb.hear()
		if len(got) != 9 {
			t.Fatalf("%d packets passed", len(got))
		}
		for i, h := range got[1:] {
			if h.pt != 96 || h.ts != got[0].ts+frameBytes || h.seq != got[0].seq+1+uint16(i) || h.marker != (i == 0) {
				t.Errorf("packet %d: %+v", i, h.header)
			}
		}
	})
}

// The other side takes no keys at all: they are heard here and dropped.
func TestDTMFWithoutExit(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		pa, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
		b.opt.Keys = KeysEvents
		a.answer(t, describe("198.51.100.1:4000"))
		b.answer(t, describeCodecs("198.51.100.2:5000", "8"))
		Join(a.Session, b.Session)
		pa.raw(rtp(101, true, 1, 160, 7, event(5, true, 800)))
		<-a.events // the first packet
		if ev, ok := a.next().(DTMF); !ok || ev.Digit != '5' {
			t.Errorf("%#v", ev)
		}
		if len(pb.hear()) != 0 {
			t.Error("passed on")
		}
		a.wantDrops(t, map[string]uint64{"payload_type": 1})
	})
}

func TestKeypad(t *testing.T) {
	type packet struct {
		after   time.Duration
		ts      uint32
		payload []byte // nil: audio
	}
	const ms = time.Millisecond
	tests := []struct {
		name    string
		packets []packet
		want    []press
	}{
		{"one key", []packet{{0, 100, event(1, false, 160)}, {20 * ms, 100, event(1, false, 320)}, {20 * ms, 100, event(1, true, 400)}},
			[]press{{'1', 50 * ms}}},
		{"only an end", []packet{{0, 100, event(0, true, 800)}}, []press{{'0', 100 * ms}}},
		{"an end repeated after a pause", []packet{{0, 100, event(1, false, 640)}, {20 * ms, 100, event(1, true, 800)}, {700 * ms, 100, event(1, true, 800)}},
			[]press{{'1', 100 * ms}}},
		{"a key that goes on after a pause", []packet{{0, 100, event(1, false, 320)}, {600 * ms, 100, nil}, {20 * ms, 100, event(1, false, 480)}, {20 * ms, 100, event(1, true, 800)}},
			[]press{{'1', 40 * ms}}},
		{"ends repeated", []packet{{0, 100, event(10, true, 800)}, {0, 100, event(10, true, 800)}, {0, 100, event(10, true, 800)}},
			[]press{{'*', 100 * ms}}},
		{"the same key twice", []packet{{0, 100, event(7, true, 800)}, {100 * ms, 2000, event(7, false, 160)}, {0, 2000, event(7, true, 800)}},
			[]press{{'7', 100 * ms}, {'7', 100 * ms}}},
		{"end lost, next key", []packet{{0, 100, event(1, false, 640)}, {200 * ms, 3000, event(2, false, 160)}, {20 * ms, 3000, event(2, true, 320)}},
			[]press{{'1', 80 * ms}, {'2', 40 * ms}}},
		{"end lost, next key's ends only", []packet{{0, 100, event(1, false, 640)}, {200 * ms, 3000, event(2, true, 320)}, {0, 3000, event(2, true, 320)}},
			[]press{{'1', 80 * ms}, {'2', 40 * ms}}},
		{"end lost, speech goes on", []packet{{0, 100, event(15, false, 640)}, {400 * ms, 3000, nil}, {100 * ms, 3800, nil}, {20 * ms, 3960, nil}},
			[]press{{'D', 80 * ms}}},
		{"late packet of a former key", []packet{{0, 100, event(1, true, 800)}, {0, 2000, event(2, false, 160)}, {0, 100, event(1, true, 800)}, {0, 2000, event(2, true, 320)}},
			[]press{{'1', 100 * ms}, {'2', 40 * ms}}},
		{"swapped packets", []packet{{0, 100, event(1, false, 320)}, {0, 100, event(1, false, 160)}, {0, 100, event(1, true, 480)}},
			[]press{{'1', 60 * ms}}},
		{"key in two segments", []packet{{0, 1, event(9, false, 0xFFFF)}, {20 * ms, 0x10000, event(9, false, 160)}, {20 * ms, 0x10000, event(9, true, 465)}},
			[]press{{'9', 8250 * ms}}},
		{"held down for long", []packet{{0, 0, event(9, false, 8000)}, {20 * ms, 0, event(9, false, 24000)}, {20 * ms, 0, event(9, false, 0xFFFF)}, {20 * ms, 0xFFFF, event(9, false, 160)},
			{20 * ms, 0xFFFF, event(9, true, 465)}, {20 * ms, 0xFFFF, event(9, true, 465)}, {900 * ms, 100000, event(9, true, 800)}},
			[]press{{'9', 8250 * ms}, {'9', 100 * ms}}},
		{"another after a long one whose end is lost", []packet{{0, 0, event(9, false, 24000)}, {20 * ms, 24160, event(8, true, 800)}, {0, 24160, event(8, true, 800)}},
			[]press{{'9', 3 * time.Second}, {'8', 100 * ms}}},
		{"the end of a segment is lost", []packet{{0, 1, event(9, false, 65000)}, {20 * ms, 0x10000, event(9, false, 160)}, {20 * ms, 0x10000, event(9, true, 465)}},
			[]press{{'9', 8250 * ms}}},
		{"only the end of a long one", []packet{{0, 0, event(9, true, 40000)}, {0, 0, event(9, true, 40000)}},
			[]press{{'9', 5 * time.Second}}},
		{"timestamp wraps", []packet{{0, 0xFFFFFF00, event(3, true, 800)}, {100 * ms, 600, event(4, true, 800)}},
			[]press{{'3', 100 * ms}, {'4', 100 * ms}}},
		{"not a key", []packet{{0, 100, event(16, true, 800)}, {0, 200, event(255, true, 800)}}, nil},
		{"cut short", []packet{{0, 100, []byte{1, 0x80, 1}}, {0, 100, []byte{}}}, nil},
		{"speech only", []packet{{0, 100, nil}, {20 * ms, 260, nil}}, nil},
	}
	events, speech := &format{codec: sdp.Codec{Name: sdp.Event, Rate: 8000}, event: true}, &format{codec: sdp.Codec(PCMA)}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var k keypad
			var got []press
			at := time.Unix(1000, 0)
			for _, p := range tt.packets {
				at = at.Add(p.after)
				f := events
				if p.payload == nil {
					f = speech
				}
				if key, ok := k.hear(p.ts, p.payload, f, at); ok {
					key.held = key.held.Round(time.Millisecond)
					got = append(got, key)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzKeypad(f *testing.F) {
	f.Add([]byte{1, 0x8a, 3, 32, 0, 0, 0, 100, 2, 10, 255, 255, 0, 0, 0, 200})
	f.Fuzz(func(t *testing.T, b []byte) {
		var k keypad
		events := &format{codec: sdp.Codec{Name: sdp.Event, Rate: 8000}, event: true}
		at := time.Unix(1000, 0)
		for len(b) >= 8 {
			ts := uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7])
			if key, ok := k.hear(ts, b[:4], events, at); ok && key.held < 0 {
				t.Fatalf("%+v", key)
			}
			b, at = b[8:], at.Add(20*time.Millisecond)
		}
	})
}
