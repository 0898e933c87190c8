package tenants

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestConferenceMistakes: each case is the rest of a document, and its mistakes.
func TestConferenceMistakes(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\nextensions: [{number: \"1\", password: secret}]\ngroups: [{number: \"6\", members: [\"1\"]}]\n"
	for name, test := range map[string]struct{ text, want string }{
		"good":         {head + "conferences: [{number: \"800\", name: Планёрка, pin: \"1234\", moderator_pin: \"98765\", max: 100, record: true, tones: true, wait_for_moderator: true, muted: true}]\n", ""},
		"numbers":      {head + "conferences: [{number: \"1\"}, {number: \"6\"}, {number: \"800\"}, {number: \"800\"}, {number: \"+7\"}, {}]\n", `5 conferences[0].number: 1 is already extensions[0]; 5 conferences[1].number: 6 is already groups[0]; 5 conferences[3].number: "800" is already conferences[2]; 5 conferences[4].number: "+7" is not 1 to 10 digits; 5 conferences[5].number: is needed`},
		"pins":         {head + "conferences: [{number: \"8\", pin: \"123\", moderator_pin: 12a45}, {number: \"9\", pin: \"1234\", moderator_pin: \"1234\"}]\n", `5 conferences[0].pin: must have 4 to 12 digits; 5 conferences[0].moderator_pin: must have 4 to 12 digits; 5 conferences[1].moderator_pin: must not be the pin of everybody`},
		"rest":         {head + "conferences: [{number: \"8\", max: 101, pin_prompt: none, announce: nothing, musik: x}, {number: \"9\", max: 1}]\n", `5 conferences[0].max: must be 2 to 100; 5 conferences[0].pin_prompt: there is no prompt "none"; 5 conferences[0].announce: there is no prompt "nothing"; 5 conferences[0].musik: unknown key; 5 conferences[1].max: must be 2 to 100`},
		"step":         {head + "trunks: [{name: t, host: h.test}]\nnumbers: [{number: \"+74950000000\", trunk: t}]\nconferences: [{number: \"8\"}]\nrules: [{number: \"+74950000000\", steps: [{conference: \"9\"}, {conference: \"8\", ring: \"1\"}, {conference: \"8\"}]}]\n", `8 rules[0].steps[0].conference: there is no conference "9"; 8 rules[0].steps[1]: a step is one of ring, play, dial, conference, menu, queue, voicemail and reject, not 2 of them`},
		"forwarded":    {head + "conferences: [{number: \"8\"}]\n", ""},
		"pin not text": {head + "conferences: [{number: \"8\", pin: [1]}]\n", `5 conferences[0].pin: must be`},
	} {
		t.Run(name, func(t *testing.T) { testMistakes(t, test.text, test.want) })
	}
	_, err := Parse([]byte(head+"conferences: [{number: \"8\", pin: \"666\"}]\n"), "")
	if err == nil || strings.Contains(err.Error(), "666") {
		t.Errorf("the PIN is quoted: %v", err)
	}
}

// TestConferencePINs: a document that leaves PINs out leaves them as they are, and
// one that is given back does not tell them.
func TestConferencePINs(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\n"
	old := company(t, parse(t, head+"conferences: [{number: \"800\", pin: \"1234\", moderator_pin: \"98765\"}, {number: \"801\", pin: \"1111\"}]\n", ""), nil)
	if c := old.Conferences["800"]; c.PIN != "1234" || c.Max != 100 {
		t.Fatalf("%+v", c)
	}
	back := FromCompany(old)
	text, err := json.Marshal(back)
	if err != nil || strings.Contains(string(text), "1234") || strings.Contains(string(text), "98765") {
		t.Errorf("given back: %s, %v", text, err)
	}
	again := company(t, parse(t, string(text), ""), old)
	if changes := diff(old, again); len(changes) != 0 {
		t.Errorf("applied again: %+v", changes)
	}
	next := company(t, parse(t, head+"conferences: [{number: \"800\", pin: \"\"}, {number: \"801\", moderator_pin: \"2222\"}]\n", ""), old)
	if c := next.Conferences["800"]; c.PIN != "" || c.ModeratorPIN != "98765" {
		t.Errorf("%+v", c)
	}
	if c := next.Conferences["801"]; c.PIN != "1111" || c.ModeratorPIN != "2222" {
		t.Errorf("%+v", c)
	}
	if changes := diff(old, next); len(changes) != 2 || changes[0].Noun != "conference" {
		t.Errorf("changes %+v", changes)
	}
	for text, want := range map[string]string{
		"conferences: [{number: \"800\", moderator_pin: \"1234\"}]\n":                       "moderator_pin",
		"conferences: [{number: \"801\", wait_for_moderator: true}]\n":                      "wait_for_moderator",
		"conferences: [{number: \"800\", wait_for_moderator: true, moderator_pin: \"\"}]\n": "wait_for_moderator",
	} {
		if _, err := parse(t, head+text, "").Company(old); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
