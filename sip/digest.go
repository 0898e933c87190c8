package sip

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// nonceLife is how long a challenge can be answered.
const nonceLife = 5 * time.Minute

// credentials are what a phone answers to a challenge (RFC 7616 §3.4).
type credentials struct {
	username, realm, nonce, uri, response string
	algorithm, cnonce, qop, nc            string
}

// nonces makes challenges and watches that each answer is used once. A nonce
// says itself when it was made and for whom, so nothing is kept of those that
// are never answered.
type nonces struct {
	key [32]byte // of this process

	mu    sync.Mutex
	used  *recent[string, counts]
	floor time.Time // nonces made until then are stale: their counts were forgotten
}

// counts are the nonce counts seen with one nonce: the highest, and which of
// the 64 below it, since requests overtake one another.
type counts struct {
	made   time.Time
	top    uint32
	window uint64
}

func (n *nonces) init(max int) {
	rand.Read(n.key[:]) // never fails since Go 1.24
	n.used = newRecent[string, counts](max)
}

const (
	nonceClear = 16              // 8 bytes of time, 8 of randomness
	nonceSize  = nonceClear + 16 // and 16 of MAC
)

// make gives a nonce that can be answered from one source in one realm.
func (n *nonces) make(source netip.Addr, realm string, at time.Time) string {
	var b [nonceSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(at.UnixMilli()))
	rand.Read(b[8:nonceClear])
	copy(b[nonceClear:], n.mac(b[:nonceClear], source, realm))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (n *nonces) mac(clear []byte, source netip.Addr, realm string) []byte {
	m := hmac.New(sha256.New, n.key[:])
	m.Write(clear)
	m.Write([]byte(sourceOf(source).String()))
	m.Write([]byte{0})
	m.Write([]byte(realm))
	return m.Sum(nil)[:nonceSize-nonceClear]
}

// fresh says whether a nonce is ours, for that source and realm, and young
// enough, and when it was made.
func (n *nonces) fresh(nonce string, source netip.Addr, realm string, at time.Time) (made time.Time, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != nonceSize || !hmac.Equal(b[nonceClear:], n.mac(b[:nonceClear], source, realm)) {
		return time.Time{}, false
	}
	made = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	n.mu.Lock()
	defer n.mu.Unlock()
	return made, at.Sub(made) < nonceLife && made.After(n.floor)
}

// use spends a nonce count; false when it was used before (RFC 7616 §3.4). An
// answer without qop has no count: its nonce can be used once.
func (n *nonces) use(nonce string, made time.Time, nc uint32) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !made.After(n.floor) {
		return false
	}
	c, gone := n.used.add(nonce)
	if gone != nil && gone.made.After(n.floor) {
		n.floor = gone.made
	}
	if c.made.IsZero() {
		*c = counts{made: made, top: nc, window: 1}
		return true
	}
	if nc > c.top {
		shift := nc - c.top
		c.window = c.window<<shift | 1 // a shift by 64 or more leaves 0
		c.top = nc
		return true
	}
	bit := uint64(1) << (c.top - nc)
	if c.top-nc >= 64 || c.window&bit != 0 {
		return false
	}
	c.window |= bit
	return true
}

// authenticate makes sure that a request is of an extension of c, and gives
// its number. Otherwise it has answered the request: with a challenge when
// there is no usable answer to an earlier one, with 403 when the password is
// wrong. Unknown users take the same way as known ones.
func (s *Server) authenticate(req *msg.Request, tx msg.ServerTransaction, c *pbx.Company) (string, bool) {
	source, err := addrPort(req.Source())
	if err != nil {
		s.reply(req, tx, 400)
		return "", false
	}
	now := time.Now()
	realm := strings.ToLower(c.Domain)
	cred, ok := answerIn(req, realm)
	if !ok {
		s.challenge(req, tx, source.Addr(), realm, false)
		return "", false
	}
	who := account{c.ID, cred.username}
	if s.refuses(who, source, now) {
		s.met.rejected(guessing)
		s.reply(req, tx, 403)
		return "", false
	}
	made, ok := s.nonces.fresh(cred.nonce, source.Addr(), realm, now)
	if !ok {
		s.challenge(req, tx, source.Addr(), realm, true)
		return "", false
	}
	if !samePlace(cred.uri, &req.Recipient) { // RFC 7616 §3.4.6
		s.reply(req, tx, 400)
		return "", false
	}
	if !cred.good(c.Extensions[cred.username], string(req.Method)) {
		s.guard.failed(source.Addr(), who, now)
		s.met.rejected(guessing)
		s.log.Warn("sip: wrong password", "tenant", c.ID, "user", clean(cred.username), "source", source)
		s.reply(req, tx, 403)
		return "", false
	}
	if !s.nonces.use(cred.nonce, made, cred.count()) {
		s.met.rejected(replayed)
		s.challenge(req, tx, source.Addr(), realm, true)
		return "", false
	}
	s.guard.passed(source.Addr(), who)
	return cred.username, true
}

// refuses says whether an account is not to be tried from a source just now.
// The flow a phone of that account is registered over is always heard: nobody
// else can lock it out. A ban of its address by others there does not touch it
// either.
func (s *Server) refuses(who account, source netip.AddrPort, now time.Time) bool {
	switch {
	case s.reg.holds(who, source):
		return false
	case s.guard.delayed(source.Addr(), who, now):
		return true
	}
	return s.guard.banned(source.Addr(), now) && !s.reg.holdsFrom(who, source.Addr())
}

// challenge asks for credentials: SHA-256 first, MD5 for phones that know no
// better (RFC 8760 §2.3).
func (s *Server) challenge(req *msg.Request, tx msg.ServerTransaction, source netip.Addr, realm string, stale bool) {
	nonce := s.nonces.make(source, realm, time.Now())
	var h []msg.Header
	for _, algorithm := range algorithms(userAgent(req)) {
		v := fmt.Sprintf(`Digest realm="%s", nonce="%s", algorithm=%s, qop="auth"`, realm, nonce, algorithm)
		if stale {
			v += ", stale=true"
		}
		h = append(h, msg.NewHeader("WWW-Authenticate", v))
	}
	s.dismiss(req, tx, 401, h...)
}

// answerIn finds the credentials for a realm in a request, the strongest when
// there are several.
func answerIn(req *msg.Request, realm string) (credentials, bool) {
	var best credentials
	found := false
	for _, v := range values(req, "authorization") {
		c, ok := parseCredentials(v)
		if !ok || !strings.EqualFold(c.realm, realm) || c.hash() == nil || c.qop != "" && !strings.EqualFold(c.qop, "auth") {
			continue
		}
		if c.qop != "" && (c.count() == 0 || c.cnonce == "") {
			continue
		}
		if !found || strings.EqualFold(c.algorithm, "SHA-256") {
			best, found = c, true
		}
	}
	return best, found
}

// parseCredentials reads an Authorization header (RFC 7616 §3.4, RFC 3261
// §25.1).
func parseCredentials(v string) (credentials, bool) {
	var c credentials
	scheme, rest, _ := strings.Cut(strings.TrimSpace(v), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return c, false
	}
	parts, err := split(rest, ',')
	if err != nil {
		return c, false
	}
	for _, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			continue
		}
		if f := c.field(strings.ToLower(strings.TrimSpace(name))); f != nil {
			*f = unquote(value)
		}
	}
	return c, c.username != "" && c.nonce != "" && c.response != "" && c.uri != ""
}

func (c *credentials) field(name string) *string {
	switch name {
	case "username":
		return &c.username
	case "realm":
		return &c.realm
	case "nonce":
		return &c.nonce
	case "uri":
		return &c.uri
	case "response":
		return &c.response
	case "algorithm":
		return &c.algorithm
	case "cnonce":
		return &c.cnonce
	case "qop":
		return &c.qop
	case "nc":
		return &c.nc
	}
	return nil
}

// count is the nonce count; 0: it is none. Without qop there is none to give,
// and the one use of the nonce counts as the first.
func (c *credentials) count() uint32 {
	if c.qop == "" {
		return 1
	}
	n, err := strconv.ParseUint(c.nc, 16, 32)
	if err != nil || len(c.nc) != 8 {
		return 0
	}
	return uint32(n)
}

// hash is the hash function of the algorithm, nil when we have none such.
func (c *credentials) hash() func() hash.Hash {
	switch strings.ToUpper(c.algorithm) {
	case "", "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	}
	return nil
}

// good says whether the response is that of the extension's password. A nil
// extension costs as much as any and is never good.
func (c *credentials) good(e *pbx.Extension, method string) bool {
	ha1 := "00000000000000000000000000000000"
	switch {
	case e == nil:
	case strings.EqualFold(c.algorithm, "SHA-256"):
		ha1 = e.HA1SHA256
	default:
		ha1 = e.HA1MD5
	}
	want := c.expect(strings.ToLower(ha1), method)
	same := subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c.response))) == 1
	return same && e != nil && ha1 != ""
}

// expect is the right response (RFC 7616 §3.4.1); without qop that of
// RFC 2069, which RFC 3261 §22.4 still allows.
func (c *credentials) expect(ha1, method string) string {
	h := c.hash()
	ha2 := digestOf(h, method, c.uri)
	if c.qop == "" {
		return digestOf(h, ha1, c.nonce, ha2)
	}
	return digestOf(h, ha1, c.nonce, c.nc, c.cnonce, c.qop, ha2)
}

func digestOf(h func() hash.Hash, parts ...string) string {
	d := h()
	d.Write([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(d.Sum(nil))
}

// samePlace says whether the digest covers the URI the request was sent to.
// Phones write it with or without port and parameters, so it is enough that
// user and host are the same.
func samePlace(uri string, to *msg.Uri) bool {
	if uri == to.String() {
		return true
	}
	var u msg.Uri
	if msg.ParseUri(uri, &u) != nil {
		return false
	}
	return unescape(u.User) == unescape(to.User) && domainOf(&u) == domainOf(to)
}
