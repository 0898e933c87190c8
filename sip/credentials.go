package sip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	msg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// errNoChallenge tells that a 401 or 407 asked for nothing we can answer.
var errNoChallenge = errors.New("no digest challenge we support")

// strength orders the digest algorithms we can answer with, weakest first.
var strength = []string{"MD5", "SHA-256", "SHA-512-256"}

// credentialsHeader names the header that answers a 401 or 407.
func credentialsHeader(code int) string {
	if code == 407 {
		return "Proxy-Authorization"
	}
	return "Authorization"
}

// answerChallenge makes the credentials for a request out of the strongest
// challenge of a 401 or 407 (RFC 8760 §2.4). stale says that only the nonce of
// the credentials before was too old.
func answerChallenge(res *msg.Response, req *msg.Request, username, password string) (h msg.Header, stale bool, err error) {
	name := "www-authenticate"
	if res.StatusCode == 407 {
		name = "proxy-authenticate"
	}
	c := strongest(values(res, name))
	if c == nil {
		return nil, false, errNoChallenge
	}
	cred, err := digest.Digest(c, digest.Options{
		Method: string(req.Method), URI: req.Recipient.String(), Username: username, Password: password, Count: 1,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body())), nil },
	})
	if err != nil {
		return nil, false, fmt.Errorf("answer digest challenge: %w", err)
	}
	return msg.NewHeader(credentialsHeader(res.StatusCode), cred.String()), c.Stale, nil
}

// strongest picks the challenge to answer, nil when there is none we can. Of
// two with the same algorithm it is the first, as the server prefers.
func strongest(challenges []string) *digest.Challenge {
	var best *digest.Challenge
	rank := -1
	for _, v := range challenges {
		c, err := digest.ParseChallenge(v)
		if err != nil || control(c.Realm) || control(c.Nonce) || control(c.Opaque) {
			continue
		}
		c.Algorithm = strings.ToUpper(c.Algorithm)
		for i, q := range c.QOP {
			c.QOP[i] = strings.ToLower(strings.TrimSpace(q))
		}
		if r := rankOf(c.Algorithm); r > rank && digest.CanDigest(c) {
			best, rank = c, r
		}
	}
	return best
}

// rankOf gives the place of an algorithm in strength, -1 when it is unknown.
// No algorithm means MD5 (RFC 7616 §3.3).
func rankOf(algorithm string) int {
	if algorithm == "" {
		return 0
	}
	for i, a := range strength {
		if a == algorithm {
			return i
		}
	}
	return -1
}
