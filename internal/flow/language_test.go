package flow

import (
	"strings"
	"testing"
	"time"
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
		"phone":                       "line 1: it is written phone NAME",
		"\n\nphone 102 answer=3s":     "line 3: phone does not know answer",
		"phone 102 talk=1s talk=2s":   "line 1: talk is given twice",
		"at soon 102 holds":           `line 1: "soon" is not a time`,
		"at 5s":                       "line 1: at wants a time and an action",
		"at 5s phone 102":             "line 1: phone is a setting and has no time",
		"102 sings":                   `line 1: "sings" is neither a verb nor something that 102 can do`,
		"102 holds for=5s":            `line 1: "holds" does not know for`,
		"call 101 from 102":           "line 1: it is written call FROM to NUMBER",
		`crm * name="x`:               "line 1: a quote is not closed",
		"# x\n  indented":             "line 2: an indented line belongs to nothing",
		"phone 102 answers=1s\nstopp": `line 2: "" is neither a verb nor something that stopp can do`,
	} {
		if _, err := parse(text); err == nil || err.Error() != want {
			t.Errorf("%q gave %v, want %s", text, err, want)
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
	f.Add("at 1s api GET calls?live=true show=items.0.state")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err == nil && s == nil {
			t.Fatal("neither a script nor an error")
		}
	})
}
