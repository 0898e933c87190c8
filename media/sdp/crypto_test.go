package sdp

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// keys of the right lengths.
var (
	key28 = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 28))
	key30 = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz" // RFC 4568 §9.1
	key44 = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 44))
	key46 = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, 46))
)

func TestCryptoAccepts(t *testing.T) {
	tests := []struct {
		line  string
		tag   int
		suite string
		mki   []byte
	}{
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^20|1:4 FEC_ORDER=FEC_SRTP", 0, "", nil}, // the example of the RFC; FEC is not ours
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30, 1, "AES_CM_128_HMAC_SHA1_80", nil},
		{"999999999 AES_CM_128_HMAC_SHA1_32 inline:" + key30, 999999999, "AES_CM_128_HMAC_SHA1_32", nil},
		{"2 aes_256_cm_hmac_sha1_80 INLINE:" + key46, 2, "AES_256_CM_HMAC_SHA1_80", nil},
		{"3 AES_256_CM_HMAC_SHA1_32 inline:" + strings.TrimRight(key46, "="), 3, "AES_256_CM_HMAC_SHA1_32", nil},
		{"4 AEAD_AES_128_GCM inline:" + key28 + "|2^48", 4, "AEAD_AES_128_GCM", nil},
		{"5 AEAD_AES_256_GCM inline:" + key44 + "|1048576|258:2", 5, "AEAD_AES_256_GCM", []byte{1, 2}},
		{"6 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|1:4", 6, "AES_CM_128_HMAC_SHA1_80", []byte{0, 0, 0, 1}},
		{"6 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|7:10", 6, "AES_CM_128_HMAC_SHA1_80", []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 7}},
		{"7 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " KDR=0 WSH=128 -EXTRA=1", 7, "AES_CM_128_HMAC_SHA1_80", nil},
	}
	for _, tt := range tests {
		c, err := parseCrypto(tt.line)
		if tt.tag == 0 {
			if err == nil {
				t.Errorf("%s is taken", tt.line)
			}
			continue
		}
		if err != nil || c.Tag != tt.tag || c.Suite != tt.suite || !bytes.Equal(c.MKI, tt.mki) || len(c.Key) != KeyLength(tt.suite) {
			t.Errorf("%s: %+v, %v", tt.line, c, err)
		}
	}
}

func TestCryptoRefuses(t *testing.T) {
	suite := "AES_CM_128_HMAC_SHA1_80"
	good := "1 " + suite + " inline:" + key30
	tests := map[string]string{
		"nothing": "", "cut short": "1 " + suite, "no tag": suite + " inline:" + key30 + " x", "tag 0": "0 " + suite + " inline:" + key30,
		"tag with zeros": "01 " + suite + " inline:" + key30, "tag too large": "1000000000 " + suite + " inline:" + key30, "negative": "-1 " + suite + " inline:" + key30,
		"suite": "1 F8_128_HMAC_SHA1_80 inline:" + key30, "null": "1 NULL_HMAC_SHA1_80 inline:" + key30,
		"method": "1 " + suite + " uri:" + key30, "no key": "1 " + suite + " inline:", "short key": "1 " + suite + " inline:" + key28,
		"long key": "1 " + suite + " inline:" + key46, "not base64": "1 " + suite + " inline:" + strings.Repeat("!", 40),
		"several keys": good + "|2^20|1:4;inline:" + key30 + "|2^20|2:4",
		"lifetime 0":   good + "|0", "lifetime too short": good + "|2^10", "too long": good + "|2^49", "no number": good + "|2^x",
		"MKI too long": good + "|2^20|1:129", "MKI of nothing": good + "|2^20|1:0", "MKI does not fit": good + "|2^20|256:1", "MKI no number": good + "|2^20|x:4",
		"too many parts": good + "|2^20|1:4|5",
		"unencrypted":    good + " UNENCRYPTED_SRTP", "control": good + " UNENCRYPTED_SRTCP", "unauthenticated": good + " UNAUTHENTICATED_SRTP",
		"derivation": good + " KDR=4", "window": good + " WSH=63", "FEC": good + " FEC_KEY=inline:" + key30, "unknown": good + " EXTRA=1", "dash alone": good + " -",
	}
	for name, line := range tests {
		c, err := parseCrypto(line)
		if err == nil {
			t.Errorf("%s is taken: %v", name, c)
			continue
		}
		if strings.Contains(err.Error(), key30[:8]) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
}

func TestSecurityOfMedia(t *testing.T) {
	f := strings.TrimSuffix(strings.Repeat("0a:", 32), ":")
	m := mustParse(t, crlf("v=0", "c=IN IP4 192.0.2.1", "a=fingerprint:SHA-256 "+f, "a=setup:actpass", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+key30,
		"m=audio 4000 RTP/SAVP 0", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:"+key30, "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:"+key30,
		"m=audio 4002 UDP/TLS/RTP/SAVP 0", "a=setup:Passive", "a=fingerprint:md5 00:11", "a=fingerprint:sha-1 "+f[:59])).Media
	if len(m[0].Crypto) != 1 || m[0].Crypto[0].Tag != 2 || m[0].Setup != Actpass || len(m[0].Fingerprints) != 1 || m[0].Fingerprints[0] != (Fingerprint{"sha-256", strings.ToUpper(f)}) {
		t.Errorf("%+v", m[0])
	}
	if len(m[1].Crypto) != 0 || m[1].Setup != Passive || len(m[1].Fingerprints) != 1 || m[1].Fingerprints[0].Hash != "sha-1" {
		t.Errorf("%+v", m[1])
	}
	many := []string{"v=0", "m=audio 4000 RTP/SAVP 0"}
	for range 50 {
		many = append(many, "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:"+key30, "a=fingerprint:sha-256 "+f)
	}
	if m := mustParse(t, crlf(many...)).Media[0]; len(m.Crypto) > maxCryptos || len(m.Fingerprints) > maxCryptos {
		t.Errorf("%d keys, %d fingerprints", len(m.Crypto), len(m.Fingerprints))
	}
}

func TestFingerprintRefuses(t *testing.T) {
	for _, value := range []string{"", "sha-256", "sha-256 0A", "md5 " + strings.Repeat("0A:", 15) + "0A", "sha-1 " + strings.Repeat("0A-", 19) + "0A", "sha-1 " + strings.Repeat("0G:", 19) + "0A"} {
		if f, ok := parseFingerprint(value); ok {
			t.Errorf("%q is %v", value, f)
		}
	}
}

// FuzzCrypto: a line that is taken has a key of its suite's length, tells no key as
// text, and is read back as it is written.
func FuzzCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^20|1:4 WSH=64")
	f.Add("5 AEAD_AES_256_GCM inline:" + key44 + "|1048576|258:2 -X")
	f.Add("2 AES_256_CM_HMAC_SHA1_80 inline:" + key46 + " KDR=0")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseCrypto(line)
		if err != nil {
			return
		}
		if len(c.Key) != KeyLength(c.Suite) || c.Tag < 1 || len(c.MKI) > maxMKI {
			t.Fatalf("%q: %+v", line, c)
		}
		if strings.Contains(c.String(), base64.StdEncoding.EncodeToString(c.Key)) {
			t.Fatalf("%q tells its key", c)
		}
		back, err := parseCrypto(c.line())
		if err != nil || back.Tag != c.Tag || back.Suite != c.Suite || !bytes.Equal(back.Key, c.Key) {
			t.Fatalf("%q: %v, %v", c, back, err)
		}
	})
}
