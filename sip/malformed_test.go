package sip

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzApology: no answer has a line that the request did not have whole.
func FuzzApology(f *testing.F) {
	f.Add(bad("INVITE  sip:a SIP/2.0", ""))
	f.Add("OPTIONS x:y SIP/2.0\r\nv: SIP/2.0/UDP [::1]:7;x\r\n y\r\nf: \x00\r\nt: a\rb\r\ni: 1\r\nCSeq: 1\r\n\r\n")
	f.Fuzz(func(t *testing.T, data string) {
		_, code, answer := apology(data, "tag0")
		if answer == "" {
			return
		}
		head, ok := strings.CutSuffix(answer, "\r\n\r\n")
		if !ok || strings.Contains(head, "\r\n\r\n") || len(answer) > len(data)+256 {
			t.Fatalf("%q is answered with %q", data, answer)
		}
		for i, line := range strings.Split(head, "\r\n") {
			name, _, _ := strings.Cut(line, ":")
			if i == 0 && !strings.HasPrefix(line, "SIP/2.0 "+strconv.Itoa(code)+" ") || i > 0 && !slices.Contains([]string{"Via", "From", "To", "Call-ID", "CSeq", "Content-Length"}, name) || strings.ContainsAny(line, "\r\n") {
				t.Fatalf("%q is answered with %q", data, answer)
			}
		}
	})
}

// bad is a request that cannot be parsed, for its start line or what more holds.
func bad(start, more string) string {
	return start + "\r\nVia: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 7 X\r\n" + more + "\r\n"
}

func TestApology(t *testing.T) {
	const answer = "\r\nVia: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:a@b>;tag=tag0\r\nCall-ID: c\r\nCSeq: 7 X\r\nContent-Length: 0\r\n\r\n"
	tests := []struct {
		data string
		code int
		want string
	}{
		{bad("OPTIONS  sip:a SIP/2.0", "X: y\r\n"), 400, "SIP/2.0 400 Bad Request" + answer},
		{bad("OPTIONS soap.beep://a SIP/2.0", ""), 416, "SIP/2.0 416 Unsupported URI Scheme" + answer},
		{bad("BREW sip:a SIP/2.0", ""), 501, "SIP/2.0 501 Not Implemented" + answer},
		{strings.Replace(bad("BYE x SIP/2.0", ""), "f\r\nTo: <sip:a@b>", "f\r\nt : <sip:a@b>\r\n\t;tag=1", 1), 400,
			strings.Replace("SIP/2.0 400 Bad Request"+answer, ";tag=tag0", " ;tag=1", 1)},
		{bad("ACK  sip:a SIP/2.0", ""), 0, ""},
		{bad("SIP/2.0 x y", ""), 0, ""},
		{bad("OPTIONS x SIP/2.0", "To: <sip:b@b>\r\n"), 0, ""},
		{strings.Replace(bad("OPTIONS x SIP/2.0", ""), "Call-ID", "Call", 1), 0, ""},
		{strings.Replace(bad("OPTIONS x SIP/2.0", ""), "Via", "Vie", 1), 0, ""},
		{strings.Replace(bad("OPTIONS x SIP/2.0", ""), "7 X", "7\nX: y", 1), 0, ""},
		{strings.Replace(bad("OPTIONS x SIP/2.0", ""), "7 X", strings.Repeat("7", maxRepeated), 1), 0, ""},
	}
	for _, tt := range tests {
		_, code, got := apology(tt.data, "tag0")
		if got != tt.want || got != "" && code != tt.code {
			t.Errorf("%q:\n got %d %q\nwant %d %q", tt.data, code, got, tt.code, tt.want)
		}
	}
}

// TestApologyAgain: nothing is kept, and the answer to a repetition is the
// same. An answer is no larger than what asked for it, and counted once.
func TestApologyAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l looker
		r := newRig(t, func(c *Config) { c.Mirror = l.see })
		p := r.raw("203.0.113.7")
		var answers []string
		for range 2 {
			p.send(bad("OPTIONS  sip:a SIP/2.0", ""))
			b := make([]byte, 65536)
			n, _, err := p.conn.ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, string(b[:n]))
		}
		if answers[0] != answers[1] || r.metric("vpbx_sip_requests_total", "OPTIONS", "400") != 2 || r.metric("vpbx_sip_rejected_total", string(malformed)) != 2 {
			t.Errorf("%q", answers)
		}
		if got := l.lines(); strings.Count(got, "udp 192.0.2.1:5060 > 203.0.113.7:5060 SIP/2.0 400 Bad Request") != 2 {
			t.Error(got)
		}
		if r.s.unparsed.next == 0 || slices.ContainsFunc(r.s.unparsed.last[:], func(d datagram) bool { return d.peer != nil }) {
			t.Error("an answered request is remembered")
		}
		p.send(bad("ACK  sip:a SIP/2.0", ""))
		if got := p.code(); got != 0 {
			t.Errorf("an ACK is answered with %d", got)
		}
	})
}

// code gives the status of the next final response, 0 when none comes in a
// second. The answer to what cannot be parsed repeats headers that cannot.
func (p *raw) code() int {
	p.t.Helper()
	b := make([]byte, 65536)
	for {
		if err := p.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			p.t.Fatal(err)
		}
		n, _, err := p.conn.ReadFrom(b)
		if err != nil {
			return 0
		}
		status, ok := strings.CutPrefix(string(b[:n]), "SIP/2.0 ")
		if !ok {
			continue
		}
		if code, err := strconv.Atoi(status[:3]); err == nil && code >= 200 {
			return code
		}
	}
}
