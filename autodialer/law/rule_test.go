package law

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the machine of the test may have none
	"unicode"

	"vpbx/pbx"

	"pgregory.net/rapid"
)

func load(t testing.TB) *Law {
	t.Helper()
	l, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func date(t testing.TB, text string) pbx.Date {
	t.Helper()
	d, err := pbx.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// local reads a moment by the clock of a zone.
func local(t testing.TB, zone, text string) time.Time {
	t.Helper()
	loc, err := pbx.ParseZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, loc)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestRules: every rule says in both languages what it wants, where that stands, since when
// and when somebody looked; what is ours says so, and nothing else does.
func TestRules(t *testing.T) {
	l := load(t)
	sets := l.Sets()
	if len(sets) != 5 || sets[len(sets)-1].Name != anywhere {
		t.Fatalf("%d sets", len(sets))
	}
	for _, s := range sets {
		for _, r := range s.Rules {
			if err := r.check(); err != nil {
				t.Error(err)
			}
			if r.Ours != strings.HasPrefix(r.Source, "ours: ") {
				t.Errorf("%s: ours %v, source %s", r.ID, r.Ours, r.Source)
			}
			if strings.ContainsFunc(r.English, func(c rune) bool { return unicode.Is(unicode.Cyrillic, c) }) ||
				!strings.ContainsFunc(r.Russian, func(c rune) bool { return unicode.Is(unicode.Cyrillic, c) }) ||
				!strings.HasSuffix(r.English, ".") || !strings.HasSuffix(r.Russian, ".") {
				t.Errorf("%s: %s / %s", r.ID, r.English, r.Russian)
			}
			checked := date(t, "2026-11-22")
			if r.Confidence != "C" && r.Checked.Compare(checked) < 0 || r.InForce.Compare(checked) > 0 {
				t.Errorf("%s: in force %s, checked %s", r.ID, r.InForce, r.Checked)
			}
			if prefix, _, _ := strings.Cut(r.ID, "-"); len(r.Countries) == 1 && prefix != strings.ToLower(r.Countries[0]) ||
				len(r.Countries) == 0 && prefix != strings.ToLower(s.Name) {
				t.Errorf("%s is of set %s", r.ID, s.Name)
			}
		}
	}
	if n := len(sets[0].Countries); sets[0].Name != "EU" || n != 27 {
		t.Errorf("%s has %d countries", sets[0].Name, n)
	}
}

var rewrite = flag.Bool("rewrite", false, "write the list of rules in docs/law.md anew")

// TestDocs: the list in docs/law.md is that of the rules.
func TestDocs(t *testing.T) {
	const name, mark = "../../docs/law.md", "<!-- made by go test ./autodialer/law -run TestDocs -rewrite -->\n"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(text), mark)
	if !found {
		t.Fatal("no mark")
	}
	var b strings.Builder
	for _, s := range load(t).Sets() {
		fmt.Fprintf(&b, "\n### %s\n\n", cmp.Or(strings.Join(s.Countries, ", "), "Everywhere"))
		b.WriteString("| rule | it asks | source | since | sure |\n|---|---|---|---|---|\n")
		for _, r := range s.Rules {
			fmt.Fprintf(&b, "| `%s` | %s %s | %s | %s | %s |\n", r.ID, r.English, r.Russian, r.Source, r.InForce, r.Confidence)
		}
	}
	if *rewrite {
		if err := os.WriteFile(name, []byte(before+mark+b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if after != b.String() {
		t.Error("the list of rules is another one: go test ./autodialer/law -run TestDocs -rewrite")
	}
}

// TestEveryCountry: whatever the country, kind and mode, there are hours and limits.
func TestEveryCountry(t *testing.T) {
	l := load(t)
	at := local(t, "UTC", "2026-11-23 12:00")
	for _, country := range []string{"RU", "US", "GB", "JE", "DE", "FR", "PL", "KZ", "CA", "XX"} {
		for _, kind := range pbx.CampaignKinds {
			for _, mode := range pbx.DialModes {
				terms := l.Terms(country, kind, mode, at)
				if !slices.ContainsFunc(terms, func(t Term) bool { return t.Schedule != nil }) {
					t.Errorf("%s, %s, %s: no hours", country, kind, mode)
				}
				if kind == pbx.CampaignAdvertising && !terms.Consent() {
					t.Errorf("%s, %s: advertising without consent", country, mode)
				}
				if mode.OperatorMode() && terms.Ring() != 15*time.Second {
					t.Errorf("%s, %s, %s: rings %s", country, kind, mode, terms.Ring())
				}
				if mode != pbx.DialPredictive {
					continue
				}
				var within []time.Duration
				for _, a := range terms.Abandoned() {
					if a.Share != 0.03 {
						t.Errorf("%s: %v", country, a)
					}
					within = append(within, a.Within)
				}
				const day, month = 24 * time.Hour, 720 * time.Hour
				want := map[string][]time.Duration{"US": {month}, "GB": {day}, "JE": {day}}[country]
				if want == nil {
					want = []time.Duration{day, month}
				}
				if !slices.Equal(within, want) || terms.ToldWithin() != 2*time.Second {
					t.Errorf("%s, %s: abandoned within %v, told within %s", country, kind, within, terms.ToldWithin())
				}
			}
		}
	}
}

// TestInForce: a rule holds from its first day on, wherever that begins first.
func TestInForce(t *testing.T) {
	l := load(t)
	for at, want := range map[string]bool{"2025-08-31 09:59": false, "2025-08-31 10:00": true, "2025-09-01 00:00": true} {
		terms := l.Terms("RU", pbx.CampaignInform, pbx.DialMessage, local(t, "UTC", at))
		if terms.Consent() != want || (terms.Label() == 32) != want {
			t.Errorf("%s: consent %v, label %d", at, terms.Consent(), terms.Label())
		}
	}
}

// TestMergeIsStricter: more terms never ask for less.
func TestMergeIsStricter(t *testing.T) {
	l := load(t)
	at := local(t, "UTC", "2026-11-23 12:00")
	terms := func(t *rapid.T, name string) Terms {
		own := Own(Demand{Ring: time.Duration(rapid.IntRange(1, 40).Draw(t, "ring")) * time.Second},
			Demand{Label: rapid.IntRange(1, 40).Draw(t, "label")}, Demand{Consent: rapid.Bool().Draw(t, "consent")},
			Demand{Abandoned: &AbandonedCap{Share: rapid.Float64Range(0, 1).Draw(t, "share"), Within: 24 * time.Hour}},
			Demand{ToldWithin: time.Duration(rapid.IntRange(1, 5).Draw(t, "told")) * time.Second})
		country := rapid.SampledFrom([]string{"RU", "US", "GB", "FR", "XX"}).Draw(t, name)
		return Merge(l.Terms(country, rapid.SampledFrom(pbx.CampaignKinds).Draw(t, "kind"), rapid.SampledFrom(pbx.DialModes).Draw(t, "mode"), at),
			own[:rapid.IntRange(0, len(own)).Draw(t, "own")])
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := terms(t, "a"), terms(t, "b")
		both := Merge(a, b)
		for _, one := range []Terms{a, b} {
			if both.Ring() < one.Ring() || one.Consent() && !both.Consent() || one.Label() > 0 && (both.Label() == 0 || both.Label() > one.Label()) ||
				one.ToldWithin() > 0 && (both.ToldWithin() == 0 || both.ToldWithin() > one.ToldWithin()) {
				t.Fatalf("%v of %v", both, one)
			}
			for _, k := range one.Abandoned() {
				if !slices.ContainsFunc(both.Abandoned(), func(c AbandonedCap) bool { return c.Within == k.Within && c.Share <= k.Share }) {
					t.Fatalf("%v of %v", both.Abandoned(), k)
				}
			}
			if again := Merge(one, one); len(again) != len(one) {
				t.Fatal("a term twice")
			}
		}
	})
}

const goodRule = `{id: r, en: e., ru: р., source: s, in_force: 2026-01-01, checked: 2026-01-02, confidence: A, `

// TestBadSets: what is wrong with a set is found when it is read.
func TestBadSets(t *testing.T) {
	if _, err := readSet([]byte("set: X\ncountries: [FR]\nrules: [" + goodRule + "ring: 15s}]")); err != nil {
		t.Fatal(err)
	}
	for rule, want := range map[string]string{
		`ring: 15s, consent: true}`:                      "makes 2 demands",
		`ours: true}`:                                    "makes 0 demands",
		`rings: 15s}`:                                    "rings",
		`ring: -1s}`:                                     "less than nothing",
		`kinds: [spam], ring: 15s}`:                      "no kind",
		`modes: [shout], ring: 15s}`:                     "no mode",
		`countries: [DE], ring: 15s}`:                    "no country of set",
		`elsewhere: true, ring: 15s}`:                    "only rules of set ANY",
		`hours: {week: []}}`:                             "need a week",
		`hours: {week: ["22:00-06:00"]}}`:                "beyond midnight",
		`hours: {week: ["09:00-12:00", "11:00-13:00"]}}`: "overlap",
		`hours: {week: ["9-12"]}}`:                       "time of the day",
		`hours: {week: ["09:00-12:00"], holidays: ["09:00-10:00"], closed_on_holidays: true}}`: "closed",
		`contacts: {of: talks, most: 1, within: 24h, reason: debt_day, outcomes: [answered]}}`: "calls, messages or all",
		`contacts: {of: calls, most: 0, within: 24h, reason: debt_day, outcomes: [answered]}}`: "need most",
		`contacts: {of: calls, most: 1, within: 24h, reason: bad, outcomes: [answered]}}`:      "no reason",
		`contacts: {of: calls, most: 1, within: 24h, reason: debt_day, outcomes: [happy]}}`:    "no outcome",
		`abandoned: {share: 3, within: 24h}}`:                                                  "share from 0 to 1",
		`cooldown: {after: lunch, wait: 1h}}`:                                                  "after abandoned or silent",
	} {
		_, err := readSet([]byte("set: X\ncountries: [FR]\nrules: [" + goodRule + rule + "]"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", rule, err, want)
		}
	}
	for _, change := range [][2]string{{"confidence: A", "confidence: C"}, {"confidence: A", "confidence: E"}, {"checked: 2026-01-02, ", ""}, {"source: s", "source: ''"}, {"in_force: 2026-01-01, ", ""}} {
		if _, err := readSet([]byte("set: X\ncountries: [FR]\nrules: [" + strings.Replace(goodRule, change[0], change[1], 1) + "ring: 15s}]")); err == nil {
			t.Errorf("%s is made %q, and read", change[0], change[1])
		}
	}
	holidays := "first: 2026-01-01\nlast: 2026-12-31\ncalendars: []"
	for name, texts := range map[string][]string{
		"twice":          {"set: X\ncountries: [FR]", "set: X\ncountries: [DE]"},
		"one of another": {"set: X\ncountries: [FR]", "set: Y\ncountries: [FR]"},
		"no country":     {"set: X\ncountries: [XX]"},
		"it alone":       {"set: X"},
		"without a name": {"countries: [FR]"},
		"is there twice": {"set: X\ncountries: [FR]\nrules: [" + goodRule + "ring: 1s}]", "set: Y\ncountries: [DE]\nrules: [" + goodRule + "ring: 1s}]"},
	} {
		var all [][]byte
		for _, text := range texts {
			all = append(all, []byte(text))
		}
		if _, err := read(all, []byte(holidays)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{
		"first: 2026-01-01\nlast: 2026-12-31\ncalendars: [{country: XX, source: s}]",
		"first: 2026-01-01\nlast: 2026-12-31\ncalendars: [{country: FR}]",
		"first: 2026-01-01\nlast: 2026-12-31\ncalendars: [{country: FR, source: s, decreed: [2027-01-01]}]",
		"first: 2026-01-01\nlast: 2026-12-31\ncalendars: [{country: FR, source: s, decreed: [2026-13-01]}]",
		"first: 2027-01-01\nlast: 2026-12-31\ncalendars: [{country: FR, source: s}]",
	} {
		if _, err := read(nil, []byte(text)); err == nil {
			t.Errorf("read %s", text)
		}
	}
}

// FuzzRead: no text of rules or holidays panics, and what is read can be asked.
func FuzzRead(f *testing.F) {
	for _, demand := range []string{`hours: {week: ["09:00-12:00"], closed_on_holidays: true}}`, `hours: {week: ["mon-fri 09:00-12:00"], holidays: ["10:00-11:00"]}}`,
		`kinds: [debt], modes: [message], countries: [FR], contacts: {of: calls, most: 1, within: 24h, reason: debt_day, outcomes: [answered]}}`,
		`abandoned: {share: 0.03, within: 24h}}`, `cooldown: {after: silent, wait: 24h}}`, `label: 32}`} {
		f.Add([]byte("set: X\ncountries: [FR]\nrules: ["+goodRule+demand+"]"),
			[]byte("first: 2026-01-01\nlast: 2026-12-31\ncalendars: [{country: FR, source: s, decreed: [2026-01-01..2026-02-01], assumed: [2026-01-05]}]"))
	}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, rules, holidays []byte) {
		l, err := read([][]byte{rules}, holidays)
		if err != nil {
			return
		}
		for _, country := range []string{"FR", "XX"} {
			terms := l.Terms(country, pbx.CampaignDebt, pbx.DialMessage, at)
			if next, ok := NewWindow(terms, []*time.Location{time.UTC}, nil, nil).Next(at); ok && next.Before(at) {
				t.Fatalf("next at %s", next)
			}
		}
	})
}

// TestHoursByClock compares the quick reading of the hours of the law with that of a schedule.
func TestHoursByClock(t *testing.T) {
	l := load(t)
	rapid.Check(t, func(t *rapid.T) {
		place := l.byPlace[rapid.SampledFrom([]string{"RU", "US", "GB", "FR", "ES", "IT", "DE", ""}).Draw(t, "country")]
		place = slices.DeleteFunc(slices.Clone(place), func(t Term) bool { return t.Schedule == nil })
		s := rapid.SampledFrom(place).Draw(t, "rule").Schedule
		zone, _ := pbx.ParseZone(rapid.SampledFrom([]string{"Asia/Kamchatka", "America/New_York", "Europe/London", "Australia/Lord_Howe"}).Draw(t, "zone"))
		at := time.Date(2025, 12, 1, 0, 0, rapid.IntRange(0, 1500*24*3600).Draw(t, "second"), 0, time.UTC).In(zone)
		opens, ok := opensByClock(s, at)
		want := at
		if !s.Open(at) {
			want = s.At(at).Until
		}
		if !ok || !opens.Equal(want) {
			t.Fatalf("%s at %s: %s, %v, want %s", s.Name, at, opens, ok, want)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := loadAll(); err != nil {
			b.Fatal(err)
		}
	}
}
