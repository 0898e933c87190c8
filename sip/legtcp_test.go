package sip

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// readTCP reads one message from a stream.
func readTCP(t *testing.T, c net.Conn, r *bufio.Reader, d time.Duration) rawMsg {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(d))
	var m rawMsg
	length := 0
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			t.Fatal("read:", err)
		}
		if l = strings.TrimRight(l, "\r\n"); l == "" {
			break
		}
		if m.start == "" {
			m.start = l
			continue
		}
		m.lines = append(m.lines, l)
		fmt.Sscanf(l, "Content-Length: %d", &length)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		t.Fatal("read body:", err)
	}
	m.body, m.at = string(body), time.Now()
	if strings.HasPrefix(m.start, "SIP/2.0 100") {
		return readTCP(t, c, r, d)
	}
	return m
}

// TestOverTCP: the 2xx is repeated over TCP too, and what we send goes over
// the connection of the peer while it is open.
func TestOverTCP(t *testing.T) {
	inBubble(t, func(_ *Config, company *pbx.Company) {
		company.Trunks[0].From = append(company.Trunks[0].From, netip.MustParsePrefix("10.0.0.7/32"))
	}, func(r *legRig) {
		c, err := r.net.Host("10.0.0.7").Dial(context.Background(), "tcp", pbxAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in := bufio.NewReader(c)
		to := "<sip:+74950000000@10.0.0.1>"
		send := func(method string, seq int, body string) {
			lines := []string{method + " sip:+74950000000@10.0.0.1 SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TCP 10.0.0.7:5060;branch=z9hG4bK%s%d", method, seq),
				"From: <sip:1@10.0.0.7>;tag=a", "To: " + to, "Call-ID: tcp1", fmt.Sprintf("CSeq: %d %s", seq, method), "Max-Forwards: 70",
				"Contact: <sip:1@10.0.0.7:5060;transport=tcp>"}
			if _, err := io.WriteString(c, strings.Join(append(lines, tail(body)...), "\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		send("INVITE", 1, offerSDP)
		l := r.leg()
		if l.Transport != "tcp" {
			t.Errorf("transport %q", l.Transport)
		}
		l.Answer([]byte(answerSDP))
		first := readTCP(t, c, in, time.Second)
		again := readTCP(t, c, in, time.Second)
		if !strings.HasPrefix(again.start, "SIP/2.0 200") || again.at.Sub(first.at).Round(time.Millisecond) != 500*time.Millisecond {
			t.Errorf("%q after %v", again.start, again.at.Sub(first.at))
		}
		if !strings.HasSuffix(first.one("Contact"), ";transport=tcp>") {
			t.Errorf("Contact %q", first.one("Contact"))
		}
		to = first.one("To")
		send("ACK", 1, "")
		event[Confirmed](r)
		l.Offer([]byte(holdSDP))
		re := readTCP(t, c, in, time.Second)
		if re.start != "INVITE sip:1@10.0.0.7:5060;transport=tcp SIP/2.0" || !strings.HasPrefix(re.one("Via"), "SIP/2.0/TCP 10.0.0.1:5060") {
			t.Errorf("%q %q", re.start, re.one("Via"))
		}
		c.Close() // the peer dies: our request has no answer, and nobody can be reached
		if e := eventIn[OfferAnswered](r, 40*time.Second); e.Code != 503 {
			t.Errorf("%+v", e)
		}
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.NoMedia))
		r.endedBy(pbx.PartyPBX, pbx.NoMedia, 408)
	})
}

// TestCallerVanishes: the connection of a ringing caller breaks.
func TestCallerVanishes(t *testing.T) {
	inBubble(t, func(_ *Config, company *pbx.Company) {
		company.Trunks[0].From = append(company.Trunks[0].From, netip.MustParsePrefix("10.0.0.7/32"))
	}, func(r *legRig) {
		c, err := r.net.Host("10.0.0.7").Dial(context.Background(), "tcp", pbxAddr)
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{"INVITE sip:+74950000000@10.0.0.1 SIP/2.0", "Via: SIP/2.0/TCP 10.0.0.7:5060;branch=z9hG4bKv", "From: <sip:1@10.0.0.7>;tag=a",
			"To: <sip:+74950000000@10.0.0.1>", "Call-ID: tcp2", "CSeq: 1 INVITE", "Max-Forwards: 70", "Contact: <sip:1@10.0.0.7:5060;transport=tcp>"}
		if _, err := io.WriteString(c, strings.Join(append(lines, tail(offerSDP)...), "\r\n")); err != nil {
			t.Fatal(err)
		}
		l := r.leg()
		l.Ring(180, nil)
		time.Sleep(time.Second)
		c.Close()
		r.endedBy(pbx.PartyCaller, pbx.NoReply, 408)
	})
}
