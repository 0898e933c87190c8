package pbx

import (
	"net/netip"
	"time"
)

// Packet is one SIP message as it went between us and a peer, whole, with what
// is secret in it overwritten by asterisks. Nobody changes Data.
type Packet struct {
	At        time.Time
	Transport string // udp, tcp, tls, ws, wss
	From, To  netip.AddrPort
	CallID    string
	Data      []byte
}
