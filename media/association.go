package media

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pion/transport/v4/deadline"
)

// waitingRecords are the datagrams of a handshake that may wait to be read.
const waitingRecords = 32

// association is DTLS with one address of the peer: the socket as the handshake
// sees it, with what comes from that address alone.
type association struct {
	k     *socket
	peer  netip.AddrPort
	inbox chan []byte
	late  *deadline.Deadline
	over  chan struct{}
	once  sync.Once

	client bool     // we have begun
	random [32]byte // of the ClientHello of a peer that has begun

	// Guarded by handshakes.mu.
	proven bool // a ClientHello with a cookie has come
	done   bool // hands are shaken
}

func newAssociation(k *socket, peer netip.AddrPort) *association {
	return &association{k: k, peer: peer, inbox: make(chan []byte, waitingRecords), late: deadline.New(), over: make(chan struct{})}
}

// put hands over a datagram; false when too many wait already.
func (a *association) put(b []byte) bool {
	select {
	case a.inbox <- slices.Clone(b):
		return true
	default:
		return false
	}
}

// stop ends the association from outside.
func (a *association) stop() { a.once.Do(func() { close(a.over) }) }

func (a *association) stopped() bool {
	select {
	case <-a.over:
		return true
	default:
		return false
	}
}

// ReadFrom implements net.PacketConn.
func (a *association) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-a.late.Done():
		return 0, nil, os.ErrDeadlineExceeded
	case <-a.over:
		return 0, nil, net.ErrClosed
	default:
	}
	select {
	case p := <-a.inbox:
		return copy(b, p), net.UDPAddrFromAddrPort(a.peer), nil
	case <-a.late.Done():
		return 0, nil, os.ErrDeadlineExceeded
	case <-a.over:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo implements net.PacketConn. It goes to the one peer, whatever it is told.
func (a *association) WriteTo(b []byte, _ net.Addr) (int, error) {
	return a.k.conn.WriteToUDPAddrPort(b, a.peer)
}

// Close implements net.PacketConn; the socket stays open.
func (a *association) Close() error {
	a.stop()
	return nil
}

// LocalAddr implements net.PacketConn.
func (a *association) LocalAddr() net.Addr { return a.k.conn.LocalAddr() }

// SetDeadline implements net.PacketConn.
func (a *association) SetDeadline(t time.Time) error { return a.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (a *association) SetReadDeadline(t time.Time) error {
	a.late.Set(t)
	return nil
}

// SetWriteDeadline implements net.PacketConn; writing to the socket does not wait.
func (a *association) SetWriteDeadline(time.Time) error { return nil }
