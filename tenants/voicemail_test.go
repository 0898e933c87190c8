package tenants

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestVoicemailComesBack: both forms are stored and given back; the PIN is kept as a
// hash, is never given back, and stays where a document leaves it out or repeats it.
func TestVoicemailComesBack(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\nprompts: [{name: hello, file: prompts/welcome.wav}]\n"
	const pin = "471108152634" // no salt has it by chance
	const text = head + `extensions:
  - {number: "1", password: secret, voicemail: true, email: a@a.test}
  - {number: "2", password: secret, voicemail: {pin: "` + pin + `", greeting: hello, max: 1m, messages: 5, silence: 4s, keep: 7d, email: b@a.test, delete_after_mail: true}}
  - {number: "3", password: secret, voicemail: false}
  - {number: "4", password: secret, voicemail: {keep: 0d}, forward: {no_answer: voicemail}}
groups: [{number: "6", members: ["1"], voicemail: {email: g@a.test}}]
`
	dir := companyDir(t)
	d, err := Parse([]byte(text), dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Company(nil)
	if err != nil {
		t.Fatal(err)
	}
	hash := c.Extensions["2"].Voicemail.PIN
	if !pbx.KnowsPIN(hash, pin) || strings.Contains(hash, pin) {
		t.Errorf("kept of the PIN: %q", hash)
	}
	month := 30 * 24 * time.Hour
	same(t, "plain", c.Extensions["1"].Voicemail, &pbx.Box{Keep: month})
	same(t, "map", c.Extensions["2"].Voicemail, &pbx.Box{PIN: hash, Greeting: "hello", Max: time.Minute, Messages: 5, Silence: 4 * time.Second, Keep: 7 * 24 * time.Hour, Email: "b@a.test", Mailed: true})
	same(t, "for ever", c.Extensions["4"].Voicemail, &pbx.Box{})
	if c.Box("3") != nil || c.Box("6") == nil || c.BoxMail("6") != "g@a.test" || c.BoxMail("1") != "a@a.test" || c.BoxMail("2") != "b@a.test" {
		t.Errorf("boxes: 3 %v, 6 %v", c.Box("3"), c.Box("6"))
	}
	back, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(back), pin) || strings.Contains(string(back), hash) {
		t.Error("the PIN is given back")
	}
	for what, document := range map[string][]byte{"given back": back, "as it was": []byte(text)} {
		again, err := Parse(document, dir)
		if err != nil {
			t.Fatal(err)
		}
		next, err := again.Company(c)
		if err != nil {
			t.Fatal(err)
		}
		if changes := diff(c, next); len(changes) > 0 {
			t.Errorf("applied %s: %+v", what, changes)
		}
	}
}

// TestOwnPIN: what the owner has set stays until the document says another PIN, or takes
// the box.
func TestOwnPIN(t *testing.T) {
	company := func(voicemail string, old *pbx.Company) *pbx.Company {
		t.Helper()
		d, err := Parse([]byte("tenant: a\ndomain: a.test\nextensions: [{number: \"1\", password: secret, voicemail: "+voicemail+"}]\n"), "")
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Company(old)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	own, err := pbx.HashPIN("9999")
	if err != nil {
		t.Fatal(err)
	}
	c := company(`{pin: "4711"}`, nil)
	c.Extensions["1"].SetPIN(own)
	c.Extensions["1"].SetGreeting("abc")
	if next := company(`{pin: "4711"}`, c); next.BoxPIN("1") != own || next.Extensions["1"].Personal.Greeting != "abc" {
		t.Error("the PIN of the owner is gone")
	}
	if next := company("true", c); next.BoxPIN("1") != own {
		t.Error("the PIN of the owner is gone when the document says nothing")
	}
	if next := company(`{pin: "4712"}`, c); !pbx.KnowsPIN(next.BoxPIN("1"), "4712") || next.Extensions["1"].Personal.Greeting != "abc" {
		t.Error("a new PIN of the document does not count")
	}
	if next := company("false", c); next.Extensions["1"].Personal != nil {
		t.Error("something is left of a box that is gone")
	}
}

func TestVoicemailMistakes(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\n"
	for name, c := range map[string]struct{ text, want string }{
		"box": {head + "extensions: [{number: \"1\", password: secret, voicemail: {pin: \"12\", greeting: none, max: 1h, messages: -1, silence: 1s, keep: 1m, email: x, delete_after_mail: true}}]\n",
			`3 extensions[0].voicemail.pin: must have 4 to 12 digits; 3 extensions[0].voicemail.greeting: there is no prompt "none"; 3 extensions[0].voicemail.max: must be 5s to 10m0s; ` +
				`3 extensions[0].voicemail.messages: must be; 3 extensions[0].voicemail.silence: must be; 3 extensions[0].voicemail.keep: 1m0s; 3 extensions[0].voicemail.email: not an e-mail address`},
		"words":   {head + "extensions: [{number: \"1\", password: secret, voicemail: maybe}]\n", "3 extensions[0].voicemail: "},
		"unknown": {head + "extensions: [{number: \"1\", password: secret, voicemail: {mailbox: 1}}]\n", "3 extensions[0].voicemail.mailbox: "},
		"mail":    {head + "extensions: [{number: \"1\", password: secret, voicemail: {delete_after_mail: true}}]\n", "3 extensions[0].voicemail.delete_after_mail: needs an email"},
		"forward": {head + "extensions: [{number: \"1\", password: secret, forward: {busy: voicemail}}]\n", `3 extensions[0].forward.busy: "voicemail" is no`},
		"step": {head + "trunks: [{name: t, host: h.test}]\nnumbers: [{number: \"+74950000000\", trunk: t}]\nextensions: [{number: \"1\", password: secret}]\n" +
			"rules: [{number: \"+74950000000\", steps: [{voicemail: \"1\"}, {voicemail: \"2\"}]}]\n",
			`6 rules[0].steps[0].voicemail: "1" has no voicemail; 6 rules[0].steps[1].voicemail: "2" has no voicemail`},
	} {
		t.Run(name, func(t *testing.T) { testMistakes(t, c.text, c.want) })
	}
}
