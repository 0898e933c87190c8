package media

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vpbx/media/audio"
	"vpbx/media/sdp"
)

var opus = Codec{PT: 111, Name: "opus", Rate: 48000, Channels: 2, Fmtp: "useinbandfec=1"}

func TestAnswerPicksInOurOrder(t *testing.T) {
	offer := describeCodecs("198.51.100.1:4000", "111 0 8 9 13 101", "a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/8000", "a=ptime:30")
	tests := []struct {
		name   string
		codecs []Codec
		want   string
		err    error
	}{
		{"A-law first", []Codec{PCMA, PCMU}, "PCMA", nil},
		{"µ-law first", []Codec{PCMU, PCMA}, "PCMU", nil},
		{"only what is there", []Codec{{Name: "G729", Rate: 8000, Channels: 1}, opus}, "opus", nil},
		{"another clock is another codec", []Codec{{Name: "opus", Rate: 16000, Channels: 1}}, "", ErrNoCodec},
		{"events are not audio", []Codec{{Name: sdp.Event, Rate: 8000, Channels: 1}}, "", ErrNoCodec},
		{"nothing", nil, "", ErrNoCodec},
	}
	for _, tt := range tests {
		bubble(t, nil, func(r *rig) {
			a := r.open("198.51.100.1")
			if err := a.SetOffer(offer); err != nil {
				t.Fatal(err)
			}
			if got := a.Offered(); !slices.Equal(got, []string{"opus", "PCMU", "PCMA", "G722"}) {
				t.Errorf("%s: offered %v", tt.name, got)
			}
			_, err := a.Answer(tt.codecs)
			is(t, err, tt.err)
			if got := a.Codec().Name; got != tt.want {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		})
	}
}

func TestAnswerText(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		text := a.answer(t, describeCodecs("198.51.100.1:4000", "111 96", "a=rtpmap:111 opus/48000/2", "a=rtpmap:96 telephone-event/8000",
			"a=rtcp-mux", "m=video 5000 RTP/AVP 97"), opus)
		_, tail, _ := strings.Cut(text, "t=0 0\r\n")
		port := strings.Fields(tail)[1]
		want := "m=audio " + port + " RTP/AVP 111 96\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n" +
			"a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=rtcp-mux\r\na=sendrecv\r\nm=video 0 RTP/AVP 97\r\n"
		if tail != want {
			t.Errorf("got\n%s\nwant\n%s", tail, want)
		}
		if string(a.LocalSDP()) != text {
			t.Error("LocalSDP is another text")
		}
	})
}

func TestOffersThatCannotBeAnswered(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		is(t, a.SetOffer([]byte("nonsense")), ErrMalformed)
		is(t, a.SetOffer(nil), ErrMalformed)
		is(t, a.SetOffer([]byte("v=0\r\nc=IN IP4 198.51.100.1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n")), ErrNotAcceptable)
		is(t, a.SetOffer([]byte("v=0\r\nc=IN IP4 198.51.100.1\r\nm=image 4000 udptl t38\r\n")), ErrNotAcceptable)
		_, err := a.Answer([]Codec{PCMA})
		is(t, err, ErrNotAcceptable)
		is(t, a.SetAnswer(describe("198.51.100.1:4000")), ErrNotAcceptable)
		_, err = a.Offer(nil)
		is(t, err, ErrNoCodec)
	})
}

func TestOfferAndItsAnswers(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		text, err := a.Offer([]Codec{opus, PCMA, {PT: 111, Name: "speex", Rate: 16000, Channels: 1}, PCMA})
		if err != nil {
			t.Fatal(err)
		}
		if a.Codec().Name != "" {
			t.Errorf("codec %v before an answer", a.Codec())
		}
		// speex cannot have 111, 101 is left to the first events.
		if !strings.Contains(string(text), " RTP/AVP 111 8 96 101 97\r\n") {
			t.Errorf("%s", text)
		}
		is(t, a.SetAnswer([]byte("v=1")), ErrMalformed)
		is(t, a.SetAnswer([]byte("v=0\r\nc=IN IP4 198.51.100.1\r\nm=audio 0 RTP/AVP 8\r\n")), ErrNotAcceptable)
		is(t, a.SetAnswer([]byte("v=0\r\nc=IN IP4 198.51.100.1\r\nm=audio 4000 RTP/SAVP 8\r\n")), ErrNotAcceptable)
		is(t, a.SetAnswer(describeCodecs("198.51.100.1:4000", "0")), ErrNoCodec)
		// 183 with one codec, 200 with another (RFC 3261 §13.2.1 lets only the first
		// count; carriers send it all the same).
		if err := a.SetAnswer(describeCodecs("198.51.100.1:4000", "8")); err != nil || a.Codec().Name != "PCMA" {
			t.Errorf("%v, %v", a.Codec(), err)
		}
		if err := a.SetAnswer(describeCodecs("198.51.100.1:4100", "120 8", "a=rtpmap:120 opus/48000/2")); err != nil || a.Codec().PT != 120 {
			t.Errorf("%v, %v", a.Codec(), err)
		}
		if got := a.State().Remote.Port(); got != 4100 {
			t.Errorf("sends to port %d", got)
		}
	})
}

// A payload type keeps its meaning for the whole session (RFC 3264 §8.3.2), and
// streams keep their places (§8).
func TestReofferKeepsNumbersAndPlaces(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		first := a.answer(t, []byte("v=0\r\nc=IN IP4 198.51.100.1\r\nm=video 5000 RTP/AVP 97\r\nm=audio 4000 RTP/AVP 115 120\r\n"+
			"a=rtpmap:115 opus/48000/2\r\na=rtpmap:120 telephone-event/48000\r\n"), opus)
		again, err := a.Offer([]Codec{opus, PCMA})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(again), "m=video 0 RTP/AVP 97\r\nm=audio ") || !strings.Contains(string(again), " RTP/AVP 115 8 120 101\r\n") {
			t.Errorf("%s", again)
		}
		id := func(text string) (string, string) {
			f := strings.Fields(text[strings.Index(text, "o="):])
			return f[1], f[2]
		}
		id1, v1 := id(first)
		id2, v2 := id(string(again))
		if id1 != id2 || v1 != "1" || v2 != "2" {
			t.Errorf("origin %s %s, then %s %s", id1, v1, id2, v2)
		}
		same, err := a.Offer([]Codec{opus, PCMA})
		if err != nil || string(same) != string(again) {
			t.Errorf("%v\n%s", err, same)
		}
	})
}

// Between a re-offer and its answer the call goes on as it was.
func TestReofferDoesNotInterrupt(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		pa.voice(1)
		if _, err := a.Offer([]Codec{PCMU}); err != nil {
			t.Fatal(err)
		}
		pa.voice(2)
		pb.voice(3)
		if err := a.SetAnswer(describeCodecs("198.51.100.1:4000", "0")); err != nil {
			t.Fatal(err)
		}
		pa.pt = 0
		pa.voice(4)
		if got := pb.hear(); len(got) != 3 || got[2].pt != 8 {
			t.Errorf("%+v", got)
		}
		if got := pa.hear(); len(got) != 1 || got[0].pt != 8 {
			t.Errorf("%+v", got)
		}
	})
}

// A phone that sends events under its own number instead of the one we offered.
func TestAnswerersOwnPayloadType(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		if _, err := a.Offer([]Codec{PCMA}); err != nil {
			t.Fatal(err)
		}
		if err := a.SetAnswer(describeCodecs("198.51.100.1:4000", "8 96", "a=rtpmap:96 telephone-event/8000")); err != nil {
			t.Fatal(err)
		}
		pa.voice(1)
		a.next()
		for i, pt := range []uint8{101, 96} {
			pa.raw(rtp(pt, true, pa.seq, pa.ts, pa.ssrc, event(byte(i), true, 800)))
			pa.seq++
			pa.ts += 8000
			if ev, ok := a.next().(DTMF); !ok || ev.Digit != '0'+byte(i) {
				t.Errorf("payload type %d: %+v", pt, ev)
			}
		}
	})
}

// A re-offer that cannot be answered leaves the call as it was.
func TestRefusedReoffer(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		before := string(a.LocalSDP())
		if err := a.SetOffer(describeCodecs("198.51.100.7:4600", "9", "a=inactive")); err != nil {
			t.Fatal(err)
		}
		if !a.Held() || !slices.Equal(a.Offered(), []string{"G722"}) {
			t.Error("the offer is not seen")
		}
		_, err := a.Answer([]Codec{PCMA, PCMU})
		is(t, err, ErrNoCodec)
		if a.Held() || !slices.Equal(a.Offered(), []string{"PCMA", "PCMU"}) || string(a.LocalSDP()) != before {
			t.Error("the refused offer is still there")
		}
		pa.voice(1)
		pb.voice(2)
		if len(pa.hear()) != 1 || len(pb.hear()) != 1 {
			t.Error("no audio")
		}
	})
}

func TestHoldDirections(t *testing.T) {
	tests := []struct {
		name    string
		offer   []byte
		answer  string
		held    bool
		hears   int // packets the holding phone gets
		relayed int // packets of it that the other side gets
	}{
		{"talk", describe("198.51.100.1:4000"), "a=sendrecv", false, 1, 1},
		{"sendonly", describe("198.51.100.1:4000", "a=sendonly"), "a=recvonly", true, 0, 1},
		{"recvonly", describe("198.51.100.1:4000", "a=recvonly"), "a=sendonly", false, 1, 0},
		{"inactive", describe("198.51.100.1:4000", "a=inactive"), "a=inactive", true, 0, 0},
		{"old hold", describe("0.0.0.0:4000"), "a=recvonly", true, 0, 1},
		{"old hold, inactive", describe("0.0.0.0:4000", "a=inactive"), "a=inactive", true, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				a, _, pa, pb := r.pair()
				text := a.answer(t, tt.offer)
				if !strings.Contains(text, tt.answer+"\r\n") {
					t.Errorf("answered\n%s", text)
				}
				if a.Held() != tt.held {
					t.Errorf("held: %v", a.Held())
				}
				pa.voice(1)
				pb.voice(2)
				if got := len(pa.hear()); got != tt.hears {
					t.Errorf("the phone hears %d packets, want %d", got, tt.hears)
				}
				if got := len(pb.hear()); got != tt.relayed {
					t.Errorf("the other side hears %d packets, want %d", got, tt.relayed)
				}
				a.answer(t, describe("198.51.100.1:4000"))
				pa.voice(3)
				pb.voice(4)
				if len(pa.hear()) != 1 || len(pb.hear()) != 1 || a.Held() {
					t.Error("no audio after resuming")
				}
			})
		})
	}
}

func TestAdvertisedAddress(t *testing.T) {
	lan := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name                   string
		listen, external, peer string
		want                   string
	}{
		{"bound address", ours, "", "198.51.100.1", ours},
		{"external for outside", ours, "203.0.113.1", "198.51.100.1", "203.0.113.1"},
		{"own for inside", ours, "203.0.113.1", "10.1.2.3", ours},
		{"route when unspecified", "0.0.0.0", "", "198.51.100.1", "192.0.2.77"},
		{"external over route", "0.0.0.0", "203.0.113.1", "198.51.100.1", "203.0.113.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(c *Config) {
				c.Listen, c.LocalNets = []netip.Addr{netip.MustParseAddr(tt.listen)}, lan
				c.LocalFor = func(netip.Addr) netip.Addr { return netip.MustParseAddr("192.0.2.77") }
				if tt.external != "" {
					c.External = []netip.Addr{netip.MustParseAddr(tt.external)}
				}
			}, func(r *rig) {
				a := r.open(tt.peer)
				if text := a.answer(t, describe("198.51.100.1:4000")); !strings.Contains(text, "c=IN IP4 "+tt.want+"\r\n") {
					t.Errorf("%s", text)
				}
			})
		})
	}
}

func TestIPv6(t *testing.T) {
	bubble(t, func(c *Config) { c.Listen = []netip.Addr{netip.MustParseAddr("2001:db8::1")} }, func(r *rig) {
		a, b := r.open("2001:db8::a"), r.open("2001:db8::b")
		pa, pb := r.phone("[2001:db8::a]:4000", nil), r.phone("[2001:db8::b]:5000", nil)
		pa.to, pb.to = netip.AddrPortFrom(r.e.cfg.Listen[0], a.port), netip.AddrPortFrom(r.e.cfg.Listen[0], b.port)
		if text := a.answer(t, describe("[2001:db8::a]:4000")); !strings.Contains(text, "c=IN IP6 2001:db8::1\r\n") {
			t.Errorf("%s", text)
		}
		b.answer(t, describe("[2001:db8::b]:5000"))
		Join(a.Session, b.Session)
		pa.voice(1)
		pb.voice(2)
		if len(pa.hear()) != 1 || len(pb.hear()) != 1 {
			t.Error("no audio")
		}
	})
}

func TestStateIsPlain(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		pa.voice(1)
		pb.voice(2)
		b, err := json.Marshal(a.State())
		if err != nil {
			t.Fatal(err)
		}
		var st State
		if err := json.Unmarshal(b, &st); err != nil {
			t.Fatal(err)
		}
		got := pa.hear()
		if st.SSRC != got[0].ssrc || st.Seq != got[0].seq || st.TS != got[0].ts || st.Port != a.port || st.PeerSSRC != pa.ssrc ||
			st.Remote.String() != "198.51.100.1:4000" || st.Codec != PCMA || len(st.Known) != 2 ||
			string(st.LocalSDP) != string(a.LocalSDP()) || !strings.Contains(string(st.RemoteSDP), "m=audio 4000") {
			t.Errorf("%s", b)
		}
	})
}

func TestCodecKinds(t *testing.T) {
	tests := []struct {
		c    Codec
		want audio.Codec
	}{
		{Codec{}, audio.None}, {PCMA, audio.PCMA}, {Codec{Name: "pcmu", Rate: 8000, Channels: 1, PT: 99}, audio.PCMU},
		{Codec{Name: "PCMU", Rate: 16000, Channels: 1}, audio.Other}, {opus, audio.Other},
	}
	for _, tt := range tests {
		if tt.c.Audio() != tt.want || tt.c.G711() != (tt.want == audio.PCMA || tt.want == audio.PCMU) {
			t.Errorf("%+v: %v", tt.c, tt.c.Audio())
		}
	}
}

// More codecs than there are payload types must not do harm.
func TestOfferOfTooMany(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		for round := range 5 {
			var many []Codec
			for i := range 40 {
				many = append(many, Codec{Name: string(rune('a'+round)) + string(rune('A'+i)), Rate: 8000, Channels: 1})
			}
			text, err := a.Offer(many)
			if err != nil && round < 2 {
				t.Fatal(err)
			}
			if len(text) > 4000 {
				t.Errorf("an offer of %d bytes", len(text))
			}
		}
	})
}
