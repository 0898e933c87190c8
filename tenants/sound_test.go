package tenants

import (
	"encoding/json"
	"strings"
	"testing"

	"vpbx/pbx"
)

const spoken = `
tenant: a
domain: a.test
country: RU
extensions: [{number: "1", password: secret1}]
groups: [{number: "6", members: ["1"], music: jazz}]
trunks: [{name: t, host: 192.0.2.1, from: [192.0.2.1/32]}]
numbers: [{number: "+74950000000", trunk: t}]
prompts:
  - {name: welcome, upload: true, code: "012", recorders: ["1"]}
  - {name: balance, text: "Баланс {money}", language: ru-RU, voice: ru+f3}
  - {name: tune, file: prompts/welcome.wav}
music:
  - {name: jazz, files: [prompts/welcome.wav], prompts: [tune]}
rules:
  - {number: "+74950000000", steps: [{play: {prompt: [welcome, balance], interrupt: true}}, {play: [tune, tune]}, {play: welcome}, {ring: "6"}]}
`

// TestPromptsRoundTrip: what is stored gives the same document and company again, and
// JSON is read as it is written.
func TestPromptsRoundTrip(t *testing.T) {
	dir := companyDir(t)
	c := company(t, parse(t, spoken, dir), nil)
	if p := c.Prompts["balance"]; p.Text != "Баланс {money}" || p.Language != "ru-RU" || p.Voice != "ru+f3" {
		t.Errorf("text %+v", p)
	}
	if p := c.PromptAt("012"); p == nil || p.Name != "welcome" || !p.RecordedBy("1") || p.RecordedBy("6") || c.PromptAt("12") != nil || c.PromptAt("") != nil {
		t.Errorf("recorded %+v", p)
	}
	steps := c.Rules[0].Steps
	if !steps[0].Interrupt || len(steps[0].Prompts) != 2 || steps[2].Target != "welcome" || steps[2].Prompts != nil {
		t.Errorf("steps %+v", steps)
	}
	c.Prompts["welcome"].Sound = strings.Repeat("a", 64)
	c.Prompts["other"] = &pbx.Prompt{Name: "other", Upload: true, Sound: strings.Repeat("b", 64)}
	data, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	again := company(t, parse(t, string(data), ""), c)
	same(t, "again", again, c)
}

// TestUploadsStay: a document that is applied again leaves uploaded sounds alone, but
// not those whose names it uses for something else.
func TestUploadsStay(t *testing.T) {
	dir := companyDir(t)
	old := company(t, parse(t, spoken, dir), nil)
	hash := strings.Repeat("a", 64)
	old.Prompts["welcome"].Sound = hash
	old.Prompts["by-api"] = &pbx.Prompt{Name: "by-api", Upload: true, Sound: hash, Code: "7", Recorders: []string{"9"}}
	old.Prompts["tune"] = &pbx.Prompt{Name: "tune", Upload: true, Sound: hash}
	next := company(t, parse(t, spoken, dir), old)
	if p := next.Prompts["by-api"]; next.Prompts["welcome"].Sound != hash || p == nil || p.Sound != hash {
		t.Errorf("uploads are lost: %+v", next.Prompts)
	} else if p.Code != "" || p.Recorders != nil {
		t.Errorf("what the document does not name is recorded by %+v", p)
	}
	if p := next.Prompts["tune"]; p.Upload || p.Sound != "" || p.File == "" {
		t.Errorf("the document does not win: %+v", p)
	}
}

func TestSetAndRemovePrompts(t *testing.T) {
	store := &memory{directory: pbx.NewDirectory(nil)}
	s := NewService(store)
	if _, err := s.Apply(t.Context(), parse(t, spoken, companyDir(t))); err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("c", 64)
	for _, tt := range []struct {
		name string
		want pbx.Kind
	}{{"welcome", ""}, {"new.one", ""}, {"../up", pbx.Invalid}, {"", pbx.Invalid}, {"a/b", pbx.Invalid}, {"balance", pbx.Conflict}, {"tune", pbx.Conflict}} {
		if err := s.SetSound(t.Context(), "a", tt.name, hash); kindOf(err) != tt.want {
			t.Errorf("set %q: %v", tt.name, err)
		}
	}
	if err := s.SetSound(t.Context(), "b", "x", hash); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("of nobody: %v", err)
	}
	c := store.Directory().Company("a")
	if c.Prompts["welcome"].Sound != hash || c.Prompts["new.one"].Sound != hash {
		t.Errorf("prompts %+v", c.Prompts)
	}
	for _, tt := range []struct {
		name, text string
		want       pbx.Kind
	}{
		{"welcome", "the rule of +74950000000", pbx.Conflict}, {"balance", "the rule of", pbx.Conflict}, {"tune", "the rule of", pbx.Conflict},
		{"new.one", "", ""}, {"new.one", "no such prompt", pbx.NotFound},
	} {
		if err := s.RemovePrompt(t.Context(), "a", tt.name); kindOf(err) != tt.want || tt.want != "" && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("remove %q: %v", tt.name, err)
		}
	}
	if p := c.Prompts["welcome"]; p.Code != "012" || !p.RecordedBy("1") {
		t.Errorf("an upload takes the code away: %+v", p)
	}
	if by := PlayedBy(&pbx.Company{Conferences: map[string]*pbx.Conference{"800": {Number: "800", PINPrompt: "x"}}}, "x"); by != "the conference 800" {
		t.Errorf("played by %q", by)
	}
	if by := PlayedBy(&pbx.Company{Music: map[string]*pbx.Music{"m": {Prompts: []string{"x"}}}}, "x"); by != "the music m" {
		t.Errorf("played by %q", by)
	}
}

// TestA02RecordSound: a prompt takes what those record who may, when they may.
func TestA02RecordSound(t *testing.T) {
	store := &memory{directory: pbx.NewDirectory(nil)}
	s := NewService(store)
	if _, err := s.Apply(t.Context(), parse(t, spoken, companyDir(t))); err != nil {
		t.Fatal(err)
	}
	first, hash := strings.Repeat("c", 64), strings.Repeat("d", 64)
	if err := s.SetSound(t.Context(), "a", "other", first); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		tenant            pbx.TenantID
		prompt, extension string
		want              pbx.Kind
	}{
		{"a", "welcome", "1", ""}, {"a", "welcome", "2", pbx.Denied}, {"a", "welcome", "", pbx.Denied}, {"a", "other", "1", pbx.Denied},
		{"a", "balance", "1", pbx.Denied}, {"a", "none", "1", pbx.Conflict}, {"a", "", "", pbx.Conflict}, {"b", "welcome", "1", pbx.NotFound},
	} {
		if err := s.RecordSound(t.Context(), tt.tenant, tt.prompt, tt.extension, hash); kindOf(err) != tt.want {
			t.Errorf("%s of %s by %q: %v", tt.prompt, tt.tenant, tt.extension, err)
		}
	}
	c := store.Directory().Company("a")
	if p := c.Prompts["welcome"]; p.Sound != hash || p.Code != "012" || !p.RecordedBy("1") {
		t.Errorf("recorded %+v", p)
	}
	if p := c.Prompts["other"]; p.Sound != first || len(c.Prompts) != 4 {
		t.Errorf("others: %+v, %d prompts", p, len(c.Prompts))
	}
}

// kindOf is the kind of an error, "" for none.
func kindOf(err error) pbx.Kind {
	if err == nil {
		return ""
	}
	return pbx.KindOf(err)
}
