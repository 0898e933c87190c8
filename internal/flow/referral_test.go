package flow

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// referee is a PBX of a few lines that answers every call and does with a REFER what
// the test says for the number in it. It is there to test the language, not the PBX.
type referee struct {
	t     *testing.T
	conn  net.PacketConn
	news  map[string][]string // by number: what is sent, as status lines; BYE, or a pause
	asked []string            // Refer-To and Replaces values, with names for ids
	calls []string            // Call-IDs and the tags of the phone, in order
}

func newReferee(t *testing.T, h *simnet.Host, news map[string][]string) *referee {
	t.Helper()
	conn, err := h.ListenPacket("udp", pbxIP+":"+sipPort)
	if err != nil {
		t.Fatal(err)
	}
	r := &referee{t: t, conn: conn, news: news}
	return r
}

// field is the value of a header, as it stands first in a message.
func field(msg, name string) string {
	_, rest, ok := strings.Cut(msg, "\r\n"+name+": ")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// serve answers requests until the socket is closed.
func (r *referee) serve() {
	buf := make([]byte, 65536)
	for {
		n, from, err := r.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if msg := string(buf[:n]); !strings.HasPrefix(msg, "SIP/2.0") {
			r.answer(msg, from)
		}
	}
}

func (r *referee) send(to net.Addr, format string, args ...any) {
	if _, err := r.conn.WriteTo(fmt.Appendf(nil, format, args...), to); err != nil {
		r.t.Error(err)
	}
}

func (r *referee) answer(msg string, from net.Addr) {
	method, _, _ := strings.Cut(msg, " ")
	id := field(msg, "Call-ID")
	_, tag, _ := strings.Cut(field(msg, "From"), "tag=")
	status, body := "200 OK", ""
	switch method {
	case "ACK":
		return
	case "INVITE":
		r.calls = append(r.calls, id, tag)
		body = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
		if v := field(msg, "Replaces"); v != "" {
			r.asked = append(r.asked, r.named(v))
		}
	case "REFER":
		status = "202 Accepted"
		r.asked = append(r.asked, r.named(field(msg, "Refer-To")))
	}
	to := field(msg, "To")
	if !strings.Contains(to, "tag=") {
		to += ";tag=pbx"
	}
	r.send(from, "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:%s>\r\nContent-Length: %d\r\n\r\n%s",
		status, field(msg, "Via"), field(msg, "From"), to, id, field(msg, "CSeq"), pbxIP, len(body), body)
	if method == "REFER" {
		go r.report(from, id, tag, strings.Trim(field(msg, "Refer-To"), "<>"))
	}
}

// named puts names in the place of Call-IDs and tags.
func (r *referee) named(value string) string {
	for i, id := range r.calls {
		value = strings.ReplaceAll(value, id, fmt.Sprintf("%s%d", []string{"call", "tag"}[i%2], i/2+1))
	}
	return value
}

// report sends what the phone is to be told of a REFER.
func (r *referee) report(to net.Addr, id, tag, target string) {
	number, _, _ := strings.Cut(strings.TrimPrefix(target, "sip:"), "@")
	for i, said := range r.news[number] {
		if d, err := time.ParseDuration(said); err == nil {
			time.Sleep(d)
			continue
		}
		method, headers := "NOTIFY", "Event: refer\r\nSubscription-State: active;expires=20\r\nContent-Type: message/sipfrag\r\n"
		switch {
		case said == "BYE":
			method, headers, said = "BYE", "", ""
		case said[0] > '1':
			headers = strings.Replace(headers, "active;expires=20", "terminated;reason=noresource", 1)
		}
		if said != "" {
			said = "SIP/2.0 " + said + "\r\n"
		}
		r.send(to, "%s sip:102@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s%d;rport\r\nFrom: <sip:x@y>;tag=pbx\r\n"+
			"To: <sip:102@y>;tag=%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s",
			method, to, pbxIP, id, number, i, tag, id, int(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))/time.Millisecond)*10+i, method, headers, len(said), said)
	}
}

// TestReferrals plays what agents do to transfer calls and compares what is written
// down, and what they asked for.
func TestReferrals(t *testing.T) {
	news := map[string][]string{
		"103": {"100 Trying", "1s", "180 Ringing", "1s", "200 OK"},
		"104": {"100 Trying", "1s", "486 Busy Here"},
		"105": {"100 Trying", "1s", "200 OK", "BYE"},
		"106": {"100 Trying"},
	}
	for name, c := range map[string]struct{ script, want, asked string }{
		"blind": {"call 102 to 101 talk=1m\nat 2s 102 refers to 103", `
			0s 102 calls 101
			10ms 102 gets 200
			2.01s 102 refers to 103: 202 Accepted
			2.01s 102 NOTIFY 100 Trying
			3.01s 102 NOTIFY 180 Ringing
			4.01s 102 NOTIFY 200 OK, terminated (noresource)
			4.011s 102 hangs up
			4.011s sound 102 hears nothing`, "<sip:103@acme.vpbx.test>"},
		"at once": {"call 102 to 101 talk=1m\nat 2s 102 refers to 103 hangs=at-once", `
			0s 102 calls 101
			10ms 102 gets 200
			2.01s 102 refers to 103: 202 Accepted
			2.01s 102 NOTIFY 100 Trying
			2.011s 102 hangs up
			2.011s sound 102 hears nothing
			3.01s 102 NOTIFY 180 Ringing
			4.01s 102 NOTIFY 200 OK, terminated (noresource)`, "<sip:103@acme.vpbx.test>"},
		"fails": {"call 102 to 101 talk=6s\nat 2s 102 refers to 104", `
			0s 102 calls 101
			10ms 102 gets 200
			2.01s 102 refers to 104: 202 Accepted
			2.01s 102 NOTIFY 100 Trying
			3.01s 102 NOTIFY 486 Busy Here, terminated (noresource)
			6.01s 102 hangs up
			6.01s sound 102 hears nothing`, "<sip:104@acme.vpbx.test>"},
		"the PBX hangs up": {"call 102 to 101 talk=1m\nat 2s 102 refers to 105", `
			0s 102 calls 101
			10ms 102 gets 200
			2.01s 102 refers to 105: 202 Accepted
			2.01s 102 NOTIFY 100 Trying
			3.01s 102 NOTIFY 200 OK, terminated (noresource)
			3.01s 102 is hung up on`, "<sip:105@acme.vpbx.test>"},
		"nothing more": {"call 102 to 101 talk=1m\nat 2s 102 refers to 106", `
			0s 102 calls 101
			10ms 102 gets 200
			2.01s 102 refers to 106: 202 Accepted
			2.01s 102 NOTIFY 100 Trying
			22.01s 102 hears no more of its REFER
			1m0.01s 102 hangs up
			1m0.01s sound 102 hears nothing`, "<sip:106@acme.vpbx.test>"},
		"attended": {"call 102 to 101 talk=1m\nat 2s call 102 to 103 talk=8s\nat 4s 102 refers 103 attended", `
			0s 102 calls 101
			10ms 102 gets 200
			2s 102 calls 103
			2.01s 102 gets 200
			4.01s 102 refers 103 attended: 202 Accepted
			4.01s 102 NOTIFY 100 Trying
			5.01s 102 NOTIFY 180 Ringing
			6.01s 102 NOTIFY 200 OK, terminated (noresource)
			6.011s 102 hangs up
			6.011s sound 102 hears nothing, 102 hears nothing
			10.01s 102 hangs up
			10.01s sound 102 hears nothing`, "<sip:103@acme.vpbx.test?Replaces=call2%3Bto-tag%3Dpbx%3Bfrom-tag%3Dtag2>"},
		"the other way round": {"call 102 to 101 talk=8s\nat 2s call 102 to 103 talk=4s\nat 4s 102 refers 104 attended from=second hangs=never to-tag=wrong", `
			0s 102 calls 101
			10ms 102 gets 200
			2s 102 calls 103
			2.01s 102 gets 200
			4.01s 102 refers 104 attended: 202 Accepted
			4.01s 102 NOTIFY 100 Trying
			5.01s 102 NOTIFY 486 Busy Here, terminated (noresource)
			6.01s 102 hangs up
			6.01s sound 102 hears nothing, 102 hears nothing
			8.01s 102 hangs up
			8.01s sound 102 hears nothing`, "<sip:104@acme.vpbx.test?Replaces=call1%3Bto-tag%3Dwrong%3Bfrom-tag%3Dtag1>"},
		"bad": {"call 102 to 101 talk=6s\nat 2s 102 refers 103 attended\nat 3s 102 second refers to 103\nat 4s 102 first refers to 103 raw=\"<tel:103?x=y>\"", `
			0s 102 calls 101
			10ms 102 gets 200
			2s 102 has no two calls with somebody: refers 103 attended
			3s 102 has no call: refers to 103 (second call)
			4.01s 102 refers to 103 as "<tel:103?x=y>" (first call): 202 Accepted
			6.01s 102 hangs up
			6.01s sound 102 hears nothing
			3m4s 102 hears no more of its REFER`, "<tel:103?x=y>"},
		"replaces": {"call 102 to 101 talk=6s\nat 2s call 103 to 102 replaces=102:talk early-only talk=1s\nat 4s call 103 to 101 replaces=102 mirrored talk=1s", `
			0s 102 calls 101
			10ms 102 gets 200
			2s 103 calls 102 in the place of the call of 102:talk
			2.01s 103 gets 200
			3.01s 103 hangs up
			3.01s sound 102 hears nothing, 103 hears nothing
			4s 103 calls 101 in the place of the call of 102
			4.01s 103 gets 200
			5.01s 103 hangs up
			5.01s sound 102 hears nothing, 103 hears nothing
			6.01s 102 hangs up
			6.01s sound 102 hears nothing`, "call1;to-tag=tag1;from-tag=pbx;early-only call1;to-tag=pbx;from-tag=tag1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, asked := playReferrals(t, "phone 102\nphone 103\n"+c.script, news)
			var want []string
			for l := range strings.Lines(strings.TrimSpace(c.want)) {
				want = append(want, strings.Join(strings.Fields(l), " "))
			}
			if text := strings.Join(want, "\n"); got != text {
				t.Errorf("got\n%s\nwant\n%s", got, text)
			}
			if asked != c.asked {
				t.Errorf("asked for %s, want %s", asked, c.asked)
			}
		})
	}
}

// playReferrals carries a script out with a referee in the place of the PBX.
func playReferrals(t *testing.T, text string, news map[string][]string) (got, asked string) {
	s, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		defer w.net.Close()
		r := newReferee(t, w.pbx, news)
		go r.serve()
		if err := w.makeAgents(s); err != nil {
			t.Fatal(err)
		}
		w.log.begin()
		w.perform(s)
		time.Sleep(80 * time.Second)
		_ = r.conn.Close()
		w.close()
		if err := errors.Join(w.errs...); err != nil {
			t.Error(err)
		}
		var lines []string
		for l := range strings.Lines(w.log.text()) {
			lines = append(lines, strings.Join(strings.Fields(l), " "))
		}
		got, asked = strings.Join(lines, "\n"), strings.Join(r.asked, " ")
	})
	return got, asked
}

// TestIntercom: a phone answers by itself when it is one that does and is asked to.
func TestIntercom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := parse("phone 102 intercom answers=4s\nphone 103 answers=4s")
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, 1)
		defer w.net.Close()
		if err := w.makeAgents(s); err != nil {
			t.Fatal(err)
		}
		p, err := phone.New(phone.Config{ListenPacket: w.pbx.ListenPacket, Listen: w.pbx.Listen, Dial: w.pbx.Dial, Address: pbxIP + ":" + sipPort, User: "pbx"})
		if err != nil {
			t.Fatal(err)
		}
		w.log.begin()
		for _, c := range []struct {
			callee string
			header map[string]string
			takes  time.Duration
		}{
			{"102", map[string]string{"Alert-Info": "<http://x>;info=alert-autoanswer"}, 0},
			{"102", map[string]string{"Call-Info": "<sip:x>;answer-after=2"}, 2 * time.Second},
			{"102", nil, 4 * time.Second},
			{"103", map[string]string{"Answer-Mode": "Auto"}, 4 * time.Second},
		} {
			at := w.agent(c.callee).cfg.Address
			began := time.Now()
			call, err := p.Dial(w.ctx, "sip:"+c.callee+"@"+at, phone.DialOptions{To: at, Headers: c.header})
			if err == nil {
				err = call.Answered(w.ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began).Round(time.Second); took != c.takes {
				t.Errorf("%+v took %v", c, took)
			}
			if err := call.Hangup(w.ctx); err != nil {
				t.Error(err)
			}
		}
		_ = p.Close()
		w.close()
		if text := w.log.text(); strings.Count(text, "answers by itself") != 2 || !strings.Contains(text, "answers by itself after 2s, as is asked by Call-Info: <sip:x>;answer-after=2\n") {
			t.Error(text)
		}
	})
}
