package sip

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// flowTimer is how often a phone that keeps its own flow alive over TCP, TLS or a
// WebSocket must be heard (RFC 5626 §4.4.1, §6), and flowGrace how much later it
// may be.
const (
	flowTimer = 120 * time.Second
	flowGrace = 30 * time.Second
	maxRegID  = 1<<31 - 1 // RFC 5626 §4.2
)

// outbound reads what a REGISTER wants of RFC 5626 and RFC 3327: its Path, and
// whether its contacts are flows. The code is 0, or that of the refusal.
func (r *registration) outbound(req *msg.Request) (code int) {
	path, err := pathOf(req)
	if err != nil {
		return 400
	}
	supported := options(req, "supported")
	if len(path) > 0 && !oneOf("path", supported...) {
		return 420 // RFC 3327 §5.3: the phone could not tell who put itself on its way
	}
	flows := 0
	for i := range r.contacts {
		c := &r.contacts[i].contact
		c.path = path
		if n, err := strconv.ParseUint(c.regID, 10, 31); err != nil || n < 1 || n > maxRegID || c.instance == "" {
			c.regID = ""
		}
		if c.outbound = c.regID != "" && oneOf("outbound", supported...); c.outbound && r.contacts[i].granted > 0 {
			flows++
		}
	}
	switch {
	case flows == 0:
		return 0
	case flows > 1:
		return 400 // RFC 5626 §6
	case len(req.GetHeaders("Via")) > 1 && !marked(path):
		return 439 // RFC 5626 §6: the first hop would not find the flow again
	}
	r.flows = true
	return 0
}

// marked says whether the proxy next to the phone keeps flows, as it says by "ob".
func marked(path []string) bool {
	if len(path) == 0 {
		return false
	}
	var u msg.Uri
	if msg.ParseUri(path[len(path)-1], &u) != nil {
		return false
	}
	_, ok := param(u.UriParams, "ob")
	return ok
}

// pathOf gives the Path of a REGISTER, URI by URI (RFC 3327 §4).
func pathOf(req *msg.Request) ([]string, error) {
	var path []string
	for _, v := range values(req, "path") {
		parts, err := split(v, ',')
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			uri, _, err := addressOf(strings.TrimSpace(p))
			if err != nil {
				return nil, err
			}
			if err := checkURI(uri); err != nil {
				return nil, err
			}
			if path = append(path, uri); len(path) > maxRoutes {
				return nil, errors.New("too many Path entries")
			}
		}
	}
	return path, nil
}

// confirm gives the headers of the 200 to a REGISTER that tell what of RFC 3327
// and RFC 5626 was done.
func (r *registration) confirm(req *msg.Request) []msg.Header {
	var l []msg.Header
	for _, v := range values(req, "path") {
		l = append(l, msg.NewHeader("Path", v)) // RFC 3327 §5.3
	}
	if r.flows {
		l = append(l, msg.NewHeader("Require", "outbound"))
		if msg.IsReliable(req.Transport()) {
			l = append(l, msg.NewHeader("Flow-Timer", seconds(flowTimer)))
		}
	}
	return append(l, msg.NewHeader("Supported", "path, outbound"))
}

// alternate is another flow of a phone, and what the phone is called there.
type alternate struct {
	way
	uri string
}

// live lists the bindings of an extension with all that is known of them, the
// most recently refreshed first.
func (r *registrar) live(t pbx.TenantID, extension string) []binding {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var l []binding
	for _, b := range r.bindings[account{t, extension}] {
		if b.Expires.After(now) {
			l = append(l, *b)
		}
	}
	slices.SortStableFunc(l, func(a, b binding) int { return b.touched.Compare(a.touched) })
	return l
}

// sameFlow finds the binding of the instance and flow of a contact.
func (r *registrar) sameFlow(who account, c contact) *binding {
	for _, b := range r.bindings[who] {
		if b.instance == c.instance && b.regID == c.regID {
			return b
		}
	}
	return nil
}

// STUN (RFC 8489 §5): the header, its cookie, and what a keepalive uses of it.
const (
	stunHeader   = 20
	stunCookie   = 0x2112a442
	stunRequest  = 0x0001
	stunSuccess  = 0x0101
	stunXorAddr  = 0x0020
	stunMostSize = 548
)

// stunAnswer answers a STUN binding request: the keepalive of phones that know
// RFC 5626 over UDP (§3.5.2, §8). It is nil when b is none.
func stunAnswer(b []byte, from netip.AddrPort) []byte {
	if len(b) < stunHeader || len(b) > stunMostSize || binary.BigEndian.Uint16(b) != stunRequest ||
		binary.BigEndian.Uint32(b[4:]) != stunCookie || int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader || len(b)%4 != 0 {
		return nil
	}
	addr := from.Addr().Unmap()
	raw, family := addr.AsSlice(), byte(1)
	if addr.Is6() {
		family = 2
	}
	for i := range raw {
		raw[i] ^= b[4+i] // cookie and transaction id, RFC 8489 §14.2
	}
	out := binary.BigEndian.AppendUint16(nil, stunSuccess)
	out = binary.BigEndian.AppendUint16(out, uint16(8+len(raw)))
	out = append(out, b[4:stunHeader]...)
	out = binary.BigEndian.AppendUint16(out, stunXorAddr)
	out = binary.BigEndian.AppendUint16(out, uint16(4+len(raw)))
	out = append(out, 0, family)
	out = binary.BigEndian.AppendUint16(out, from.Port()^(stunCookie>>16))
	return append(out, raw...)
}

// answerFrom sends a datagram back from the socket that one came to. Nobody waits
// for the outcome.
func (s *Server) answerFrom(p msg.TransportReadProps, b []byte) {
	for _, l := range s.listeners {
		if l.packet != nil && l.key == p.LocalAddr.String() {
			if _, err := l.packet.WriteTo(b, p.RemoteAddr); err != nil {
				s.log.Debug("sip: keepalive not answered", "to", p.RemoteAddr.String(), "error", err)
			}
			return
		}
	}
}
