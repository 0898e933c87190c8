package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
)

func TestBearer(t *testing.T) {
	for _, c := range []struct {
		header, want string
	}{
		{"Bearer abc", "abc"},
		{"bearer  abc ", "abc"},
		{"BEARER abc", "abc"},
		{"", ""},
		{"Bearer", ""},
		{"Bearer ", ""},
		{"Basic abc", ""},
		{"abc", ""},
		{"Bearer " + fmt.Sprintf("%0600d", 1), ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", c.header)
		if got, ok := bearer(r); got != c.want || ok != (c.want != "") {
			t.Errorf("%q gives %q, %v", c.header, got, ok)
		}
	}
}

// tokenBook is a set of tokens that counts how often it was asked.
type tokenBook struct {
	known map[string]Principal // by token
	down  error
	asked int
}

func (b *tokenBook) tokens() *tokens {
	return &tokens{good: map[string]goodToken{}, find: b.find}
}

func (b *tokenBook) find(_ context.Context, hash string) (Principal, error) {
	b.asked++
	if b.down != nil {
		return Principal{}, b.down
	}
	for token, who := range b.known {
		if HashToken(token) == hash {
			return who, nil
		}
	}
	return Principal{}, &pbx.Error{Kind: pbx.NotFound, Msg: "no such token"}
}

func from(source, token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = source
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestTokensAreRememberedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := &tokenBook{known: map[string]Principal{"a": {Name: "a"}}}
		k := book.tokens()
		for range 5 {
			if who, err := k.principal(from("10.0.0.1:1", "a")); err != nil || who.Name != "a" {
				t.Fatal(who, err)
			}
		}
		if book.asked != 1 {
			t.Errorf("asked %d times for a token that is remembered", book.asked)
		}
		delete(book.known, "a")
		time.Sleep(tokenTrusted)
		if _, err := k.principal(from("10.0.0.1:1", "a")); pbx.KindOf(err) != pbx.Unauthenticated {
			t.Errorf("a token that was taken back: %v", err)
		}
		book.down = &pbx.Error{Kind: pbx.Unavailable, Msg: "the database does not answer"}
		if _, err := k.principal(from("10.0.0.1:1", "b")); pbx.KindOf(err) != pbx.Unavailable {
			t.Errorf("a store that is down: %v", err)
		}
	})
}

func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := &tokenBook{known: map[string]Principal{"good": {Name: "good"}, "new": {Name: "new"}}}
		k := book.tokens()
		if _, err := k.principal(from("10.0.0.1:1", "good")); err != nil {
			t.Fatal(err)
		}
		for i := range guessBurst {
			if _, err := k.principal(from("10.0.0.1:1", fmt.Sprint("guess", i))); pbx.KindOf(err) != pbx.Unauthenticated {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		asked := book.asked
		_, err := k.principal(from("10.0.0.1:2", "new"))
		var retry *retryError
		if pbx.KindOf(err) != pbx.Limit || !errors.As(err, &retry) || retry.after != guessEvery {
			t.Errorf("one guess too many: %v", err)
		}
		if book.asked != asked {
			t.Error("a refused token was looked up")
		}
		// Others are not locked out: another address, and a token that was good.
		if _, err := k.principal(from("10.0.0.2:1", "new")); err != nil {
			t.Errorf("another source: %v", err)
		}
		time.Sleep(guessEvery - time.Second)
		if _, err := k.principal(from("10.0.0.1:1", "good")); err != nil {
			t.Errorf("a token that was good before: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := k.principal(from("10.0.0.1:1", "guess")); pbx.KindOf(err) != pbx.Unauthenticated {
			t.Errorf("after a while: %v", err)
		}
	})
}

func TestTokenMemoryIsBounded(t *testing.T) {
	book := &tokenBook{known: map[string]Principal{}}
	k := book.tokens()
	now := time.Now()
	for i := range 3 * maxTokens {
		k.remember(fmt.Sprint(i), goodToken{until: now.Add(tokenTrusted)}, now)
	}
	if len(k.good) > maxTokens {
		t.Errorf("%d tokens are remembered", len(k.good))
	}
}

func TestSourcesAreBounded(t *testing.T) {
	var s sources
	now := time.Now()
	addr := netip.MustParseAddr("10.0.0.0")
	for range 3 * maxSources {
		s.wrong(addr, now)
		addr = addr.Next()
	}
	if len(s.left) > maxSources+1 {
		t.Errorf("%d sources are counted", len(s.left))
	}
	if s.mayTry(addr, now) {
		t.Error("beyond the bound nobody is limited")
	}
	later := now.Add(time.Hour)
	if !s.mayTry(addr, later) {
		t.Error("the shared budget does not come back")
	}
	s.wrong(addr, later)
	if len(s.left) != 1 {
		t.Errorf("%d sources are left after an hour", len(s.left))
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1":        "10.0.0.1/32",
		"2001:db8::1":     "2001:db8::/64",
		"2001:db8::ffff":  "2001:db8::/64",
		"fe80::1%eth0":    "fe80::/64",
		"2001:db8:0:1::1": "2001:db8:0:1::/64",
	} {
		if got := network(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("network(%s) = %s, want %s", in, got, want)
		}
	}
	if got := network(netip.Addr{}); got.IsValid() {
		t.Errorf("no address gives %s", got)
	}
	for in, want := range map[string]string{"[::ffff:10.0.0.1]:80": "10.0.0.1", "10.0.0.1:80": "10.0.0.1", "pipe": "invalid IP"} {
		if got := sourceOf(&http.Request{RemoteAddr: in}).String(); got != want {
			t.Errorf("sourceOf(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestTooManyWrongTokens(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/tenants/acme/calls"
	for range guessBurst {
		r.ask("GET", path, "wrong", nil).want(t, 401)
	}
	a := r.ask("GET", path, "wrong", nil)
	if p := a.want(t, 429); p.Kind != pbx.Limit || a.Header.Get("Retry-After") != "6" {
		t.Errorf("%+v, Retry-After %q", p, a.Header.Get("Retry-After"))
	}
	r.ask("GET", path, adminToken, nil).want(t, 200)
	r.ask("GET", "/healthz", "", nil).want(t, 200)
	if n := r.lookups.Load(); n != guessBurst {
		t.Errorf("%d tokens were looked up", n)
	}
}
