package media

import (
	"bytes"
	"github.com/pion/rtcp"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
)

func TestRelayBothWays(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b, pa, pb := r.pair()
		for i := range 50 {
			pa.voice(byte(i))
			pb.voice(byte(100 + i))
			time.Sleep(20 * time.Millisecond)
		}
		for _, side := range []struct {
			to    *phone
			s     *party
			first byte
		}{{pb, b, 0}, {pa, a, 100}} {
			got := side.to.hear()
			if len(got) != 50 {
				t.Fatalf("%d packets arrived", len(got))
			}
			for i, h := range got {
				if h.payload[0] != side.first+byte(i) || len(h.payload) != frameBytes {
					t.Fatalf("packet %d: payload %x", i, h.payload[:1])
				}
				if h.from.Port() != side.s.port || h.ssrc != got[0].ssrc || h.marker != (i == 0) ||
					h.seq != got[0].seq+uint16(i) || h.ts != got[0].ts+uint32(i)*frameBytes {
					t.Fatalf("packet %d: %+v after %+v", i, h.header, got[0].header)
				}
			}
			q := side.s.Quality()
			if q.Sent != 50 || q.Received != 50 || q.Lost != 0 || q.Dropped != 0 {
				t.Errorf("%+v", q)
			}
		}
		if a.out.ssrc == b.out.ssrc || a.out.ssrc == pb.ssrc {
			t.Error("the streams share an SSRC")
		}
	})
}

func TestPayloadTypesAreMapped(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		pa, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
		a.answer(t, describeCodecs("198.51.100.1:4000", "111 96", "a=rtpmap:111 opus/48000/2", "a=rtpmap:96 telephone-event/48000"), Codec{Name: "opus", Rate: 48000, Channels: 2})
		if _, err := b.Offer(a.Codecs()); err != nil {
			t.Fatal(err)
		}
		if err := b.SetAnswer(describeCodecs("198.51.100.2:5000", "99 100", "a=rtpmap:99 OPUS/48000/2", "a=rtpmap:100 telephone-event/48000")); err != nil {
			t.Fatal(err)
		}
		Join(a.Session, b.Session)
		pa.raw(rtp(111, false, 1, 960, 7, []byte{1, 2, 3}))
		pa.raw(rtp(96, false, 2, 1920, 7, event(5, false, 960)))
		pa.raw(rtp(8, false, 3, 1920, 7, []byte{9}))
		got := pb.hear()
		if len(got) != 2 || got[0].pt != 99 || got[1].pt != 100 || !bytes.Equal(got[0].payload, []byte{1, 2, 3}) {
			t.Errorf("%+v", got)
		}
		a.wantDrops(t, map[string]uint64{"payload_type": 1})
	})
}

// Two phones that settled on different laws understand each other all the same.
func TestLawsAreConverted(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		pa, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
		a.answer(t, describe("198.51.100.1:4000"), PCMA)
		b.answer(t, describe("198.51.100.2:5000"), PCMU)
		Join(a.Session, b.Session)
		pcm := make([]int16, frameBytes)
		audio.Tone(pcm, 8000, 1000, 0.5, 0)
		payload := make([]byte, frameBytes)
		audio.EncodeALaw(payload, pcm)
		pa.raw(rtp(8, false, 1, 0, 7, payload))
		got := pb.hear()
		if len(got) != 1 || got[0].pt != 0 {
			t.Fatalf("%+v", got)
		}
		audio.DecodeULaw(pcm, got[0].payload)
		if p := audio.Goertzel(pcm, 8000, 1000); p < 0.99 {
			t.Errorf("1000 Hz holds %.3f of the energy", p)
		}
	})
}

// Lists, extensions and padding are the sender's business, not the receiver's.
func TestRelayStripsWhatWasNotNegotiated(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		_, _, pa, pb := r.pair()
		b := rtp(8, true, 1, 0, 7, nil)
		b[0] |= 0x20 | 0x10 | 2               // padding, extension, two CSRCs
		b = append(b, 1, 2, 3, 4, 5, 6, 7, 8) // CSRCs
		b = append(b, 0xBE, 0xDE, 0, 1)       // extension of one word
		b = append(b, 0x10, 1, 2, 0)          // its word
		b = append(b, 42, 43, 44, 0, 0, 0, 4) // payload and padding
		pa.raw(b)
		got := pb.hear()
		if len(got) != 1 || !bytes.Equal(got[0].payload, []byte{42, 43, 44}) || got[0].start != headerLen {
			t.Errorf("%+v", got)
		}
	})
}

// A receiver hears one stream whatever is behind it.
func TestStreamGoesOnWhenSourceChanges(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b, pa, pb := r.pair()
		pa.voice(1)
		pa.voice(2)
		time.Sleep(20 * time.Millisecond)
		pa.ssrc, pa.seq, pa.ts = 77, 60000, 1 // the phone begins anew
		pa.voice(3)
		time.Sleep(500 * time.Millisecond)
		c := r.open("198.51.100.3") // another party takes over
		pc := r.phone("198.51.100.3:6000", c)
		c.answer(t, describe("198.51.100.3:6000"))
		Join(c.Session, b.Session)
		pc.voice(4)
		pa.voice(99) // nobody hears the former party
		pc.voice(5)
		got := pb.hear()
		if len(got) != 5 {
			t.Fatalf("%d packets", len(got))
		}
		steps := []struct {
			fill   byte
			marker bool
			ts     uint32
		}{{1, true, 0}, {2, false, 160}, {3, true, 320}, {4, true, 320 + 4000}, {5, false, 320 + 4160}}
		for i, h := range got {
			w := steps[i]
			if h.payload[0] != w.fill || h.marker != w.marker || h.seq != got[0].seq+uint16(i) ||
				h.ts-got[0].ts != w.ts || h.ssrc != got[0].ssrc {
				t.Errorf("packet %d: %+v, timestamp +%d, want %+v", i, h.header, h.ts-got[0].ts, w)
			}
		}
		if a.bridge != nil || b.bridge == nil || b.bridge != c.bridge {
			t.Error("a session is in two bridges")
		}
	})
}

func TestStreamKeepsOrderAndLoss(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		_, _, pa, pb := r.pair()
		for _, seq := range []uint16{65534, 0, 65535, 3, 2, 3} { // wrap, swap, loss of 1, duplicate
			pa.raw(rtp(8, false, seq, uint32(seq+2)*160, 7, []byte{byte(seq)}))
		}
		var offsets []uint16
		got := pb.hear()
		for _, h := range got {
			offsets = append(offsets, h.seq-got[0].seq)
			if h.ts-got[0].ts != uint32(h.seq-got[0].seq)*160 {
				t.Errorf("packet +%d has timestamp +%d", h.seq-got[0].seq, h.ts-got[0].ts)
			}
		}
		want := []uint16{0, 2, 1, 5, 4}
		if len(offsets) != len(want) {
			t.Fatalf("%v, want %v", offsets, want)
		}
		for i := range want {
			if offsets[i] != want[i] {
				t.Fatalf("%v, want %v", offsets, want)
			}
		}
	})
}

func TestStreamRefusesWhatIsOlderThanTheSwitch(t *testing.T) {
	var o stream
	o.begin()
	at := time.Unix(0, 0)
	if _, why := o.next("a", header{seq: 100}, 8000, at); why != kept {
		t.Fatal("first packet refused")
	}
	if _, why := o.next("a", header{seq: 99}, 8000, at); why != dropLate {
		t.Error("packet from before the switch accepted: its number belongs to the former source")
	}
	if _, why := o.next("a", header{seq: 101}, 8000, at); why != kept {
		t.Error("next packet refused")
	}
	// After half the number space the comparison would turn round.
	for i := range 70000 {
		if _, why := o.next("a", header{seq: uint16(102 + i)}, 8000, at); why != kept {
			t.Fatalf("packet %d refused", i)
		}
	}
}

func TestJoinBeforeSDP(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		pa, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
		Join(a.Session, b.Session)
		a.answer(t, describe("198.51.100.1:4000"))
		if _, err := b.Offer([]Codec{PCMA}); err != nil {
			t.Fatal(err)
		}
		pa.voice(1) // nobody to hear it yet
		if err := b.SetAnswer(describe("198.51.100.2:5000")); err != nil {
			t.Fatal(err)
		}
		pa.voice(2)
		if got := pb.hear(); len(got) != 1 || got[0].payload[0] != 2 {
			t.Errorf("%+v", got)
		}
		a.wantDrops(t, map[string]uint64{"address": 1})
	})
}

func TestBridgeClose(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b, pa, pb := r.pair()
		old := a.bridge
		br := Join(a.Session, b.Session)
		old.Close() // it is not theirs any more
		pa.voice(1)
		br.Close()
		br.Close()
		pa.voice(2)
		if got := pb.hear(); len(got) != 1 {
			t.Errorf("%d packets", len(got))
		}
		Join(a.Session, b.Session)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		pa.voice(3)
		if got := pb.hear(); len(got) != 0 {
			t.Errorf("%d packets to a closed session", len(got))
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// tape collects what a tap hears.
type tape struct {
	codec []audio.Codec
	fill  []byte
	seq   []uint16
	at    []time.Time
}

func (p *tape) RTP(c audio.Codec, seq uint16, _ uint32, _ bool, payload []byte, at time.Time) {
	p.codec, p.fill, p.seq, p.at = append(p.codec, c), append(p.fill, payload[0]), append(p.seq, seq), append(p.at, at)
}

func TestTap(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		pa.voice(1)
		var p tape
		a.SetTap(&p)
		pa.voice(2)
		pa.pt = 101
		pa.raw(rtp(101, true, pa.seq, pa.ts, pa.ssrc, event(5, false, 160))) // not sound
		pa.seq++
		pa.pt = 8
		pa.voice(3)
		a.SetTap(nil)
		pa.voice(4)
		synctest.Wait()
		if !bytes.Equal(p.fill, []byte{2, 3}) || p.codec[0] != audio.PCMA || p.seq[0] != 101 || p.at[0] != time.Now() {
			t.Errorf("%+v", p)
		}
	})
}

func TestGarbageIsDroppedAndCounted(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		good := rtp(8, false, 1, 0, 7, make([]byte, 160))
		bad := func(change func([]byte) []byte) { pa.raw(change(bytes.Clone(good))) }
		bad(func(b []byte) []byte { return b[:1] })
		bad(func(b []byte) []byte { return b[:11] })
		bad(func(b []byte) []byte { b[0] = 1 << 6; return b })
		bad(func(b []byte) []byte { b[0] |= 15; return b[:20] })
		bad(func(b []byte) []byte { b[0] |= 0x10; return b[:14] })
		bad(func(b []byte) []byte { b[0] |= 0x10; b[14], b[15] = 255, 255; return b })
		bad(func(b []byte) []byte { b[0] |= 0x20; b[len(b)-1] = 0; return b })
		bad(func(b []byte) []byte { b[0] |= 0x20; b[len(b)-1] = 200; return b })
		bad(func(b []byte) []byte { return append(b, make([]byte, 1500)...) })
		pa.raw(nil)
		a.wantDrops(t, map[string]uint64{"malformed": 10})
		pa.raw(rtp(8, false, 1, 0, 7, nil)) // a keepalive without sound is not garbage, but not for the other side
		if got := pb.hear(); len(got) != 0 {
			t.Errorf("%d packets relayed", len(got))
		}
		if q := a.Quality(); q.Received != 1 || q.Dropped != 10 {
			t.Errorf("%+v", q)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(rtp(8, true, 1, 2, 3, []byte{1, 2, 3}))
	f.Add([]byte{0xB2, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0xBE, 0xDE, 0, 1, 1, 2, 3, 4, 42, 1})
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := parseHeader(b)
		if !ok {
			return
		}
		if h.start < headerLen || h.start > h.end || h.end > len(b) {
			t.Fatalf("payload from %d to %d of %d", h.start, h.end, len(b))
		}
		p := b[h.start-headerLen : h.end]
		h.write(p)
		again, ok := parseHeader(p)
		if !ok || again.seq != h.seq || again.ts != h.ts || again.ssrc != h.ssrc || again.pt != h.pt || again.marker != h.marker || again.end-again.start != h.end-h.start {
			t.Fatalf("%+v became %+v", h, again)
		}
	})
}

// FuzzRTCP guards what we take from the control port.
func FuzzRTCP(f *testing.F) {
	f.Add([]byte{0x80, 201, 0, 1, 0, 0, 0, 7})
	f.Add([]byte{0x81, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	x, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 7}, &rtcp.ExtendedReport{SenderSSRC: 7, Reports: []rtcp.ReportBlock{
		&rtcp.VoIPMetricsReportBlock{RFactor: 90}, &rtcp.ReceiverReferenceTimeReportBlock{NTPTimestamp: 1 << 40},
		&rtcp.DLRRReportBlock{Reports: []rtcp.DLRRReport{{LastRR: 1}}},
	}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(x)
	f.Fuzz(func(t *testing.T, b []byte) {
		packets, ok := parseRTCP(b)
		if !ok {
			return
		}
		var s Session
		s.heard(packets, time.Unix(1, 0))
	})
}
