package flow

import (
	"strings"
	"testing"
	"time"

	"vpbx/internal/phone"
)

func TestParse(t *testing.T) {
	s, err := parse(`# A comment.
phone 102 answers=3s name="Иван Волков" silent
acme
  rules:
    - {number: "1"}

at 5s 102 hangs up
call +79160000001 to +74950000000 talk=1m
at 5s 102 presses 5
----
     0s  something
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.setup) != 2 || len(s.actions) != 3 || s.want != "     0s  something\n" {
		t.Fatalf("setup %+v, actions %+v, want %q", s.setup, s.actions, s.want)
	}
	p := s.setup[0]
	if p.verb != "phone" || p.args[0] != "102" || p.opts["name"] != "Иван Волков" || !p.has("silent") || p.line != 2 {
		t.Errorf("phone is %+v", p)
	}
	if b := s.setup[1].block; b != "rules:\n  - {number: \"1\"}" {
		t.Errorf("block is %q", b)
	}
	call, up, five := s.actions[0], s.actions[1], s.actions[2]
	if call.verb != "call" || call.at != 0 || up.at != 5*time.Second || up.who != "102" || strings.Join(five.args, " ") != "presses 5" {
		t.Errorf("actions are %+v", s.actions)
	}
}

func TestParseMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"phone":                          "line 1: it is written phone NAME",
		"\n\nphone 102 answer=3s":        "line 3: phone does not know answer",
		"phone 102 talk=1s talk=2s":      "line 1: talk is given twice",
		"at soon 102 holds":              `line 1: "soon" is not a time`,
		"at 5s":                          "line 1: at wants a time and an action",
		"at 5s phone 102":                "line 1: phone is a setting and has no time",
		"102 sings":                      `line 1: "sings" is neither a verb nor something that 102 can do`,
		"102 holds for=5s":               `line 1: "holds" does not know for`,
		"call 101 from 102":              "line 1: it is written call FROM to NUMBER",
		`crm * name="x`:                  "line 1: a quote is not closed",
		"api GET calls/{live 2":          "line 1: a brace is not closed",
		"102 first registers":            `line 1: "registers" is not done in a first call`,
		"102 fourth holds":               `line 1: "fourth holds" is neither a verb nor something that 102 can do`,
		"102 refers 103":                 `line 1: "refers 103" is neither a verb nor something that 102 can do`,
		"102 refers to 103 to-tag=x":     `line 1: "refers to …" does not know to-tag`,
		"102 second refers 103 attended": `line 1: "refers … attended" is not done in a second call`,
		"# x\n  indented":                "line 2: an indented line belongs to nothing",
		"phone 102 answers=1s\nstopp":    `line 2: "" is neither a verb nor something that stopp can do`,
	} {
		if _, err := parse(text); err == nil || err.Error() != want {
			t.Errorf("%q gave %v, want %s", text, err, want)
		}
	}
}

// TestParseCalls reads what says which of several calls is meant.
func TestParseCalls(t *testing.T) {
	for text, want := range map[string]struct{ which, said string }{
		"102 hangs up":                                           {"", "hangs up"},
		"102 first hangs up":                                     {"first", "hangs up"},
		"102 second presses 5# by=info":                          {"second", "presses 5#"},
		"102 refers to 103 hangs=never":                          {"", "refers to 103"},
		`102 first refers to 103 raw="<sip:103@x?Replaces=a b>"`: {"first", "refers to 103"},
		"102 refers 103 attended from=second to-tag=wrong":       {"", "refers 103 attended"},
	} {
		s, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if c := s.actions[0]; c.verb != "agent" || c.who != "102" || c.which != want.which || strings.Join(c.args, " ") != want.said {
			t.Errorf("%s is %+v", text, c)
		}
	}
	s, err := parse("api POST calls/{live 2 of 101}/transfer as=umbra body")
	if err != nil || s.actions[0].args[1] != "calls/{live 2 of 101}/transfer" || !s.actions[0].has("body") {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestPlaces(t *testing.T) {
	for text, want := range map[string]string{
		"calls/{live}":           "live,,",
		"{live 2}":               "live,2,",
		"{live of umbra:101}":    "live,,umbra:101",
		"{live 3 of +7999}":      "live,3,+7999",
		"{second}":               "second,,",
		`{"call": "{call 2}"}`:   "call,2,",
		"{live 0}":               "",
		"{live2}":                "",
		`{"to": "103"}`:          "",
		"recordings/{recording}": "recording,,",
	} {
		got := ""
		if m := places.FindStringSubmatch(text); m != nil {
			got = strings.Join(m[1:], ",")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestNotificationText(t *testing.T) {
	for want, n := range map[string]phone.Notification{
		"100 Trying":                              {Status: 100, Reason: "Trying", State: "active"},
		"200 OK, terminated (noresource)":         {Status: 200, Reason: "OK", State: "terminated", Ended: "noresource"},
		"without a status, wrong: no status line": {State: "active", Fault: "no status line"},
	} {
		if got := notificationText(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestReplace(t *testing.T) {
	got := replace("a: 1\nb:\n  - x\nc: 3\n", "b: []\nd:\n  - y")
	if want := "a: 1\nb: []\nc: 3\nd:\n  - y\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("phone 102 answers=3s\nat 5s 102 holds\n----\n")
	f.Add("acme\n  rules: []\n\n \n")
	f.Add("102 first refers to 103 hangs=never\napi POST calls/{live 2}/transfer\n  {}")
	f.Add("at 1s api GET calls?live=true show=items.0.state")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err == nil && s == nil {
			t.Fatal("neither a script nor an error")
		}
	})
}
