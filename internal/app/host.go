package app

import (
	"context"
	"net"
	"net/netip"

	"vpbx/media"
	"vpbx/sip"
)

// Host is the machine the program runs on, as far as the network goes. The
// zero Host is the real one; tests give an in-memory machine.
type Host struct {
	// ListenPacket opens a UDP socket. nil: net.ListenPacket.
	ListenPacket func(network, address string) (net.PacketConn, error)
	// Listen opens a TCP listener. nil: net.Listen.
	Listen func(network, address string) (net.Listener, error)
	// Dial opens a TCP connection, for HTTP to CRMs. nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// LocalFor gives our address as a peer sees it. nil: the kernel's routes.
	LocalFor func(peer netip.Addr) netip.Addr
	// Resolve looks a host name up. nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// ResolveSRV looks the SRV records of _service._proto.name up. nil: the
	// system's resolver, or none when Resolve is given.
	ResolveSRV func(ctx context.Context, service, proto, name string) ([]*net.SRV, error)
	// ResolveNAPTR looks the NAPTR records of a name up. nil: the system's name
	// servers, or none when Resolve is given.
	ResolveNAPTR func(ctx context.Context, name string) ([]sip.NAPTR, error)
	// Measure finds what a media session costs of a processor. nil: media.Measure.
	Measure func() (media.Costs, error)
}
