package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/config"
	"vpbx/internal/simnet"
)

// writeCertificate writes a certificate for the machine of the tests, and its key.
func writeCertificate(t *testing.T, files config.TLS, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "pbx"}, IPAddresses: []net.IP{net.ParseIP("10.0.0.1")},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestR30 : the certificate that can be fetched is the one that https shows, also after
// it was replaced, and nothing of the key.
func TestR30(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		cfg, dir := testConfig(t, company), t.TempDir()
		cfg.TLS = config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
		cfg.HTTP.ListenTLS, cfg.HTTP.Token = "10.0.0.1:8443", "admin-token"
		writeCertificate(t, cfg.TLS, 1)
		a, err := New(t.Context(), cfg, hostOf(n), slog.New(slog.DiscardHandler), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close(t.Context())
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		if a.HTTPS() == nil || a.HTTPS().String() != "10.0.0.1:8443" {
			t.Errorf("https at %v", a.HTTPS())
		}
		remote := n.Host("10.0.3.1")
		fetch := func() (shown *x509.Certificate, text []byte) {
			t.Helper()
			transport := &http.Transport{DialContext: remote.Dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://10.0.0.1:8443/api/v1/tenants/acme/integration/certificate", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer admin-token")
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, err = io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/x-pem-file" {
				t.Fatalf("%d %v %s, %v", res.StatusCode, res.Header, text, err)
			}
			return res.TLS.PeerCertificates[0], text
		}
		for serial := range int64(2) {
			writeCertificate(t, cfg.TLS, serial+1)
			if err := a.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			shown, text := fetch()
			block, rest := pem.Decode(text)
			if block == nil || len(rest) != 0 || !bytes.Equal(block.Bytes, shown.Raw) || shown.SerialNumber.Int64() != serial+1 {
				t.Errorf("certificate %d: %s", shown.SerialNumber, text)
			}
		}
	})
}
