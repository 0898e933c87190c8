package pbx

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestPIN(t *testing.T) {
	const right = "471108152634" // no salt has it by chance
	hash, err := HashPIN(right)
	if err != nil {
		t.Fatal(err)
	}
	again, err := HashPIN(right)
	if err != nil || again == hash || strings.Contains(hash, right) {
		t.Errorf("%q and %q, %v", hash, again, err)
	}
	for _, c := range []struct {
		hash, pin string
		want      bool
	}{{hash, right, true}, {again, right, true}, {hash, "471108152635", false}, {hash, "", false}, {"", "", false}, {"", right, false}, {"$", "1", false}, {"x$y", right, false}} {
		if got := KnowsPIN(c.hash, c.pin); got != c.want {
			t.Errorf("%q knows %q: %t", c.hash, c.pin, got)
		}
	}
	for pin, want := range map[string]bool{"1234": true, "123456789012": true, "123": false, "1234567890123": false, "12a4": false, "": false} {
		if GoodPIN(pin) != want {
			t.Errorf("%q", pin)
		}
	}
}

// FuzzKnowsPIN: a hash that was tampered with opens nothing and breaks nothing.
func FuzzKnowsPIN(f *testing.F) {
	f.Add("c2FsdA$c3Vt", "1234")
	f.Add("$$", "")
	f.Fuzz(func(t *testing.T, hash, pin string) {
		if KnowsPIN(hash, pin) && (pin == "" || len(hash) < 43) {
			t.Errorf("%q opens with %q", hash, pin)
		}
	})
}

// TestBoxJSON: a box that an older version has kept as true is one with the defaults.
func TestBoxJSON(t *testing.T) {
	var e Extension
	if err := json.Unmarshal([]byte(`{"number":"101","voicemail":true}`), &e); err != nil || e.Voicemail == nil ||
		e.Voicemail.Keep != BoxKeep || e.Voicemail.Room() != BoxSize || e.Voicemail.Longest() != MessageLength || e.Voicemail.Quiet() != MessageSilence {
		t.Fatalf("%+v, %v", e.Voicemail, err)
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back Extension
	if err := json.Unmarshal(text, &back); err != nil || *back.Voicemail != *e.Voicemail {
		t.Errorf("%s: %+v, %v", text, back.Voicemail, err)
	}
}

// TestVoiceMessages: what was left in a call, and what was not.
func TestVoiceMessages(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	began := Recording{ID: "r1", Box: "101"}
	whole, short, call := began, Recording{ID: "r2", Box: "101", Seconds: 1.9}, Recording{ID: "r3", Seconds: 60}
	whole.Seconds = 7
	failed := Recording{Box: "101", Error: "the recording could not be started"}
	cause := NewCause(PartyCaller, Hangup)
	trace := []CallEvent{
		{Kind: Arrived, At: at, From: "+79160000001", To: "101", Who: "+79160000001", Name: "Anna", Direction: In},
		{Kind: RecordStart, At: at.Add(5 * time.Second), Recording: &began},
		{Kind: RecordEnd, At: at.Add(12 * time.Second), Recording: &whole},
		{Kind: RecordEnd, At: at.Add(12 * time.Second), Recording: &short},
		{Kind: RecordEnd, At: at.Add(12 * time.Second), Recording: &call},
		{Kind: RecordEnd, At: at.Add(12 * time.Second), Recording: &failed},
		{Kind: Ended, At: at.Add(12 * time.Second), Cause: &cause},
	}
	c := Summarize("acme", "c1", trace)
	got := VoiceMessages(c, trace)
	want := VoiceMessage{ID: "r1", Box: "101", Call: "c1", From: "+79160000001", Name: "Anna", At: at.Add(5 * time.Second), Seconds: 7}
	if len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if c.Outcome != OutcomeVoicemail || c.Answered != nil {
		t.Errorf("outcome %s, answered %v", c.Outcome, c.Answered)
	}
	if c.Explained.EN != "Anna (+79160000001) called 101; a message of 7 s was left for 101." || !strings.HasSuffix(c.Explained.RU, "; для 101 оставлено сообщение, 7 секунд.") {
		t.Errorf("%+v", c.Explained)
	}
	if c := Summarize("acme", "c1", append(trace[:1:1], trace[3:]...)); c.Outcome != OutcomeAbandoned || len(VoiceMessages(c, trace)) != 0 {
		t.Errorf("a short message: %s", c.Outcome)
	}
}

// TestMessageMail: the language, the zone and the names are those of the company; nothing
// of a caller's name breaks a line of a header.
func TestMessageMail(t *testing.T) {
	c := &Company{Tenant: Tenant{Zone: "Europe/Moscow", Country: "RU"},
		Extensions: map[string]*Extension{"101": {Number: "101", Name: "Анна", Voicemail: &Box{Mailed: true}}},
		Groups:     map[string]*Group{"600": {Number: "600", Voicemail: &Box{}}}}
	m := VoiceMessage{ID: "r1", Box: "101", From: "+79160000001", Name: "Ива\r\nBcc: x@y.test\x00", At: time.Date(2026, 11, 22, 10, 0, 5, 0, time.UTC), Seconds: 65.4}
	got := MessageMail(c, "a@acme.test", m)
	if got.Subject != "Голосовое сообщение от Ива Bcc: x@y.test (+79160000001)" {
		t.Errorf("subject %q", got.Subject)
	}
	for _, part := range []string{"Для: Анна (101)\n", "Когда: 22.11.2026 13:00:05 MSK\n", "Длительность: 1:05\n", "*97"} {
		if !strings.Contains(got.Text, part) {
			t.Errorf("%q is not in %q", part, got.Text)
		}
	}
	if *got.Sound != (MailSound{Recording: "r1", Name: "voicemail-101-20261122-130005", Remove: true}) {
		t.Errorf("%+v", got.Sound)
	}
	c.Country, c.Zone = "US", "Nowhere/Here"
	m = VoiceMessage{ID: "r2", Box: "600", From: Anonymous, At: m.At}
	if got := MessageMail(c, "a@acme.test", m); got.Subject != "Voice message from a hidden number" || got.Sound.Remove ||
		!strings.Contains(got.Text, "When: 22 November 2026 10:00:05 UTC\n") || !strings.Contains(got.Text, "*98600") {
		t.Errorf("%+v", got)
	}
}
