package phone

import (
	"testing"
	"time"
)

func TestReadFragment(t *testing.T) {
	for body, want := range map[string]struct {
		status int
		reason string
		ok     bool
	}{
		"SIP/2.0 100 Trying\r\n":             {100, "Trying", true},
		"SIP/2.0 200 OK":                     {200, "OK", true},
		"SIP/2.0 486 Busy Here\r\nTo: x\r\n": {486, "Busy Here", true},
		"SIP/2.0 503\n":                      {503, "", true},
		"":                                   {},
		"200 OK":                             {},
		"SIP/2.0 99 x":                       {},
		"SIP/2.0 700 x":                      {},
		"SIP/2.0 +20 x":                      {},
		"INVITE sip:x SIP/2.0\r\n":           {},
	} {
		if status, reason, ok := readFragment(body); status != want.status || reason != want.reason || ok != want.ok {
			t.Errorf("%q: %d %q %t", body, status, reason, ok)
		}
	}
}

func TestAutoAnswerHeaders(t *testing.T) {
	for _, c := range []struct {
		name, value string
		after       time.Duration
		ok          bool
	}{
		{"Alert-Info", "<http://x>;info=alert-autoanswer;delay=0", 0, true},
		{"Alert-Info", "Auto Answer", 0, true},
		{"Alert-Info", "info=Intercom", 0, true},
		{"Alert-Info", "<http://x/ring.wav>;info=external", 0, false},
		{"Call-Info", "<sip:x>;answer-after=0", 0, true},
		{"Call-Info", "<sip:x>; Answer-After=5", 5 * time.Second, true},
		{"Call-Info", "<sip:x>;answer-after=99999999999999999999", 0, false},
		{"Call-Info", "<sip:x>;answer-after=-1", 0, false},
		{"Call-Info", "<http://intercom>;purpose=icon", 0, false},
		{"Answer-Mode", "Auto", 0, true},
		{"Answer-Mode", "Auto;require", 0, true},
		{"Answer-Mode", "Manual", 0, false},
		{"Priv-Answer-Mode", "auto", 0, true},
		{"Subject", "auto", 0, false},
	} {
		if after, ok := autoAnswer(c.name, c.value); after != c.after && c.ok || ok != c.ok {
			t.Errorf("%s: %s: %v %t", c.name, c.value, after, ok)
		}
	}
}

func TestRelayedKey(t *testing.T) {
	for _, c := range []struct{ mime, body, want string }{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5"},
		{"Application/DTMF-Relay;x=y", "Duration=1\nsignal = #", "#"},
		{"application/dtmf-relay", "Signal=55", ""},
		{"application/dtmf-relay", "Signal=x", ""},
		{"application/dtmf-relay", "", ""},
		{"application/dtmf", "Signal=5", ""},
	} {
		if got := relayedKey(c.mime, c.body); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("SIP/2.0 200 OK\r\n")
	f.Add("<sip:x>;answer-after=1;info=intercom")
	f.Add("Signal=5\r\nDuration=160\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if status, _, ok := readFragment(text); ok && (status < 100 || status > 699) {
			t.Errorf("status %d", status)
		}
		for _, name := range []string{"Alert-Info", "Call-Info", "Answer-Mode"} {
			if after, _ := autoAnswer(name, text); after < 0 || after > maxAnswerAfter {
				t.Errorf("after %v", after)
			}
		}
		if len(relayedKey(relayType, text)) > 1 || len(escapeHeader(text)) < len(text) {
			t.Error("a key of several, or an escape that is shorter")
		}
	})
}
