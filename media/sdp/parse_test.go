package sdp

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// crlf joins lines as SIP sends them.
func crlf(lines ...string) []byte {
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}

func mustParse(t *testing.T, b []byte) Description {
	t.Helper()
	d, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseOffer(t *testing.T) {
	d := mustParse(t, crlf("v=0", "o=alice 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0",
		"m=audio 4000 RTP/AVP 111 8 0 101 13",
		"a=rtpmap:111 OPUS/48000/2", "a=fmtp:111 useinbandfec=1", "a=rtpmap:8 pcma/8000",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=rtcp-mux", "a=rtcp:4711 IN IP4 198.51.100.8"))
	want := Media{
		Type: "audio", Port: 4000, Proto: "RTP/AVP", Formats: []string{"111", "8", "0", "101", "13"},
		Addr: netip.MustParseAddr("198.51.100.7"), RTCP: netip.MustParseAddrPort("198.51.100.8:4711"), Mux: true, PTime: 20,
		Codecs: []Codec{
			{PT: 111, Name: "opus", Rate: 48000, Channels: 2, Fmtp: "useinbandfec=1"},
			{PT: 8, Name: "PCMA", Rate: 8000, Channels: 1},
			{PT: 0, Name: "PCMU", Rate: 8000, Channels: 1},
			{PT: 101, Name: "telephone-event", Rate: 8000, Channels: 1, Fmtp: "0-16"},
			{PT: 13, Name: "CN", Rate: 8000, Channels: 1},
		},
	}
	if !reflect.DeepEqual(d.Media, []Media{want}) {
		t.Errorf("got  %+v\nwant %+v", d.Media[0], want)
	}
}

func TestParseAddresses(t *testing.T) {
	tests := []struct {
		name          string
		session, line string
		rtcp          string
		wantRTP       string
		wantRTCP      string
	}{
		{"session", "c=IN IP4 192.0.2.1", "", "", "192.0.2.1:4000", "192.0.2.1:4001"},
		{"media over session", "c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.2", "", "192.0.2.2:4000", "192.0.2.2:4001"},
		{"IPv6", "c=IN IP6 2001:db8::1", "", "a=rtcp:5000", "[2001:db8::1]:4000", "[2001:db8::1]:5000"},
		{"mapped", "c=IN IP6 ::ffff:192.0.2.1", "", "", "192.0.2.1:4000", "192.0.2.1:4001"},
		{"ttl", "c=IN IP4 224.2.1.1/127", "", "", "224.2.1.1:4000", "224.2.1.1:4001"},
		{"bad rtcp", "c=IN IP4 192.0.2.1", "", "a=rtcp:none", "192.0.2.1:4000", "invalid AddrPort"},
		{"name", "c=IN IP4 phone.example.org", "", "", "invalid AddrPort", "invalid AddrPort"},
		{"none", "s=-", "", "", "invalid AddrPort", "invalid AddrPort"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines := []string{"v=0", tt.session, "m=audio 4000 RTP/AVP 0"}
			for _, l := range []string{tt.line, tt.rtcp} {
				if l != "" {
					lines = append(lines, l)
				}
			}
			m := mustParse(t, crlf(lines...)).Media[0]
			if m.RTP().String() != tt.wantRTP || m.RTCP.String() != tt.wantRTCP {
				t.Errorf("RTP %v, RTCP %v", m.RTP(), m.RTCP)
			}
		})
	}
}

func TestParseDirections(t *testing.T) {
	tests := []struct {
		name    string
		session string
		addr    string
		media   string
		want    Direction
	}{
		{"nothing said", "", "192.0.2.1", "", SendRecv},
		{"sendonly", "", "192.0.2.1", "a=sendonly", SendOnly},
		{"recvonly", "", "192.0.2.1", "a=recvonly", RecvOnly},
		{"inactive", "", "192.0.2.1", "a=inactive", Inactive},
		{"session level", "a=sendonly", "192.0.2.1", "", SendOnly},
		{"media over session", "a=sendonly", "192.0.2.1", "a=sendrecv", SendRecv},
		{"old hold", "", "0.0.0.0", "", SendOnly},
		{"old hold said twice", "", "0.0.0.0", "a=sendrecv", SendOnly},
		{"old hold and inactive", "", "0.0.0.0", "a=inactive", Inactive},
		{"old hold and recvonly", "", "0.0.0.0", "a=recvonly", Inactive},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mustParse(t, crlf("v=0", "s=-", "c=IN IP4 "+tt.addr, tt.session, "m=audio 4000 RTP/AVP 0", tt.media))
			if d.Media[0].Direction != tt.want {
				t.Errorf("%v, want %v", d.Media[0].Direction, tt.want)
			}
		})
	}
	v6 := mustParse(t, crlf("v=0", "c=IN IP6 ::", "m=audio 4000 RTP/AVP 0"))
	if v6.Media[0].Direction != SendOnly {
		t.Errorf("c=:: gives %v", v6.Media[0].Direction)
	}
}

func TestParseTolerates(t *testing.T) {
	tests := map[string]string{
		"no end of line":       "v=0\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly",
		"bare line feeds":      "v=0\ns=-\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=sendonly\n",
		"empty lines":          "v=0\r\n\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n\r\n",
		"huge origin":          "v=0\r\no=- 99999999999999999999999 -1 IN IP4 x\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n",
		"time before address":  "v=0\r\nt=0 0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n",
		"unknown lines":        "v=0\r\nx=y\r\nc=IN IP4 192.0.2.1\r\nb=XX:y\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\na=\r\na=zap:9\r\n",
		"spaces at line end":   "v=0 \r\nc=IN IP4 192.0.2.1 \r\nm=audio 4000 RTP/AVP 0 \r\na=sendonly \r\n",
		"broken attributes":    "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:x\r\na=rtpmap:300 a/8000\r\na=fmtp:\r\na=ptime:x\r\na=sendonly\r\n",
		"port with a count":    "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000/2 RTP/AVP 0\r\na=sendonly\r\n",
		"payload type twice":   "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 0 0\r\na=sendonly\r\n",
		"formats out of range": "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 128 t38 -1\r\na=sendonly\r\n",
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			m := mustParse(t, []byte(in)).Media[0]
			if m.RTP().String() != "192.0.2.1:4000" || m.Direction != SendOnly || len(m.Codecs) != 1 || m.Codecs[0].Name != "PCMU" {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing":           "",
		"not SDP":           "hello",
		"another version":   "v=1\r\nm=audio 4000 RTP/AVP 0\r\n",
		"no version":        "s=-\r\nm=audio 4000 RTP/AVP 0\r\n",
		"no media":          "v=0\r\ns=-\r\n",
		"port out of range": "v=0\r\nm=audio 65536 RTP/AVP 0\r\n",
		"negative port":     "v=0\r\nm=audio -1 RTP/AVP 0\r\n",
		"no formats":        "v=0\r\nm=audio 4000 RTP/AVP\r\n",
		"control character": "v=0\r\nm=audio 4000 RTP/AVP 0\r\na=fmtp:0 x\ry\r\n",
		"network type":      "v=0\r\nc=ATM NSAP x\r\nm=audio 4000 RTP/AVP 0\r\n",
		"short address":     "v=0\r\nc=IN IP4\r\nm=audio 4000 RTP/AVP 0\r\n",
		"too large":         "v=0\r\n" + strings.Repeat("a=x\r\n", 4000),
		"too many media":    "v=0\r\n" + strings.Repeat("m=audio 4000 RTP/AVP 0\r\n", 17),
		"too many formats":  "v=0\r\nm=audio 4000 RTP/AVP" + strings.Repeat(" 0", 65) + "\r\n",
	}
	for name, in := range tests {
		if _, err := Parse([]byte(in)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestParseDropsCodecsItCannotName(t *testing.T) {
	m := mustParse(t, crlf("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 96 97 98 99 100",
		"a=rtpmap:96 ok/8000", "a=rtpmap:97 bad name/8000", "a=rtpmap:98 x/0", "a=rtpmap:99 y/8000/99")).Media[0]
	if len(m.Codecs) != 1 || m.Codecs[0].Name != "ok" {
		t.Errorf("%+v", m.Codecs)
	}
}

func TestProfile(t *testing.T) {
	tests := map[string]string{
		"audio 4000 RTP/AVP 0": PlainProfile, "audio 4000 RTP/AVPF 0": PlainProfile,
		"audio 4000 RTP/SAVP 0": SDESProfile, "audio 4000 RTP/SAVPF 0": SDESProfile,
		"audio 9 UDP/TLS/RTP/SAVP 111": DTLSProfile, "audio 9 UDP/TLS/RTP/SAVPF 111": DTLSProfile,
		"audio 9 TCP/TLS/RTP/SAVP 111": "", "audio 9 RTP/AVPFF 0": "", "video 5000 RTP/AVP 96": "", "image 4000 udptl t38": "", "audio 0 RTP/AVP 0": "",
	}
	for line, want := range tests {
		if got := mustParse(t, crlf("v=0", "c=IN IP4 192.0.2.1", "m="+line)).Media[0].Profile(); got != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}
