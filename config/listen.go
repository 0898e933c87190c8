package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Listener is one address on which SIP is heard, written udp://0.0.0.0:5060.
type Listener struct {
	Transport string // udp, tcp, tls, ws or wss
	Addr      string // host:port; the host is an IP address, localhost or empty for all
}

// String is the listener as the file writes it.
func (l Listener) String() string { return l.Transport + "://" + l.Addr }

// MarshalText is String.
func (l Listener) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads udp://0.0.0.0:5060.
func (l *Listener) UnmarshalText(text []byte) error {
	transport, addr, ok := strings.Cut(string(text), "://")
	if !ok {
		return fmt.Errorf("%q is not a listen address; write udp://0.0.0.0:5060", text)
	}
	switch transport {
	case "udp", "tcp", "tls", "ws", "wss":
	default:
		return fmt.Errorf("unknown transport %q; known are udp, tcp, tls, ws and wss", transport)
	}
	if err := checkHostPort(addr); err != nil {
		return err
	}
	*l = Listener{transport, addr}
	return nil
}

// checkHostPort says what is wrong with an address to listen on. Names other
// than localhost are refused: what they resolve to would decide who can reach
// the engine.
func checkHostPort(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if host != "" && host != "localhost" {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Errorf("%q is not an IP address", host)
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is not a port", port)
	}
	return nil
}

// Ports is a range of UDP ports with both ends, written 20000-29999.
type Ports struct {
	Min, Max uint16
}

// String is the range as the file writes it.
func (p Ports) String() string { return fmt.Sprintf("%d-%d", p.Min, p.Max) }

// MarshalText is String.
func (p Ports) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads 20000-29999.
func (p *Ports) UnmarshalText(text []byte) error {
	first, last, _ := strings.Cut(string(text), "-")
	low, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return fmt.Errorf("%q is not a range of ports such as 20000-29999", text)
	}
	high, err := strconv.ParseUint(last, 10, 16)
	if err != nil {
		return fmt.Errorf("%q is not a range of ports such as 20000-29999", text)
	}
	*p = Ports{uint16(low), uint16(high)}
	return nil
}
