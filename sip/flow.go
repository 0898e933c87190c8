package sip

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// How long a TCP or TLS connection may be silent, and how long a write to one
// may take.
const (
	firstMessage = 30 * time.Second // until the first whole message, from the start
	idleStranger = 5 * time.Minute
	idleTrusted  = 2 * time.Hour // longer than any registration; the kernel notices dead peers
	writeFor     = 10 * time.Second

	maxAccounts = 32 // of one connection, whose bindings it takes along when it is closed
)

// flows are the TCP and TLS connections that are open, by transport and
// address of the peer.
type flows struct {
	limits Limits
	mirror *mirror

	mu     sync.Mutex
	closed bool
	open   map[string]*flow     // the last of an address; what is written goes there
	pairs  map[string]*flow     // all, by both their addresses: a peer may dial us from the port that we dial
	from   map[netip.Prefix]int // accepted connections per source
	count  int                  // accepted connections in all

	gone func(n *flow, last bool) // told of each one that was closed; last: its key is free
}

// flow is one connection, with its time limits.
type flow struct {
	net.Conn
	all       *flows
	key       string
	pair      string
	peer      netip.AddrPort
	transport string
	source    netip.Prefix
	accepted  bool
	opened    time.Time
	framer    framer      // of what is read
	heard     atomic.Bool // a whole message came
	trusted   atomic.Bool // it belongs to a phone or trunk we know
	lively    atomic.Bool // its phone keeps it alive (RFC 5626 §4.4.1)
	once      sync.Once
	closeErr  error
	who       []account // that registered over it; under mu of flows
}

func (f *flows) init(l Limits) {
	f.limits = l
	f.open, f.pairs = map[string]*flow{}, map[string]*flow{}
	f.from = map[netip.Prefix]int{}
}

// add takes in an accepted connection; nil and the reason when there is no
// room for it.
func (f *flows) add(transport string, c net.Conn, blocked func(netip.Addr) bool) (*flow, reason) {
	peer, err := addrPort(c.RemoteAddr().String())
	if err != nil {
		return nil, garbage
	}
	if blocked(peer.Addr()) {
		return nil, guessing
	}
	source := sourceOf(peer.Addr())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.count >= f.limits.Connections || f.from[source] >= f.limits.ConnectionsPerSource {
		return nil, connections
	}
	f.count++
	f.from[source]++
	n := &flow{Conn: c, all: f, key: flowKey(transport, peer.String()), pair: pairKey(transport, c.LocalAddr(), c.RemoteAddr()), peer: peer, transport: transport, source: source, accepted: true, opened: time.Now()}
	if f.open[n.key] != nil && isSocket(transport) {
		f.leave(n)
		return nil, connections // sipgo knows connections by address alone
	}
	f.open[n.key], f.pairs[n.pair] = n, n
	return n, ""
}

// own takes in a connection we opened ourselves; nil after close.
func (f *flows) own(transport string, c net.Conn) *flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	n := &flow{Conn: c, all: f, key: flowKey(transport, c.RemoteAddr().String()), pair: pairKey(transport, c.LocalAddr(), c.RemoteAddr()), opened: time.Now()}
	n.heard.Store(true)
	n.trusted.Store(true)
	f.open[n.key], f.pairs[n.pair] = n, n
	return n
}

// between gives the connection of two addresses.
func (f *flows) between(transport string, local, remote net.Addr) *flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pairs[pairKey(transport, local, remote)]
}

func (f *flows) get(transport, source string) *flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[flowKey(transport, source)]
}

// note remembers that a whole message came in over the flow of a request.
func (f *flows) note(req *msg.Request) {
	if n := f.get(req.Transport(), req.Source()); n != nil {
		n.heard.Store(true)
	}
}

// trust lets the flow of a request be silent for long.
func (f *flows) trust(req *msg.Request) {
	if !msg.IsReliable(req.Transport()) {
		return
	}
	if n := f.get(req.Transport(), req.Source()); n != nil {
		n.trusted.Store(true)
	}
}

// timed gives the flow of a request the life of one that its phone keeps alive.
func (f *flows) timed(req *msg.Request) {
	if n := f.get(req.Transport(), req.Source()); n != nil {
		n.lively.Store(true)
	}
}

// close closes all connections and lets no more in.
func (f *flows) close() {
	f.mu.Lock()
	f.closed = true
	open := make([]*flow, 0, len(f.pairs))
	for _, n := range f.pairs {
		open = append(open, n)
	}
	f.mu.Unlock()
	for _, n := range open {
		n.Close()
	}
}

func pairKey(transport string, local, remote net.Addr) string {
	return flowKey(transport, remote.String()) + " " + local.String()
}

func flowKey(transport, source string) string { return strings.ToLower(transport) + " " + source }

// Read reads within the time limits: any byte counts as life, but a stranger
// must get its first message through in good time.
func (n *flow) Read(b []byte) (int, error) {
	began := time.Now()
	for {
		if err := n.Conn.SetReadDeadline(n.deadline(began)); err != nil {
			return 0, err
		}
		got, err := n.Conn.Read(b)
		if got == 0 && errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(n.deadline(began)) {
			continue // it became better known meanwhile
		}
		return got, err
	}
}

func (n *flow) deadline(began time.Time) time.Time {
	switch {
	case n.lively.Load() && !isSocket(n.transport):
		return began.Add(flowTimer + flowGrace)
	case n.trusted.Load():
		return began.Add(idleTrusted)
	case n.heard.Load():
		return began.Add(idleStranger)
	}
	return n.opened.Add(firstMessage)
}

// Write writes within the time limit. A write that did not get through whole
// has broken the framing, so the connection is closed.
func (n *flow) Write(b []byte) (int, error) {
	if err := n.Conn.SetWriteDeadline(time.Now().Add(writeFor)); err != nil {
		return 0, err
	}
	put, err := n.Conn.Write(b)
	if err != nil {
		n.Close()
	} else if transport, _, _ := strings.Cut(n.key, " "); transport == "tcp" || transport == "ws" {
		n.all.mirror.pass(false, transport, n.LocalAddr(), n.RemoteAddr(), b)
	}
	return put, err
}

// Close closes the connection and makes room for another one.
func (n *flow) Close() error {
	f, first, last := n.all, false, false
	n.once.Do(func() {
		first = true
		n.closeErr = n.Conn.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		if last = f.open[n.key] == n; last {
			delete(f.open, n.key)
		}
		if f.pairs[n.pair] == n {
			delete(f.pairs, n.pair)
		}
		if n.accepted {
			f.leave(n)
		}
	})
	if first && f.gone != nil {
		f.gone(n, last)
	}
	return n.closeErr
}

// leave makes room for another accepted connection. The caller holds the mutex.
func (f *flows) leave(n *flow) {
	f.count--
	if f.from[n.source]--; f.from[n.source] <= 0 {
		delete(f.from, n.source)
	}
}

// belongs notes that an account registered over the flow of a request.
func (f *flows) belongs(req *msg.Request, who account) {
	if !msg.IsReliable(req.Transport()) {
		return
	}
	n := f.get(req.Transport(), req.Source())
	f.mu.Lock()
	defer f.mu.Unlock()
	if n != nil && len(n.who) < maxAccounts && !slices.Contains(n.who, who) {
		n.who = append(n.who, who)
	}
}

// accounts are those that registered over a flow.
func (n *flow) accounts() []account {
	n.all.mu.Lock()
	defer n.all.mu.Unlock()
	return slices.Clone(n.who)
}
