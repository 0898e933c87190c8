package sip

import (
	"bytes"
	"errors"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// guard keeps strangers from costing us much: it counts messages per source,
// and wrong passwords per source and per account tried from it.
type guard struct {
	limits Limits

	mu       sync.Mutex
	sources  *recent[netip.Prefix, bucket]
	crowd    bucket // of all sources together that we do not know
	guesses  *recent[netip.Prefix, guesses]
	accounts *recent[trial, delay]
}

// account is an extension as its phone logs in to it.
type account struct {
	tenant pbx.TenantID
	user   string
}

// trial is an account as tried from one source.
type trial struct {
	source netip.Prefix
	account
}

// bucket is a token bucket of messages.
type bucket struct {
	tokens float64
	at     time.Time
}

// guesses are the wrong passwords of a source, forgotten one in guessDecay.
type guesses struct {
	count float64
	at    time.Time
	bans  int
	until time.Time // banned until
}

// delay is how long an account cannot be tried from a source.
type delay struct {
	failures int
	at       time.Time
	until    time.Time
}

const (
	guessDecay = 30 * time.Second
	firstDelay = 10 * time.Second
	longDelay  = 15 * time.Minute
	longBan    = time.Hour
	forgetting = 24 * time.Hour // after which earlier bans no longer lengthen new ones
)

func (g *guard) init(l Limits) {
	g.limits = l
	g.sources = newRecent[netip.Prefix, bucket](l.Sources)
	g.guesses = newRecent[netip.Prefix, guesses](l.Sources)
	g.accounts = newRecent[trial, delay](l.Sources)
}

// sourceOf is what counts as one source: an IPv4 address, or the /64 that one
// customer gets of IPv6.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap(); a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// fill lets tokens flow in since the last time.
func (b *bucket) fill(rate, full float64, at time.Time) {
	if b.at.IsZero() {
		b.tokens = full
	} else if d := at.Sub(b.at); d > 0 {
		b.tokens = math.Min(full, b.tokens+d.Seconds()*rate)
	}
	b.at = at
}

// take takes a token, if there is one.
func (b *bucket) take() bool {
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// within says whether a message more from a is within its rate.
func (g *guard) within(a netip.Addr, at time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b, _ := g.sources.add(sourceOf(a))
	b.fill(g.limits.MessageRate, float64(g.limits.MessageBurst), at)
	return b.take()
}

// room says whether a message more of somebody we do not know is within the
// rate of all of them. A flood from thousands of sources, forged ones maybe, is
// cut to it, however little each of them sends.
func (g *guard) room(at time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.crowd.fill(g.limits.StrangerRate, float64(g.limits.StrangerBurst), at)
	return g.crowd.take()
}

// spent says whether nothing more of a would be within its rate, and whether
// that is so for all whom we do not know. Nothing is counted, and a source that
// is not remembered is not remembered for it.
func (g *guard) spent(a netip.Addr, at time.Time) (source, crowd bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.crowd.fill(g.limits.StrangerRate, float64(g.limits.StrangerBurst), at)
	if b := g.sources.get(sourceOf(a)); b != nil {
		b.fill(g.limits.MessageRate, float64(g.limits.MessageBurst), at)
		source = b.tokens < 1
	}
	return source, g.crowd.tokens < 1
}

// banned says whether a tried too many passwords.
func (g *guard) banned(a netip.Addr, at time.Time) bool {
	if a.IsLoopback() {
		return false // a proxy of ours, or somebody who need not guess
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.guesses.byKey) == 0 {
		return false
	}
	s := g.guesses.get(sourceOf(a))
	return s != nil && at.Before(s.until)
}

// delayed says whether an account may not be tried from a just now.
func (g *guard) delayed(a netip.Addr, who account, at time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.accounts.get(trial{sourceOf(a), who})
	return d != nil && at.Before(d.until)
}

// failed counts a wrong password. The first few cost nothing, as people
// mistype; then each doubles the time until the account can be tried again
// from there. A source that tries many is banned, each time for longer.
func (g *guard) failed(a netip.Addr, who account, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	source := sourceOf(a)
	d, _ := g.accounts.add(trial{source, who})
	if at.Sub(d.at) > forgetting {
		*d = delay{}
	}
	d.at = at
	if d.failures++; d.failures >= g.limits.AccountFailures {
		wait := longDelay
		if n := d.failures - g.limits.AccountFailures; n < 10 {
			wait = min(longDelay, firstDelay<<n)
		}
		d.until = at.Add(wait)
	}

	s, _ := g.guesses.add(source)
	if at.Sub(s.at) > forgetting {
		*s = guesses{}
	}
	s.count = math.Max(0, s.count-at.Sub(s.at).Seconds()/guessDecay.Seconds()) + 1
	s.at = at
	if s.count >= float64(g.limits.SourceFailures) {
		wait := longBan
		if s.bans < 10 {
			wait = min(longBan, g.limits.Ban<<s.bans)
		}
		s.bans++
		s.count = 0
		s.until = at.Add(wait)
	}
}

// passed forgets the wrong passwords of an account from a source that knows
// the right one.
func (g *guard) passed(a netip.Addr, who account) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accounts.drop(trial{sourceOf(a), who})
}

// errBlocked closes a TCP connection of a banned source.
var errBlocked = errors.New("source is banned")

// filter looks at what comes from the network before it is parsed and before
// sipgo remembers where it came from. Of UDP it sees messages, of TCP and TLS
// whatever was read. An error would end the reading of a UDP socket, so there
// it only drops.
func (s *Server) filter(p msg.TransportReadProps, data []byte) ([]byte, error) {
	peer := addrOf(p.RemoteAddr)
	if s.blocked(peer) {
		s.met.rejected(guessing)
		if msg.IsReliable(p.Transport) {
			return nil, errBlocked
		}
		return nil, nil
	}
	if msg.IsReliable(p.Transport) {
		return s.streamed(p, data)
	}
	if !s.mayCancel(p, data) {
		return nil, nil
	}
	if len(data) > 0 && data[0] == 0 && s.inRate(peer) {
		if from, err := addrPort(p.RemoteAddr.String()); err == nil {
			if res := stunAnswer(data, from); res != nil {
				s.answerFrom(p, res)
				return nil, nil
			}
		}
	}
	data = bytes.TrimLeft(data, "\r\n\x00") // keepalives, and RFC 3261 §7.5
	if len(data) == 0 {
		return nil, nil
	}
	if !likeSIP(data) {
		s.met.rejected(garbage)
		s.guard.within(peer, time.Now()) // it counts as a message, too
		return nil, nil
	}
	if !s.inRate(peer) {
		return nil, nil
	}
	s.unparsed.note(p.LocalAddr, p.RemoteAddr, data)
	s.mirror.pass(true, "udp", p.LocalAddr, p.RemoteAddr, data)
	return data, nil
}

// admit does for a request over TCP or TLS what the filter does for a
// datagram, and refuses requests in which lines may be hidden.
func (s *Server) admit(req *msg.Request) bool {
	if msg.IsReliable(req.Transport()) {
		s.flows.note(req)
		if peer, err := addrPort(req.Source()); err != nil || !s.inRate(peer.Addr()) {
			return false
		}
	}
	if control(req.Recipient.String()) {
		s.hidden(req)
		return false
	}
	for _, h := range req.Headers() {
		if control(h.Value()) {
			s.hidden(req)
			return false
		}
	}
	return true
}

// inRate counts a message of peer and says whether it is within its rate, and,
// when no phone is registered from there, within the rate of all strangers.
// Loopback, our networks and trunks are not limited.
func (s *Server) inRate(peer netip.Addr) bool {
	now := time.Now()
	if peer.IsLoopback() || s.local(peer) || s.guard.within(peer, now) && (s.reg.from(peer) || s.guard.room(now)) ||
		len(s.cfg.Directory().TrunksFrom(peer)) > 0 {
		return true
	}
	s.met.rejected(flooded)
	return false
}

// shed says whether a datagram of peer is dropped as soon as it is read, because
// nothing of it is within its rate any more. It costs less than the filter of
// sipgo, which has done half of its work by then: a flood is many of those.
func (s *Server) shed(peer netip.Addr) bool {
	if peer.IsLoopback() || s.local(peer) {
		return false
	}
	source, crowd := s.guard.spent(peer, time.Now())
	if !source && (!crowd || s.reg.from(peer)) || len(s.cfg.Directory().TrunksFrom(peer)) > 0 {
		return false
	}
	s.met.rejected(flooded)
	return true
}

// blocked says whether nothing is heard from a source: it guessed passwords,
// is no trunk, and no phone is registered from there.
func (s *Server) blocked(peer netip.Addr) bool {
	return s.guard.banned(peer, time.Now()) && !s.reg.from(peer) && len(s.cfg.Directory().TrunksFrom(peer)) == 0
}

// likeSIP says whether a datagram begins like a SIP message: a start line of a
// request or of a response (RFC 3261 §7.1, §7.2).
func likeSIP(b []byte) bool {
	line, _, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok || len(line) < len("A b SIP/2.0") {
		return false
	}
	line = bytes.TrimRight(line, " ") // RFC 4475 §3.1.2.16
	for _, c := range line {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	if bytes.HasPrefix(line, []byte("SIP/")) {
		return true
	}
	version := bytes.LastIndexByte(line, ' ')
	return version > 0 && bytes.HasPrefix(bytes.ToUpper(line[version+1:]), []byte("SIP/"))
}

// addrOf gives the IP address of a socket address.
func addrOf(a net.Addr) netip.Addr {
	if u, ok := a.(*net.UDPAddr); ok {
		return u.AddrPort().Addr().Unmap().WithZone("")
	}
	p, err := addrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
