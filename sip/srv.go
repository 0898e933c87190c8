package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

const (
	maxServers = 16              // SRV records of a name that are looked at
	nextTarget = 4 * time.Second // a target that says nothing for so long loses its turn when there is another
)

// errSilent is the failure of a target that did not answer in its turn.
var errSilent = errors.New("nothing came in time, and there is another target")

// service is what the SRV records of a transport are called (RFC 3263 §4.1).
func service(transport string) (name, proto string) {
	switch transport {
	case "tls":
		return "sips", "tcp"
	case "tcp":
		return "sip", "tcp"
	}
	return "sip", "udp"
}

// servers gives the addresses of a host that is named without a port: those of
// its SRV records, else its own at the default port (RFC 3263 §4.2).
func (n *names) servers(ctx context.Context, transport, host string) ([]netip.AddrPort, error) {
	records, err := n.records(ctx, transport, host)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return n.at(ctx, host, uint16(msg.DefaultPort(transport)))
	}
	return n.targets(ctx, records)
}

// records gives the SRV records of a host, none when it has none, or when they
// cannot be had now: its address may do as well.
func (n *names) records(ctx context.Context, transport, host string) ([]*net.SRV, error) {
	name, proto := service(transport)
	return n.srv(ctx, transport, name, proto, host)
}

// srv gives the SRV records of _service._proto.host, or of host itself without
// the two. kind tells apart what is remembered.
func (n *names) srv(ctx context.Context, kind, name, proto, host string) ([]*net.SRV, error) {
	key := kind + " " + host
	now := time.Now()
	n.mu.Lock()
	old, ok := n.services[key]
	n.mu.Unlock()
	if ok && now.Before(old.until) {
		return old.records, old.err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := n.resolveSRV(ctx, name, proto, host)
	if err != nil && !notFound(err) {
		return old.records, nil // the name server fails: what it said before, else the address
	}
	fresh := services{records: usable(found), until: now.Add(nameTTL)}
	if len(found) == 1 && (found[0].Target == "." || found[0].Target == "") { // RFC 2782: decidedly not
		fresh.err = fmt.Errorf("%s does not offer %s over %s", host, name, proto)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.services) >= maxNames {
		clear(n.services)
	}
	n.services[key] = fresh
	return fresh.records, fresh.err
}

// services are the SRV records of a host for one transport.
type services struct {
	records []*net.SRV
	err     error
	until   time.Time
}

// usable leaves out records that name nothing.
func usable(found []*net.SRV) []*net.SRV {
	var l []*net.SRV
	for _, r := range found {
		if r != nil && strings.TrimSuffix(r.Target, ".") != "" && r.Port != 0 && len(l) < maxServers {
			l = append(l, r)
		}
	}
	return l
}

// orderSRV puts records into the order in which they are tried: by priority,
// and among equals at random, the more often first the more they weigh (RFC
// 2782). intn gives a number from 0 to below its argument.
func orderSRV(records []*net.SRV, intn func(int) int) []*net.SRV {
	rest := slices.Clone(records)
	slices.SortStableFunc(rest, func(a, b *net.SRV) int {
		if a.Priority != b.Priority {
			return int(a.Priority) - int(b.Priority)
		}
		return min(int(a.Weight), 1) - min(int(b.Weight), 1) // those of weight 0 come first in the draw
	})
	var out []*net.SRV
	for len(rest) > 0 {
		equals, sum := 0, 0
		for equals < len(rest) && rest[equals].Priority == rest[0].Priority {
			sum += int(rest[equals].Weight)
			equals++
		}
		pick, draw := 0, intn(sum+1)
		for draw > int(rest[pick].Weight) {
			draw -= int(rest[pick].Weight)
			pick++
		}
		out = append(out, rest[pick])
		rest = slices.Delete(rest, pick, pick+1)
	}
	return out
}

// nextHop sends the initial INVITE to the next target of its way, as a new
// transaction (RFC 3263 §4.3); false when there is none left, or no need.
func (l *Leg) nextHop(a *attempt, silent, broken bool) bool {
	if a.kind != kindInvite || len(a.rest) == 0 || l.phase != early || len(l.forks) > 0 {
		return false
	}
	b := *a
	if a.rest[0].fallback && len(a.hops) > 0 && a.hops[0].within > 0 {
		// It is the same peer. One that is silent takes connections, but speaks
		// no SIP over them; one that refused the call is not asked again.
		if silent {
			l.s.dlg.streamless.note(a.hops[0].dest, time.Now())
		} else if !broken {
			if a.rest = a.rest[1:]; len(a.rest) == 0 {
				return false
			}
		}
	}
	if silent {
		b.silent = append(a.silent[:len(a.silent):len(a.silent)], a.req)
	}
	b.req = a.req.Clone()
	b.req.RemoveHeader("Via")
	b.hops, b.rest, b.rang = a.rest, nil, false
	l.heard = way{}
	l.call = &b
	l.send(&b)
	return true
}
