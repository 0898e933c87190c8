package sip

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// names resolves host names of trunks and remembers the answers for a minute.
// A name server that fails does not take a trunk down: old answers stay.
type names struct {
	resolve func(context.Context, string) ([]netip.Addr, error)

	mu    sync.Mutex
	known map[string]answer
}

type answer struct {
	addrs []netip.Addr
	until time.Time
}

const (
	nameTTL  = time.Minute
	maxNames = 4096
)

func (n *names) init(resolve func(context.Context, string) ([]netip.Addr, error)) {
	n.resolve = resolve
	n.known = make(map[string]answer)
}

// lookup gives the addresses of a "host:port", at least one, in the order of
// the name server.
func (n *names) lookup(ctx context.Context, hostPort string) ([]netip.AddrPort, error) {
	if a, err := addrPort(hostPort); err == nil {
		return []netip.AddrPort{a}, nil
	}
	host, port, err := msg.ParseAddr(hostPort)
	if err != nil || port < 1 || port > 65535 {
		return nil, fmt.Errorf("%q is no host and port", hostPort)
	}
	addrs, err := n.addrs(ctx, host)
	if err != nil {
		return nil, err
	}
	out := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		out[i] = netip.AddrPortFrom(a, uint16(port))
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
