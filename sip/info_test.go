package sip

import (
	"strings"
	"testing"
	"time"
)

func TestParsePress(t *testing.T) {
	for s, want := range map[string]struct {
		digit rune
		d     time.Duration
	}{
		"Signal=5\r\nDuration=160\r\n":      {'5', 160 * time.Millisecond},
		"signal = * \nDURATION= 99999999\n": {'*', maxPress},
		"Signal=11\r\nDuration=x":           {'#', 0},
		"Signal=14":                         {'C', 0},
		"Signal=hf":                         {'!', 0},
		"5":                                 {'5', 0},
		"\r\n#\r\n":                         {'#', 0},
		"d":                                 {'D', 0},
		"10":                                {'*', 0},
		"":                                  {},
		"Duration=160":                      {},
		"Signal=":                           {},
		"Signal=17":                         {},
		"Signal=12345":                      {},
		"E":                                 {},
		"5" + strings.Repeat(" ", maxInfo):  {},
	} {
		digit, d, ok := parsePress([]byte(s))
		if ok != (want.digit != 0) || ok && (digit != want.digit || d != want.d) {
			t.Errorf("%q: %q %v %v", s, digit, d, ok)
		}
	}
}

func FuzzPress(f *testing.F) {
	for _, s := range []string{"Signal=5\r\nDuration=160\r\n", "5", "Signal=11", "=", "Signal=\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		digit, d, ok := parsePress(b)
		if ok && (!strings.ContainsRune("0123456789*#ABCD!", digit) || d < 0 || d > maxPress) {
			t.Errorf("%q: %q %v", b, digit, d)
		}
	})
}

func TestInfoDigit(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		info := func(seq int, kind, body, want string) {
			t.Helper()
			c.headers = []string{"Content-Type: " + kind}
			c.p.send("INFO "+c.uri+" SIP/2.0", "Via: SIP/2.0/UDP "+c.p.addr+";branch=z9hG4bKi"+body[:1]+kind[len(kind)-3:]+";rport",
				"From: "+c.from, "To: "+c.to, "Call-ID: "+c.id, "CSeq: "+string(rune('0'+seq))+" INFO", "Max-Forwards: 70",
				"Content-Type: "+kind, "", body)
			r.peer.want("SIP/2.0 " + want)
		}
		info(2, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "200")
		if e := event[Pressed](r); e != (Pressed{l, '5', 160 * time.Millisecond}) {
			t.Errorf("%+v", e)
		}
		info(3, "application/DTMF;x=y", "*", "200")
		if e := event[Pressed](r); e.Digit != '*' {
			t.Errorf("%+v", e)
		}
		info(4, "application/dtmf-relay", "nothing", "400")
		info(5, "application/media_control+xml", "<x/>", "200")
		r.noEvent(time.Second)
	})
}
