package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpbx/internal/strict"
	"vpbx/internal/visitor"
)

// Validate reports everything that is wrong with the configuration, as
// strict.Mistakes without lines. It looks whether the named files can be read.
func (c Config) Validate() error {
	var doc strict.Doc
	c.check(doc.Add)
	return doc.Err()
}

// note takes one mistake of a key.
type note func(path, format string, args ...any)

// check notes everything that is wrong with values that were read.
func (c Config) check(note note) {
	checkName(note, "node", c.Node)
	checkName(note, "region", c.Region)
	if c.Data == "" {
		note("data", "must name a directory")
	}
	c.checkBackends(note)
	c.SIP.check(note)
	c.Media.check(note)
	c.Recordings.check(note)
	c.Speech.check(note)
	c.HTTP.check(note)
	c.Mail.check(note)
	c.AMD.Check(func(key, format string, args ...any) { note("amd."+key, format, args...) })
	c.checkTLS(note)
	for i, file := range c.Provision {
		checkFile(note, fmt.Sprintf("provision[%d]", i), file)
	}
	c.Log.check(note)
}

// checkName notes a name that could not stand in a file name, a message
// subject and a log without quotes.
func checkName(note note, path, name string) {
	const room = 64
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
	}
	if name == "" || len(name) > room || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		note(path, "must be 1 to %d Latin letters, digits, - and _", room)
	}
}

// checkBackends does not repeat the values: they hold passwords.
func (c Config) checkBackends(note note) {
	switch {
	case c.Database == "sqlite":
	case isURL(c.Database, "postgres", "postgresql"):
		note("database", "PostgreSQL is not supported yet by this build; use sqlite")
	default:
		note("database", "must be sqlite or a URL postgres://user:pass@host/db")
	}
	switch {
	case c.Events == "embedded":
	case isURL(c.Events, "nats", "tls"):
		note("events", "NATS is not supported yet by this build; use embedded")
	default:
		note("events", "must be embedded or a URL nats://host:4222")
	}
}

func isURL(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return false
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return true
		}
	}
	return false
}

func (s SIP) check(note note) {
	if len(s.Listen) == 0 {
		note("sip.listen", "must name at least one address such as udp://0.0.0.0:5060")
	}
	taken := map[string]int{}
	for i, l := range s.Listen {
		path := fmt.Sprintf("sip.listen[%d]", i)
		var again Listener
		if err := again.UnmarshalText([]byte(l.String())); err != nil {
			note(path, "%v", err)
			continue
		}
		socket := l.socket()
		if first, ok := taken[socket]; ok && !strings.HasSuffix(l.Addr, ":0") {
			note(path, "the same address as sip.listen[%d]", first)
			continue
		}
		taken[socket] = i
	}
	checkExternal(note, "sip.external", s.External)
	for i, o := range s.Origins {
		checkOrigin(note, fmt.Sprintf("sip.origins[%d]", i), o)
	}
	s.HEP.check(note)
	for i, n := range s.LocalNets {
		if !n.IsValid() {
			note(fmt.Sprintf("sip.local_nets[%d]", i), "must be a network such as 10.0.0.0/8")
		}
	}
}

// check does not repeat the password.
func (h HEP) check(note note) {
	if h.Address != "" {
		host, port, err := net.SplitHostPort(h.Address)
		n, errPort := strconv.ParseUint(port, 10, 16)
		plain := strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_:") == ""
		if err != nil || errPort != nil || n == 0 || host == "" || len(host) > 253 || !plain {
			note("sip.hep.address", "must be host:port such as homer.example.com:9060")
		}
	}
	if len(h.Password) > 255 {
		note("sip.hep.password", "must have at most 255 bytes")
	}
	if h.Password != "" && h.Address == "" {
		note("sip.hep.address", "is missing: sip.hep.password is set")
	}
}

// socket is the address that the kernel gives once: all transports but UDP
// share the TCP ports.
func (l Listener) socket() string {
	if l.Transport == "udp" {
		return "udp " + l.Addr
	}
	return "tcp " + l.Addr
}

// checkOrigin notes what no browser writes into its Origin header (RFC 6454 §7).
func checkOrigin(note note, path, origin string) {
	if origin == "*" {
		return
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		note(path, "%q is not an origin such as https://pbx.example.org, or *", origin)
	}
}

// checkExternal notes an address that no peer could send to.
func checkExternal(note note, path string, list Addrs) {
	for i, addr := range list {
		if addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" {
			note(list.path(path, i), "%s is not an address that peers can send to", addr)
		}
	}
	list.checkFamilies(note, path)
}

func (m Media) check(note note) {
	if len(m.Listen) == 0 {
		note("media.listen", "must be an IP address such as 0.0.0.0")
	}
	for i, a := range m.Listen {
		if a.IsMulticast() {
			note(m.Listen.path("media.listen", i), "%s is a multicast address", a)
		}
	}
	m.Listen.checkFamilies(note, "media.listen")
	checkExternal(note, "media.external", m.External)
	switch p := m.Ports; {
	case p.Min < 1024:
		note("media.ports", "must begin at 1024 or above")
	case p.Min%2 != 0:
		note("media.ports", "must begin with an even port: RTP takes the even ones and RTCP the odd ones")
	case p.Max <= p.Min:
		note("media.ports", "must end above its beginning")
	}
	if m.Timeout < time.Second {
		note("media.timeout", "must be at least 1s")
	}
	if s := m.Budget.Share; !(s >= 0.1 && s <= 1) {
		note("media.budget.share", "must be a share of the processors from 0.1 to 1")
	}
	m.checkWebRTC(note)
}

// checkWebRTC does not repeat the secret.
func (m Media) checkWebRTC(note note) {
	switch port := m.WebRTC.Port; {
	case port != 0 && port < 1024:
		note("media.webrtc.port", "must be 1024 or above, or 0 for one of media.ports")
	case port >= m.Ports.Min && port <= m.Ports.Max && port != 0:
		note("media.webrtc.port", "must not lie in media.ports; 0 takes one of them")
	}
	relays := false
	for i, text := range m.WebRTC.TURN.URLs {
		scheme, err := checkTURN(text)
		if err != nil {
			note(fmt.Sprintf("media.webrtc.turn.urls[%d]", i), "%v", err)
		}
		relays = relays || strings.HasPrefix(scheme, "turn")
	}
	t := m.WebRTC.TURN
	switch {
	case relays && t.Secret == "":
		note("media.webrtc.turn.secret", "is missing: media.webrtc.turn.urls names a TURN server")
	case !relays && t.Secret != "":
		note("media.webrtc.turn.urls", "must name a TURN server: media.webrtc.turn.secret is set")
	}
	if t.TTL < time.Minute || t.TTL > 7*24*time.Hour {
		note("media.webrtc.turn.ttl", "must be 1m to 168h")
	}
}

// checkTURN reads a URI of RFC 7065 or RFC 7064: "turn:turn.example.com:3478?transport=udp".
func checkTURN(text string) (scheme string, err error) {
	wrong := errors.New("must be such as turn:turn.example.com:3478 or turns:turn.example.com?transport=tcp")
	scheme, rest, _ := strings.Cut(text, ":")
	host, query, asked := strings.Cut(rest, "?")
	switch {
	case scheme != "turn" && scheme != "turns" && scheme != "stun" && scheme != "stuns":
		return scheme, wrong
	case asked && (strings.HasPrefix(scheme, "stun") || query != "transport=udp" && query != "transport=tcp"):
		return scheme, wrong
	}
	u, err := url.Parse("x://" + host)
	if err != nil || u.Host != host || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return scheme, wrong
	}
	return scheme, nil
}

func (h HTTP) check(note note) {
	if err := checkHostPort(h.Listen); err != nil {
		note("http.listen", "%v", err)
	}
	if h.ListenTLS != "" {
		if err := checkHostPort(h.ListenTLS); err != nil {
			note("http.listen_tls", "%v", err)
		} else if h.ListenTLS == h.Listen && !strings.HasSuffix(h.Listen, ":0") {
			note("http.listen_tls", "the same address as http.listen")
		}
	}
	h.checkProxies(note)
	notHeader := func(r rune) bool { return r <= ' ' || r > '~' }
	if strings.ContainsFunc(h.Token, notHeader) {
		note("http.token", "must be printable ASCII without spaces")
	}
	if h.External == "" {
		return
	}
	u, err := url.Parse(h.External)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.ContainsFunc(h.External, notHeader) {
		note("http.external", "%q is not an address such as https://pbx.example.org", h.External)
	}
}

// checkProxies notes networks by which everybody's word would count.
func (h HTTP) checkProxies(note note) {
	for i, n := range h.Proxies {
		path := fmt.Sprintf("http.proxies[%d]", i)
		switch {
		case !n.IsValid(), n != n.Masked():
			note(path, "must be a network such as 10.0.0.0/24, without bits behind its mask")
		case n.Addr().Is4In6():
			note(path, "must be written as an IPv4 network")
		case n.Bits() == 0:
			note(path, "must not be everybody: whoever asks could write another's address")
		}
	}
	if !slices.Contains(visitor.Headers, h.ProxyHeader) {
		note("http.proxy_header", "must be x-forwarded-for or forwarded")
	}
}

func (c Config) checkTLS(note note) {
	for i, l := range c.SIP.Listen {
		if (l.Transport == "tls" || l.Transport == "wss") && c.TLS == (TLS{}) {
			note(fmt.Sprintf("sip.listen[%d]", i), "%s needs tls.cert and tls.key", l.Transport)
		}
	}
	if c.HTTP.ListenTLS != "" && c.TLS == (TLS{}) {
		note("http.listen_tls", "needs tls.cert and tls.key")
	}
	switch {
	case c.TLS == (TLS{}):
		return
	case c.TLS.Cert == "":
		note("tls.cert", "is missing: tls.key is set")
	case c.TLS.Key == "":
		note("tls.key", "is missing: tls.cert is set")
	default:
		checkFile(note, "tls.cert", c.TLS.Cert)
		checkFile(note, "tls.key", c.TLS.Key)
	}
}

// checkFile notes a file that cannot be opened or is no file.
func checkFile(note note, path, name string) {
	if name == "" {
		note(path, "must name a file")
		return
	}
	info, err := os.Stat(name)
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	switch {
	case err != nil:
		note(path, "%s cannot be read: %v", name, err)
	case info.IsDir():
		note(path, "%s is a directory, not a file", name)
	}
}

func (l Log) check(note note) {
	if _, ok := levels[l.Level]; !ok {
		note("log.level", "must be debug, info, warn or error")
	}
	if l.Format != "text" && l.Format != "json" {
		note("log.format", "must be text or json")
	}
}
