package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// names resolves host names of trunks and remembers the answers for a minute.
// A name server that fails does not take a trunk down: old answers stay.
type names struct {
	resolve    func(context.Context, string) ([]netip.Addr, error)
	resolveSRV func(ctx context.Context, service, proto, name string) ([]*net.SRV, error)

	resolveNAPTR func(context.Context, string) ([]NAPTR, error)

	mu       sync.Mutex
	naptr    map[string]pointers
	known    map[string]answer
	services map[string]services // by transport and host
}

type answer struct {
	addrs []netip.Addr
	until time.Time
}

const (
	nameTTL  = time.Minute
	maxNames = 4096
)

func (n *names) init(c *Config) {
	n.resolve, n.resolveSRV, n.resolveNAPTR = c.Resolve, c.ResolveSRV, c.ResolveNAPTR
	n.naptr = make(map[string]pointers)
	n.known = make(map[string]answer)
	n.services = make(map[string]services)
}

// lookup gives the addresses of a way, at least one, in the order in which they
// are tried.
func (n *names) lookup(ctx context.Context, w way) ([]netip.AddrPort, error) {
	hostPort := w.addr
	if a, err := addrPort(hostPort); err == nil {
		return []netip.AddrPort{a}, nil
	}
	if !strings.Contains(hostPort, ":") {
		return n.servers(ctx, w.transport, hostPort)
	}
	host, port, err := msg.ParseAddr(hostPort)
	if err != nil || port < 1 || port > 65535 {
		return nil, fmt.Errorf("%q is no host and port", hostPort)
	}
	return n.at(ctx, host, uint16(port))
}

// at gives the addresses of a host with a port.
func (n *names) at(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	addrs, err := n.addrs(ctx, host)
	if err != nil {
		return nil, err
	}
	out := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		out[i] = netip.AddrPortFrom(a, port)
	}
	return out, nil
}

func (n *names) addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	now := time.Now()
	n.mu.Lock()
	old, ok := n.known[host]
	n.mu.Unlock()
	if ok && now.Before(old.until) {
		return old.addrs, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := n.resolve(ctx, host)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no address")
	}
	if err != nil {
		if ok {
			return old.addrs, nil
		}
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	addrs := make([]netip.Addr, len(found))
	for i, a := range found {
		addrs[i] = a.Unmap().WithZone("")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	n.known[host] = answer{addrs, now.Add(nameTTL)}
	return addrs, nil
}
