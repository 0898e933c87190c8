package phone

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// Limits of what a provider keeps.
const (
	maxNonces   = 1024
	maxBindings = 256
)

// Challenge makes the phone play a provider: it demands a digest for REGISTER and
// INVITE and accepts registrations.
type Challenge struct {
	User, Password, Realm string
	Algorithms            []string      // offered, in order; nil means SHA-256 and MD5
	NonceLife             time.Duration // an older nonce is stale; 0 means for ever
	OpenInvites           bool          // does not challenge INVITE

	RegisterStatus int           // refuses registrations with this status, 403 for example
	MinExpires     time.Duration // 423 below it
	MaxExpires     time.Duration // grants at most this; 0 means what is asked
	Default        time.Duration // granted when nothing is asked; 0 means an hour
}

// Binding is a registration that the provider has accepted.
type Binding struct {
	Contact string // URI
	Granted time.Duration
	Expires time.Time
	From    netip.AddrPort // where the REGISTER came from
	Count   int            // how many REGISTERs confirmed it
}

// provider is the registrar's state, owned by the loop.
type provider struct {
	c        *Challenge
	nonces   map[string]time.Time
	counts   map[string]int
	bindings []Binding
	changed  chan struct{} // closed and replaced at every change
}

func (v *provider) init(c *Challenge) {
	v.c = c
	v.nonces, v.counts = make(map[string]time.Time), make(map[string]int)
	v.changed = make(chan struct{})
}

// Bindings are the registrations that have not expired.
func (p *Phone) Bindings() []Binding {
	var list []Binding
	p.do(func() { list = p.provider.live() })
	return list
}

func (v *provider) live() []Binding {
	var list []Binding
	now := time.Now()
	for _, b := range v.bindings {
		if b.Expires.After(now) {
			list = append(list, b)
		}
	}
	return list
}

// Registered waits until somebody is registered and returns the latest binding.
func (p *Phone) Registered(ctx context.Context) (Binding, error) {
	for {
		var list []Binding
		var changed chan struct{}
		p.do(func() { list, changed = p.provider.live(), p.provider.changed })
		if len(list) > 0 {
			return list[len(list)-1], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Binding{}, ctx.Err()
		case <-p.stopped:
			return Binding{}, ErrClosed
		}
	}
}

// Unregistered waits until nobody is registered any more.
func (p *Phone) Unregistered(ctx context.Context) error {
	for {
		var list []Binding
		var changed chan struct{}
		p.do(func() { list, changed = p.provider.live(), p.provider.changed })
		if len(list) == 0 {
			return nil
		}
		wait := time.NewTimer(time.Until(list[0].Expires))
		select {
		case <-changed:
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-p.stopped:
			wait.Stop()
			return ErrClosed
		}
		wait.Stop()
	}
}

// admit checks the credentials of a request and, if they do not do, challenges it.
func (p *Phone) admit(tx *serverTx, status int) bool {
	v := &p.provider
	if v.c == nil {
		return true
	}
	name, answer := "WWW-Authenticate", "Authorization"
	if status == 407 {
		name, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	ok, stale := v.check(headerOf(tx.req, answer), string(tx.req.Method))
	if ok {
		return true
	}
	if len(v.nonces) >= maxNonces {
		clear(v.nonces)
		clear(v.counts)
	}
	nonce := randomHex(16)
	v.nonces[nonce] = time.Now()
	algorithms := v.c.Algorithms
	if algorithms == nil {
		algorithms = []string{"SHA-256", "MD5"} // RFC 8760 §2.4
	}
	var headers []sip.Header
	for _, a := range algorithms {
		c := digest.Challenge{Realm: v.c.Realm, Nonce: nonce, Stale: stale, Algorithm: a, QOP: []string{"auth"}}
		headers = append(headers, sip.NewHeader(name, c.String()))
	}
	tx.answer(status, headers...)
	return false
}

// check verifies credentials: right password, a nonce of ours that is young
// enough, and a count that grows (RFC 7616 §3.4).
func (v *provider) check(header, method string) (ok, stale bool) {
	cred, err := digest.ParseCredentials(header)
	if err != nil || cred.Username != v.c.User || cred.Realm != v.c.Realm {
		return false, false
	}
	challenge := digest.Challenge{Realm: cred.Realm, Nonce: cred.Nonce, Algorithm: cred.Algorithm}
	if cred.QOP != "" {
		challenge.QOP = []string{cred.QOP}
	}
	want, err := digest.Digest(&challenge, digest.Options{
		Method: method, URI: cred.URI, Count: cred.Nc, Cnonce: cred.Cnonce, Username: v.c.User, Password: v.c.Password,
	})
	if err != nil || want.Response != cred.Response {
		return false, false
	}
	made, known := v.nonces[cred.Nonce]
	if !known || v.c.NonceLife > 0 && time.Since(made) > v.c.NonceLife || cred.Nc <= v.counts[cred.Nonce] {
		return false, true
	}
	v.counts[cred.Nonce] = cred.Nc
	return true, false
}

// registerRequest is the registrar (RFC 3261 §10.3).
func (p *Phone) registerRequest(tx *serverTx) {
	v := &p.provider
	if v.c == nil {
		tx.answer(405)
		return
	}
	if v.c.RegisterStatus >= 300 {
		tx.answer(v.c.RegisterStatus, retryAfter(30))
		return
	}
	if !p.admit(tx, 401) {
		return
	}
	contact, _ := firstContact(tx.req)
	if contact == nil {
		p.replyBindings(tx)
		return
	}
	asked, given := expiresOf(tx.req, contact)
	if contact.Address.Wildcard {
		v.bindings = nil
		v.notify()
		p.replyBindings(tx)
		return
	}
	if given && asked > 0 && asked < v.c.MinExpires {
		tx.answer(423, sip.NewHeader("Min-Expires", strconv.Itoa(int(v.c.MinExpires.Seconds()))))
		return
	}
	if !given {
		asked = v.c.Default
		if asked == 0 {
			asked = time.Hour
		}
	}
	if v.c.MaxExpires > 0 {
		asked = min(asked, v.c.MaxExpires)
	}
	from, _ := netip.ParseAddrPort(tx.req.Source())
	v.bind(Binding{Contact: contact.Address.String(), Granted: asked, Expires: time.Now().Add(asked), From: from})
	p.replyBindings(tx)
}

// bind adds, renews or removes a binding.
func (v *provider) bind(b Binding) {
	defer v.notify()
	v.bindings = v.live()
	for i, old := range v.bindings {
		if old.Contact != b.Contact {
			continue
		}
		b.Count = old.Count
		v.bindings = append(v.bindings[:i], v.bindings[i+1:]...)
		break
	}
	if b.Granted > 0 && len(v.bindings) < maxBindings {
		b.Count++
		v.bindings = append(v.bindings, b)
	}
}

func (v *provider) notify() {
	close(v.changed)
	v.changed = make(chan struct{})
}

func (p *Phone) replyBindings(tx *serverTx) {
	var headers []sip.Header
	for _, b := range p.provider.live() {
		left := int(time.Until(b.Expires).Round(time.Second).Seconds())
		headers = append(headers, sip.NewHeader("Contact", "<"+b.Contact+">;expires="+strconv.Itoa(left)))
	}
	tx.answer(200, headers...)
}

// firstContact is the first Contact of a request.
func firstContact(req *sip.Request) (*sip.ContactHeader, bool) {
	for _, h := range req.GetHeaders("Contact") {
		if c, ok := h.(*sip.ContactHeader); ok {
			return c, true
		}
	}
	return nil, false
}

// expiresOf is the expiry asked for: of the Contact, else of the request.
func expiresOf(req *sip.Request, contact *sip.ContactHeader) (time.Duration, bool) {
	text, ok := contact.Params.Get("expires")
	if !ok {
		text = headerOf(req, "Expires")
	}
	seconds, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || seconds < 0 {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}
