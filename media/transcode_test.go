package media

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/media/audio"
	"vpbx/media/sdp"
)

var g729 = Codec{PT: 18, Name: "G729", Rate: 8000, Channels: 1} // one that is relayed only

// described is what a phone with one codec and telephone events says; events has
// their clock.
func described(address string, c Codec, events int, more ...string) []byte {
	lines := []string{fmt.Sprintf("a=rtpmap:%d %s/%d", c.PT, c.Name, c.Rate)}
	if c.Channels > 1 {
		lines[0] += "/2"
	}
	formats := fmt.Sprint(c.PT)
	if events > 0 {
		formats += " 101"
		lines = append(lines, fmt.Sprintf("a=rtpmap:101 telephone-event/%d", events))
	}
	return describeCodecs(address, formats, append(lines, more...)...)
}

// speaker is a phone that speaks a codec.
type speaker struct {
	*party
	*phone
	codec Codec
	enc   *audio.Encoder
	pcm   []int16
	sound float64
	all   []heard
}

// speaker opens a party with a phone of a codec that says a tone.
func (r *rig) speaker(n int, c Codec, events int, freq float64) *speaker {
	r.t.Helper()
	address := fmt.Sprintf("198.51.100.%d:4000", n)
	p := r.open(netip.MustParseAddrPort(address).Addr().String())
	p.answer(r.t, described(address, c, events), c)
	s := &speaker{party: p, phone: r.phone(address, p), codec: c, enc: audio.NewEncoder(c.Audio(), 8000), sound: freq}
	s.pcm = make([]int16, 8000)
	audio.Tone(s.pcm, 8000, freq, 0.3, 0)
	return s
}

// skip is a packet that is made and lost.
func (s *speaker) skip() []byte {
	buf := make([]byte, audio.MaxFrame)
	n := s.enc.Encode(buf, s.pcm[:frameBytes])
	s.pcm = append(s.pcm[frameBytes:], s.pcm[:frameBytes]...)
	b := rtp(s.codec.PT, false, s.seq, s.ts, s.phone.ssrc, buf[:n])
	s.seq++
	s.ts += uint32(s.codec.Rate / 50)
	return b
}

func (s *speaker) speak(d time.Duration, others ...*speaker) {
	all := append([]*speaker{s}, others...)
	for range int(d / frameTime) {
		for _, x := range all {
			x.raw(x.skip())
		}
		time.Sleep(frameTime)
		for _, x := range all {
			x.all = append(x.all, x.phone.hear()...)
		}
	}
}

// sounds decodes what was heard, without events.
func (s *speaker) sounds(t *testing.T) []int16 {
	t.Helper()
	l := audio.NewListener(8000)
	var pcm []int16
	for _, h := range s.all {
		if h.pt != s.codec.PT {
			continue
		}
		_, got := l.Hear(s.codec.Audio(), h.ssrc, h.ts, h.payload)
		pcm = append(pcm, got...)
	}
	return pcm
}

// wantTone fails unless the end of what was heard is the tone.
func (s *speaker) wantTone(t *testing.T, freq float64) {
	t.Helper()
	pcm := s.sounds(t)
	if len(pcm) < 2400 {
		t.Fatalf("%v hears %d samples", s.codec.Name, len(pcm))
	}
	pcm = pcm[len(pcm)-1600:]
	var energy float64
	for _, v := range pcm {
		energy += float64(v) * float64(v)
	}
	if share := audio.Goertzel(pcm, 8000, freq); share < 0.9 || energy/1600 < 3000*3000 {
		t.Errorf("%v hears %.2f of %v Hz, level² %.0f", s.codec.Name, share, freq, energy/1600)
	}
}

// one fails unless what was heard is one stream: each sequence number once, one
// SSRC, timestamps that go with the wall's clock.
func (s *speaker) one(t *testing.T) {
	t.Helper()
	for i := 1; i < len(s.all); i++ {
		h, before := s.all[i], s.all[i-1]
		if h.seq != before.seq+1 || h.ssrc != before.ssrc {
			t.Fatalf("packet %d: %+v after %+v", i, h.header, before.header)
		}
		if step := int32(h.ts - before.ts); h.pt == s.codec.PT && before.pt == h.pt && (step <= 0 || step > int32(s.codec.Rate)*3) {
			t.Fatalf("packet %d: the timestamp moves by %d", i, step)
		}
	}
}

func TestTranscoding(t *testing.T) {
	codecs := []Codec{PCMA, PCMU, G722, Opus}
	for _, from := range codecs {
		for _, into := range codecs {
			if from.Audio() == into.Audio() {
				continue
			}
			t.Run(from.Name+" "+into.Name, func(t *testing.T) {
				bubble(t, nil, func(r *rig) {
					a, b := r.speaker(1, from, from.Rate, 440), r.speaker(2, into, into.Rate, 700)
					Join(a.Session, b.Session)
					a.speak(time.Second, b)
					a.wantTone(t, 700)
					b.wantTone(t, 440)
					for _, x := range []*speaker{a, b} {
						x.one(t)
						if n := len(x.all); n != 50 {
							t.Errorf("%d packets", n)
						}
						for i, h := range x.all[1:] {
							if h.ts-x.all[0].ts != uint32(i+1)*uint32(x.codec.Rate/50) || h.marker {
								t.Fatalf("packet %d: %+v", i+1, h.header)
							}
						}
						if len(x.drops()) != 0 {
							t.Errorf("dropped %v", x.drops())
						}
					}
				})
			})
		}
	}
}

// What both share is relayed as it is, also when it could be decoded.
func TestSharedCodecIsNotTranscoded(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.speaker(1, Opus, 48000, 440), r.speaker(2, Opus, 48000, 700)
		Join(a.Session, b.Session)
		a.raw(rtp(111, false, a.seq, a.ts, 7, []byte{1, 2, 3}))
		if got := b.phone.hear(); len(got) != 1 || string(got[0].payload) != "\x01\x02\x03" || a.trans != nil {
			t.Errorf("%+v", got)
		}
	})
}

// A loss is made up, a pause stays one, and what comes again is in its place.
func TestTranscodingLoss(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.speaker(1, Opus, 0, 440), r.speaker(2, PCMA, 0, 700)
		Join(a.Session, b.Session)
		a.speak(400 * time.Millisecond)
		b.speak(0)
		late := a.skip()
		a.skip()
		time.Sleep(2 * frameTime)
		a.speak(400 * time.Millisecond)
		a.raw(late)
		b.all = append(b.all, b.phone.hear()...)
		if len(b.all) != 42 {
			t.Errorf("%d packets of 42", len(b.all))
		}
		a.wantDrops(t, map[string]uint64{"late": 1})
		b.one(t)
		b.wantTone(t, 440)
		for range 25 { // half a second of nothing, as DTX makes it
			a.skip()
			time.Sleep(frameTime)
		}
		b.all = nil
		a.speak(200 * time.Millisecond)
		b.all = append(b.all, b.phone.hear()...)
		if len(b.all) != 10 || !b.all[0].marker || b.all[1].marker {
			t.Errorf("%d packets after the pause, the first %+v", len(b.all), b.all[0].header)
		}
	})
}

// What comes in disorder is put in order: the first packet that comes behind its follower is
// lost, those after it are waited for. Who only loses packets is not waited for.
func TestTranscodingDisorder(t *testing.T) {
	for _, from := range []Codec{PCMA, G722, Opus} {
		if raced && from == Opus {
			continue
		}
		t.Run(from.Name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				into := PCMU
				if from == PCMA {
					into = G722
				}
				a, b := r.talker(1, from, 8000), r.talker(2, into, 8000)
				Join(a.Session, b.Session)
				src := speech(t, 8000)
				begin, n := time.Now(), 0
				for f := range slices.Chunk(src[:len(src)/480*480], 480) { // packets 1 3 2, 4 6 5, …
					var late []byte
					for i := range 3 {
						buf := make([]byte, audio.MaxFrame)
						p := rtp(a.codec.PT, false, a.seq, a.ts, a.phone.ssrc, buf[:a.enc.Encode(buf, f[i*160:][:160])])
						a.seq++
						a.ts += units(frameTime, a.codec.Rate)
						if i == 1 {
							late = p
						} else {
							a.raw(p)
						}
						if b.listen(time.Since(begin)); i == 2 {
							a.raw(late)
						}
						time.Sleep(frameTime)
						b.listen(time.Since(begin))
						n++
					}
				}
				if a.wantDrops(t, map[string]uint64{"late": 1}); len(b.all) != n {
					t.Errorf("%d packets of %d", len(b.all), n)
				}
				q := measure(src, b.out, 8000)
				t.Logf("%v", q)
				if least := map[string]float64{"PCMA": 20, "G722": 20, "opus": 6}[from.Name]; q.snr < least {
					t.Errorf("%v, want %v dB", q, least)
				}
				b.whole(t)
			})
		})
	}
}

// Loss alone makes nobody wait: the packet behind the gap leaves when it comes, with what was made up. Behind
// disorder it waits, as long as that network needs, and what waited when the peer fell silent is forgotten.
func TestTranscodingWaits(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.speaker(1, G722, 8000, 440), r.speaker(2, PCMA, 8000, 700)
		Join(a.Session, b.Session)
		sent := func(want int, when string) {
			t.Helper()
			time.Sleep(frameTime)
			got := b.phone.hear()
			if b.all = append(b.all, got...); len(got) != want {
				t.Errorf("%s: %d packets, want %d", when, len(got), want)
			}
		}
		lose := func() {
			a.skip()
			sent(0, "a lost packet")
		}
		for range 3 {
			a.speak(200*time.Millisecond, b)
			lose()
			a.raw(a.skip())
			sent(2, "behind a loss")
		}
		late := a.skip()
		a.raw(a.skip())
		sent(2, "before the late one")
		a.raw(late)
		sent(0, "the late one")
		a.raw(a.skip())
		sent(1, "after it")
		lose()
		a.raw(a.skip())
		sent(0, "behind a gap")
		a.raw(a.skip())
		sent(0, "behind it, the one before was late by as much")
		a.raw(a.skip())
		sent(4, "after as long as packets were late")
		late = a.skip()
		a.raw(a.skip())
		sent(0, "behind another gap")
		a.raw(late)
		sent(2, "in order")
		lose()
		a.raw(a.skip())
		sent(0, "the last before a pause")
		for range 20 {
			a.skip()
			a.seq--
			time.Sleep(frameTime)
		}
		a.raw(a.skip())
		sent(1, "after the pause")
		a.wantDrops(t, map[string]uint64{"late": 2})
		a.speak(time.Minute, b)
		lose()
		a.raw(a.skip())
		sent(2, "disorder was long ago")
		b.one(t)
		b.wantTone(t, 440)
	})
}

// Packets of other lengths become packets of 20 ms.
func TestTranscodingOtherLengths(t *testing.T) {
	for _, ms := range []int{10, 30, 40, 60} {
		bubble(t, nil, func(r *rig) {
			a, b := r.speaker(1, PCMU, 0, 440), r.speaker(2, Opus, 0, 700)
			Join(a.Session, b.Session)
			pcm := make([]int16, 9600)
			audio.Tone(pcm, 8000, 440, 0.3, 0)
			for part := range slices.Chunk(pcm, ms*8) {
				payload := make([]byte, len(part))
				audio.EncodeULaw(payload, part)
				a.raw(rtp(0, false, a.seq, a.ts, 9, payload))
				a.seq++
				a.ts += uint32(len(part))
				time.Sleep(time.Duration(ms) * time.Millisecond)
			}
			b.all = b.phone.hear()
			if len(b.all) != 60 {
				t.Errorf("%d ms: %d packets", ms, len(b.all))
			}
			b.one(t)
			b.wantTone(t, 440)
		})
	}
}

// Another SSRC, a prompt in between, a hold and another codec of one side: the
// other hears one stream.
func TestTranscodingGoesOn(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.speaker(1, G722, 8000, 440), r.speaker(2, Opus, 48000, 700)
		Join(a.Session, b.Session)
		hear := func() {
			b.all = append(b.all, b.phone.hear()...)
			a.all = append(a.all, a.phone.hear()...)
		}
		a.speak(300*time.Millisecond, b)
		a.phone.ssrc, a.ts, a.seq = 99, 77, 60000
		a.speak(300*time.Millisecond, b)
		b.Play(TonePrompt(audio.Cadence{Freqs: []float64{1000}, Amplitude: 0.3, Pattern: []time.Duration{time.Second}}), true)
		a.speak(500*time.Millisecond, b)
		b.wantTone(t, 1000)
		b.StopPlay()
		a.speak(300*time.Millisecond, b)
		b.answer(t, described("198.51.100.2:4000", Opus, 48000, "a=sendonly"), Opus)
		n := len(b.all)
		a.speak(300*time.Millisecond, b)
		if len(b.all) != n {
			t.Error("packets to a peer that is on hold")
		}
		b.answer(t, described("198.51.100.2:4000", Opus, 48000), Opus)
		a.speak(300*time.Millisecond, b)
		b.wantTone(t, 440)
		hear()
		// a re-offers with another codec, and its phone changes.
		a.answer(t, described("198.51.100.1:4000", PCMA, 8000), PCMA)
		a.codec, a.enc = PCMA, audio.NewEncoder(audio.PCMA, 8000)
		a.all = nil
		a.speak(400*time.Millisecond, b)
		hear()
		b.wantTone(t, 440)
		a.wantTone(t, 700)
		b.one(t)
		a.one(t)
	})
}

// keysOf are the keys in what was heard, by timestamp, with their last duration in
// milliseconds.
func keysOf(all []heard, pt uint8, rate int) (keys string, held []int) {
	var last uint32
	for _, h := range all {
		if h.pt != pt {
			continue
		}
		ms := (int(h.payload[2])<<8 | int(h.payload[3])) * 1000 / rate
		if keys == "" || h.ts != last {
			keys, held, last = keys+string(keyNames[h.payload[0]]), append(held, ms), h.ts
		} else {
			held[len(held)-1] = ms
		}

	}
	return keys, held
}

// Keys cross between the clocks of 48,000 and 8,000 Hz, whatever clock a phone
// counts its events by, also before it has said anything.
func TestKeysAcrossClocks(t *testing.T) {
	tests := []struct {
		name         string
		from, into   Codec
		clock, other int
		silent       bool
	}{
		{"opus to G.711", Opus, PCMA, 48000, 8000, false},
		{"G.711 to opus", PCMA, Opus, 8000, 48000, false},
		{"G.722 to opus", G722, Opus, 8000, 48000, false},
		{"opus with the old clock", Opus, PCMA, 8000, 8000, false},
		{"to opus with the old clock", PCMU, Opus, 8000, 8000, false},
		{"before any sound", PCMA, Opus, 8000, 48000, true},
		{"opus to opus with another clock", Opus, Opus, 48000, 8000, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				a, b := r.speaker(1, tt.from, tt.clock, 440), r.speaker(2, tt.into, tt.other, 700)
				Join(a.Session, b.Session)
				if !tt.silent {
					a.speak(200*time.Millisecond, b)
				}
				for _, digit := range []byte{4, 4, 2} {
					ts := a.ts
					for n := range 7 {
						units := uint16(min(n+1, 5) * tt.clock / 50)
						a.raw(rtp(101, n == 0, a.seq, ts, a.phone.ssrc, event(digit, n >= 4, units)))
						a.seq++
						a.ts += uint32(tt.from.Rate / 50)
						time.Sleep(frameTime)
					}
					a.speak(60*time.Millisecond, b)
				}
				a.speak(200*time.Millisecond, b)
				keys, held := keysOf(b.all, 101, tt.other)
				if keys != "442" || !slices.Equal(held, []int{100, 100, 100}) {
					t.Errorf("%q held %v", keys, held)
				}
				b.one(t)
				var digits string
				for ev := a.next(); ev != nil; ev = a.next() {
					if d, ok := ev.(DTMF); ok {
						digits += string(d.Digit)
						if d.Duration != 100*time.Millisecond {
							t.Errorf("%v", d)
						}
					}
				}
				if digits != "442" {
					t.Errorf("the PBX hears %q", digits)
				}
			})
		})
	}
}

// Prompts, tones of keys and conferences speak every known codec.
func TestWeSpeakEveryCodec(t *testing.T) {
	for _, c := range []Codec{PCMA, PCMU, G722, Opus} {
		t.Run(c.Name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				a := r.speaker(1, c, 0, 440)
				a.Play(TonePrompt(audio.Cadence{Freqs: []float64{1000}, Amplitude: 0.3, Pattern: []time.Duration{time.Second}}), true)
				a.speak(time.Second)
				a.wantTone(t, 1000)
				a.StopPlay()
				if err := a.Press("5"); err != nil {
					t.Fatal(err)
				}
				if c.Name == G722.Name { // a silence in which its decoder settles
					a.speak(settleFrames * frameTime)
				}
				a.speak(80 * time.Millisecond)
				pcm := a.sounds(t)
				pcm = pcm[len(pcm)-480:]
				if low, high := audio.Goertzel(pcm, 8000, 770), audio.Goertzel(pcm, 8000, 1336); low < 0.3 || high < 0.3 {
					t.Errorf("the tones of a key hold %.2f and %.2f", low, high)
				}
			})
		})
	}
}

func TestConferenceOfAllCodecs(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		var list []*speaker
		c := r.e.NewConference()
		defer c.Close()
		for i, k := range []Codec{PCMA, G722, Opus, PCMU} {
			s := r.speaker(i+1, k, k.Rate, tones[2*i])
			list = append(list, s)
			role := Role{}
			if i == 3 {
				role.Mute = true
			}
			if err := c.Add(s.Session, role); err != nil {
				t.Fatal(err)
			}
		}
		list[0].speak(time.Second, list[1:]...)
		for i, s := range list {
			s.one(t)
			pcm := s.sounds(t)
			pcm = pcm[len(pcm)-1600:]
			for k, other := range list {
				share := audio.Goertzel(pcm, 8000, other.sound)
				if hears := i != k && k != 3; hears != (share > 0.1) {
					t.Errorf("%v hears %.3f of %v", s.codec.Name, share, other.codec.Name)
				}
			}
		}
	})
}

// A codec that nobody here knows is relayed, and nothing is made of it.
func TestForeignCodecIsNotTranscoded(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.speaker(2, PCMA, 0, 700)
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describeCodecs("198.51.100.1:4000", "18"), g729)
		Join(a.Session, b.Session)
		pa.pt = 18
		pa.voice(1)
		b.raw(b.skip())
		if len(pa.hear())+len(b.phone.hear()) != 0 {
			t.Error("packets")
		}
		a.wantDrops(t, map[string]uint64{"payload_type": 1})
	})
}

// Payloads that are not of the codec are dropped and counted, and the sound goes on.
func TestTranscodingGarbage(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.speaker(1, Opus, 48000, 440), r.speaker(2, PCMA, 8000, 700)
		Join(a.Session, b.Session)
		a.speak(200*time.Millisecond, b)
		for _, bad := range [][]byte{{0xff, 0xff}, {0x0b, 0x3f, 1}, {}} {
			a.raw(rtp(111, false, a.seq, a.ts, a.phone.ssrc, bad))
			a.seq++
			a.ts += 960
			time.Sleep(frameTime)
		}
		for _, bad := range [][]byte{{1}, {1, 2, 3}, {}} {
			a.raw(rtp(101, false, a.seq, a.ts, a.phone.ssrc, bad))
			a.seq++
		}
		b.all = nil
		a.speak(400*time.Millisecond, b)
		b.wantTone(t, 440)
	})
}

// FEC is sent to who loses packets, by its own reports.
func TestFECFollowsLoss(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.speaker(1, PCMA, 0, 440), r.speaker(2, Opus, 0, 700)
		Join(a.Session, b.Session)
		size := func() (n int) {
			b.all = nil
			a.speak(1200*time.Millisecond, b)
			for _, h := range b.all {
				n += len(h.payload)
			}
			return n
		}
		size()
		b.in.mu.Lock()
		b.in.remoteLoss = 0.1
		b.in.mu.Unlock()
		size()
		synctest.Wait()
		if !a.trans.enc.FEC() {
			t.Error("no FEC at 10 % loss")
		}
		b.in.mu.Lock()
		b.in.remoteLoss = 0
		b.in.mu.Unlock()
		size()
		if a.trans.enc.FEC() {
			t.Error("FEC for nobody")
		}
	})
}

func TestTranscodingIsCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	bubble(t, func(c *Config) { c.Metrics = registry }, func(r *rig) {
		a, b := r.speaker(1, G722, 0, 440), r.speaker(2, PCMA, 0, 700)
		c, d := r.speaker(3, G722, 0, 440), r.speaker(4, G722, 0, 700)
		Join(a.Session, b.Session)
		Join(c.Session, d.Session)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]float64{}
		for _, f := range families {
			if f.GetName() == "vpbx_media_sessions" {
				for _, m := range f.Metric {
					kinds[m.Label[0].GetValue()] = m.Gauge.GetValue()
				}
			}
		}
		if kinds["transcode"] != 2 || kinds["relay"] != 2 || kinds["mix"] != 0 {
			t.Errorf("%v", kinds)
		}
	})
}

// BenchmarkTranscode is our own work for a packet that becomes another codec,
// without the system calls.
func BenchmarkTranscode(b *testing.B) {
	for _, tt := range [][2]Codec{{PCMA, G722}, {G722, PCMA}, {PCMA, Opus}, {Opus, PCMA}, {G722, Opus}, {Opus, G722}} {
		b.Run(tt[0].Name+" to "+tt[1].Name, func(b *testing.B) {
			from, into := tt[0].Audio(), tt[1].Audio()
			rate := audio.Between(from, into)
			enc := audio.NewEncoder(from, rate)
			pcm := speech(b, rate)
			pcm = pcm[:len(pcm)/enc.Frame()*enc.Frame()]
			var list [][]byte
			buf := make([]byte, audio.MaxFrame)
			for f := range slices.Chunk(pcm, enc.Frame()) {
				list = append(list, slices.Clone(buf[:enc.Encode(buf, f)]))
			}
			dst := netip.MustParseAddrPort("192.0.2.1:4000")
			to := &Session{rtp: sink{}}
			to.out.begin()
			to.dst.Store(&dst)
			a := &Session{}
			f := &format{codec: sdp.Codec(tt[0]), audio: from}
			at := time.Unix(1000, 0)
			n := 0
			r, x := &route{to: to, rate: rate}, &exit{pt: tt[1].PT, into: into}
			cpu(b, 1, func() {
				h := header{ts: uint32(n * tt[0].Rate / 50), ssrc: 1, seq: uint16(n)}
				if why := a.transcode(r, f, h, list[n%len(list)], x, at); why != kept || a.in.drops != [reasons]uint64{} {
					b.Fatal(why, a.in.drops)
				}
				at = at.Add(frameTime)
				n++
			})
		})
	}
}
