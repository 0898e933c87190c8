package sip

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	msg "github.com/emiago/sipgo/sip"
)

func TestParseContacts(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []contact
		star bool
		bad  bool
	}{
		{in: "<sip:a@b>", want: []contact{{uri: "sip:a@b"}}},
		{in: "sip:a@b;expires=5", want: []contact{{uri: "sip:a@b", expires: "5"}}},
		{in: `"A \" , <b>" <sip:a@b;x=1>;q=0.5;Expires="7" , <sips:c@[::1]:5061?x=y>`, want: []contact{{uri: "sip:a@b;x=1", expires: "7"}, {uri: "sips:c@[::1]:5061?x=y"}}},
		{in: `<sip:a@b>;+sip.instance="<urn:uuid:0-1>";reg-id=2`, want: []contact{{uri: "sip:a@b", instance: "urn:uuid:0-1", regID: "2"}}},
		{in: "*", star: true},
		{in: "*,*", star: true, bad: true},
		{in: "*, <sip:a@b>", bad: true},
		{in: "<sip:a@b", bad: true},
		{in: `"a <sip:a@b>`, bad: true},
		{in: "<sip:a@b> text", bad: true},
		{in: "sip:a@b?Route=x", bad: true},
		{in: "<sip:a b@c>", bad: true},
		{in: "<tel:+7495>", bad: true},
		{in: "<sip:>", bad: true},
		{in: "<sip:a@b:99999>", bad: true},
		{in: "", bad: true},
		{in: "<sip:a@b>,", bad: true},
		{in: strings.Repeat("<sip:a@b>,", maxContacts) + "<sip:a@b>", bad: true},
		{in: "<sip:" + strings.Repeat("a", maxURI) + "@b>", bad: true},
	} {
		got, star, err := parseContacts([]string{c.in})
		if (err != nil) != c.bad {
			t.Errorf("%.60q: error %v", c.in, err)
		}
		if c.bad {
			continue
		}
		if star != c.star || len(got) != len(c.want) {
			t.Errorf("%q: %+v, star %v", c.in, got, star)
			continue
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], c.want[i]) {
				t.Errorf("%q: %+v, want %+v", c.in, got[i], c.want[i])
			}
		}
	}
}

// TestSameURI: the examples of RFC 3261 §19.1.4 and a few of ours.
func TestSameURI(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:a@b", "sips:a@b", false},
		{"sip:a@b", "nonsense", false},
	} {
		if sameURI(c.a, c.b) != c.same || sameURI(c.b, c.a) != c.same {
			t.Errorf("%s and %s: not %v", c.a, c.b, c.same)
		}
	}
}

func TestRawURI(t *testing.T) {
	for _, s := range []string{"sip:101@10.0.0.5:5060;ob;line=AbC", "sip:x;user@[2001:db8::1];transport=TCP", "SIP:a%20b@c;x=", "sips:h"} {
		u, err := rawURI(s)
		if err != nil || u.String() != s {
			t.Errorf("%s came out as %s, %v", s, u.String(), err)
		}
	}
	if u, err := rawURI("sip:a@b;x?Route=y"); err != nil || u.String() != "sip:a@b;x" {
		t.Errorf("headers stay in a Request-URI: %s, %v", u.String(), err)
	}
	for _, s := range []string{"", "*", "sip:", "tel:1", "sip:a@b>", "sip:a@b\r\nX: y", "sip:a b@c", "http://x"} {
		if u, err := rawURI(s); err == nil {
			t.Errorf("%q became %s", s, u.String())
		}
	}
}

func FuzzContacts(f *testing.F) {
	for _, s := range []string{"*", "<sip:a@b>;expires=1, sip:c@d;q=1", `"x\"" <sips:[::1]:5;a=b?c=d>;+sip.instance="<urn:x>"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, _, err := parseContacts([]string{s})
		if err != nil {
			return
		}
		for _, c := range list {
			u, err := rawURI(c.uri)
			if err != nil {
				t.Fatalf("contact %q of %q: %v", c.uri, s, err)
			}
			if control(u.String()) || !sameURI(c.uri, c.uri) {
				t.Fatalf("contact %q", c.uri)
			}
		}
	})
}

// FuzzRequest: whatever arrives, checking and answering it harms nobody, and
// the answer holds no line that is not ours.
func FuzzRequest(f *testing.F) {
	files, err := filepath.Glob("testdata/torture/*.dat")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	parser := msg.NewParser(msg.WithHeadersParsers(headersParsers()))
	s := &Server{}
	f.Fuzz(func(t *testing.T, b []byte) {
		likeSIP(b)
		m, err := parser.ParseSIP(b)
		if err != nil {
			return
		}
		req, ok := m.(*msg.Request)
		if !ok || req.CSeq() == nil || req.Via() == nil {
			return // answered by sipgo
		}
		req.SetSource("192.0.2.7:5060")
		res := s.check(req)
		if res == nil {
			readRegistration(req)
			answerIn(req, "acme.test")
			userOf(&req.Recipient)
			res = s.response(req, 200)
		}
		if validate(res) != nil {
			return
		}
		again, err := parser.ParseSIP([]byte(res.String()))
		if err != nil {
			t.Skip("sipgo cannot read what it wrote:", err)
		}
		if len(headersOf(again)) > len(headersOf(res))+8 {
			t.Fatalf("%d headers became %d", len(headersOf(res)), len(headersOf(again)))
		}
	})
}
