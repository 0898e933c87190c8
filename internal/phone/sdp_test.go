package phone

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

const plainOffer = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n" +
	"m=audio 4000 RTP/AVP 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=sendonly\r\n"

const videoOffer = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nt=0 0\r\na=inactive\r\nm=video 4000 RTP/AVP 99\r\nc=IN IP6 ::1\r\na=sendrecv\r\n" +
	"m=audio 4002/2 RTP/SAVP 8 97\r\nc=IN IP4 224.2.1.1/127\r\na=rtpmap:97 opus/48000/2\r\nm=audio 5000 RTP/AVP 0\r\n"

func TestParseSDP(t *testing.T) {
	tests := []struct {
		name, body string
		want       description
		fails      bool
	}{
		{"plain", plainOffer, description{
			addr: netip.MustParseAddrPort("10.0.0.1:4000"), direction: sendonly, profile: "RTP/AVP", audio: 0,
			formats: []format{{0, "PCMU", 8000, ""}, {8, "PCMA", 8000, ""}, {96, "telephone-event", 8000, "0-15"}},
			media:   []string{"audio 4000 RTP/AVP 0 8 96"},
		}, false},
		{"second stream, session direction", videoOffer, description{
			addr: netip.MustParseAddrPort("224.2.1.1:4002"), direction: inactive, profile: "RTP/SAVP", audio: 1,
			formats: []format{{8, "PCMA", 8000, ""}, {97, "opus", 48000, ""}},
			media:   []string{"video 4000 RTP/AVP 99", "audio 4002/2 RTP/SAVP 8 97", "audio 5000 RTP/AVP 0"},
		}, false},
		{"empty", "", description{}, true},
		{"no address", "m=audio 4000 RTP/AVP 0\r\n", description{}, true},
		{"bad port", "c=IN IP4 1.2.3.4\r\nm=audio 99999 RTP/AVP 0\r\n", description{}, true},
		{"bad payload", "c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP x\r\n", description{}, true},
		{"short media line", "c=IN IP4 1.2.3.4\r\nm=audio 4000\r\n", description{}, true},
		{"name for an address", "c=IN IP4 example.test\r\nm=audio 4000 RTP/AVP 0\r\n", description{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseSDP([]byte(tt.body))
			if tt.fails {
				if !errors.Is(err, errSDP) {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestAnswerSDP(t *testing.T) {
	d, err := parseSDP([]byte(videoOffer))
	if err != nil {
		t.Fatal(err)
	}
	formats, err := d.common(formatsOf([]string{"PCMU", "pcma", "custom"}))
	if err != nil || len(formats) != 1 || formats[0].pt != 8 {
		t.Fatalf("%v, %v", formats, err)
	}
	got := string(writeSDP(1, 2, netip.MustParseAddrPort("10.0.0.2:6000"), formats, sendrecv, &d, ""))
	for _, line := range []string{"m=video 0 RTP/AVP 99\r\n", "m=audio 6000 RTP/SAVP 8\r\n", "m=audio 0 RTP/AVP 0\r\n", "a=rtpmap:8 PCMA/8000\r\n"} {
		if strings.Count(got, line) != 1 {
			t.Errorf("lacks %q:\n%s", line, got)
		}
	}
	if _, err := d.common(formatsOf([]string{"G722", "telephone-event"})); !errors.Is(err, errNoCodec) {
		t.Errorf("nothing in common: %v", err)
	}
}

func TestAnswerDirection(t *testing.T) {
	for _, tt := range []struct {
		offered string
		held    bool
		want    string
	}{
		{sendrecv, false, sendrecv}, {sendrecv, true, sendonly}, {sendonly, false, recvonly}, {sendonly, true, inactive},
		{recvonly, false, sendonly}, {recvonly, true, sendonly}, {inactive, false, inactive}, {inactive, true, inactive},
	} {
		if got := answerDirection(tt.offered, tt.held); got != tt.want {
			t.Errorf("%s, held %v: %s", tt.offered, tt.held, got)
		}
	}
}

func FuzzParseSDP(f *testing.F) {
	f.Add([]byte(plainOffer))
	f.Add([]byte(videoOffer))
	f.Add([]byte("m=audio 1 RTP/AVP 0\na=rtpmap:0 x\nc=IN IP4 1.2.3.4"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseSDP(body)
		if err != nil {
			return
		}
		answer := writeSDP(1, 1, netip.MustParseAddrPort("10.0.0.2:6000"), d.formats, sendrecv, &d, "")
		again, err := parseSDP(answer)
		if err != nil || again.audio != d.audio || len(again.media) != len(d.media) {
			t.Errorf("an answer cannot be read: %v\n%s", err, answer)
		}
	})
}

func FuzzHearReport(f *testing.F) {
	f.Add([]byte{0x81, rtcpRR, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1})
	f.Add([]byte{0x80, rtcpSR, 0, 6})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m media
		m.hearReport(b, time.Unix(1e9, 0))
		if m.stats.RTT < 0 {
			t.Error(m.stats.RTT)
		}
	})
}
