package sip

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"vpbx/pbx"
)

// Listen is an address to listen on.
type Listen struct {
	Transport string // udp, tcp, tls, ws or wss
	Addr      string // "0.0.0.0:5060"
}

// Config is what a Server is made of. Directory and Accept are needed, all
// else has a default.
type Config struct {
	Listen    []Listen
	External  []string           // hosts put into Contact and Via for peers outside LocalNets, an address only for peers of its family; none: our own address
	Origins   []string           // pages that may open a WebSocket, beside those served under our name; "*": all
	LocalNets []netip.Prefix     // our own networks: no External, no rate limit, no keepalive without need
	TLS       func() *tls.Config // asked for every handshake, so certificates can be replaced

	ListenPacket func(network, address string) (net.PacketConn, error)                      // nil: the real network, receive buffer of 4 MiB
	ListenTCP    func(network, address string) (net.Listener, error)                        // nil: the real network
	Dial         func(ctx context.Context, network, address string) (net.Conn, error)       // nil: the real network; TCP only
	LocalFor     func(peer netip.Addr) netip.Addr                                           // our address as peer sees it, when listening on a wildcard; nil: the routing table
	Resolve      func(ctx context.Context, host string) ([]netip.Addr, error)               // nil: net.DefaultResolver
	ResolveSRV   func(ctx context.Context, service, proto, name string) ([]*net.SRV, error) // nil: net.DefaultResolver, or none when Resolve is given

	ResolveNAPTR func(ctx context.Context, name string) ([]NAPTR, error) // nil: the system's name servers, or none when Resolve is given

	Directory func() *pbx.Directory // the current companies
	Bindings  BindingStore          // nil: bindings do not survive a restart
	Accept    func(*Leg)            // every identified and authenticated initial INVITE; must return at once
	Publish   func(Registration)    // what became of a binding; nil: nobody wants to know; must not block

	Mirror func(pbx.Packet) // gets every message in and out, without its secrets; must not block; nil: nobody looks

	ProbeEvery     time.Duration // how often trunks are asked by OPTIONS whether they are there; 0: never
	SessionExpires time.Duration // RFC 4028, default 1800 s
	Limits         Limits
	Log            *slog.Logger // nil: nothing is logged
	Metrics        Registerer   // nil: nothing is measured
}

// Limits bound what strangers can cost us. Zero fields take the defaults.
type Limits struct {
	MessageRate          float64       // messages a second from one source, default 200; loopback, LocalNets and trunks are free
	MessageBurst         int           // default 400
	StrangerRate         float64       // messages a second from all sources together where no phone is registered and no trunk is, default 4000
	StrangerBurst        int           // default 8000
	Sources              int           // sources and accounts remembered, default 65536
	Connections          int           // TCP and TLS connections in all, default 10000
	ConnectionsPerSource int           // default 250: an office behind one address
	AccountFailures      int           // wrong passwords for one account from one source before delays begin, default 5
	SourceFailures       int           // wrong passwords from one source before it is banned, default 20
	Ban                  time.Duration // first ban of a source, doubled for each further one up to an hour; default 5 min
}

// BindingStore keeps bindings over a restart.
type BindingStore interface {
	// Bindings gives all bindings, asked once at start.
	Bindings(ctx context.Context) ([]pbx.Binding, error)
	// SaveBindings stores put and deletes drop in one transaction. A binding
	// is named by tenant, extension and contact.
	SaveBindings(ctx context.Context, put []pbx.Binding, drop []pbx.Binding) error
}

// Registration tells what became of a binding.
type Registration struct {
	pbx.Binding
	Event string `json:"event"` // registered, refreshed, unregistered, expired
}

// The events of a Registration.
const (
	registered   = "registered"
	refreshed    = "refreshed"
	unregistered = "unregistered"
	expired      = "expired"
)

func (c *Config) fill() {
	if c.ListenPacket == nil {
		c.ListenPacket = listenPacket
	}
	if c.ListenTCP == nil {
		c.ListenTCP = net.Listen
	}
	if c.Dial == nil {
		d := net.Dialer{KeepAlive: 30 * time.Second}
		c.Dial = d.DialContext
	}
	if c.LocalFor == nil {
		c.LocalFor = new(routes).to
	}
	if c.ResolveNAPTR == nil && c.Resolve == nil {
		c.ResolveNAPTR = lookupNAPTR
	}
	if c.ResolveNAPTR == nil {
		c.ResolveNAPTR = func(context.Context, string) ([]NAPTR, error) { return nil, nil }
	}
	if c.ResolveSRV == nil && c.Resolve == nil {
		c.ResolveSRV = func(ctx context.Context, service, proto, name string) ([]*net.SRV, error) {
			_, found, err := net.DefaultResolver.LookupSRV(ctx, service, proto, name)
			return found, err
		}
	}
	if c.ResolveSRV == nil {
		c.ResolveSRV = func(context.Context, string, string, string) ([]*net.SRV, error) { return nil, nil }
	}
	if c.Resolve == nil {
		c.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if c.Publish == nil {
		c.Publish = func(Registration) {}
	}
	if c.SessionExpires <= 0 {
		c.SessionExpires = 1800 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Limits.fill()
}

func (l *Limits) fill() {
	setDefault(&l.MessageRate, 200)
	setDefault(&l.MessageBurst, 400)
	setDefault(&l.StrangerRate, 4000)
	setDefault(&l.StrangerBurst, 8000)
	setDefault(&l.Sources, 65536)
	setDefault(&l.Connections, 10000)
	setDefault(&l.ConnectionsPerSource, 250)
	setDefault(&l.AccountFailures, 5)
	setDefault(&l.SourceFailures, 20)
	setDefault(&l.Ban, 5*time.Minute)
}

func setDefault[T int | float64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
