package sdp

import (
	"net/netip"
	"strings"
	"testing"
)

// chromium is what Chromium offers before it knows a candidate, with a camera.
const chromium = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n" +
	"a=candidate:1467250027 1 udp 2122260223 192.0.2.7 46243 typ host generation 0 network-id 1\r\n" +
	"a=candidate:1 1 udp 2122260223 6b2f2c9e-5f0c-4b1a.local 46244 typ host\r\n" +
	"a=ice-ufrag:7sFv\r\na=ice-pwd:dOTZKZNVlO9RSGsEGM63JXT2\r\na=ice-options:trickle\r\n" +
	"a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\na=setup:actpass\r\n" +
	"a=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\n" +
	"a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n" +
	"a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n" +
	"a=rtpmap:126 telephone-event/8000\r\na=ssrc:3735928559 cname:user\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\na=sendrecv\r\n"

func TestChromium(t *testing.T) {
	d, err := Parse([]byte(chromium))
	if err != nil {
		t.Fatal(err)
	}
	i, err := d.WebRTC()
	if err != nil || i != 0 {
		t.Fatalf("stream %d, %v", i, err)
	}
	m := d.Media[i]
	if m.Direction != SendRecv {
		t.Errorf("no candidate yet is no hold: %v", m.Direction)
	}
	if m.ICE.Ufrag != "7sFv" || m.ICE.Pwd != "dOTZKZNVlO9RSGsEGM63JXT2" || m.ICE.Lite || len(m.ICE.Candidates) != 2 || m.Mid != "0" || m.Setup != "actpass" || len(m.Fingerprints) != 1 {
		t.Errorf("read %+v, %+v", m.ICE, m)
	}
	mine := Media{Port: 30000, Codecs: m.Codecs[:1], Mux: true, Direction: RecvOnly, Setup: "active",
		Fingerprints: m.Fingerprints, Source: Source{SSRC: 77, CNAME: "x"},
		ICE: &ICE{Ufrag: "abcd", Pwd: "0123456789012345678901", Lite: true, Candidates: []string{
			HostCandidate(0, netip.MustParseAddrPort("203.0.113.1:30000")), HostCandidate(1, netip.MustParseAddrPort("[2001:db8::1]:30000"))}}}
	o := Origin{ID: 1, Version: 1}
	got := string(o.Describe(netip.MustParseAddr("203.0.113.1"), Answer(d, i, mine)))
	const want = "v=0\r\no=- 1 1 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0\r\n" +
		"m=audio 30000 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtcp-mux\r\na=mid:0\r\n" +
		"a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\na=setup:active\r\n" +
		"a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=candidate:1 1 udp 2130706431 203.0.113.1 30000 typ host\r\n" +
		"a=candidate:2 1 udp 2130706175 2001:db8::1 30000 typ host\r\na=end-of-candidates\r\na=msid:x audio\r\na=ssrc:77 cname:x\r\na=recvonly\r\n" +
		"m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	again, err := Parse([]byte(got))
	if err != nil || !again.Media[0].ICE.Lite || again.Media[0].WebRTC() {
		t.Errorf("our own answer, read again: %+v, %v", again.Media[0].ICE, err)
	}
}

// TestWebRTC tells what a browser's offer is by what is taken from or added to one.
func TestWebRTC(t *testing.T) {
	audio, _, _ := strings.Cut(chromium, "m=video")
	replace := func(old, new string) string {
		if !strings.Contains(audio, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(audio, old, new, 1)
	}
	move := func(line string) string { // to the session
		return strings.Replace(replace(line, ""), "t=0 0\r\n", "t=0 0\r\n"+line, 1)
	}
	for _, tt := range []struct {
		what, text string
		want       bool
	}{
		{"as it is", audio, true},
		{"a name without a password", replace("a=ice-pwd:dOTZKZNVlO9RSGsEGM63JXT2\r\n", ""), false},
		{"both of the session", move("a=ice-ufrag:7sFv\r\na=ice-pwd:dOTZKZNVlO9RSGsEGM63JXT2\r\n"), true},
		{"the role of the session", move("a=setup:actpass\r\n"), true},
		{"a peer that checks nothing", replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"), false},
		{"no rtcp-mux", replace("a=rtcp-mux\r\n", ""), false},
		{"no fingerprint", replace("a=fingerprint:sha-256 7B", "a=x:sha-256 7B"), false},
		{"a hash that must not be used", replace("sha-256 7B", "md5 7B"), false},
		{"a short name", replace("7sFv", "7sF"), false},
		{"a short password", replace("dOTZKZNVlO9RSGsEGM63JXT2", "dOTZKZNVlO9RSGsEGM63"), false},
		{"a name with a colon", replace("7sFv", "7s:v"), false},
		{"refused", replace("m=audio 9", "m=audio 0"), false},
		{"plain RTP", replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), false},
		{"an older spelling", replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"), true},
		{"many candidates", replace("a=mid:0", strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 100)+"a=mid:0"), true},
	} {
		d, err := Parse([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.what, err)
			continue
		}
		if got := d.Media[0].WebRTC(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
		if ice := d.Media[0].ICE; ice != nil && len(ice.Candidates) > maxCandidates {
			t.Errorf("%s: %d candidates", tt.what, len(ice.Candidates))
		}
	}
	if held := replace("a=sendrecv", "a=sendonly"); mustParse(t, []byte(held)).Media[0].Direction != SendOnly {
		t.Error("hold is not seen")
	}
}

// FuzzWebRTC answers what passes for a browser's offer: the answer can be read again and
// has a stream for each of the offer's, by the same name.
func FuzzWebRTC(f *testing.F) {
	f.Add([]byte(chromium))
	f.Add([]byte("v=0\na=ice-lite\na=ice-pwd:0123456789012345678901\na=mid:x\nm=audio 9 RTP/SAVPF 8\na=ice-ufrag:abcd\na=candidate:\na=mid:a b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			return
		}
		i, err := d.WebRTC()
		if err != nil || len(d.Media[i].Codecs) == 0 {
			return
		}
		mine := d.Media[i]
		mine.ICE = &ICE{Ufrag: mine.ICE.Ufrag, Pwd: mine.ICE.Pwd, Lite: true}
		var o Origin
		text := o.Describe(netip.MustParseAddr("192.0.2.1"), Answer(d, i, mine))
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("our answer does not parse: %v\n%s", err, text)
		}
		if len(again.Media) != len(d.Media) || again.Media[i].ICE == nil || !again.Media[i].ICE.Lite {
			t.Fatalf("%d media answered with %d\n%s", len(d.Media), len(again.Media), text)
		}
		for n, m := range d.Media {
			if again.Media[n].Mid != m.Mid {
				t.Errorf("stream %d is called %q, in the answer %q", n, m.Mid, again.Media[n].Mid)
			}
		}
	})
}
