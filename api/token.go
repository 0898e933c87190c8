package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"vpbx/internal/visitor"
	"vpbx/pbx"
)

const (
	maxToken     = 512              // bytes of a token
	maxTokens    = 1024             // tokens remembered
	tokenTrusted = 30 * time.Second // how long a token is good without asking for it again
)

// HashToken gives the form in which a token is kept and looked up: lower-case
// hex of its SHA-256. Tokens are long and random, so no slower hash is needed.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// tokens finds out whose a token is. Only tokens that exist are remembered, so
// that guessing costs the guesser and not us.
type tokens struct {
	find  func(ctx context.Context, hash string) (Principal, error)
	admin string // hash of the administrator's token of the config, "" when none

	guesses sources

	mu   sync.Mutex
	good map[string]goodToken // by hash
}

type goodToken struct {
	who   Principal
	until time.Time
}

// principal gives the holder of the token of a request. A source that guessed
// too often is refused before its token is looked up, unless that token was
// good before: nobody is locked out by what others do behind the same address.
func (t *tokens) principal(r *http.Request) (Principal, error) {
	now, from := time.Now(), sourceOf(r)
	token, ok := bearer(r)
	if !ok {
		return Principal{}, unauthenticated("an Authorization header with a Bearer token is needed")
	}
	hash := HashToken(token)
	if t.admin != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(t.admin)) == 1 {
		return Principal{Name: "config", Role: RoleAdmin}, nil
	}
	old, known := t.remembered(hash)
	if known && now.Before(old.until) {
		return old.who, nil
	}
	if !known && !t.guesses.mayTry(from, now) {
		return Principal{}, &retryError{after: guessEvery, error: &pbx.Error{Kind: pbx.Limit, Msg: "too many wrong tokens from this address"}}
	}
	who, err := t.find(r.Context(), hash)
	if err != nil && pbx.KindOf(err) == pbx.NotFound {
		t.forget(hash)
		t.guesses.wrong(from, now)
		return Principal{}, unauthenticated("the token is not known")
	}
	if err != nil {
		return Principal{}, fmt.Errorf("look up token: %w", err)
	}
	t.remember(hash, goodToken{who: who, until: now.Add(tokenTrusted)}, now)
	return who, nil
}

func (t *tokens) remembered(hash string) (goodToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.good[hash]
	return g, ok
}

func (t *tokens) forget(hash string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.good, hash)
}

// remember keeps a good token. When the memory is full the stale ones go, and
// if none is stale all of them: they are looked up again.
func (t *tokens) remember(hash string, g goodToken, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.good[hash]; !ok && len(t.good) >= maxTokens {
		for h, old := range t.good {
			if !now.Before(old.until) {
				delete(t.good, h)
			}
		}
		if len(t.good) >= maxTokens {
			clear(t.good)
		}
	}
	t.good[hash] = g
}

func unauthenticated(msg string) error { return &pbx.Error{Kind: pbx.Unauthenticated, Msg: msg} }

// bearer gives the token of a request (RFC 6750 §2.1; the scheme in any case,
// RFC 9110 §11.1).
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return "", false
	}
	return token, true
}

// sourceOf gives the address a request came from, the zero address when it cannot be
// read; behind a trusted proxy it is the one that this has written.
func sourceOf(r *http.Request) netip.Addr { return visitor.Of(r).Addr }
