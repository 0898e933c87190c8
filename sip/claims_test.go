package sip

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	msg "github.com/emiago/sipgo/sip"
)

// passport is an Identity header with a payload, whose signature is nonsense.
func passport(payload string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(`{"alg":"ES256","ppt":"shaken","typ":"passport"}`)) + "." + b([]byte(payload)) + ".c2lnbmF0dXJl;info=<https://cert.test/a.pem>;alg=ES256;ppt=shaken"
}

// TestClaims: what an INVITE says of its caller, and what is left out of it.
func TestClaims(t *testing.T) {
	shaken := passport(`{"attest":"A","dest":{"tn":["74950000000"]},"iat":1,"orig":{"tn":"79160000001"},"origid":"x"}`)
	for name, test := range map[string]struct {
		headers string
		want    Claims
	}{
		"nothing":       {"", Claims{}},
		"sip":           {"P-Asserted-Identity: \"Ivan \\\"V\\\"\" <sip:+79160000001@carrier.test;user=phone>\r\n", Claims{Asserted: Party{"+79160000001", `Ivan "V"`}}},
		"tel":           {"P-Asserted-Identity: <tel:+79160000001>\r\n", Claims{Asserted: Party{User: "+79160000001"}}},
		"bare":          {"P-Asserted-Identity: tel:+79160000001;verstat=No-TN-Validation\r\n", Claims{Asserted: Party{User: "+79160000001"}, Verstat: "No-TN-Validation"}},
		"two":           {"P-Asserted-Identity: <sip:gw.test>, <tel:+79160000001>\r\nP-Asserted-Identity: <tel:+1>\r\n", Claims{Asserted: Party{User: "+79160000001"}}},
		"escaped":       {"P-Asserted-Identity: <sip:%2B7916%0d%0aX:pw@h>\r\n", Claims{Asserted: Party{User: "+7916X"}}},
		"broken":        {"P-Asserted-Identity: <sip:1@h\r\n", Claims{}},
		"other scheme":  {"P-Asserted-Identity: <http://h/@x>\r\n", Claims{}},
		"private":       {"Privacy: id;critical\r\n", Claims{Private: true}},
		"user":          {"Privacy: header; USER\r\n", Claims{Private: true}},
		"not private":   {"Privacy: none\r\nPrivacy: header;session\r\n", Claims{}},
		"verdict":       {"P-Asserted-Identity: <sip:+7916;verstat=TN-Validation-Passed@h>\r\n", Claims{Asserted: Party{User: "+7916"}, Verstat: "TN-Validation-Passed"}},
		"verdict tail":  {"P-Asserted-Identity: <tel:+7916;VERSTAT=tn-validation-failed-a>\r\n", Claims{Asserted: Party{User: "+7916"}, Verstat: "TN-Validation-Failed"}},
		"no verdict":    {"P-Asserted-Identity: <tel:+7916;verstat=TN-Validation-PassedX>\r\n", Claims{Asserted: Party{User: "+7916"}}},
		"identity":      {"Identity: " + shaken + "\r\n", Claims{Attest: "A", Identity: []string{shaken}}},
		"identity, y":   {"y: " + shaken + "\r\n", Claims{Attest: "A", Identity: []string{shaken}}},
		"compact form":  {"Identity: ..c2ln;info=<https://cert.test/a.pem>\r\n", Claims{Identity: []string{"..c2ln;info=<https://cert.test/a.pem>"}}},
		"identity long": {"Identity: " + strings.Repeat("a", maxIdentity+1) + "\r\n", Claims{}},
		"identity many": {strings.Repeat("Identity: a\r\n", maxIdentities+2), Claims{Identity: []string{"a", "a", "a", "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := msg.ParseMessage([]byte("INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:2@h>;tag=a\r\nTo: <sip:1@h>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n" + test.headers + "\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			if got := claimsOf(m.(*msg.Request)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// TestVerstatOfFrom: without a P-Asserted-Identity the verdict stands in From.
func TestVerstatOfFrom(t *testing.T) {
	for v, want := range map[string]string{
		"<sip:+7916;verstat=TN-Validation-Passed@h>;tag=a":          "TN-Validation-Passed",
		"<sip:+7916@h;user=phone;verstat=No-TN-Validation>;tag=a":   "No-TN-Validation",
		"\"verstat=TN-Validation-Passed\" <sip:+7916@h>;tag=a":      "",
		"<sip:+7916@h>;verstat=TN-Validation":                       "",
		"<sip:+7916;verstat=@h>":                                    "",
		"<sip:+7916;verstat=TN-Validation-Failed;x=y@h;user=phone>": "TN-Validation-Failed",
	} {
		if got := verstat(v); got != want {
			t.Errorf("%s: %q, want %q", v, got, want)
		}
	}
}

// FuzzClaims: nothing that stands in these headers breaks the reader, and what
// it keeps can stand in a header or on a screen.
func FuzzClaims(f *testing.F) {
	f.Add("<sip:+7916;verstat=TN-Validation-Passed@h>", "id;critical", passport(`{"attest":"B"}`))
	f.Add("\"a\\", ";;", "..;")
	f.Add("tel:+1;verstat=", "user", passport(`{"attest":1}`))
	f.Fuzz(func(t *testing.T, asserted, privacy, identity string) {
		who, uri, ok := assertedParty(asserted)
		if ok && (who.User == "" || control(who.User) || control(who.Name) || len([]rune(who.User)) > maxName) {
			t.Errorf("%q gives %q", asserted, who)
		}
		if v := verstat(uri); v != "" && v != verdicts[0] && v != verdicts[1] && v != verdicts[2] {
			t.Errorf("verdict %q", v)
		}
		withholds(privacy)
		if a := attestation(identity); a != "" && a != "A" && a != "B" && a != "C" {
			t.Errorf("attestation %q", a)
		}
	})
}
