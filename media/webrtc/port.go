package webrtc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4/stdnet"
	pion "github.com/pion/webrtc/v4"
)

// PacketConn is a bound UDP socket. *net.UDPConn is one.
type PacketConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

const (
	// maxDatagram is the largest packet taken: what fits an Ethernet frame.
	maxDatagram = 1500
	// queueLen is how many datagrams of a session may wait: more than a second of
	// sound.
	queueLen = 128
	// maxFlows is how many addresses a browser may be heard from at once; it has one
	// for each pair of its network interfaces with our port.
	maxFlows = 32
	// maxReadErrors in a row end the reader, so that a broken socket cannot spin.
	maxReadErrors = 100
)

// Drops are datagrams that went no further, by why.
type Drops struct {
	Garbage  uint64 // neither STUN, DTLS, RTP nor RTCP (RFC 7983), or cut short
	Stranger uint64 // from an address that no session knows, or for a session that is not there
	Forged   uint64 // a check whose password is wrong
	Full     uint64 // the queue of the session was full
}

// drops count Drops.
type drops struct{ garbage, stranger, forged, full atomic.Uint64 }

// Port is the UDP port that all browsers send to. Its methods may be called from any
// goroutine.
type Port struct {
	conn  PacketConn
	drops drops
	pool  sync.Pool // of *packet
	done  chan struct{}

	mu     sync.Mutex // guards the fields below
	closed bool
	lines  map[lineKey]*line        // by the name of the session in checks
	keys   map[string]string        // passwords of sessions, likewise
	flows  map[netip.AddrPort]*line // by the browser's address

	certMu sync.Mutex // guards cert
	cert   *pion.Certificate
	net    *stdnet.Net // what pion knows of the machine's addresses
}

// lineKey names a line: a session has one for each family of addresses.
type lineKey struct {
	ufrag string
	ipv6  bool
}

// packet is a datagram on its way.
type packet struct {
	from netip.AddrPort
	n    int
	b    [maxDatagram + 1]byte // one more, to see what is too large
}

// NewPort makes a socket the port for browsers and begins to read it. The owner must
// Close it, after all of its transports.
func NewPort(conn PacketConn) (*Port, error) {
	machine, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("read the network interfaces: %w", err)
	}
	p := &Port{conn: conn, net: machine, done: make(chan struct{}),
		lines: map[lineKey]*line{}, keys: map[string]string{}, flows: map[netip.AddrPort]*line{}}
	p.pool.New = func() any { return new(packet) }
	go p.read()
	return p, nil
}

// Number is the port's number.
func (p *Port) Number() uint16 {
	if a, ok := p.conn.LocalAddr().(*net.UDPAddr); ok {
		return uint16(a.Port)
	}
	return 0
}

// Drops tells what was dropped so far.
func (p *Port) Drops() Drops {
	return Drops{Garbage: p.drops.garbage.Load(), Stranger: p.drops.stranger.Load(),
		Forged: p.drops.forged.Load(), Full: p.drops.full.Load()}
}

// Close closes the socket and waits for the reader. It is called once.
func (p *Port) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.conn.Close()
	<-p.done
	return err
}

// read gives each datagram to its session.
func (p *Port) read() {
	defer close(p.done)
	pkt := p.packet()
	for errs := 0; errs < maxReadErrors; {
		n, from, err := p.conn.ReadFromUDPAddrPort(pkt.b[:])
		switch {
		case errors.Is(err, net.ErrClosed) || err != nil && p.isClosed():
			return
		case err != nil:
			errs++
			continue
		}
		errs = 0
		pkt.n, pkt.from = n, netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
		if p.dispatch(pkt) {
			pkt = p.packet()
		}
	}
}

func (p *Port) packet() *packet {
	pkt, ok := p.pool.Get().(*packet)
	if !ok {
		return new(packet)
	}
	return pkt
}

func (p *Port) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// dispatch reports whether a session has taken the packet.
func (p *Port) dispatch(pkt *packet) bool {
	b := pkt.b[:pkt.n]
	if pkt.n < 4 || pkt.n > maxDatagram || !plausible(b[0]) {
		p.drops.garbage.Add(1)
		return false
	}
	var l *line
	if b[0] < 4 && isRequest(b) {
		if l = p.checked(pkt); l == nil {
			return false
		}
	} else {
		p.mu.Lock()
		l = p.flows[pkt.from]
		p.mu.Unlock()
	}
	switch {
	case l == nil:
		p.drops.stranger.Add(1)
		return false
	case !l.push(pkt):
		p.drops.full.Add(1)
		return false
	}
	return true
}

// plausible tells by the first byte whether it can be STUN, DTLS, RTP or RTCP (RFC
// 7983 §7).
func plausible(b byte) bool { return b < 4 || b >= 20 && b < 64 || b >= 128 && b < 192 }

// isRequest tells whether it is a binding request (RFC 8489 §5).
func isRequest(b []byte) bool { return b[0] == 0 && b[1] == 1 }

// checked finds the session that a connectivity check is for. It must know the
// session's password; then its address belongs to the session.
func (p *Port) checked(pkt *packet) *line {
	m := stun.Message{Raw: append([]byte(nil), pkt.b[:pkt.n]...)}
	if err := m.Decode(); err != nil {
		p.drops.garbage.Add(1)
		return nil
	}
	name, err := m.Get(stun.AttrUsername)
	if err != nil {
		p.drops.stranger.Add(1)
		return nil
	}
	ufrag, _, _ := strings.Cut(string(name), ":")
	key := lineKey{ufrag: ufrag, ipv6: pkt.from.Addr().Is6()}
	p.mu.Lock()
	l, password := p.lines[key], p.keys[ufrag]
	p.mu.Unlock()
	if l == nil {
		p.drops.stranger.Add(1)
		return nil
	}
	if password == "" || stun.NewShortTermIntegrity(password).Check(&m) != nil {
		p.drops.forged.Add(1)
		return nil
	}
	p.register(l, pkt.from)
	return l
}

// register makes an address one of a session's, the oldest of which it gives up for
// that when it has too many.
func (p *Port) register(l *line, from netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.flows[from]
	if old == l || p.lines[l.key] != l {
		return
	}
	if old != nil {
		old.lose(from)
	}
	if len(l.flows) == maxFlows {
		delete(p.flows, l.flows[0])
		l.lose(l.flows[0])
	}
	p.flows[from] = l
	l.flows = append(l.flows, from)
}

// The methods below are what pion asks of a port that it shares (ice.UDPMux).

// mux is a Port as pion sees it.
type mux struct{ *Port }

// GetListenAddresses names an address of each family. It goes to nobody: package media
// tells the browser where to send.
func (m mux) GetListenAddresses() []net.Addr {
	port := int(m.Number())
	return []net.Addr{&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, &net.UDPAddr{IP: net.IPv6loopback, Port: port}}
}

// GetConn opens the line of a session for the family of an address.
func (m mux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	at, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("open a line at %v: not a UDP address", addr)
	}
	l := newLine(m.Port, lineKey{ufrag: ufrag, ipv6: at.IP.To4() == nil}, at)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, net.ErrClosed
	}
	if m.lines[l.key] != nil {
		return nil, errors.New("a session has this name already")
	}
	m.lines[l.key] = l
	return l, nil
}

// RemoveConnByUfrag forgets a session.
func (m mux) RemoveConnByUfrag(ufrag string) {
	for _, ipv6 := range []bool{false, true} {
		m.mu.Lock()
		l := m.lines[lineKey{ufrag, ipv6}]
		m.mu.Unlock()
		if l != nil {
			l.shut()
		}
	}
}

// Close is Port.Close, which pion does not call.
func (m mux) Close() error { return m.Port.Close() }

// admit makes the password of a session known, with which checks must come.
func (p *Port) admit(ufrag, password string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[ufrag] = password
}

// dismiss makes checks of a session strange again.
func (p *Port) dismiss(ufrag string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, ufrag)
}

// renewBefore is how long before its end a certificate is no longer given to new
// sessions: longer than any call.
const renewBefore = 7 * 24 * time.Hour

// certificate is the one that sessions share: made when it is first needed, and again
// when it grows old.
func (p *Port) certificate() (pion.Certificate, error) {
	p.certMu.Lock()
	defer p.certMu.Unlock()
	if p.cert != nil && time.Until(p.cert.Expires()) > renewBefore {
		return *p.cert, nil
	}
	var key crypto.PrivateKey
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pion.Certificate{}, fmt.Errorf("make a key: %w", err)
	}
	cert, err := pion.GenerateCertificate(key)
	if err != nil {
		return pion.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	p.cert = cert
	return *cert, nil
}
