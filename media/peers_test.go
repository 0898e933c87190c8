package media

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Peers with ICE, with its little form and without it (RFC 8445, RFC 8839): none
// of it is answered, and the sound goes to the default destination, as with a peer
// that does not know ICE.
func TestICEIsIgnored(t *testing.T) {
	tests := map[string][]string{
		"without": nil,
		"full": {
			"a=ice-ufrag:8hhY", "a=ice-pwd:asd88fgpdd777uzjYhagZg", "a=ice-options:trickle ice2", "a=ice-pacing:50",
			"a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host",
			"a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998",
			"a=candidate:3 2 UDP 1694498814 2001:db8::3 45665 typ relay raddr :: rport 9",
			"a=candidate:4 1 TCP 1 host.local 9 typ host tcptype active", "a=remote-candidates:1 192.0.2.3 1", "a=end-of-candidates",
		},
		"lite":   {"a=ice-lite", "a=ice-ufrag:x", "a=ice-pwd:y", "a=candidate:1 1 UDP 2130706431 198.51.100.1 4000 typ host"},
		"broken": {"a=candidate:", "a=candidate:1 1 UDP x", "a=ice-pwd", "a=ice-mismatch"},
	}
	for name, attributes := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				a, _, pa, pb := r.pair()
				for _, offer := range [][]byte{
					describe("198.51.100.1:4000", attributes...),
					[]byte(strings.Replace(string(describe("198.51.100.1:4000")), "m=audio", strings.Join(append(attributes, "m=audio"), "\r\n"), 1)),
				} {
					text := a.answer(t, offer)
					if strings.Contains(text, "ice") || strings.Contains(text, "candidate") {
						t.Errorf("answered\n%s", text)
					}
					pa.voice(1)
					pb.voice(2)
					if len(pa.hear()) != 1 || len(pb.hear()) != 1 {
						t.Error("no audio")
					}
				}
			})
		})
	}
}

// A stream that a re-offer adds is refused with port 0 and keeps its place in
// all that follows (RFC 3264 §8, §8.2): the number of streams never goes down.
func TestReofferAddsVideo(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		kinds := func(text string) []string {
			var list []string
			for line := range strings.Lines(text) {
				var kind string
				var port int
				if n, _ := fmt.Sscanf(line, "m=%s %d", &kind, &port); n == 2 {
					if port == 0 {
						kind += " refused"
					}
					list = append(list, kind)
				}
			}
			return list
		}
		plain := describe("198.51.100.1:4000")
		video := "m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\nm=application 4004 TCP/BFCP *\r\n"
		want := []string{"audio", "video refused", "application refused"}
		if got := kinds(a.answer(t, append(slices.Clone(plain), video...))); !slices.Equal(got, want) {
			t.Errorf("answered %v", got)
		}
		offer, err := a.Offer([]Codec{PCMA})
		if got := kinds(string(offer)); err != nil || !slices.Equal(got, want) {
			t.Errorf("offered %v: %v", got, err)
		}
		if err := a.SetAnswer(append(slices.Clone(plain), "m=video 0 RTP/AVP 97\r\nm=application 0 TCP/BFCP *\r\n"...)); err != nil {
			t.Error(err)
		}
		off := strings.NewReplacer("4002", "0", "4004", "0").Replace(video)
		if got := kinds(a.answer(t, append(slices.Clone(plain), off...))); !slices.Equal(got, want) {
			t.Errorf("answered %v", got)
		}
		pa.voice(1)
		pb.voice(2)
		if len(pa.hear()) != 1 || len(pb.hear()) != 1 {
			t.Error("no audio")
		}
	})
}

// The old hold of IPv6 (RFC 3264 §8.4).
func TestHoldUnspecifiedIPv6(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		hold := strings.Replace(string(describe("198.51.100.1:4000")), "c=IN IP4 198.51.100.1", "c=IN IP6 ::", 1)
		if text := a.answer(t, []byte(hold)); !strings.Contains(text, "a=recvonly\r\n") || !a.Held() {
			t.Errorf("held %v, answered\n%s", a.Held(), text)
		}
		pa.voice(1)
		pb.voice(2)
		if len(pa.hear()) != 0 || len(pb.hear()) != 1 {
			t.Error("the holding phone is sent something, or not heard")
		}
	})
}
