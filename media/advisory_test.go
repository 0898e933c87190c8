package media

import (
	"bytes"
	"strings"
	"testing"

	"vpbx/media/sdp"
)

// TestAdvisoryCVE2018_1000098, and CVE-2018-1000099: descriptions with formats,
// fmtp and rtpmap lines that name what is not there, nothing, or too much, in an
// offer and in an answer. What can be answered is, with a description that can be
// read; and the session still works after each of them.
func TestAdvisoryCVE2018_1000098(t *testing.T) {
	head := "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
	audio := head + "m=audio 4000 RTP/AVP 8 101\r\n"
	hostile := []string{
		head + "m=audio 4000 RTP/AVP 255\r\n", head + "m=audio 4000 RTP/AVP 4294967296\r\n", head + "m=audio 4000 RTP/AVP -1 8\r\n",
		head + "m=audio 4000 RTP/AVP\r\n", head + "m=audio 4000\r\n", head + "m=\r\n", head + "m= \r\n", head + "m=audio 4000 RTP/AVP  \r\n",
		head + "m=audio 4000 RTP/AVP" + strings.Repeat(" 8", 64) + "\r\n", head + "m=audio 4000 RTP/AVP " + strings.Repeat("8", 5000) + "\r\n",
		head + "m=audio 99999999999 RTP/AVP 8\r\n", head + "m=audio 4000/99999999999 RTP/AVP 8\r\n", head + "m=audio $ RTP/AVP 8\r\n",
		audio + "a=fmtp\r\n", audio + "a=fmtp:\r\n", audio + "a=fmtp: \r\n", audio + "a=fmtp:8\r\n", audio + "a=fmtp:999 x\r\n", audio + "a=fmtp:x 0-15\r\n",
		audio + "a=fmtp:101 " + strings.Repeat("0-15,", 4000) + "\r\n", audio + "a=fmtp:101 4294967296-99999999999\r\n", audio + "a=fmtp:101 -\r\n",
		audio + "a=rtpmap\r\n", audio + "a=rtpmap:\r\n", audio + "a=rtpmap:8\r\n", audio + "a=rtpmap:8 /\r\n", audio + "a=rtpmap:8 //\r\n",
		audio + "a=rtpmap:8 PCMA/0\r\n", audio + "a=rtpmap:8 PCMA/-8000\r\n", audio + "a=rtpmap:8 PCMA/99999999999\r\n", audio + "a=rtpmap:8 PCMA/8000/0\r\n",
		audio + "a=rtpmap:8 " + strings.Repeat("x", 10000) + "/8000\r\n", audio + "a=rtpmap:101 telephone-event/0\r\n",
		audio + "a=ptime:0\r\n", audio + "a=ptime:-20\r\n", audio + "a=ptime:99999999999\r\n", audio + "a=maxptime:0\r\n", audio + "a=rtcp:\r\n", audio + "a=rtcp:99999\r\n",
		audio + "a=rtcp:1 IN IP4\r\n", audio + "a=rtcp:0 IN IP4 127.0.0.1\r\n", audio + "a=\r\n", audio + "a=:\r\n", audio + "b=AS:99999999999\r\n", audio + "c=\r\n",
		strings.Repeat("m=audio 4000 RTP/AVP 8\r\n", 16), audio + strings.Repeat("m=audio 4000 RTP/AVP 8\r\n", 15), "v=0\r\n" + strings.Repeat("a=x\r\n", 3000),
		head + "m=audio 0 RTP/AVP 8\r\n", head + "m=audio 4000 RTP/SAVPF 8\r\n", head + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
	}
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		for _, text := range hostile {
			if a.SetOffer([]byte(text)) == nil {
				if answer, err := a.Answer([]Codec{PCMA}); err == nil {
					if _, err := sdp.Parse(answer); err != nil {
						t.Errorf("%.200q was answered with what cannot be read: %v\n%s", text, err, answer)
					}
				}
			}
			if _, err := a.Offer([]Codec{PCMA}); err != nil {
				t.Fatal(err)
			}
			_ = a.SetAnswer([]byte(text)) // refused or taken
			a.answer(t, describe("198.51.100.1:4000"))
			pa.voice(1)
			pb.voice(2)
			if len(pa.hear()) != 1 || len(pb.hear()) != 1 {
				t.Fatalf("no audio after %.200q", text)
			}
		}
	})
}

// A flood of SRTP that nobody has secured, from the peer's own address, ended calls
// (GHSA-jh42-prph-gp36): it is counted, and the call goes on.
func TestAdvisoryCVE2021_41105(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.secured("AES_CM_128_HMAC_SHA1_80")
		a.Expect()
		pa.voice(1)
		bad := pa.sealed(66)
		for i := range 1000 {
			bad[len(bad)-1]++
			bad[2], bad[3] = byte(i>>8), byte(i)
			pa.raw(bytes.Clone(bad))
		}
		pa.voice(2)
		if got := fills(pb.hear()); got != "1 2" {
			t.Errorf("heard %s", got)
		}
		for e := a.next(); e != nil; e = a.next() {
			if _, ok := e.(Timeout); ok {
				t.Error("the flood counts as silence")
			}
		}
		if q := a.Quality(); q.Unproven+q.Replayed != 1000 || q.Received != 2 {
			t.Errorf("%+v", q)
		}
	})
}
