package phone_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"vpbx/internal/phone"
)

// TestLoopback makes a call between two phones on real sockets.
func TestLoopback(t *testing.T) {
	server, client := certificate(t)
	for _, network := range []string{"udp", "tcp", "tls"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			bob := start(t, phone.Config{
				Address: "127.0.0.1:0", Transport: network, TLS: server, User: "bob", Domain: "test", Media: true, Tone: 660,
				Challenge: &phone.Challenge{User: "alice", Password: "secret", Realm: "test"},
			})
			defer bob.Close()
			alice := start(t, phone.Config{
				Transport: network, TLS: client, Server: bob.Addr().String(), User: "alice", Password: "secret", Domain: "test", Media: true, Tone: 440,
			})
			defer alice.Close()
			if r, err := alice.Register(ctx, time.Minute); err != nil || !r.OK() || r.Granted != time.Minute {
				t.Fatalf("%+v, %v", r, err)
			}
			ours, err := alice.Dial(ctx, "bob", phone.DialOptions{})
			if err != nil {
				t.Fatal(err)
			}
			theirs := <-bob.Incoming()
			if err := theirs.Answer(ctx); err != nil {
				t.Fatal(err)
			}
			heard := time.NewTicker(20 * time.Millisecond)
			defer heard.Stop()
			for !ours.Heard(660) || !theirs.Heard(440) {
				select {
				case <-heard.C:
				case <-ctx.Done():
					t.Fatalf("no audio: %+v %+v", ours.RTP(), theirs.RTP())
				}
			}
			if err := ours.Hold(ctx); err != nil {
				t.Error(err)
			}
			if err := theirs.Hangup(ctx); err != nil {
				t.Error(err)
			}
			if e, err := ours.Ended(ctx); err != nil || e.By != "peer" {
				t.Errorf("%+v, %v", e, err)
			}
			if b := bob.Bindings(); len(b) != 1 {
				t.Errorf("%+v", b)
			}
		})
	}
}

// certificate makes a key pair for 127.0.0.1 and the configs of both ends.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}
