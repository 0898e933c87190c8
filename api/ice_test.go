package api

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestICEServers makes credentials and checks them as a TURN server does.
func TestICEServers(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/tenants/acme/extensions/101/ice"
	a := r.ask("GET", path, acmeToken, nil)
	a.want(t, 200)
	if strings.TrimSpace(string(a.body)) != `{"iceServers":[]}` {
		t.Errorf("without servers: %s", a.body)
	}
	r.c.ICE = ICE{URLs: []string{"stun:turn.test", "turn:turn.test:3478?transport=udp", "turns:turn.test"}, Secret: "s3cret", TTL: time.Hour}
	a = r.ask("GET", path, acmeToken, nil)
	a.want(t, 200)
	var got ICEServers
	a.into(t, &got)
	if len(got.Servers) != 2 || len(got.Servers[0].URLs) != 1 || got.Servers[0].Username != "" || len(got.Servers[1].URLs) != 2 {
		t.Fatalf("servers %+v", got.Servers)
	}
	turn := got.Servers[1]
	expiry, user, _ := strings.Cut(turn.Username, ":")
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if left := time.Until(time.Unix(seconds, 0)); err != nil || user != "101@acme.test" || left < 59*time.Minute || left > time.Hour || got.Expires == nil || got.Expires.Unix() != seconds {
		t.Errorf("username %q, expires %v", turn.Username, got.Expires)
	}
	mac := hmac.New(sha1.New, []byte("s3cret"))
	mac.Write([]byte(turn.Username))
	if turn.Credential != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		t.Errorf("credential %q", turn.Credential)
	}
	if a.Header.Get("Cache-Control") != "no-store" || strings.Contains(string(a.body), "s3cret") {
		t.Errorf("headers %v, body %s", a.Header, a.body)
	}
	r.ask("GET", "/api/v1/tenants/acme/extensions/999/ice", acmeToken, nil).want(t, 404)
	r.ask("GET", path, otherToken, nil).want(t, 404)
	r.ask("GET", path, "", nil).want(t, 401)
}
