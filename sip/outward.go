package sip

import (
	"context"
	"errors"
	"net"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// errOutward is what sipgo gets when it looks a name up.
var errOutward = errors.New("sip: names are looked up by the PBX itself")

// transports are those of sipgo, which may not open connections: it does so to
// answer a request whose connection is closed, to whatever host and port the
// request named in its Via (RFC 3261 §18.2.2). Anybody could make us connect to
// anything with that, our own network included, and wait ten seconds for it. We
// open the connections we want: see connect.
func transports() msg.TransportsConfig {
	never := func(net.Addr) net.Dialer { return net.Dialer{Deadline: time.Unix(1, 0)} }
	nowhere := func(string) string { return "" }
	return msg.TransportsConfig{
		TCP: &msg.TransportTCP{DialerCreate: never},
		TLS: &msg.TransportTLS{TransportTCP: &msg.TransportTCP{DialerCreate: never}},
		WS:  &msg.TransportWS{DialURI: nowhere},
		WSS: &msg.TransportWSS{TransportWS: &msg.TransportWS{DialURI: nowhere}},
	}
}

// resolver gives sipgo no answers, for the same reason.
func resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errOutward }}
}
