package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/simnet"
)

// packetConn is what media and sip use of a socket.
type packetConn interface {
	net.PacketConn
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

func listenUDP(t *testing.T, h *simnet.Host, address string) packetConn {
	t.Helper()
	c, err := h.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	return c.(packetConn)
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// bubble runs f in a synctest bubble with a network that is closed after it.
func bubble(t *testing.T, o simnet.Options, f func(t *testing.T, n *simnet.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(o)
		defer n.Close()
		f(t, n)
	})
}

func TestUDPDelivery(t *testing.T) {
	bubble(t, simnet.Options{Delay: 20 * time.Millisecond}, func(t *testing.T, n *simnet.Net) {
		a := listenUDP(t, n.Host("10.0.0.1"), "10.0.0.1:5060")
		b := listenUDP(t, n.Host("10.0.0.2", "2001:db8::2"), ":5060")
		start := time.Now()
		if _, err := a.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.ParseIP("10.0.0.2"), Port: 5060}); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		size, from, err := b.ReadFrom(buf)
		if err != nil || string(buf[:size]) != "hello" {
			t.Fatalf("read %q, %v", buf[:size], err)
		}
		u := from.(*net.UDPAddr)
		if from.String() != "10.0.0.1:5060" || len(u.IP) != net.IPv4len {
			t.Errorf("from %v with %d bytes of address", from, len(u.IP))
		}
		if d := time.Since(start); d < 20*time.Millisecond || d > 21*time.Millisecond {
			t.Errorf("took %v", d)
		}
		if _, err := b.WriteToUDPAddrPort([]byte("x"), addr("10.0.0.1:5060")); err != nil {
			t.Fatal(err)
		}
		if _, from, _ := a.ReadFromUDPAddrPort(buf); from != addr("10.0.0.2:5060") {
			t.Errorf("a socket on all addresses answered from %v", from)
		}
	})
}

func TestUDPAddresses(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		h := n.Host("10.0.0.1", "192.168.7.1", "2001:db8::1")
		listenUDP(t, h, "10.0.0.1:5060")
		listenUDP(t, h, "192.168.7.1:5060")
		tests := []struct {
			network, address string
			want             error
		}{
			{"udp", "10.0.0.1:5060", syscall.EADDRINUSE},
			{"udp", "0.0.0.0:5060", syscall.EADDRINUSE},
			{"udp6", "[::]:5060", nil},
			{"udp", "10.0.0.9:5060", syscall.EADDRNOTAVAIL},
			{"udp4", "127.0.0.1:5060", nil},
			{"udp", "[::1]:0", nil},
			{"udp4", "[::1]:0", errAny},
			{"udp", "phone.example:5060", errAny},
			{"udp", "10.0.0.1", errAny},
			{"udp", "10.0.0.1:99999", errAny},
			{"tcp", "10.0.0.1:5060", errAny},
			{"ip", "10.0.0.1:5060", errAny},
		}
		for _, tt := range tests {
			c, err := h.ListenPacket(tt.network, tt.address)
			if tt.want == errAny && err != nil {
				continue
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("%s %s: %v, want %v", tt.network, tt.address, err, tt.want)
			}
			if err == nil && c.LocalAddr().(*net.UDPAddr).Port == 0 {
				t.Errorf("%s %s: no port", tt.network, tt.address)
			}
		}
		for peer, want := range map[string]string{
			"10.0.0.77": "10.0.0.1", "192.168.7.9": "192.168.7.1", "2001:db8::5": "2001:db8::1", "127.0.0.1": "127.0.0.1",
		} {
			if got := h.LocalFor(netip.MustParseAddr(peer)); got.String() != want {
				t.Errorf("LocalFor(%s) = %v, want %s", peer, got, want)
			}
		}
	})
}

var errAny = errors.New("any error")

func TestUDPCloseAndDeadline(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		c := listenUDP(t, n.Host("10.0.0.1"), "10.0.0.1:0")
		buf := make([]byte, 10)
		start := time.Now()
		for range 3 {
			if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			_, _, err := c.ReadFrom(buf)
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("read: %v", err)
			}
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("three deadlines took %v", d)
		}
		_ = c.SetReadDeadline(time.Time{})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, _, err := c.ReadFrom(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("read from a closed socket: %v", err)
				}
			})
		}
		synctest.Wait()
		if got := n.Open(); len(got) != 1 {
			t.Errorf("open: %v", got)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if _, err := c.WriteTo(buf, c.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write to a closed socket: %v", err)
		}
		if got := n.Open(); len(got) != 0 {
			t.Errorf("open: %v", got)
		}
	})
}

func TestUDPDial(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		h, peer := n.Host("10.0.0.1"), n.Host("10.0.0.2")
		ctx := context.Background()
		c, err := h.Dial(ctx, "udp", "10.0.0.2:53")
		if err != nil {
			t.Fatal(err)
		}
		if c.LocalAddr().(*net.UDPAddr).IP.String() != "10.0.0.1" {
			t.Errorf("local %v", c.LocalAddr())
		}
		_, _ = c.Write([]byte("?"))
		if _, err := c.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		s := listenUDP(t, peer, "10.0.0.2:53")
		other := listenUDP(t, peer, "10.0.0.2:54")
		_, _ = c.Write([]byte("?"))
		_, from, _ := s.ReadFromUDPAddrPort(make([]byte, 10))
		_, _ = other.WriteToUDPAddrPort([]byte("stranger"), from)
		_, _ = s.WriteToUDPAddrPort([]byte("answer"), from)
		buf := make([]byte, 20)
		size, err := c.Read(buf)
		if err != nil || string(buf[:size]) != "answer" {
			t.Errorf("read %q, %v", buf[:size], err)
		}
		if _, err := h.Dial(ctx, "udp", "[2001:db8::1]:53"); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("other family: %v", err)
		}
	})
}

// TestUDPOrder sends from several hosts in the same instant and expects each
// arrival in an instant of its own, in the same order every time.
func TestUDPOrder(t *testing.T) {
	run := func() string {
		var log strings.Builder
		bubble(t, simnet.Options{Seed: 7}, func(t *testing.T, n *simnet.Net) {
			dst := listenUDP(t, n.Host("10.0.0.100"), "10.0.0.100:1")
			for i := range 8 {
				c := listenUDP(t, n.Host(fmt.Sprintf("10.0.0.%d", i+1)), ":1")
				for j := range 3 {
					_, _ = c.WriteToUDPAddrPort([]byte{byte(i), byte(j)}, addr("10.0.0.100:1"))
				}
			}
			start, last := time.Now(), time.Duration(-1)
			buf := make([]byte, 10)
			for range 24 {
				if _, _, err := dst.ReadFrom(buf); err != nil {
					t.Fatal(err)
				}
				at := time.Since(start)
				if at == last {
					t.Error("two packets in one instant")
				}
				last = at
				fmt.Fprintf(&log, "%v %d.%d\n", at, buf[0], buf[1])
			}
		})
		return log.String()
	}
	first := run()
	for range 5 {
		if again := run(); again != first {
			t.Fatalf("another order:\n%s\nfirst:\n%s", again, first)
		}
	}
}

func TestLinkFaults(t *testing.T) {
	const packets = 2000
	tests := []struct {
		name               string
		o                  simnet.LinkOptions
		minGot, maxGot     int
		minSwaps, maxSwaps int
	}{
		{"clean", simnet.LinkOptions{}, packets, packets, 0, 0},
		{"jitter keeps order", simnet.LinkOptions{Jitter: 50 * time.Millisecond}, packets, packets, 0, 0},
		{"loss", simnet.LinkOptions{Loss: 0.1}, packets * 85 / 100, packets * 95 / 100, 0, 0},
		{"reorder", simnet.LinkOptions{Reorder: 0.05}, packets, packets, packets / 40, packets / 8},
		{"down", simnet.LinkOptions{Down: true}, 0, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, simnet.Options{Seed: 3}, func(t *testing.T, n *simnet.Net) {
				ha, hb := n.Host("10.0.0.1"), n.Host("10.0.0.2")
				n.Link(ha, hb).Set(tt.o)
				a, b := listenUDP(t, ha, ":1"), listenUDP(t, hb, ":1")
				go func() {
					for i := range packets {
						_, _ = a.WriteToUDPAddrPort([]byte{byte(i >> 8), byte(i)}, addr("10.0.0.2:1"))
						time.Sleep(10 * time.Millisecond)
					}
				}()
				_ = b.SetReadDeadline(time.Now().Add(time.Minute))
				got, swaps, last := 0, 0, -1
				buf := make([]byte, 10)
				for {
					if _, _, err := b.ReadFrom(buf); err != nil {
						break
					}
					number := int(buf[0])<<8 | int(buf[1])
					if number < last {
						swaps++
					}
					last = number
					got++
				}
				if got < tt.minGot || got > tt.maxGot || swaps < tt.minSwaps || swaps > tt.maxSwaps {
					t.Errorf("%d arrived, %d out of order", got, swaps)
				}
			})
		})
	}
}

func TestUDPQueueIsBounded(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		a, b := listenUDP(t, n.Host("10.0.0.1"), ":1"), listenUDP(t, n.Host("10.0.0.2"), ":1")
		for i := range 5000 {
			_, _ = a.WriteToUDPAddrPort([]byte{byte(i)}, addr("10.0.0.2:1"))
		}
		time.Sleep(time.Second)
		_ = b.SetReadDeadline(time.Now().Add(time.Second))
		got := 0
		for {
			if _, _, err := b.ReadFrom(make([]byte, 1)); err != nil {
				break
			}
			got++
		}
		if got != 1024 {
			t.Errorf("%d packets were kept", got)
		}
	})
}

func TestNetClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		h := n.Host("10.0.0.1")
		c := listenUDP(t, h, ":5060")
		l, err := h.Listen("tcp", ":5060")
		if err != nil {
			t.Fatal(err)
		}
		names := n.Open()
		if !slices.IsSorted(names) || len(names) != 2 {
			t.Errorf("open: %v", names)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _, _ = c.ReadFrom(make([]byte, 1)) })
		wg.Go(func() { _, _ = l.Accept() })
		n.Close()
		wg.Wait()
		n.Close()
		if _, err := h.ListenPacket("udp", ":0"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("listen on a closed network: %v", err)
		}
		if _, err := h.Dial(context.Background(), "tcp", "10.0.0.1:1"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial on a closed network: %v", err)
		}
	})
}
