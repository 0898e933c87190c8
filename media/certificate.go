package media

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/fingerprint"

	"vpbx/media/sdp"
)

// certificateLife is longer than any process runs. Peers know the certificate by its
// fingerprint alone (RFC 5763 §5); it is made anew at each start.
const certificateLife = 10 * 365 * 24 * time.Hour

// certificate is how this node proves itself in handshakes of DTLS.
type certificate struct {
	tls          tls.Certificate
	fingerprints []sdp.Fingerprint
}

// newCertificate makes a self-signed certificate that says nothing of the node.
func newCertificate(now time.Time) (certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return certificate{}, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "media"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return certificate{}, fmt.Errorf("sign: %w", err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		return certificate{}, fmt.Errorf("read back: %w", err)
	}
	value, err := fingerprint.Fingerprint(leaf, crypto.SHA256)
	if err != nil {
		return certificate{}, fmt.Errorf("take the fingerprint: %w", err)
	}
	f, err := sdp.NewFingerprint("sha-256", value)
	if err != nil {
		return certificate{}, err
	}
	return certificate{
		tls:          tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf},
		fingerprints: []sdp.Fingerprint{f},
	}, nil
}

// proves reports whether a certificate of a peer is one of those that its SDP named.
func proves(raw []byte, named []sdp.Fingerprint) bool {
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return false
	}
	for _, want := range named {
		hash, err := fingerprint.HashFromString(want.Hash)
		if err != nil {
			continue
		}
		value, err := fingerprint.Fingerprint(cert, hash)
		if err != nil {
			continue
		}
		if got, err := sdp.NewFingerprint(want.Hash, value); err == nil && got == want {
			return true
		}
	}
	return false
}
