package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
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

	"github.com/pion/rtcp"
)

// ether is a network in memory: packets arrive at once and are never lost.
type ether struct {
	mu    sync.Mutex
	conns map[netip.AddrPort]*memConn
}

type datagram struct {
	from netip.AddrPort
	b    []byte
}

// memConn is a PacketConn on an ether.
type memConn struct {
	net.PacketConn // never called: only there to satisfy the interface

	net    *ether
	addr   netip.AddrPort
	inbox  chan datagram
	closed chan struct{}

	mu    sync.Mutex
	timer *time.Timer
	late  chan struct{} // closed at the read deadline
}

func (e *ether) listen(address string) (*memConn, error) {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conns[addr] != nil {
		return nil, fmt.Errorf("listen %v: %w", addr, syscall.EADDRINUSE)
	}
	c := &memConn{net: e, addr: addr, inbox: make(chan datagram, 1000), closed: make(chan struct{}), late: make(chan struct{})}
	e.conns[addr] = c
	return c, nil
}

func (c *memConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.addr) }

func (c *memConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	c.mu.Lock()
	late := c.late
	c.mu.Unlock()
	select {
	case d := <-c.inbox:
		return copy(b, d.b), d.from, nil
	case <-late:
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *memConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c.net.mu.Lock()
	peer := c.net.conns[to]
	c.net.mu.Unlock()
	if peer != nil {
		select {
		case peer.inbox <- datagram{c.addr, slices.Clone(b)}:
		default:
		}
	}
	return len(b), nil
}

// SetReadDeadline also reaches a read in progress, as sockets do.
func (c *memConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	late := c.late
	select {
	case <-late:
		late = make(chan struct{})
		c.late = late
	default:
	}
	expire := sync.OnceFunc(func() { close(late) })
	if d := time.Until(t); d <= 0 {
		expire()
	} else {
		c.timer = time.AfterFunc(d, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.late == late {
				expire()
			}
		})
	}
	return nil
}

func (c *memConn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.net.conns[c.addr] == c {
		delete(c.net.conns, c.addr)
		close(c.closed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	return nil
}

// ours is the address of the engine under test.
const ours = "192.0.2.1"

// rig is an engine on an ether.
type rig struct {
	t   *testing.T
	net *ether
	e   *Engine
}

// bubble runs a test with an engine on fake time. A goroutine left behind fails it.
func bubble(t *testing.T, change func(*Config), test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, net: &ether{conns: map[netip.AddrPort]*memConn{}}}
		cfg := Config{
			Listen: []netip.Addr{netip.MustParseAddr(ours)}, PortMin: 20000, PortMax: 20099, Timeout: 30 * time.Second,
			ListenPacket: func(_, address string) (net.PacketConn, error) {
				c, err := r.net.listen(address)
				if err != nil {
					return nil, err
				}
				return c, nil
			},
			LocalFor: func(netip.Addr) netip.Addr { return netip.MustParseAddr(ours) },
		}
		if change != nil {
			change(&cfg)
		}
		var err error
		if r.e, err = New(cfg); err != nil {
			t.Fatal(err)
		}
		test(r)
		if err := r.e.Close(); err != nil {
			t.Error(err)
		}
		r.net.mu.Lock()
		for addr := range r.net.conns {
			if addr.Addr().String() == ours {
				t.Errorf("socket %v was left open", addr)
			}
		}
		r.net.mu.Unlock()
	})
}

// party is a session with its mailbox.
type party struct {
	*Session
	events chan any
	gone   chan struct{}
}

func (r *rig) open(peer string) *party {
	r.t.Helper()
	p := &party{events: make(chan any, 8), gone: make(chan struct{})}
	s, err := r.e.Open(Options{Name: peer, Peer: netip.MustParseAddr(peer), Events: p.events, Gone: p.gone})
	if err != nil {
		r.t.Fatal(err)
	}
	p.Session = s
	return p
}

// next is the event that has been posted, or nil.
func (p *party) next() any {
	synctest.Wait()
	select {
	case ev := <-p.events:
		return ev
	default:
		return nil
	}
}

// phone is a peer's RTP and RTCP socket with a stream of its own.
type phone struct {
	t         *testing.T
	rtp, rtcp *memConn
	to        netip.AddrPort // the session's RTP address
	pt        uint8
	seq       uint16
	ts, ssrc  uint32
}

func (r *rig) phone(address string, to *party) *phone {
	r.t.Helper()
	addr := netip.MustParseAddrPort(address)
	p := &phone{t: r.t, pt: 8, seq: 100, ts: 5000, ssrc: uint32(addr.Port()) << 8}
	var err error
	if p.rtp, err = r.net.listen(addr.String()); err != nil {
		r.t.Fatal(err)
	}
	if p.rtcp, err = r.net.listen(netip.AddrPortFrom(addr.Addr(), addr.Port()+1).String()); err != nil {
		r.t.Fatal(err)
	}
	if to != nil {
		p.to = netip.AddrPortFrom(netip.MustParseAddr(ours), to.port)
	}
	return p
}

// rtp is a raw packet.
func rtp(pt uint8, marker bool, seq uint16, ts, ssrc uint32, payload []byte) []byte {
	b := make([]byte, headerLen, headerLen+len(payload))
	header{pt: pt, marker: marker, seq: seq, ts: ts, ssrc: ssrc}.write(b)
	return append(b, payload...)
}

// voice sends one 20 ms packet filled with a byte.
func (p *phone) voice(fill byte) {
	payload := make([]byte, frameBytes)
	for i := range payload {
		payload[i] = fill
	}
	p.raw(rtp(p.pt, false, p.seq, p.ts, p.ssrc, payload))
	p.seq++
	p.ts += frameBytes
}

func (p *phone) raw(b []byte) {
	if _, err := p.rtp.WriteToUDPAddrPort(b, p.to); err != nil {
		p.t.Fatal(err)
	}
	synctest.Wait()
}

// to2 is the session's RTCP address.
func (p *phone) to2() netip.AddrPort {
	return netip.AddrPortFrom(p.to.Addr(), p.to.Port()+1)
}

// control sends RTCP to the session's RTCP port.
func (p *phone) control(packets ...rtcp.Packet) {
	p.t.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.rtcp.WriteToUDPAddrPort(b, p.to2()); err != nil {
		p.t.Fatal(err)
	}
	synctest.Wait()
}

// heard is a packet that a phone received.
type heard struct {
	header
	payload []byte
	from    netip.AddrPort
}

// hear takes the packets that have arrived.
func (p *phone) hear() []heard {
	p.t.Helper()
	synctest.Wait()
	var all []heard
	for {
		select {
		case d := <-p.rtp.inbox:
			h, ok := parseHeader(d.b)
			if !ok {
				p.t.Fatalf("got a broken packet: %x", d.b)
			}
			all = append(all, heard{h, d.b[h.start:h.end], d.from})
		default:
			return all
		}
	}
}

// reports takes the RTCP packets that have arrived on a socket.
func reports(t *testing.T, c *memConn) []rtcp.Packet {
	t.Helper()
	synctest.Wait()
	var all []rtcp.Packet
	for {
		select {
		case d := <-c.inbox:
			list, err := rtcp.Unmarshal(d.b)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, list...)
		default:
			return all
		}
	}
}

// describe is the SDP of a phone with A-law, µ-law and telephone events; more are
// further lines.
func describe(address string, more ...string) []byte {
	return describeCodecs(address, "8 0 101", append([]string{"a=rtpmap:101 telephone-event/8000"}, more...)...)
}

func describeCodecs(address, formats string, more ...string) []byte {
	addr := netip.MustParseAddrPort(address)
	kind := "IP4"
	if addr.Addr().Is6() {
		kind = "IP6"
	}
	return []byte(strings.Join(append([]string{"v=0", "o=- 1 1 IN IP4 192.0.2.99", "s=-",
		fmt.Sprintf("c=IN %s %v", kind, addr.Addr()), "t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP %s", addr.Port(), formats)}, more...), "\r\n") + "\r\n")
}

// answer lets a session take an offer and answer it.
func (p *party) answer(t *testing.T, offer []byte, codecs ...Codec) string {
	t.Helper()
	if len(codecs) == 0 {
		codecs = []Codec{PCMA, PCMU}
	}
	if err := p.SetOffer(offer); err != nil {
		t.Fatal(err)
	}
	text, err := p.Answer(codecs)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pair is two answered parties, each with its phone, joined.
func (r *rig) pair() (a, b *party, pa, pb *phone) {
	r.t.Helper()
	a, b = r.open("198.51.100.1"), r.open("198.51.100.2")
	pa, pb = r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
	a.answer(r.t, describe("198.51.100.1:4000"))
	b.answer(r.t, describe("198.51.100.2:5000"))
	Join(a.Session, b.Session)
	return a, b, pa, pb
}

// drops are a session's dropped packets by reason.
func (p *party) drops() map[string]uint64 {
	synctest.Wait()
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	m := map[string]uint64{}
	for why, n := range p.in.drops {
		if n > 0 {
			m[reason(why).String()] = n
		}
	}
	return m
}

func (p *party) wantDrops(t *testing.T, want map[string]uint64) {
	t.Helper()
	if got := p.drops(); !maps.Equal(got, want) {
		t.Errorf("dropped %v, want %v", got, want)
	}
}

// event is a telephone-event payload.
func event(digit byte, end bool, units uint16) []byte {
	b := []byte{digit, 10, 0, 0}
	if end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], units)
	return b
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}
