package sip

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	head := "INVITE sip:102:geheim@acme.test SIP/2.0\r\n"
	tests := []struct{ name, message, want string }{
		{"digest answer", head + "Authorization: Digest username=\"101\", realm=\"acme.test\", nonce=\"n\", uri=\"sip:acme.test\", response=\"geheim\", cnonce=\"geheim\", qop=auth, nc=00000001\r\n\r\n",
			"INVITE sip:102:******@acme.test SIP/2.0\r\nAuthorization: Digest username=\"101\", realm=\"acme.test\", nonce=\"n\", uri=\"sip:acme.test\", response=********, cnonce=********, qop=auth, nc=00000001\r\n\r\n"},
		{"bare parameters, folded", "X\r\nproxy-authorization :  digest Response = geheim ,\r\n realm=a,response=\r\n geheim\r\n\r\n",
			"X\r\nproxy-authorization :  digest Response = ****** ,\r\n realm=a,response=\r\n ******\r\n\r\n"},
		{"another scheme", "X\r\nAuthorization: Basic geheim==\r\nAuthorization: geheim\r\nAuthorization: Bearer a=geheim\r\n\r\n",
			"X\r\nAuthorization: **************\r\nAuthorization: ******\r\nAuthorization: ***************\r\n\r\n"},
		{"unterminated", "X\r\nAuthorization: Digest realm=\"a, response=geheim\r\n\r\n", "X\r\nAuthorization: Digest *************************\r\n\r\n"},
		{"next to each other", "X\r\nAuthorization: Digest realm=\"a\" response=geheim\r\n\r\n", "X\r\nAuthorization: Digest realm=\"a\" ***************\r\n\r\n"},
		{"info", "X\r\nAuthentication-Info: qop=auth, rspauth=\"geheim\", nextnonce=\"geheim\"\r\n\r\n", "X\r\nAuthentication-Info: qop=auth, rspauth=********, nextnonce=********\r\n\r\n"},
		{"hidden behind a CR", "X\r\nA: b\rAuthorization: Basic geheim\r\n\r\n", "X\r\nA: b\rAuthorization: ************\r\n\r\n"},
		{"contact", "X\r\nContact: <sip:101:geheim@10.0.0.2>\r\n\r\n", "X\r\nContact: <sip:101:******@10.0.0.2>\r\n\r\n"},
		{"keys", "X\r\n\r\nv=0\r\nk=clear:geheim\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:geheim|2^20\r\na=ice-ufrag:abcd\r\na=ice-pwd:geheim\na=key-mgmt:mikey geheim\r\na=rtpmap:8 PCMA/8000\r\n",
			"X\r\n\r\nv=0\r\nk=************\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***********\r\na=ice-ufrag:abcd\r\na=ice-pwd:******\na=key-mgmt:************\r\na=rtpmap:8 PCMA/8000\r\n"},
		{"crypto behind blanks", "X\r\n\r\na= \tcrypto:1 AES_CM_128_HMAC_SHA1_80 inline:geheim\r\n", "X\r\n\r\na= \tcrypto:1 AES_CM_128_HMAC_SHA1_80 inline:******\r\n"},
		{"crypto without a key", "X\r\n\r\nA=CRYPTO:1 geheim", "X\r\n\r\nA=CRYPTO:********"},
		{"text", "MESSAGE sip:102@acme.test SIP/2.0\r\nContent-Type: text/plain\r\n\r\ngeheim\r\n", "MESSAGE sip:102@acme.test SIP/2.0\r\nContent-Type: text/plain\r\n\r\n******\r\n"},
		{"digits in a way of their own", "INFO sip:102@acme.test SIP/2.0\r\nContent-Type: audio/telephone-event\r\n\r\n\x05\n\x00", "INFO sip:102@acme.test SIP/2.0\r\nContent-Type: audio/telephone-event\r\n\r\n*\n*"},
		{"digits in a part", "X\r\nContent-Type: multipart/mixed\r\n\r\n--b\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=5\r\n", "X\r\nContent-Type: multipart/mixed\r\n\r\n--b\r\nContent-Type: application/dtmf-relay\r\n\r\n********\r\n"},
		{"digits of KPML", "NOTIFY x SIP/2.0\r\nContent-Type: application/kpml-response+xml\r\n\r\n<digits=5>\r\n", "NOTIFY x SIP/2.0\r\nContent-Type: application/kpml-response+xml\r\n\r\n**********\r\n"},
		{"digits", "INFO x SIP/2.0\r\nc: application/dtmf-relay\r\n\r\nSignal=5\r\n", "INFO x SIP/2.0\r\nc: application/dtmf-relay\r\n\r\n********\r\n"},
		{"packed", "X\r\nContent-Encoding: gzip\r\n\r\ngeheim", "X\r\nContent-Encoding: gzip\r\n\r\n******"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		before := tt.message
		got := string(mask([]byte(tt.message)))
		if got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
		if tt.message != before || strings.Contains(got, "geheim") {
			t.Errorf("%s: the message was changed, or shows a secret", tt.name)
		}
	}
}

// FuzzMask: whatever comes, the length stays, and no answer to a challenge, no
// key is left.
func FuzzMask(f *testing.F) {
	f.Add("INVITE sip:a SIP/2.0\r\nAuthorization: Digest realm=\"a\"\r\n b,response=\"", "geheim\"\r\n\r\nv=0\r\n")
	f.Add("X\r\n\r\na=crypto:", " inline:x")
	f.Add("X\r\nA: \r\n\tb\r", "\n\r")
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, secret := range []string{"\r\nAuthorization: Digest response=\"geheim-7\"\r\n", "\r\n\r\na=ice-pwd:geheim-7\r\n", "\r\n\r\na=crypto:1 x inline:geheim-7\r\n"} {
			message := before + secret + after
			got := string(mask([]byte(message)))
			if len(got) != len(message) {
				t.Fatalf("%d bytes of %d", len(got), len(message))
			}
			if strings.Contains(got[len(before):len(before)+len(secret)], "geheim-7") {
				t.Fatalf("%q shows the secret", got)
			}
		}
	})
}

// BenchmarkMask is what a message costs more when somebody looks.
func BenchmarkMask(b *testing.B) {
	m := []byte(ladderINVITE + ladderSDP)
	b.ReportAllocs()
	for b.Loop() {
		mask(m)
	}
}
