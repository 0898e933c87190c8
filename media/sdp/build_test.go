package sdp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	foreign "github.com/pion/sdp/v3"
)

var (
	here = netip.MustParseAddr("192.0.2.10")
	mine = Media{Port: 20000, PTime: 20, Codecs: []Codec{
		{PT: 8, Name: "PCMA", Rate: 8000, Channels: 1},
		{PT: 111, Name: "opus", Rate: 48000, Channels: 2, Fmtp: "useinbandfec=1"},
		{PT: 101, Name: Event, Rate: 8000, Channels: 1, Fmtp: "0-15"},
	}}
)

func TestAnswerKeepsPlaces(t *testing.T) {
	offer := mustParse(t, crlf("v=0", "c=IN IP4 198.51.100.7", "m=video 5000 RTP/AVP 96 97", "a=rtpmap:96 H264/90000",
		"m=audio 4000 RTP/AVPF 8", "m=image 6000 udptl t38", "m=audio 4002 RTP/AVP 0"))
	m := mine
	m.Direction = RecvOnly
	m.Mux = true
	o := Origin{ID: 7, Version: 1}
	got := string(o.Describe(here, Answer(offer, 1, m)))
	want := string(crlf("v=0", "o=- 7 1 IN IP4 192.0.2.10", "s=-", "c=IN IP4 192.0.2.10", "t=0 0",
		"m=video 0 RTP/AVP 96 97",
		"m=audio 20000 RTP/AVPF 8 111 101",
		"a=rtpmap:8 PCMA/8000", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 useinbandfec=1",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=rtcp-mux", "a=recvonly",
		"m=image 0 udptl t38",
		"m=audio 0 RTP/AVP 0"))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestVersionGrowsExactlyWithChange(t *testing.T) {
	o := Origin{ID: 7, Version: 1}
	m := mine
	m.Type, m.Proto = "audio", "RTP/AVP"
	first := string(o.Describe(here, []Media{m}))
	if again := string(o.Describe(here, []Media{m})); again != first || o.Version != 1 {
		t.Errorf("version %d after no change:\n%s", o.Version, again)
	}
	m.Direction = Inactive
	if held := string(o.Describe(here, []Media{m})); !strings.Contains(held, "o=- 7 2 ") {
		t.Errorf("after a change:\n%s", held)
	}
	m.Direction = SendRecv
	if back := string(o.Describe(here, []Media{m})); !strings.Contains(back, "o=- 7 3 ") {
		t.Errorf("after the change back:\n%s", back)
	}
}

func TestDescribeIPv6(t *testing.T) {
	o := Origin{ID: 1}
	m := mine
	m.Type, m.Proto = "audio", "RTP/AVP"
	got := mustParse(t, o.Describe(netip.MustParseAddr("2001:db8::1%eth0"), []Media{m})).Media[0]
	if got.RTP().String() != "[2001:db8::1]:20000" {
		t.Errorf("%v", got.RTP())
	}
}

func TestDirectionReverse(t *testing.T) {
	for d, want := range map[Direction]Direction{SendRecv: SendRecv, SendOnly: RecvOnly, RecvOnly: SendOnly, Inactive: Inactive} {
		if d.Reverse() != want {
			t.Errorf("%v is answered with %v", d, d.Reverse())
		}
	}
}

func TestStatic(t *testing.T) {
	if pt, ok := Static(Codec{Name: "pcma", Rate: 8000, Channels: 1}); pt != 8 || !ok {
		t.Errorf("PCMA: %d, %v", pt, ok)
	}
	if _, ok := Static(Codec{Name: "PCMA", Rate: 16000, Channels: 1}); ok {
		t.Error("PCMA at 16 kHz has a static payload type")
	}
}

// answerTo answers an offer with whatever stream it has and every codec of it.
func answerTo(d Description) []byte {
	i := slices.IndexFunc(d.Media, func(m Media) bool { return m.Profile() != "" })
	if i < 0 {
		return nil
	}
	m := Media{Port: 20000, Direction: d.Media[i].Direction.Reverse(), Codecs: d.Media[i].Codecs, Mux: d.Media[i].Mux,
		Crypto: d.Media[i].Crypto, Fingerprints: d.Media[i].Fingerprints, Setup: d.Media[i].Setup}
	if len(m.Codecs) == 0 {
		return nil
	}
	o := Origin{ID: 1, Version: 1}
	return o.Describe(here, Answer(d, i, m))
}

func FuzzParse(f *testing.F) {
	f.Add(crlf("v=0", "o=a 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0", "m=audio 4000 RTP/AVP 8 0 101",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=sendonly", "a=rtcp:4711 IN IP4 198.51.100.8"))
	f.Add([]byte("v=0\nc=IN IP6 ::\na=inactive\nm=video 1 RTP/AVP 96\nm=audio 4/2 RTP/AVPF 111 9\na=rtpmap:111 opus/48000/2\na=rtcp-mux"))
	f.Add([]byte("v=0\nm=image 4000 udptl t38\nm=audio 9 UDP/TLS/RTP/SAVPF 0\nm=audio 9 RTP/AVP 0"))
	f.Add([]byte("v=0\na=fingerprint:sha-1 " + strings.Repeat("0A:", 19) + "0A\na=setup:actpass\nm=audio 9 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 WSH=64"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			return
		}
		answer := answerTo(d)
		if answer == nil {
			return
		}
		back, err := Parse(answer)
		if err != nil {
			t.Fatalf("our answer does not parse: %v\n%s", err, answer)
		}
		if len(back.Media) != len(d.Media) {
			t.Fatalf("%d media answered with %d", len(d.Media), len(back.Media))
		}
	})
}

// A parser that is not ours accepts what we write.
func TestForeignParserAccepts(t *testing.T) {
	offer := mustParse(t, crlf("v=0", "c=IN IP4 198.51.100.7", "m=video 5000 RTP/AVP 96", "m=audio 4000 RTP/AVP 8 0 111 101",
		"a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=inactive"))
	answer := answerTo(offer)
	var d foreign.SessionDescription
	if err := d.Unmarshal(answer); err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	if len(d.MediaDescriptions) != 2 || d.MediaDescriptions[0].MediaName.Port.Value != 0 || d.MediaDescriptions[1].MediaName.Port.Value != 20000 {
		t.Errorf("%s", answer)
	}
	if _, ok := d.MediaDescriptions[1].Attribute("inactive"); !ok {
		t.Errorf("%s", answer)
	}
}
