package pbx

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// TestNumberForms: what people write for one number is one number.
func TestNumberForms(t *testing.T) {
	for _, c := range []struct {
		country string
		forms   []string
		want    string
	}{
		{"RU", []string{"8 (916) 123-45-67", "8-916-123-45-67", "+7 916 123 45 67", "+7(916)1234567", "79161234567", "9161234567",
			"8\u00a0916\u202f123\u201145\u201367", "８９１６１２３４５６７", "＋７（９１６）１２３４５６７", "tel:+7-916-123-45-67", "TEL:8-916-123-45-67;phone-context=acme.test",
			"\u202a+7 916 123-45-67\u202c", "\u200e+7.916.123.45.67", "810 7 916 123 45 67", "00 7 916 1234567", "[8] 916/123/45/67"}, "+79161234567"},
		{"RU", []string{"810 44 20 7946 0958", "00 44 20 7946 0958", "+44 (0)20 7946 0958", "+442079460958"}, "+442079460958"},
		{"RU", []string{"810 683 4002", "+683 4002"}, "+6834002"},
		{"KZ", []string{"8 701 123 45 67", "+7 701 123 45 67", "7011234567"}, "+77011234567"},
		{"US", []string{"(415) 555-0100", "1 415 555 0100", "+1 415.555.0100", "4155550100"}, "+14155550100"},
		{"US", []string{"011 44 20 7946 0958", "00442079460958"}, "+442079460958"},
		{"GB", []string{"020 7946 0958", "2079460958", "+44 20 7946 0958", "0044 20 7946 0958", "442079460958", "+44(0)2079460958"}, "+442079460958"},
		{"DE", []string{"030/901820", "+49 30 901820", "0049 (0)30 901820", "4930901820"}, "+4930901820"},
		{"DE", []string{"0151 23456789", "15123456789", "+4915123456789"}, "+4915123456789"},
		{"IT", []string{"06 6982", "+39 06 6982"}, "+39066982"},
		{"FR", []string{"01 42 68 53 00", "142685300", "+33 1 42 68 53 00", "0033142685300"}, "+33142685300"},
		{"DK", []string{"33 92 33 92", "+45 33923392", "004533923392"}, "+4533923392"},
		{"JP", []string{"03-3580-3311", "010 81 3 3580 3311", "+81 3-3580-3311"}, "+81335803311"},
		{"AU", []string{"(02) 9374 4000", "0011 61 2 9374 4000", "+61 2 9374 4000"}, "+61293744000"},
		{"UA", []string{"044 278 02 11", "+380 44 2780211", "0 0 380 44 278 02 11", "380442780211"}, "+380442780211"},
		{"BY", []string{"8 017 222-61-38", "+375 17 2226138", "810375172226138"}, "+375172226138"},
		{"", []string{"+7 916 123-45-67", "0079161234567"}, "+79161234567"},
	} {
		tenant := Tenant{Country: c.country}
		for _, form := range c.forms {
			if got := tenant.E164(form); got != c.want {
				t.Errorf("%s %q: %s, want %s", c.country, form, got, c.want)
			}
		}
	}
}

// TestNumbersLeftAlone: internal and short numbers are not touched, whatever a
// parser would make of them.
func TestNumbersLeftAlone(t *testing.T) {
	for country := range phonenumbers.GetSupportedRegions() {
		tenant := Tenant{Country: country}
		for _, n := range []string{"1", "01", "02", "03", "04", "000", "101", "102", "103", "104", "110", "111", "112", "118", "119", "122", "911", "999",
			"1001", "9911", "11833", "*97", "*72101", "##", "#31#112"} {
			if got := tenant.E164(n); got != n {
				t.Errorf("%s in %s became %s", n, country, got)
			}
		}
	}
	for country, list := range map[string][]string{
		"DE": {"116117", "30901820", "1234567"}, "RU": {"123456", "4950000", "12345678", "800555"}, "US": {"5550100"}, "DK": {"116111"}, "GB": {"79460958", "118118"}, "": {"89161234567", "4930123456"},
	} {
		tenant := Tenant{Country: country}
		for _, n := range list {
			if got := tenant.E164(n); got != n {
				t.Errorf("%s in %s became %s", n, country, got)
			}
		}
	}
}

// written gives a number, which people of the country begin with trunk or with code
// after its prefix for other countries, in one of the ways that people write it.
func written(r *rand.Rand, n *phonenumbers.PhoneNumber, country, trunk string, exits []string) string {
	full := phonenumbers.Format(n, phonenumbers.E164)[1:]
	significant := phonenumbers.GetNationalSignificantNumber(n)
	ways := []string{"+" + full, exits[r.IntN(len(exits))] + full, trunk + significant}
	s := ways[r.IntN(len(ways))]
	apart := []string{" ", "-", "\u00a0", "\u2011", ".", "\u202f", "", ""}[r.IntN(8)]
	var b strings.Builder
	wide := r.IntN(8) == 0
	for i, d := range s {
		if i > 0 && r.IntN(3) == 0 {
			b.WriteString(apart)
		}
		bracket := i > 0 && r.IntN(12) == 0 && i < len(s)-4
		if bracket {
			b.WriteString("(")
		}
		if wide {
			d += '\uff01' - '!'
		}
		b.WriteRune(d)
		if bracket {
			b.WriteString(")")
		}
	}
	switch r.IntN(10) {
	case 0:
		return "tel:" + b.String()
	case 1:
		return "\u202a" + b.String() + "\u202c"
	}
	return b.String()
}

// numbered gives a number of the same country.
func numbered(t *testing.T, like *phonenumbers.PhoneNumber, national uint64) *phonenumbers.PhoneNumber {
	t.Helper()
	n, err := phonenumbers.Parse(fmt.Sprintf("+%d%d", like.GetCountryCode(), national), "")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTenThousandVariants writes the numbers of a contact list in ten thousand ways,
// and numbers that differ by a digit: each finds its contact and no other.
func TestTenThousandVariants(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	exits := map[string][]string{"RU": {"810", "00"}, "KZ": {"810"}, "BY": {"810"}, "US": {"011"}, "DE": {"00"}, "GB": {"00"}, "FR": {"00"}, "UA": {"00"}, "AM": {"00"}, "PL": {"00"}, "IL": {"00"}, "AU": {"0011"}}
	trunks := map[string]string{"RU": "8", "KZ": "8", "BY": "80", "US": "1", "DE": "0", "GB": "0", "FR": "0", "UA": "0", "AM": "0", "PL": "", "IL": "0", "AU": "0"}
	missed, wrong, asked := 0, 0, 0
	for country, trunk := range trunks {
		tenant := Tenant{Country: country}
		book := map[string]*phonenumbers.PhoneNumber{}
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE} {
			example := phonenumbers.GetExampleNumberForType(country, kind)
			for range 60 {
				n := numbered(t, example, example.GetNationalNumber()/10000*10000+uint64(r.IntN(10000)))
				if phonenumbers.IsValidNumber(n) {
					book[phonenumbers.Format(n, phonenumbers.E164)] = n
				}
			}
		}
		for full, n := range book {
			for range 8 {
				form := written(r, n, country, trunk, exits[country])
				asked++
				if got := tenant.E164(form); got != full {
					missed++
					t.Errorf("%s: %q is %s, want %s", country, form, got, full)
				}
				national := n.GetNationalNumber() ^ 1
				form = written(r, numbered(t, n, national), country, trunk, exits[country])
				if found := book[tenant.E164(form)]; found != nil && found.GetNationalNumber() != national {
					wrong++
					t.Errorf("%s: %q finds the contact %d", country, form, found.GetNationalNumber())
				}
			}
		}
	}
	if asked < 10000 || missed > 0 || wrong > 0 {
		t.Errorf("of %d forms %d were missed and %d found another", asked, missed, wrong)
	}
	t.Logf("%d forms of numbers, none missed, none mistaken", asked)
}

func FuzzE164Again(f *testing.F) {
	countries := []string{"RU", "KZ", "US", "DE", "GB", "FR", "IT", "AR", "BR", "MX", "JP", "BY", "", "AD"}
	for i, s := range []string{"8 (916) 123-45-67", "+44 (0)20 7946 0958", "00 7 916 1234567", "tel:+7-916;ext=1", "０１１", "+5491123456789", "010813", "0115 12", "112"} {
		f.Add(uint8(i), s)
	}
	f.Fuzz(func(t *testing.T, country uint8, s string) {
		tenant := Tenant{Country: countries[int(country)%len(countries)]}
		clean := CleanNumber(s)
		if CleanNumber(clean) != clean {
			t.Fatalf("%q is %q, which is %q", s, clean, CleanNumber(clean))
		}
		n := tenant.E164(s)
		if again := tenant.E164(n); again != n {
			t.Fatalf("%s: %q is %q, which is %q", tenant.Country, s, n, again)
		}
		if (n == "") != (clean == "") || len(n) > maxNumber+4 || strings.Trim(n, "+0123456789*#") != "" {
			t.Fatalf("%s: %q is %q", tenant.Country, s, n)
		}
	})
}

func TestWarmNumbers(t *testing.T) {
	for i := range 2 {
		begin := time.Now()
		WarmNumbers("GE")
		t.Logf("%d: %v", i, time.Since(begin))
	}
}

func BenchmarkE164(b *testing.B) {
	for _, c := range []struct{ country, number string }{
		{"RU", "8 (916) 123-45-67"}, {"RU", "+79161234567"}, {"RU", "101"}, {"RU", "+442079460958"}, {"DE", "030 901820"}, {"GB", "+442079460958"},
	} {
		tenant := Tenant{Country: c.country}
		tenant.E164(c.number)
		b.Run(fmt.Sprintf("%s %s", c.country, c.number), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tenant.E164(c.number)
			}
		})
	}
}
