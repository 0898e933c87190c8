package law

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"vpbx/pbx"

	"pgregory.net/rapid"
)

func schedule(t testing.TB, hours ...string) *pbx.Schedule {
	t.Helper()
	s := &pbx.Schedule{Name: "campaign"}
	for _, text := range hours {
		h, err := pbx.ParseHours(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Hours = append(s.Hours, h)
	}
	return s
}

// debtor is a case that nothing but hours and counters holds back.
func debtor(at time.Time, number string) Case {
	return Case{At: at, Kind: pbx.CampaignDebt, Mode: pbx.DialPreview, Operator: true, Number: number, Label: "ООО Ромашка: долг"}
}

const (
	kamchatka = "+74152200000"
	mobile    = "+79161234567"
)

// TestA04 dials a landline of Kamchatka, twelve hours ahead, all through a week that has a
// holiday in it: only within 8–22, or 9–20, of its own clock.
func TestA04WindowInTheCalleesZone(t *testing.T) {
	l := load(t)
	zone, _ := pbx.ParseZone("Asia/Kamchatka")
	at := local(t, "Europe/Moscow", "2026-11-01 00:00") // Wednesday is a holiday
	dialled := 0
	for range 7 * 24 * 4 {
		v := l.Judge(debtor(at, kamchatka))
		here := at.In(zone)
		first, last := 8, 22
		if d := here.Weekday(); d == time.Saturday || d == time.Sunday || here.Day() == 4 {
			first, last = 9, 20
		}
		if lawful := here.Hour() >= first && here.Hour() < last; (v.Do == Dial) != lawful {
			t.Fatalf("%s there: %+v", here, v)
		}
		if v.Do == Dial {
			dialled++
		} else if v.Do != Wait || v.Reason != pbx.HeldWindow || !slices.Equal(v.Rules, []string{"ru-debt-hours"}) || l.Judge(debtor(v.NotBefore, kamchatka)).Do != Dial {
			t.Fatalf("%s there: %+v", here, v)
		}
		at = at.Add(15 * time.Minute)
	}
	if want := 4 * (4*14 + 3*11); dialled != want {
		t.Errorf("dialled %d times, want %d", dialled, want)
	}
}

// TestWindow: the next moment at which somebody may be called, by the callee's clock.
func TestWindow(t *testing.T) {
	l := load(t)
	office := schedule(t, "mon-fri 10:00-18:00")
	closed := schedule(t, "mon-fri 10:00-18:00")
	closed.Except = []pbx.Exception{{First: date(t, "2026-11-23"), Last: date(t, "2026-11-24")}}
	night := schedule(t, "22:00-06:00")
	moscow, _ := pbx.ParseZone("Europe/Moscow")
	berlin, _ := pbx.ParseZone("Europe/Berlin")
	for _, c := range []struct {
		name, number, kind, mode string
		zone, at, want           string
		schedule                 *pbx.Schedule
		home                     *time.Location
	}{
		{"weekday before", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-23 07:59", "2026-11-23 08:00", nil, nil},
		{"weekday within", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-23 08:00", "2026-11-23 08:00", nil, nil},
		{"friday evening", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-27 22:00", "2026-11-28 09:00", nil, nil},
		{"sunday evening", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-29 20:00", "2026-11-30 08:00", nil, nil},
		{"a day off that was moved", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-12-31 08:00", "2026-12-31 09:00", nil, nil},
		{"a holiday", kamchatka, "debt", "preview", "Asia/Kamchatka", "2027-01-05 20:00", "2027-01-06 09:00", nil, nil},
		{"behind the calendar every day is a holiday", kamchatka, "debt", "preview", "Asia/Kamchatka", "2029-06-06 08:00", "2029-06-06 09:00", nil, nil},
		{"campaign within the law", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-23 08:30", "2026-11-23 10:00", office, nil},
		{"campaign's exception", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-23 10:00", "2026-11-25 10:00", closed, nil},
		{"campaign by Moscow's clock", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-23 08:30", "2026-11-23 19:00", office, moscow},
		{"an evening's end by both", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-23 22:00", "2026-11-24 19:00", office, moscow},
		{"night and law meet at the edge", kamchatka, "debt", "preview", "Asia/Kamchatka", "2026-11-23 05:00", "never", night, nil},
		{"ours", kamchatka, "survey", "preview", "Asia/Kamchatka", "2026-11-28 21:00", "2026-11-29 09:00", nil, nil},
		{"a mobile may be in Kaliningrad and in Kamchatka", mobile, "debt", "preview", "Europe/Moscow", "2026-11-23 12:59", "2026-11-23 12:59", nil, nil},
		{"a mobile, when it is 22 in Kamchatka", mobile, "debt", "preview", "Europe/Moscow", "2026-11-23 13:00", "2026-11-24 09:00", nil, nil},
		{"a mobile, when it is Saturday in Kamchatka", mobile, "debt", "preview", "Europe/Moscow", "2026-11-27 13:00", "2026-11-28 10:00", nil, nil},
		{"a mobile and an office", mobile, "debt", "preview", "Europe/Moscow", "2026-11-23 12:00", "never", office, nil},
		{"a mobile and an office by Moscow's clock", mobile, "debt", "preview", "Europe/Moscow", "2026-11-23 08:00", "2026-11-23 10:00", office, moscow},
		{"hours that begin in the hour that is left out", kamchatka, "debt", "preview", "Europe/Berlin", "2027-03-28 01:00", "2027-03-28 03:00", schedule(t, "02:15-04:00"), berlin},
		{"New York", "+12125550100", "survey", "preview", "America/New_York", "2026-11-26 21:00", "2026-11-27 08:00", nil, nil},
		{"spring in New York", "+12125550100", "survey", "preview", "America/New_York", "2027-03-13 21:00", "2027-03-14 08:00", nil, nil},
		{"autumn in New York", "+12125550100", "survey", "preview", "America/New_York", "2027-11-06 21:00", "2027-11-07 08:00", nil, nil},
		{"an American free number is in Hawaii", "+18005550100", "survey", "preview", "Pacific/Honolulu", "2026-11-23 07:00", "2026-11-23 08:00", nil, nil},
		{"Boxing Day is made up for", "+442079460958", "inform", "preview", "Europe/London", "2026-12-28 09:00", "2026-12-28 10:00", nil, nil},
		{"spring in London", "+442079460958", "inform", "preview", "Europe/London", "2027-03-27 18:00", "2027-03-28 10:00", nil, nil},
		{"a lunch in France", "+33140000000", "advertising", "preview", "Europe/Paris", "2026-11-23 13:00", "2026-11-23 14:00", nil, nil},
		{"no holiday in France", "+33140000000", "advertising", "preview", "Europe/Paris", "2027-05-05 20:00", "2027-05-07 10:00", nil, nil},
		{"no weekend in Spain", "+34911234567", "advertising", "preview", "Europe/Madrid", "2026-11-27 20:00", "2026-11-30 09:00", nil, nil},
		{"Easter in Germany", "+4930123456", "advertising", "preview", "Europe/Berlin", "2027-03-25 20:00", "2027-03-27 10:00", nil, nil},
		{"a country without rules", "+77272123456", "inform", "preview", "Asia/Almaty", "2026-11-28 09:00", "2026-11-28 10:00", nil, nil},
	} {
		at := local(t, c.zone, c.at)
		v := l.Judge(Case{At: at, Kind: pbx.CampaignKind(c.kind), Mode: pbx.DialMode(c.mode), Operator: true, Number: c.number,
			Consent: &pbx.Consent{Source: "form", At: at.AddDate(-1, 0, 0)}, Label: "label", Schedule: c.schedule, Home: c.home})
		got := v.NotBefore.In(at.Location()).Format("2006-01-02 15:04")
		switch {
		case v.Do == Dial:
			got = c.at
		case v.Reason == pbx.HeldNoWindow:
			got = "never"
		case v.Reason != pbx.HeldWindow:
			t.Errorf("%s: %+v", c.name, v)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s (%+v)", c.name, got, c.want, v)
		}
	}
}

// lawful tells by the words of 230-FZ whether a debtor may be called by a clock; it knows the
// holidays of November and December 2026 and of January 2027.
func lawful(here time.Time) bool {
	free := map[string]bool{"2026-11-04": true, "2026-12-31": true}
	for d := 1; d <= 8; d++ {
		free[fmt.Sprintf("2027-01-%02d", d)] = true
	}
	if d := here.Weekday(); d == time.Saturday || d == time.Sunday || free[here.Format(time.DateOnly)] {
		return here.Hour() >= 9 && here.Hour() < 20
	}
	return here.Hour() >= 8 && here.Hour() < 22
}

// TestStrictestZone: nobody is called when it is unlawful in any zone in which they may be,
// and everybody at the first moment at which it is lawful in all.
func TestStrictestZone(t *testing.T) {
	l := load(t)
	begin := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	own := schedule(t, "mon-fri 09:30-21:15", "sat 11:00-16:00")
	moscow, _ := pbx.ParseZone("Europe/Moscow")
	rapid.Check(t, func(t *rapid.T) {
		at := begin.Add(time.Duration(rapid.IntRange(0, 80*24*60).Draw(t, "minute")) * time.Minute)
		c := debtor(at, rapid.SampledFrom([]string{mobile, kamchatka, "+78001234567", "+74112123456", "+74012123456", "+73422123456"}).Draw(t, "number"))
		c.Zone = rapid.SampledFrom([]string{"", "", "", "Asia/Omsk", "UTC+12:00", "+3", "nonsense"}).Draw(t, "zone")
		if rapid.Bool().Draw(t, "own") {
			c.Schedule, c.Home = own, moscow
		}
		names := pbx.Zones(c.Number)
		if _, err := pbx.ParseZone(c.Zone); err == nil {
			names = []string{c.Zone}
		}
		allowed := func(at time.Time) bool {
			for _, name := range names {
				zone, _ := pbx.ParseZone(name)
				if !lawful(at.In(zone)) {
					return false
				}
			}
			return c.Schedule == nil || own.Open(at.In(moscow))
		}
		v := l.Judge(c)
		if (v.Do == Dial) != allowed(at) {
			t.Fatalf("%+v at %s", v, at)
		}
		if v.Do != Wait {
			if v.Do == Skip {
				t.Fatalf("%+v at %s", v, at)
			}
			return
		}
		for m := at; m.Before(v.NotBefore); m = m.Add(time.Minute) {
			if allowed(m) {
				t.Fatalf("not before %s, though %s is allowed", v.NotBefore, m)
			}
		}
		if !allowed(v.NotBefore) {
			t.Fatalf("%s is not allowed", v.NotBefore)
		}
	})
}

// TestHolidays: days that are holidays, and some beside them that are none.
func TestHolidays(t *testing.T) {
	l := load(t)
	for country, texts := range map[string]struct{ are, none string }{
		"RU": {"2026-01-09 2026-03-09 2026-05-11 2026-12-31 2027-01-08 2027-05-03 2027-06-14 2027-11-05 2028-11-06", "2026-01-12 2026-03-10 2026-05-12 2026-11-05 2027-01-11 2028-06-13"},
		"US": {"2026-07-03 2026-11-26 2027-12-31 2028-11-10", "2026-11-27 2028-07-03"},
		"GB": {"2026-04-03 2026-12-28 2027-12-28 2028-04-17", "2026-04-07 2027-12-29"},
		"FR": {"2026-05-14 2027-05-17 2028-06-05", "2026-05-15"},
		"DE": {"2026-04-03 2027-05-06 2028-10-03", "2026-11-01"},
		"IT": {"2026-10-04 2027-03-29", "2027-03-30"},
		"ES": {"2026-12-08 2027-03-26", "2026-12-09"},
		"PL": {"2026-06-04 2027-12-24", "2027-12-23"},
	} {
		list, known := l.holidays.of(country)
		if !known {
			t.Fatal(country)
		}
		is := func(d pbx.Date) bool {
			return slices.ContainsFunc(list, func(k days) bool { return k.first.Compare(d) <= 0 && k.last.Compare(d) >= 0 })
		}
		for text := range fields(texts.are) {
			if !is(date(t, text)) {
				t.Errorf("%s: %s is no holiday", country, text)
			}
		}
		for text := range fields(texts.none) {
			if is(date(t, text)) {
				t.Errorf("%s: %s is a holiday", country, text)
			}
		}
		for year := 2026; year <= 2028; year++ {
			if n := year; !slices.ContainsFunc(list, func(k days) bool { return k.first.Year == n }) {
				t.Errorf("%s: nothing in %d", country, year)
			}
		}
	}
	if _, known := l.holidays.of("KZ"); known {
		t.Error("KZ has a calendar")
	}
}
