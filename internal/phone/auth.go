package phone

import (
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// maxChallenges is how often one request is sent again with other credentials.
const maxChallenges = 3

// credential is a challenge that can be answered again, with the count of its uses.
type credential struct {
	challenge *digest.Challenge
	count     int
}

// answerChallenge puts credentials for the strongest challenge of a 401 or 407
// into r (RFC 3261 §22, RFC 8760). False means the answer is final: there is no
// password, no challenge fits, or the password was refused.
func (p *Phone) answerChallenge(r *request, res *sip.Response) bool {
	if p.cfg.Password == "" || r.attempts >= maxChallenges {
		return false
	}
	name, answer := "WWW-Authenticate", "Authorization"
	if res.StatusCode == 407 {
		name, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	if _, raw := r.headers[answer]; raw {
		return false
	}
	chosen := p.choose(res.GetHeaders(name))
	if chosen == nil || r.attempts > 0 && !chosen.Stale {
		return false
	}
	r.attempts++
	c := &credential{challenge: chosen}
	p.credentials[answer] = c
	return p.sign(r, answer, c)
}

// choose picks the strongest challenge the phone answers.
func (p *Phone) choose(headers []sip.Header) *digest.Challenge {
	var best *digest.Challenge
	for _, h := range headers {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil || !digest.CanDigest(c) {
			continue
		}
		if p.cfg.Algorithm != "" && !strings.EqualFold(p.cfg.Algorithm, algorithmOf(c)) {
			continue
		}
		if best == nil || algorithmOf(best) == "MD5" && algorithmOf(c) != "MD5" {
			best = c
		}
	}
	return best
}

// algorithmOf is MD5 when the challenge names none (RFC 7616 §3.3).
func algorithmOf(c *digest.Challenge) string {
	if c.Algorithm == "" {
		return "MD5"
	}
	return strings.ToUpper(c.Algorithm)
}

// preempt signs a request with a nonce that is known already.
func (p *Phone) preempt(r *request) {
	if !p.cfg.ReuseNonce || r.credentials != "" {
		return
	}
	name := "Proxy-Authorization"
	if r.method == "REGISTER" {
		name = "Authorization"
	}
	if _, raw := r.headers[name]; raw {
		return
	}
	if c := p.credentials[name]; c != nil {
		p.sign(r, name, c)
	}
}

func (p *Phone) sign(r *request, name string, c *credential) bool {
	c.count++
	cred, err := digest.Digest(c.challenge, digest.Options{
		Method: r.method, URI: r.uri, Count: c.count, Username: p.cfg.User, Password: p.cfg.Password,
	})
	if err != nil {
		p.log.Debug("cannot answer a challenge", "error", err)
		return false
	}
	r.credentials = name + ": " + cred.String()
	return true
}
