package api

import (
	"net/netip"
	"strings"
	"testing"

	"vpbx/internal/visitor"
)

// TestGuessesBehindProxy: one visitor who guesses tokens behind a trusted proxy does not lock
// the others out, and cannot escape by what it writes before its address.
func TestGuessesBehindProxy(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/tenants/acme/calls"
	ask := func(header ...string) answer { return r.ask("GET", path, "wrong", nil, header...) }
	for range guessBurst { // nobody's word counts: it is one source, whatever it says
		ask("X-Forwarded-For", "203.0.113.7").want(t, 401)
	}
	ask("X-Forwarded-For", "203.0.113.8").want(t, 429)

	r = newRig(t)
	r.c.Proxies = visitor.Proxies{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}
	for range guessBurst {
		ask("X-Forwarded-For", "203.0.113.7").want(t, 401)
	}
	ask("X-Forwarded-For", "198.51.100.1, 203.0.113.7").want(t, 429)
	ask("X-Forwarded-For", "203.0.113.7", "Forwarded", "for=198.51.100.1").want(t, 429)
	ask("X-Forwarded-For", "203.0.113.8").want(t, 401)
	if log := r.log.String(); !strings.Contains(log, "source=203.0.113.8") {
		t.Errorf("the log does not name the visitor: %s", log)
	}
}
