package simnet_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"vpbx/internal/simnet"
)

// hears reports what arrives at c within a second.
func hears(c packetConn) (string, netip.AddrPort) {
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 100)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		return "", netip.AddrPort{}
	}
	return string(buf[:n]), from
}

func TestNAT(t *testing.T) {
	tests := []struct {
		name                              string
		o                                 simnet.NATOptions
		samePort, strangerIn, refreshedIn bool
	}{
		{"default", simnet.NATOptions{}, true, false, false},
		{"symmetric", simnet.NATOptions{Symmetric: true}, false, false, false},
		{"open", simnet.NATOptions{OpenFilter: true}, true, true, false},
		{"refreshed from outside", simnet.NATOptions{InRefreshes: true}, true, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
				phoneHost := n.Host("192.168.1.10")
				n.NAT(phoneHost, "203.0.113.5", tt.o)
				phone := listenUDP(t, phoneHost, ":5060")
				pbxHost := n.Host("198.51.100.1")
				pbx, other := listenUDP(t, pbxHost, ":5060"), listenUDP(t, pbxHost, ":5062")

				_, _ = phone.WriteToUDPAddrPort([]byte("register"), addr("198.51.100.1:5060"))
				text, seen := hears(pbx)
				if text != "register" || seen.Addr().String() != "203.0.113.5" || seen.Port() == 5060 {
					t.Fatalf("%q from %v", text, seen)
				}
				_, _ = pbx.WriteToUDPAddrPort([]byte("ok"), seen)
				if text, from := hears(phone); text != "ok" || from != addr("198.51.100.1:5060") {
					t.Errorf("answer %q from %v", text, from)
				}
				_, _ = other.WriteToUDPAddrPort([]byte("stranger"), seen)
				if text, _ := hears(phone); (text != "") != tt.strangerIn {
					t.Errorf("stranger: %q", text)
				}
				_, _ = pbx.WriteToUDPAddrPort([]byte("direct"), addr("192.168.1.10:5060"))
				if text, _ := hears(phone); text != "" {
					t.Errorf("the inside address is reachable from outside: %q", text)
				}

				_, _ = phone.WriteToUDPAddrPort([]byte("second"), addr("198.51.100.1:5062"))
				if _, second := hears(other); (second == seen) != tt.samePort {
					t.Errorf("the second destination sees %v, the first %v", second, seen)
				}

				for range 4 { // 40 s with packets from outside only
					time.Sleep(10 * time.Second)
					_, _ = pbx.WriteToUDPAddrPort([]byte("ping"), seen)
				}
				for {
					if text, _ := hears(phone); text == "" {
						break
					}
				}
				_, _ = pbx.WriteToUDPAddrPort([]byte("late"), seen)
				if text, _ := hears(phone); (text == "late") != tt.refreshedIn {
					t.Errorf("after 40 s without a packet from inside: %q", text)
				}
				_, _ = phone.WriteToUDPAddrPort([]byte("again"), addr("198.51.100.1:5060"))
				if _, again := hears(pbx); (again == seen) != tt.refreshedIn {
					t.Errorf("mapping now %v, before %v", again, seen)
				}
				n.ForgetNAT("203.0.113.5")
				_, _ = phone.WriteToUDPAddrPort([]byte("rebooted"), addr("198.51.100.1:5060"))
				if _, after := hears(pbx); after == seen {
					t.Error("the mapping outlived the NAT")
				}
			})
		})
	}
}

func TestNATNeighboursAndTCP(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		a, b, outside := n.Host("192.168.1.10"), n.Host("192.168.1.11"), n.Host("198.51.100.1")
		for _, h := range []*simnet.Host{a, b} {
			n.NAT(h, "203.0.113.5", simnet.NATOptions{})
		}
		ca, cb := listenUDP(t, a, ":5060"), listenUDP(t, b, ":5060")
		_, _ = ca.WriteToUDPAddrPort([]byte("hi"), addr("192.168.1.11:5060"))
		if text, from := hears(cb); text != "hi" || from != addr("192.168.1.10:5060") {
			t.Errorf("neighbour heard %q from %v", text, from)
		}
		l, err := outside.Listen("tcp", ":5061")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c, err := a.Dial(ctx, "tcp", "198.51.100.1:5061")
		if err != nil {
			t.Fatal(err)
		}
		s, _ := l.Accept()
		if from := s.RemoteAddr().String(); from == c.LocalAddr().String() || from[:11] != "203.0.113.5" {
			t.Errorf("the server sees %v", from)
		}
		_, _ = s.Write([]byte("over the flow"))
		buf := make([]byte, 100)
		if size, err := c.Read(buf); err != nil || string(buf[:size]) != "over the flow" {
			t.Errorf("%q, %v", buf[:size], err)
		}
		if _, err := outside.Dial(ctx, "tcp", "203.0.113.5:5060"); err == nil {
			t.Error("a connection from outside came in")
		}
	})
}
