package pbx

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// TestMoney: what people write, and what is made of it.
func TestMoney(t *testing.T) {
	for s, want := range map[string]Money{
		"0": 0, "1": 1e6, "1.5": 1.5e6, "0.000001": 1, ".5": 500_000, "1500": 1500e6, "1000000000": MaxMoney, "007": 7e6, "1.": 1e6,
	} {
		got, err := ParseMoney(s)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", "-1", "1e3", "1.2.3", "1.0000001", "1000000001", "99999999999", "+1", "NaN", "1,5", " 1"} {
		if got, err := ParseMoney(s); err == nil {
			t.Errorf("%q is taken for %s", s, got)
		}
	}
	for m, want := range map[Money]string{0: "0", 1: "0.000001", 1_500_000: "1.5", -1_500_000: "-1.5", 20e6: "20"} {
		if m.String() != want {
			t.Errorf("%d: %s, want %s", m, m, want)
		}
	}
}

// TestMoneyJSON: an amount is a number, there and back.
func TestMoneyJSON(t *testing.T) {
	for _, m := range []Money{0, 1, 1_500_000, MaxMoney} {
		b, err := json.Marshal(Rate{Prefix: "+7", Minute: m})
		if err != nil {
			t.Fatal(err)
		}
		var r Rate
		if err := json.Unmarshal(b, &r); err != nil || r.Minute != m {
			t.Errorf("%s: %s, %v", b, r.Minute, err)
		}
	}
	var m Money
	for _, s := range []string{`"1"x`, `-1`, `1e9`, `true`} {
		if json.Unmarshal([]byte(s), &m) == nil {
			t.Errorf("%s is taken for %s", s, m)
		}
	}
}

// TestCost: rounded up, so that many short calls are not free.
func TestCost(t *testing.T) {
	for _, c := range []struct {
		rate    Money
		seconds float64
		want    Money
	}{
		{6e6, 10, 1e6}, {6e6, 0, 0}, {6e6, -5, 0}, {1, 1, 1}, {0, 100, 0}, {MaxMoney, 4 * 3600, 240 * MaxMoney}, {1e6, math.SmallestNonzeroFloat64, 1},
	} {
		if got := c.rate.Cost(c.seconds); got != c.want {
			t.Errorf("%v s at %s: %s, want %s", c.seconds, c.rate, got, c.want)
		}
	}
}

// TestGuarded: what a company is bound by when it says nothing.
func TestGuarded(t *testing.T) {
	c := &Company{Extensions: map[string]*Extension{}, Rates: []Rate{{"+7", 1}, {"+7916", 2}, {"+", 9}, {"112", 0}}}
	e := &Extension{}
	if l := c.Limits.Guarded(); l.Calls != GuardCalls || l.PerMinute != GuardPerMinute || l.International || l.Premium {
		t.Errorf("%+v", l)
	}
	if c.CallsAtOnce(e) != GuardExtCalls || c.CallsAMinute(e) != GuardExtPerMinute || c.SpendOf(e) != 0 {
		t.Error("an extension without limits")
	}
	c.Limits = Limits{Calls: 1, PerMinute: 2, ExtCalls: 3, ExtPerMinute: 4, ExtSpend: 5}
	if l := c.Limits.Guarded(); l.Calls != 1 || l.PerMinute != 2 || c.CallsAtOnce(e) != 3 || c.CallsAMinute(e) != 4 || c.SpendOf(e) != 5 {
		t.Errorf("%+v", l)
	}
	e = &Extension{Calls: 6, PerMinute: 7, Spend: 8}
	if c.CallsAtOnce(e) != 6 || c.CallsAMinute(e) != 7 || c.SpendOf(e) != 8 {
		t.Error("an extension with limits")
	}
	for number, want := range map[string]Money{"+79160000001": 2, "+74950000001": 1, "+4930": 9} {
		if got, ok := c.RateOf(number); !ok || got != want {
			t.Errorf("%s: %d, want %d", number, got, want)
		}
	}
	if _, ok := c.RateOf("0900123"); ok {
		t.Error("a rate for a number that no prefix matches")
	}
	for number, want := range map[string]bool{"112": true, "02": true, "1": true, "1121": false, "+11": false, "": false, "*43": false} {
		if Emergency(number) != want {
			t.Errorf("%q: emergency is %v", number, !want)
		}
	}
}

// TestRewrite: nothing is taken off that is not there.
func TestRewrite(t *testing.T) {
	for _, c := range []struct {
		number string
		strip  int
		add    string
		want   string
	}{
		{"+79160000001", 0, "", "+79160000001"}, {"+79160000001", 2, "8", "89160000001"}, {"+79160000001", 1, "", "79160000001"},
		{"112", 0, "0", "0112"}, {"112", 3, "8", ""}, {"112", 4, "", ""}, {"112", -1, "", ""}, {"", 0, "", ""},
	} {
		if got := Rewrite(c.number, c.strip, c.add); got != c.want {
			t.Errorf("%s less %d behind %q: %q, want %q", c.number, c.strip, c.add, got, c.want)
		}
	}
}

// TestTemplate: the places of a template, and what cannot be one.
func TestTemplate(t *testing.T) {
	values := map[string]string{"number": "+7495", "digits": "7495", "username": "u{number}", "caller": "+7916"}
	for tpl, want := range map[Template]string{
		"": "", "{number}": "+7495", "acme-{digits}": "acme-7495", "{username}": "u{number}", "{extension}": "", "x{caller}y": "x+7916y",
	} {
		if err := tpl.Check(); err != nil {
			t.Errorf("%q: %v", tpl, err)
		}
		if got := tpl.Fill(values); got != want {
			t.Errorf("%q: %q, want %q", tpl, got, want)
		}
	}
	for _, tpl := range []Template{"{name}", "a b", "a@b", "{number", "<x>", "a\r\nb", Template(strings.Repeat("a", 65)), "ю"} {
		if tpl.Check() == nil {
			t.Errorf("%q is taken", tpl)
		}
	}
}

// FuzzMoney: what is read is written so that it reads the same.
func FuzzMoney(f *testing.F) {
	f.Add("1.5")
	f.Add("1000000000.000001")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoney(s)
		if err != nil {
			return
		}
		if again, err := ParseMoney(m.String()); err != nil || again != m || m < 0 || m > MaxMoney {
			t.Errorf("%q: %d, written %s, read %d, %v", s, m, m, again, err)
		}
	})
}
