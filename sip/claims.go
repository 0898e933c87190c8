package sip

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// Bounds of what is kept of an INVITE about its caller.
const (
	maxIdentities = 4    // Identity headers: a call that was forwarded has several (RFC 8946)
	maxIdentity   = 4096 // bytes of one
	maxAsserted   = 4    // values of P-Asserted-Identity that are looked at
)

// Claims is what an initial INVITE says of its caller beside From. Whether it is
// to be believed depends on who sent it: see [pbx.Trunk].Trusted.
type Claims struct {
	Asserted Party    // P-Asserted-Identity (RFC 3325 §9.1), the first with a number; zero: none
	Private  bool     // Privacy asks to withhold who calls (RFC 3323 §4.2, RFC 3325 §9.3)
	Verstat  string   // verdict about the number: TN-Validation-Passed, TN-Validation-Failed, No-TN-Validation, "": none
	Attest   string   // A, B or C of the first PASSporT that says so (RFC 8588 §4); nobody has checked its signature
	Identity []string // values of the Identity headers as they came (RFC 8224 §4)
}

// claimsOf reads the claims of an INVITE. What cannot be read is left out: the
// call does not fail for it.
func claimsOf(req *msg.Request) Claims {
	var c Claims
	for _, v := range values(req, "privacy") {
		c.Private = c.Private || withholds(v)
	}
	var verdict string
	for _, v := range values(req, "p-asserted-identity") {
		parts, err := split(v, ',')
		if err != nil {
			continue
		}
		for _, p := range parts[:min(len(parts), maxAsserted)] {
			who, uri, ok := assertedParty(p)
			if ok && c.Asserted.User == "" {
				c.Asserted, verdict = who, verstat(uri)
			}
		}
	}
	if c.Verstat = verdict; c.Verstat == "" && req.From() != nil {
		c.Verstat = verstat(req.From().Value())
	}
	for _, v := range values(req, "identity") {
		if len(v) > maxIdentity || len(c.Identity) >= maxIdentities || control(v) {
			continue
		}
		c.Identity = append(c.Identity, v)
		if c.Attest == "" {
			c.Attest = attestation(v)
		}
	}
	return c
}

// withholds says whether a Privacy header asks that the callee is not told who
// calls: id (RFC 3325 §9.3) and user (RFC 3323 §4.2) do; header and session are
// about addresses, which a back-to-back user agent hides anyway.
func withholds(v string) bool {
	for t := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ';' || r == ',' || r == ' ' || r == '\t' }) {
		if strings.EqualFold(t, "id") || strings.EqualFold(t, "user") {
			return true
		}
	}
	return false
}

// assertedParty reads one value of P-Asserted-Identity: a name-addr or
// addr-spec with a sip, sips or tel URI (RFC 3325 §9.1).
func assertedParty(s string) (who Party, uri string, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > 2*maxURI {
		return Party{}, "", false
	}
	uri, _, err := addressOf(s)
	if err != nil {
		return Party{}, "", false
	}
	if open := indexOutside(s, '<'); open > 0 {
		who.Name = clean(unquote(s[:open]))
	} else if open < 0 {
		uri = s // an addr-spec: the parameters are the number's
	}
	scheme, rest, _ := strings.Cut(uri, ":")
	switch strings.ToLower(scheme) {
	case "tel":
		rest, _, _ = strings.Cut(rest, ";")
	case "sip", "sips":
		at := strings.LastIndexByte(rest, '@')
		if at < 0 {
			return Party{}, "", false
		}
		rest, _, _ = strings.Cut(rest[:at], ";")
		rest, _, _ = strings.Cut(rest, ":")
	default:
		return Party{}, "", false
	}
	who.User = clean(unescape(rest))
	return who, uri, who.User != ""
}

// verdicts are those of 3GPP TS 24.229 §7.2A.20.
var verdicts = []string{"TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"}

// verstat finds the verstat parameter in a URI or header value. Some networks
// put the attestation behind it (TN-Validation-Passed-A), which is cut off.
func verstat(s string) string {
	const name = ";verstat="
	low := strings.ToLower(s)
	i := strings.Index(low, name)
	if i < 0 {
		return ""
	}
	low = low[i+len(name):]
	for _, v := range verdicts {
		rest, ok := strings.CutPrefix(low, strings.ToLower(v))
		if ok && (rest == "" || strings.IndexByte(";@>- \t,\"", rest[0]) >= 0) {
			return v
		}
	}
	return ""
}

// attestation reads the "attest" claim of the PASSporT in an Identity header
// (RFC 8224 §4, RFC 8225 §3, RFC 8588 §4); "" when it has none, as in the compact
// form, or cannot be read.
func attestation(v string) string {
	passport, _, _ := strings.Cut(v, ";")
	parts := strings.Split(strings.Trim(strings.TrimSpace(passport), `"`), ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return ""
	}
	var claims struct {
		Attest string `json:"attest"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	switch claims.Attest {
	case "A", "B", "C":
		return claims.Attest
	}
	return ""
}
