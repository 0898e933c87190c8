package sip

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// arrival is an initial INVITE of which it is known whose call it is.
type arrival struct {
	company   *pbx.Company
	trunk     *pbx.Trunk // nil for a phone
	extension string     // number of the phone, "" for a trunk
	dialled   string     // dialled user part, as plain text, bounded
	source    netip.AddrPort
}

// onInvite finds out whose call an initial INVITE is. There are two ways in: a
// trunk that calls from an address of its own or to the contact we registered
// at it, and a phone that proves to be an extension of a company. Everything
// else is refused.
func (s *Server) onInvite(req *msg.Request, tx msg.ServerTransaction) {
	if s.draining.Load() {
		s.dismiss(req, tx, 503, msg.NewHeader("Retry-After", "30"))
		return
	}
	if m := req.MaxForwards(); m != nil && m.Val() == 0 {
		s.dismiss(req, tx, 483)
		return
	}
	source, err := addrPort(req.Source())
	if err != nil {
		s.dismiss(req, tx, 400)
		return
	}
	dir := s.cfg.Directory()
	if !isPhone(dir, req) {
		if t, ok := s.registeredTrunk(req.Recipient.User, source.Addr()); ok {
			// The Request-URI is our own contact: the number is in To.
			s.fromTrunk(req, tx, t, userOf(&req.To().Address), source)
			return
		}
		if trunks := dir.TrunksFrom(source.Addr()); len(trunks) > 0 {
			dialled := userOf(&req.Recipient)
			t, ok := pbx.Owner(trunks, dialled)
			if !ok {
				s.met.rejected(unknownOwner)
				s.log.Info("sip: call to a number of no company on that trunk", "source", source, "dialled", dialled)
				s.dismiss(req, tx, 404)
				return
			}
			s.fromTrunk(req, tx, t, dialled, source)
			return
		}
	}
	s.fromPhone(req, tx, dir, source)
}

func (s *Server) fromTrunk(req *msg.Request, tx msg.ServerTransaction, t pbx.TrunkOf, dialled string, source netip.AddrPort) {
	s.identified(req, tx, arrival{company: t.Company, trunk: t.Trunk, dialled: dialled, source: source})
}

func (s *Server) fromPhone(req *msg.Request, tx msg.ServerTransaction, dir *pbx.Directory, source netip.AddrPort) {
	c := companyOf(dir, &req.From().Address, &req.To().Address, &req.Recipient)
	if c == nil {
		s.met.rejected(unknownDomain)
		s.log.Info("sip: call from nobody's domain", "source", source, "from", req.From().Address.Host)
		s.dismiss(req, tx, 403)
		return
	}
	user, ok := s.authenticate(req, tx, c)
	if !ok {
		return
	}
	// RFC 3261 §22.1 leaves it to us what the user may call itself. In its
	// own domain it is itself; a caller who withholds its number writes
	// anonymous@anonymous.invalid (RFC 3323 §4.1) and is known by its account.
	from := &req.From().Address
	if !strings.EqualFold(from.User, "anonymous") && !calledRight(dir, from, c, user) {
		s.met.rejected(spoofed)
		s.log.Info("sip: an extension called under another name", "tenant", c.ID, "extension", user, "from", from.User)
		s.reply(req, tx, 403)
		return
	}
	s.identified(req, tx, arrival{company: c, extension: user, dialled: userOf(&req.Recipient), source: source})
}

// identified hands a call of a known company on, once: a copy of the same
// request that took another way is refused (RFC 3261 §8.2.2.2).
func (s *Server) identified(req *msg.Request, tx msg.ServerTransaction, a arrival) {
	s.flows.trust(req)
	if s.merged.seen(req, time.Now()) {
		s.met.rejected(looped)
		s.reply(req, tx, 482)
		return
	}
	s.acceptInvite(req, tx, a)
}

// isPhone says whether a request names an extension of a company as its
// sender. Such a request is a phone's even when it comes from the address of a
// trunk, as when a company's PBX and phones are behind one address; a phone
// has to prove what it says, a trunk has not.
func isPhone(dir *pbx.Directory, req *msg.Request) bool {
	from := &req.From().Address
	c := dir.Domain(domainOf(from))
	return c != nil && c.Extensions[unescape(from.User)] != nil
}

// companyOf gives the company of the first URI whose host is somebody's
// domain.
func companyOf(dir *pbx.Directory, uris ...*msg.Uri) *pbx.Company {
	for _, u := range uris {
		if c := dir.Domain(domainOf(u)); c != nil {
			return c
		}
	}
	return nil
}

// merged remembers the initial INVITEs of the last half minute, to tell a
// request that reached us by two ways from a new one.
type merged struct {
	mu    sync.Mutex
	made  map[string]mergedKey
	swept time.Time
}

type mergedKey struct {
	branch string
	at     time.Time
}

// mergedFor is how long a transaction goes on to exist (64·T1), mergedMax how
// many requests are remembered.
const (
	mergedFor = 32 * time.Second
	mergedMax = 1 << 17
)

// seen says whether a request with the same From tag, Call-ID and CSeq came by
// another branch before; it is remembered otherwise.
func (m *merged) seen(req *msg.Request, at time.Time) bool {
	tag, _ := param(req.From().Params, "tag")
	branch, _ := param(req.Via().Params, "branch")
	key := tag + "\x00" + req.CallID().Value() + "\x00" + req.CSeq().Value()
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.made[key]; ok && at.Sub(k.at) < mergedFor {
		return k.branch != branch
	}
	if m.made == nil {
		m.made = map[string]mergedKey{}
	}
	if at.Sub(m.swept) > mergedFor/4 {
		m.swept = at
		for k, v := range m.made {
			if at.Sub(v.at) >= mergedFor {
				delete(m.made, k)
			}
		}
	}
	if len(m.made) < mergedMax {
		m.made[key] = mergedKey{branch, at}
	}
	return false
}
