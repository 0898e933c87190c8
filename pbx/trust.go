package pbx

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
)

// OneCRM is why a company cannot have both: what the CRM says of a caller, and what
// amoCRM does, would route the same call.
const OneCRM = "the number query of the integration API (kind rtk) and amoCRM exclude each other: " +
	"turn the one off before the other is turned on"

// Trust is how a company and its CRM of kind rtk trust each other beside the keys.
type Trust struct {
	Allow       []netip.Prefix `json:"allow,omitempty"`       // where the CRM may ask from, empty: from anywhere
	SSL         SSLMode        `json:"ssl,omitempty"`         //
	Certificate string         `json:"certificate,omitempty"` // PEM: what the CRM's certificate is, or is issued by; "": the public authorities
	Retired     []RetiredKeys  `json:"retired,omitempty"`     // that were replaced, the latest last
}

// maxRetired bounds the replaced keys that are remembered.
const maxRetired = 100

// RetiredKeys are keys of the integration API that were replaced by others: they are
// good for nothing, and a document that still has them does not bring them back.
type RetiredKeys struct {
	ClientID string `json:"client_id"`
	KeyHash  string `json:"key_hash"` // hex SHA-256 of the sign key
}

// Admits says why the CRM may not ask from an address, nil when it may. secure: by
// https. The address is that of the connection; the error is of kind Denied.
func (t *Trust) Admits(from netip.Addr, secure bool) error {
	if t.SSL == SSLOn && !secure {
		return &Error{Kind: Denied, Msg: "this company takes requests by https only"}
	}
	if len(t.Allow) == 0 {
		return nil
	}
	from = from.Unmap().WithZone("")
	for _, p := range t.Allow {
		if p.Contains(from) {
			return nil
		}
	}
	return &Error{Kind: Denied, Msg: "requests from this address are not allowed"}
}

// NewKeys gives the CRM a new client id and a new sign key, and retires those it has.
func (c *CRM) NewKeys() {
	if c.ClientID != "" {
		kept := c.Retired[max(0, len(c.Retired)-maxRetired+1):]
		c.Retired = append(append([]RetiredKeys(nil), kept...), RetiredKeys{strings.ToUpper(c.ClientID), keyHash(c.SignKey)})
	}
	c.ClientID, c.SignKey = newKey(), newKey()
}

// IsRetired tells whether keys were replaced by others. A key that is left out is the
// one that the client had.
func (t *Trust) IsRetired(clientID, signKey string) bool {
	for _, r := range t.Retired {
		if strings.EqualFold(r.ClientID, clientID) && (signKey == "" || r.KeyHash == keyHash(signKey)) {
			return true
		}
	}
	return false
}

func keyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// newKey is 128 random bits as the integration API writes them.
func newKey() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return strings.ToUpper(hex.EncodeToString(b[:]))
}
