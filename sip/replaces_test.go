package sip

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

var referToSeeds = []string{
	"<sip:102@acme?Replaces=abc%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>", "sip:102@a", "Anna <sips:%2B7@a:5061;transport=tls>;x=y",
	`"a, <b" <sip:102@a>`, "tel:+7916", "<tel:*72#;phone-context=a>", "<sip:102@a?Replaces=a%3bto-tag=1;from-tag=2%3bearly-only&Replaces=b>",
	"<sip:a?replaces=x@y;to-tag=1;from-tag=2>", "sip:102@a?Replaces=x;to-tag=1;from-tag=2", "<sip:u:p@a;method=INVITE>", "<>", "", "<sip:", "sip:%zz@a",
	"<http://x>", "<sip:102@[2001:db8::1]:5060>", "<sip:1@a>,<sip:2@a>", "<sip:10\x002@a>", "<sip:%E2%80%AE1@a>",
}

func TestParseReferTo(t *testing.T) {
	type want struct {
		user, host, replaces string
		code                 int
	}
	for i, w := range []want{
		{"102", "acme", "{abc@h 1 2 false}", 0}, {"102", "a", "", 0}, {"+7", "a", "", 0},
		{"102", "a", "", 0}, {"+7916", "", "", 0}, {"*72#", "", "", 0}, {code: 400},
		{"", "a", "{x@y 1 2 false}", 0}, {"102", "a", "{x 1 2 false}", 0}, {"u", "a", "", 0}, {code: 400}, {code: 400}, {code: 400}, {code: 400},
		{code: 603}, {"102", "[2001:db8::1]", "", 0}, {code: 400}, {code: 400}, {code: 400},
	} {
		t0, code := parseReferTo(referToSeeds[i])
		replaces := ""
		if t0.replaces != nil {
			replaces = fmt.Sprint(*t0.replaces)
		}
		if got := (want{t0.user, t0.host, replaces, code}); got != w {
			t.Errorf("%q: %+v, want %+v", referToSeeds[i], got, w)
		}
	}
}

func FuzzReferTo(f *testing.F) {
	for _, s := range referToSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, code := parseReferTo(s)
		switch {
		case code != 0:
			if code != 400 && code != 501 && code != 603 || x != (referTarget{}) {
				t.Errorf("%q: %d %+v", s, code, x)
			}
		case x.user == "" && x.replaces == nil, clean(x.user) != x.user, control(x.user), control(x.host):
			t.Errorf("%q: %+v", s, x)
		default:
			if y, code := parseReferTo("<sip:" + escapeUser(x.user) + "@h>"); x.user != "" && (code != 0 || y.user != x.user) {
				t.Errorf("%q: user %q, then %q %d", s, x.user, y.user, code)
			}
		}
	})
}

func TestParseReplaces(t *testing.T) {
	for s, want := range map[string]Replaces{
		"98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff": {"98732@sip.example.com", "ff87ff", "r33th4x0r", false},
		" 12 ; To-Tag = 1 ; FROM-TAG=2; early-only ;x=y;z":       {"12", "1", "2", true},
		"a;to-tag=0;from-tag=0":                                  {"a", "0", "0", false},
		"a;to-tag=1":                                             {},
		"a;from-tag=1":                                           {},
		"a;from-tag=1;to-tag=":                                   {},
		"a;from-tag=1;to-tag=2;to-tag=3":                         {},
		"a;from-tag=1;to-tag=2, b;from-tag=1;to-tag=2":           {},
		"a,b;from-tag=1;to-tag=2":                                {},
		"a b;from-tag=1;to-tag=2":                                {},
		";from-tag=1;to-tag=2":                                   {},
		"":                                                       {},
		"a;from-tag=1;to-tag=2\x00":                              {},
		strings.Repeat("a", maxReplaces) + ";from-tag=1;to-tag=2": {},
		"a;from-tag=\"1\";to-tag=2":                               {},
	} {
		r, ok := parseReplaces(s)
		if ok != (want != Replaces{}) || ok && *r != want {
			t.Errorf("%q: %+v %v", s, r, ok)
		}
	}
}

func FuzzReplaces(f *testing.F) {
	for _, s := range []string{"a@b;to-tag=1;from-tag=2;early-only", "a;to-tag=1", ";;", "a;to-tag=1;from-tag=2;to-tag=1", "a%3B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := parseReplaces(s)
		if !ok {
			return
		}
		again := r.CallID + ";to-tag=" + r.LocalTag + ";from-tag=" + r.RemoteTag
		if r.EarlyOnly {
			again += ";early-only"
		}
		if x, ok := parseReplaces(again); !ok || *x != *r {
			t.Errorf("%q is %+v, and then %+v", s, r, x)
		}
		if x, ok := replacesIn("Replaces=" + url.PathEscape(again)); !ok || strings.Contains(url.PathEscape(again), "&") || *x != *r {
			if !strings.Contains(url.PathEscape(again), "&") {
				t.Errorf("%q in a URI is %+v", again, x)
			}
		}
	})
}

// TestReplaces: an INVITE with Replaces is told to the owner, who finds the leg
// by it.
func TestReplaces(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, _, inv := r.pickedUp()
		value := "Replaces: " + l.CallID + ";to-tag=" + inv.tag("From") + ";from-tag=b1"
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP, value, "Require: replaces")
		in := r.leg()
		if in.Replaces == nil || in.Replaces.EarlyOnly || *in.Replaces != l.Dialog() {
			t.Fatalf("%+v", in.Replaces)
		}
		if r.s.Find(r.company, in.Replaces) != l || l.Replaceable(in.Replaces) != 0 {
			t.Error("not found")
		}
		umbra := &pbx.Company{Tenant: pbx.Tenant{ID: "umbra"}}
		if r.s.Find(umbra, in.Replaces) != nil || r.s.Find(nil, in.Replaces) != nil || r.s.Find(r.company, nil) != nil {
			t.Error("found by a stranger")
		}
		for _, x := range []Replaces{{l.CallID, "x", "b1", false}, {l.CallID, inv.tag("From"), "x", false}, {"x", inv.tag("From"), "b1", false}} {
			if r.s.Find(r.company, &x) != nil {
				t.Errorf("found by %+v", x)
			}
		}
		if r.s.Find(r.company, &Replaces{l.CallID, "b1", inv.tag("From"), false}) != l {
			t.Error("not found by the tags as a watcher of the peer has them")
		}
		if l.Replaceable(&Replaces{EarlyOnly: true}) != 486 {
			t.Error("an answered call is taken for an early one")
		}
		if in.Replaceable(&Replaces{}) != 481 {
			t.Error("the peer's own early dialog may be replaced")
		}
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Elsewhere))
		bye := r.peer.want("BYE")
		r.endedBy(pbx.PartyPBX, pbx.Elsewhere, 200)
		if r.s.Find(r.company, in.Replaces) != nil || l.Replaceable(in.Replaces) != 603 {
			t.Error("a leg that is over is found")
		}
		r.peer.reply(bye, "200 OK", "", "")
	})
}

// TestReplacesEarly: each phone that rings is a dialog that may be taken.
func TestReplacesEarly(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE")
		early := &Replaces{l.CallID, inv.tag("From"), "b2", true}
		if r.s.Find(r.company, early) != nil {
			t.Error("found before it rings")
		}
		r.peer.reply(inv, "180 Ringing", "b1", "")
		r.peer.reply(inv, "180 Ringing", "b2", "")
		event[Rang](r)
		event[Rang](r)
		if r.s.Find(r.company, early) != l || l.Replaceable(early) != 0 {
			t.Error("a ringing phone is not found")
		}
		r.peer.reply(inv, "200 OK", "b1", offerSDP)
		r.peer.want("ACK")
		event[PickedUp](r)
		if r.s.Find(r.company, early) != nil {
			t.Error("the fork that lost is found")
		}
	})
}

func TestReplacesRefused(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		for i, headers := range [][]string{
			{"Replaces: a;to-tag=1"}, {"Replaces: a;to-tag=1;from-tag=2", "Replaces: b;to-tag=1;from-tag=2"}, {"Replaces:"},
		} {
			c := r.peer.newCall()
			c.id, c.from = fmt.Sprint("r", i), strings.Replace(c.from, "pt1", fmt.Sprint("pt", i), 1)
			c.send("INVITE", 1, offerSDP, headers...)
			c.took(r.peer.want("SIP/2.0 400"))
			c.sendBranch("z9hG4bK"+c.id+"1", "ACK", 1, "")
		}
		c := r.peer.newCall()
		c.id = "options"
		c.send("OPTIONS", 1, "", "Replaces: a;to-tag=1;from-tag=2")
		r.peer.want("SIP/2.0 400")
		time.Sleep(time.Second)
		select {
		case l := <-r.legs:
			t.Errorf("leg %+v", l.Replaces)
		default:
		}
	})
}
