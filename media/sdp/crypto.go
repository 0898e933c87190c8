package sdp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Crypto is an a=crypto line that we can use (RFC 4568 §9.1): the key with which
// whoever wrote it secures what it sends.
type Crypto struct {
	Tag   int    // 1 to 999999999, by which an answer names the line
	Suite string // in the spelling of the RFCs
	Key   []byte // master key and, behind it, master salt
	MKI   []byte // what stands in each packet to name the key; nil: nothing
}

// keyLengths are the crypto suites and the lengths of master key and salt
// together: RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.3.
var keyLengths = map[string]int{
	"AES_CM_128_HMAC_SHA1_80": 16 + 14, "AES_CM_128_HMAC_SHA1_32": 16 + 14,
	"AES_256_CM_HMAC_SHA1_80": 32 + 14, "AES_256_CM_HMAC_SHA1_32": 32 + 14,
	"AEAD_AES_128_GCM": 16 + 12, "AEAD_AES_256_GCM": 32 + 12,
}

// KeyLength is how many bytes the master key and salt of a suite have together, 0
// for a suite that is not known.
func KeyLength(suite string) int { return keyLengths[suite] }

// Bounds of RFC 4568 §6.1 and §9.2, and our own.
const (
	maxTag       = 999_999_999
	maxMKI       = 128
	lifetimeBits = 48
	maxCryptos   = 16
	minWindow    = 64 // RFC 4568 §6.3.6, RFC 3711 §3.3.2
)

// errCrypto says that a line is not used. It does not quote the line, which holds a
// key.
var errCrypto = errors.New("a=crypto line of no use")

// parseCrypto reads what follows "a=crypto:". A line with anything that we do not
// know or cannot do is an error: it must not be chosen (RFC 4568 §6.3.7).
func parseCrypto(value string) (Crypto, error) {
	f := strings.Fields(value)
	if len(f) < 3 {
		return Crypto{}, fmt.Errorf("%w: cut short", errCrypto)
	}
	tag, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil || tag == 0 || tag > maxTag || f[0][0] == '0' {
		return Crypto{}, fmt.Errorf("%w: tag", errCrypto)
	}
	c := Crypto{Tag: int(tag)}
	for name := range keyLengths {
		if strings.EqualFold(name, f[1]) {
			c.Suite = name
		}
	}
	if c.Suite == "" {
		return Crypto{}, fmt.Errorf("%w: suite", errCrypto)
	}
	// Several keys, ";" between them, differ by their MKI; we take lines with one.
	info, ok := cutFold(f[2], "inline:")
	if !ok || strings.Contains(info, ";") {
		return Crypto{}, fmt.Errorf("%w: key method, or several keys", errCrypto)
	}
	if err := c.keyInfo(info); err != nil {
		return Crypto{}, err
	}
	for _, p := range f[3:] {
		if !sessionParameter(p) {
			return Crypto{}, fmt.Errorf("%w: session parameter", errCrypto)
		}
	}
	return c, nil
}

// keyInfo reads "key||salt[|lifetime][|MKI:length]" (RFC 4568 §6.1).
func (c *Crypto) keyInfo(info string) error {
	part := strings.Split(info, "|")
	key, err := base64.StdEncoding.DecodeString(part[0])
	if err != nil {
		key, err = base64.RawStdEncoding.DecodeString(part[0]) // some phones leave the padding out
	}
	if err != nil || len(key) != keyLengths[c.Suite] {
		return fmt.Errorf("%w: key", errCrypto)
	}
	c.Key = key
	rest := part[1:]
	if len(rest) > 0 && !strings.Contains(rest[0], ":") {
		if !lifetime(rest[0]) {
			return fmt.Errorf("%w: lifetime", errCrypto)
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		if c.MKI = mki(rest[0]); c.MKI == nil {
			return fmt.Errorf("%w: MKI", errCrypto)
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: key parameters", errCrypto)
	}
	return nil
}

// lifetime judges "2^31" or "1048576": how many packets the key is good for, at
// most 2^48 (RFC 3711 §9.2). A call of ours is over before any that phones name:
// 2^20 packets of 20 ms are six hours.
func lifetime(s string) bool {
	if exponent, ok := strings.CutPrefix(s, "2^"); ok {
		n, err := strconv.ParseUint(exponent, 10, 8)
		return err == nil && n >= 20 && n <= lifetimeBits
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n >= 1<<20 && n <= 1<<lifetimeBits
}

// mki reads "1:4", value and length in bytes; nil for what is not one.
func mki(s string) []byte {
	text, size, _ := strings.Cut(s, ":")
	value, err := strconv.ParseUint(text, 10, 64) // longer values are not sent by anybody
	n, err2 := strconv.ParseUint(size, 10, 8)
	if err != nil || err2 != nil || n == 0 || n > maxMKI {
		return nil
	}
	b := make([]byte, max(n, 8))
	binary.BigEndian.PutUint64(b[len(b)-8:], value)
	for _, high := range b[:len(b)-int(n)] {
		if high != 0 {
			return nil
		}
	}
	return b[len(b)-int(n):]
}

// sessionParameter reports whether a session parameter leaves the line usable (RFC
// 4568 §6.3): a window's size is a hint, a derivation rate of 0 the default, and
// one that begins with "-" may be passed over by who does not know it. All others
// weaken what is secured, or change the packets in ways that we do not know.
func sessionParameter(p string) bool {
	if name, ok := strings.CutPrefix(p, "-"); ok {
		return name != ""
	}
	name, value, _ := strings.Cut(p, "=")
	switch strings.ToUpper(name) {
	case "WSH":
		n, err := strconv.ParseUint(value, 10, 32)
		return err == nil && n >= minWindow
	case "KDR":
		return value == "0"
	}
	return false
}

// String is the line without its key, for logs.
func (c Crypto) String() string { return strconv.Itoa(c.Tag) + " " + c.Suite }

// line is what follows "a=crypto:".
func (c Crypto) line() string {
	return c.String() + " inline:" + base64.StdEncoding.EncodeToString(c.Key)
}

// cutFold cuts a prefix off, whatever its case.
func cutFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// Fingerprint is that of a certificate (RFC 8122 §5).
type Fingerprint struct {
	Hash  string // sha-1, sha-256, sha-384 or sha-512
	Value string // upper case, with colons
}

// fingerprintBytes are the hashes that we take, with their lengths. MD5 and MD2
// must not be used (RFC 8122 §5.1).
var fingerprintBytes = map[string]int{"sha-1": 20, "sha-256": 32, "sha-384": 48, "sha-512": 64}

// parseFingerprint reads "sha-256 AB:CD:…".
func parseFingerprint(value string) (Fingerprint, bool) {
	hash, digits, _ := strings.Cut(value, " ")
	f := Fingerprint{Hash: strings.ToLower(hash), Value: strings.ToUpper(strings.TrimSpace(digits))}
	n := fingerprintBytes[f.Hash]
	if n == 0 || len(f.Value) != 3*n-1 {
		return Fingerprint{}, false
	}
	for i, c := range []byte(f.Value) {
		if i%3 == 2 && c != ':' || i%3 != 2 && !strings.ContainsRune("0123456789ABCDEF", rune(c)) {
			return Fingerprint{}, false
		}
	}
	return f, true
}

// The roles of a=setup (RFC 4145 §4).
const (
	Active   = "active"   // begins the handshake
	Passive  = "passive"  // waits for it
	Actpass  = "actpass"  // either, as the answer says
	HoldConn = "holdconn" // neither for now
)

// setupRole gives the role as it is written here, "" for one that is not known.
func setupRole(value string) string {
	for _, role := range []string{Active, Passive, Actpass, HoldConn} {
		if strings.EqualFold(role, value) {
			return role
		}
	}
	return ""
}

// secured takes an attribute about keys; those of a whole session are only the
// fingerprint and the role (RFC 8122 §5, RFC 4145 §4; RFC 4568 §4.1 wants a=crypto
// below its medium).
func (m *draft) secured(name, value string, session bool) {
	switch name {
	case "crypto":
		if c, err := parseCrypto(value); err == nil && !session && len(m.Crypto) < maxCryptos {
			m.Crypto = append(m.Crypto, c)
		}
	case "fingerprint":
		if f, ok := parseFingerprint(value); ok && len(m.Fingerprints) < maxCryptos {
			m.Fingerprints = append(m.Fingerprints, f)
		}
	case "setup":
		m.Setup = setupRole(value)
	}
}

// writeSecurity writes the keys of a medium.
func writeSecurity(b *bytes.Buffer, m Media) {
	for _, c := range m.Crypto {
		b.WriteString("a=crypto:" + c.line() + "\r\n")
	}
	for _, f := range m.Fingerprints {
		b.WriteString("a=fingerprint:" + f.Hash + " " + f.Value + "\r\n")
	}
	if m.Setup != "" {
		b.WriteString("a=setup:" + m.Setup + "\r\n")
	}
}

// NewFingerprint checks a fingerprint and brings it into our spelling.
func NewFingerprint(hash, value string) (Fingerprint, error) {
	f, ok := parseFingerprint(hash + " " + value)
	if !ok {
		return Fingerprint{}, fmt.Errorf("%w: fingerprint %.20q", ErrMalformed, hash)
	}
	return f, nil
}
