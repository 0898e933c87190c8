package hep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"vpbx/pbx"
)

const (
	queueLength = 4096
	findAgain   = 5 * time.Minute  // the server may have moved
	findRetry   = 30 * time.Second // after it was not found
	findWait    = 5 * time.Second
)

// Options are where and as whom to export.
type Options struct {
	Address  string // host:port of the Homer server
	ID       uint32 // of this capture agent
	Password string // "": none is sent
	Node     string // name of this machine; "": none is sent

	ListenPacket func(network, address string) (net.PacketConn, error)        // nil: net.ListenPacket
	Resolve      func(ctx context.Context, host string) ([]netip.Addr, error) // nil: net.DefaultResolver
	Log          *slog.Logger
	Metrics      Registerer // nil: nothing is measured
}

// Exporter sends packets to a Homer server. Its methods may be called by any
// goroutine.
type Exporter struct {
	o     Options
	host  string
	port  uint16
	met   *metrics
	queue chan pbx.Packet
	life  context.Context
	end   context.CancelFunc
	work  sync.WaitGroup

	// Everything below belongs to run.
	conn  net.PacketConn
	to    netip.AddrPort
	found time.Time // when to was looked up; zero: it was not
	tried time.Time
	buf   []byte
}

// New makes an exporter that takes packets and sends nothing yet.
func New(o Options) (*Exporter, error) {
	host, p, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("address of the HEP server: %w", err)
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil || host == "" || port == 0 {
		return nil, fmt.Errorf("address of the HEP server: %q is not host:port", o.Address)
	}
	if o.ListenPacket == nil {
		o.ListenPacket = net.ListenPacket
	}
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	met, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	e := &Exporter{o: o, host: host, port: uint16(port), met: met, queue: make(chan pbx.Packet, queueLength)}
	e.life, e.end = context.WithCancel(context.Background())
	return e, nil
}

// Start begins to send.
func (e *Exporter) Start() { e.work.Go(e.run) }

// Send takes a packet, or drops it when too many wait. It never blocks.
func (e *Exporter) Send(p pbx.Packet) {
	select {
	case e.queue <- p:
	default:
		e.met.dropped.Inc()
	}
}

// Close stops sending and waits for it. It may be called without Start, and
// again.
func (e *Exporter) Close() {
	e.end()
	e.work.Wait()
}

func (e *Exporter) run() {
	defer e.closeSocket()
	for {
		select {
		case <-e.life.Done():
			return
		case p := <-e.queue:
			if err := e.send(p); err != nil {
				e.met.dropped.Inc()
				e.o.Log.Debug("hep: packet not sent", "error", err)
				continue
			}
			e.met.sent.Inc()
		}
	}
}

var errNotFound = errors.New("the HEP server is not found")

func (e *Exporter) send(p pbx.Packet) error {
	if err := e.find(time.Now()); err != nil {
		return err
	}
	e.buf = e.o.encode(e.buf, p)
	_, err := e.conn.WriteTo(e.buf, net.UDPAddrFromAddrPort(e.to))
	return err
}

// find looks the server up, when that was not done lately, and opens the socket
// to send from. While it cannot be found again, the last address serves.
func (e *Exporter) find(now time.Time) error {
	if !e.found.IsZero() && now.Sub(e.found) < findAgain {
		return nil
	}
	if !e.tried.IsZero() && now.Sub(e.tried) < findRetry {
		if e.conn == nil {
			return errNotFound
		}
		return nil
	}
	e.tried = now
	a, err := e.lookUp()
	if err == nil {
		err = e.open(netip.AddrPortFrom(a, e.port))
	}
	if err != nil {
		e.o.Log.Warn("hep: server not reached", "address", e.o.Address, "error", err)
		if e.conn == nil {
			return err
		}
		return nil
	}
	e.found = now
	return nil
}

func (e *Exporter) lookUp() (netip.Addr, error) {
	if a, err := netip.ParseAddr(e.host); err == nil {
		return a.Unmap(), nil
	}
	ctx, cancel := context.WithTimeout(e.life, findWait)
	defer cancel()
	list, err := e.o.Resolve(ctx, e.host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look %s up: %w", e.host, err)
	}
	if len(list) == 0 {
		return netip.Addr{}, errNotFound
	}
	return list[0].Unmap(), nil
}

// open makes the socket for an address of that family.
func (e *Exporter) open(to netip.AddrPort) error {
	if e.conn != nil && to.Addr().Is4() == e.to.Addr().Is4() {
		e.to = to
		return nil
	}
	local := "0.0.0.0:0"
	if to.Addr().Is6() {
		local = "[::]:0"
	}
	conn, err := e.o.ListenPacket("udp", local)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	e.closeSocket()
	e.conn, e.to = conn, to
	return nil
}

func (e *Exporter) closeSocket() {
	if e.conn == nil {
		return
	}
	if err := e.conn.Close(); err != nil {
		e.o.Log.Warn("hep: close the socket", "error", err)
	}
	e.conn = nil
}
