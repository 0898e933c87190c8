package sip

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

var longSDP = answerSDP + strings.Repeat("a=x-long:0123456789012345678901234567890123456789\r\n", 30)

// dialLong makes a call to the trunk whose INVITE does not fit into a datagram.
func (r *legRig) dialLong(t Target) *Leg {
	return r.s.Dial(Invite{Company: r.company, Target: t, From: Party{User: "+74950000000"}, SDP: []byte(longSDP), Events: r.events, Gone: r.gone})
}

func (r *legRig) trunk() Target {
	return r.s.TrunkTarget(r.company, r.company.Trunks[0], "+79160000001")
}

// accepted takes the next connection within d.
func accepted(t *testing.T, l net.Listener, d time.Duration) (net.Conn, *bufio.Reader) {
	t.Helper()
	got := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			got <- c
		}
	}()
	select {
	case c := <-got:
		return c, bufio.NewReader(c)
	case <-time.After(d):
		t.Fatal("no connection came")
		return nil, nil
	}
}

// replyTCP answers a request over a connection.
func replyTCP(t *testing.T, c net.Conn, m rawMsg, status, tag, body string) {
	t.Helper()
	lines := []string{"SIP/2.0 " + status, "Via: " + m.one("Via"), "From: " + m.one("From"), "To: " + m.one("To") + ";tag=" + tag,
		"Call-ID: " + m.one("Call-ID"), "CSeq: " + m.one("CSeq"), "Contact: <sip:peer@10.0.0.2:5060;transport=tcp>"}
	if _, err := io.WriteString(c, strings.Join(append(lines, tail(body)...), "\r\n")); err != nil {
		t.Fatal(err)
	}
}

// TestLongRequest: a long INVITE goes over TCP to a trunk on UDP that takes it,
// and so does what follows; a short one goes over UDP as ever.
func TestLongRequest(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, err := r.net.Host("10.0.0.9").Listen("tcp", "10.0.0.9:5060")
		if err != nil {
			t.Fatal(err)
		}
		r.company.Trunks[0].Host = "10.0.0.9:5060"
		leg := r.dialLong(r.trunk())
		c, in := accepted(t, l, time.Second)
		inv := readTCP(t, c, in, time.Second)
		if !strings.HasPrefix(inv.one("Via"), "SIP/2.0/TCP 10.0.0.1:5060;") || !strings.HasSuffix(inv.one("Contact"), "@10.0.0.1:5060;transport=tcp>") || inv.body != longSDP {
			t.Errorf("%s, %s", inv.one("Via"), inv.one("Contact"))
		}
		replyTCP(t, c, inv, "200 OK", "b1", offerSDP)
		if m := readTCP(t, c, in, time.Second); !strings.HasPrefix(m.start, "ACK") {
			t.Errorf("%s", m.start)
		}
		event[PickedUp](r)
		leg.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
		bye := readTCP(t, c, in, time.Second)
		replyTCP(t, c, bye, "200 OK", "", "")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
		c.Close()
		l.Close()
	})
}

// TestLongRequestWithoutTCP: a peer that takes no connections gets the INVITE in
// a datagram, at once, and is not asked again for a while.
func TestLongRequestWithoutTCP(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		for range 2 {
			began := time.Now()
			r.dialLong(r.trunk())
			inv := r.peer.want("INVITE")
			if !strings.HasPrefix(inv.one("Via"), "SIP/2.0/UDP 10.0.0.1:5060;") || strings.Contains(inv.one("Contact"), "transport") || inv.body != longSDP {
				t.Errorf("%s, %s", inv.one("Via"), inv.one("Contact"))
			}
			if d := inv.at.Sub(began); d > 50*time.Millisecond {
				t.Errorf("it came after %v", d)
			}
			r.peer.reply(inv, "486 Busy", "b", "")
			r.peer.want("ACK")
			r.endedBy(pbx.PartyCallee, pbx.Busy, 486)
			if !r.s.dlg.streamless.has(peerAddr, time.Now()) || r.s.dlg.streamless.has(peerAddr, time.Now().Add(withoutTCP)) {
				t.Error("what was found out is not remembered for its time")
			}
		}
	})
}

// TestLongRequestToDeafTCP: a peer that takes the connection but says nothing is
// asked over UDP, as the next target is.
func TestLongRequestToDeafTCP(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, err := r.net.Host("10.0.0.10").Listen("tcp", "10.0.0.10:5060")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		r.company.Trunks[0].Host = "10.0.0.10:5060"
		r.dialLong(r.trunk())
		c, in := accepted(t, l, time.Second)
		defer c.Close()
		if m := readTCP(t, c, in, time.Second); !strings.HasPrefix(m.start, "INVITE") {
			t.Errorf("%s", m.start)
		}
		time.Sleep(nextTarget + time.Second)
		if !r.s.dlg.streamless.has("10.0.0.10:5060", time.Now()) {
			t.Error("it is asked over TCP again")
		}
		r.endedBy(pbx.PartyTrunk, pbx.NoReply, 408)
	})
}

// TestLongRequestRefused: who refuses the call over TCP is not asked over UDP.
func TestLongRequestRefused(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, err := r.net.Host("10.0.0.9").Listen("tcp", "10.0.0.9:5060")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		r.company.Trunks[0].Host = "10.0.0.9:5060"
		r.dialLong(r.trunk())
		c, in := accepted(t, l, time.Second)
		defer c.Close()
		replyTCP(t, c, readTCP(t, c, in, time.Second), "503 Full", "b", "")
		if e := eventIn[LegEnded](r, time.Second); e.Cause.SIP != 503 {
			t.Errorf("%+v", e.Cause)
		}
	})
}

// TestLongRequestToPhone: a phone on UDP is connected to only when it is where it
// says that it listens, not behind a NAT.
func TestLongRequestToPhone(t *testing.T) {
	for _, contact := range []string{"10.0.0.9:5060", "192.168.1.5:5060"} {
		b := pbx.Binding{Tenant: "acme", Extension: "101", Contact: "sip:101@" + contact, Transport: "udp", Source: "10.0.0.9:5060"}
		inBubble(t, func(c *Config, _ *pbx.Company) {
			b.Registered, b.Expires = time.Now(), time.Now().Add(time.Hour)
			c.Bindings = oldBindings(b)
		}, func(r *legRig) {
			h := r.net.Host("10.0.0.9")
			l, err := h.Listen("tcp", "10.0.0.9:5060")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			u, err := h.ListenPacket("udp", "10.0.0.9:5060")
			if err != nil {
				t.Fatal(err)
			}
			phone := &rawPeer{t, u, "10.0.0.9:5060"}
			targets := r.s.Targets("acme", "101")
			if len(targets) != 1 {
				t.Fatal(targets)
			}
			r.dialLong(targets[0])
			if contact == "10.0.0.9:5060" {
				c, in := accepted(t, l, time.Second)
				defer c.Close()
				inv := readTCP(t, c, in, time.Second)
				if want := fmt.Sprintf("INVITE sip:101@%s SIP/2.0", contact); inv.start != want {
					t.Errorf("%s", inv.start)
				}
				replyTCP(t, c, inv, "486 Busy", "b", "")
			} else {
				for {
					m := phone.want("")
					if strings.HasPrefix(m.start, "INVITE") {
						phone.reply(m, "486 Busy", "b", "")
						break
					}
				}
			}
			r.endedBy(pbx.PartyCallee, pbx.Busy, 486)
		})
	}
}
