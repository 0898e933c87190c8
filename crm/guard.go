package crm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// special are networks that pass for public ones and are none: those that lead
// to other addresses, and those of tests and of providers' insides (RFC 6890).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// Allowed says whether what a company chooses may be an address: a public one, or one
// of the networks that the operator allows beside those.
func Allowed(a netip.Addr, networks []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	for _, n := range special {
		if n.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate()
}

// check is allowed for an address with its port.
func check(address string, networks []netip.Prefix) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to %q: %w", address, err)
	}
	if !Allowed(a.Addr(), networks) {
		return fmt.Errorf("%s is no public address, and not in webhooks.networks of the config", a.Addr())
	}
	return nil
}

// Guarded gives a Dial that connects to allowed addresses only. On the real
// network the address is looked at before a packet goes there; another Dial is
// asked first where it went.
func Guarded(dial Dial, networks []netip.Prefix) Dial {
	if dial == nil {
		d := &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error { return check(address, networks) }}
		return d.DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if err := check(conn.RemoteAddr().String(), networks); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}
