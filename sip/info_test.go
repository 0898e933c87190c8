package sip

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
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
			c.p.send("INFO "+c.uri+" SIP/2.0", "Via: SIP/2.0/UDP "+c.p.addr+";branch=z9hG4bKi"+string(rune('0'+seq))+";rport",
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
		info(6, "application/dtmf-relay", "Signal=hf\r\nDuration=100\r\n", "200")
		if e := event[Pressed](r); e.Digit != '!' {
			t.Errorf("%+v", e)
		}
		info(7, "text/plain", "5", "415")
		info(8, "application/dtmf-relay", "Signal=\xff5", "400")
		info(9, "application/dtmf", "55", "400")
		r.noEvent(time.Second)
	})
}

// An INFO of a package is none of ours (RFC 6086 §4.2.2); one of nothing asks
// whether we are there; candidates of a browser (RFC 8840) are taken, and not needed.
func TestInfoOfPackages(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		_, c := r.answered()
		c.send("INFO", 2, "", "Info-Package: conference", "Content-Type: application/dtmf")
		r.peer.want("SIP/2.0 469")
		c.send("INFO", 3, "")
		r.peer.want("SIP/2.0 200")
		c.send("INFO", 4, "", "Info-Package: trickle-ice", "Content-Type: application/trickle-ice-sdpfrag")
		r.peer.want("SIP/2.0 200")
		c.send("INFO", 5, "", "Content-Type: application/trickle-ice-sdpfrag")
		r.peer.want("SIP/2.0 200")
		r.noEvent(time.Second)
	})
}

// Keys of ours go one after the other, whatever becomes of the one before.
func TestPressByInfo(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		for _, k := range "5*D" {
			l.Press(byte(k), 160*time.Millisecond)
		}
		for i, want := range []string{"Signal=5\r\nDuration=160\r\n", "Signal=*\r\nDuration=160\r\n", "Signal=D\r\nDuration=160\r\n"} {
			m := r.peer.want("INFO ")
			if n, _ := m.cseq(); m.body != want || m.one("Content-Type") != "application/dtmf-relay" || m.one("Contact") != "" || n == 0 {
				t.Errorf("%+v", m)
			}
			r.peer.quiet(100 * time.Millisecond)
			r.peer.reply(m, []string{"200 OK", "415 Unsupported Media Type", "200 OK"}[i], "", "")
		}
		for range 3 * maxPresses {
			l.Press('1', time.Second)
		}
		first := r.peer.want("INFO ")
		c.send("BYE", 2, "")
		r.peer.want("SIP/2.0 200")
		r.peer.reply(first, "200 OK", "", "")
		l.Press('2', time.Second)
		r.peer.quiet(40 * time.Second)
	})
}

// A leg that is not answered presses nothing, and a peer that does not answer is
// asked again for the next key.
func TestPressInVain(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		early := r.dial()
		r.peer.want("INVITE")
		early.Press('5', time.Second)
		r.peer.quiet(400 * time.Millisecond)
		early.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
	})
}
