package pbx

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
	_ "time/tzdata" // the machine of the test may have none
)

func hours(t testing.TB, list ...string) []Hours {
	t.Helper()
	var all []Hours
	for _, text := range list {
		h, err := ParseHours(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

func except(t testing.TB, dates string, list ...string) Exception {
	t.Helper()
	first, last, err := ParseDates(dates)
	if err != nil {
		t.Fatal(err)
	}
	return Exception{first, last, hours(t, list...)}
}

func TestParseHours(t *testing.T) {
	for in, want := range map[string]string{
		"mon-fri 09:00-18:00":        "mon-fri 09:00-18:00",
		" Mon-Fri  9:00-18:00 ":      "mon-fri 09:00-18:00",
		"sat,sun 10:00-14:00":        "sat,sun 10:00-14:00",
		"fri-mon 22:00-06:00":        "mon,fri-sun 22:00-06:00",
		"mon,wed-fri,sun 0:00-24:00": "mon,wed-fri,sun 00:00-24:00",
		"mon-sun 09:00-18:00":        "09:00-18:00",
		"00:00-24:00":                "00:00-24:00",
	} {
		h, err := ParseHours(in)
		if err != nil || h.String() != want {
			t.Errorf("%q: %v, %v, want %s", in, h, err, want)
		}
	}
	for _, in := range []string{"", "mon", "mon 9-18", "mon 09:00", "mon-fri 09:00-18:00 x", "mon-mun 09:00-18:00", "mon,mon 09:00-18:00",
		"mon 09:00-09:00", "mon 24:00-06:00", "mon 09:60-18:00", "mon 25:00-26:00", "mon 09:00-24:01", "mon 09:0-18:00", "mon -1:00-18:00", "mon- 09:00-18:00", "mon +9:00-18:00"} {
		if h, err := ParseHours(in); err == nil {
			t.Errorf("%q is read as %v", in, h)
		}
	}
}

func FuzzParseHours(f *testing.F) {
	f.Add("mon-fri 09:00-18:00")
	f.Add("fri-mon,wed 22:00-06:00")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHours(text)
		if err != nil {
			return
		}
		if again, err := ParseHours(h.String()); err != nil || again != h {
			t.Fatalf("%q is %+v, written %s, read %+v, %v", text, h, h, again, err)
		}
	})
}

func FuzzParseDates(f *testing.F) {
	f.Add("2027-01-01..2027-01-08")
	f.Fuzz(func(t *testing.T, text string) {
		first, last, err := ParseDates(text)
		if err != nil {
			return
		}
		e := Exception{First: first, Last: last}
		if a, b, err := ParseDates(e.Dates()); err != nil || a != first || b != last || last.Compare(first) < 0 {
			t.Fatalf("%q is %v to %v, written %s: %v", text, first, last, e.Dates(), err)
		}
	})
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"mon-fri 09:00-18:00", "sat 09:00-18:00", false},
		{"mon-fri 09:00-13:00", "mon-fri 13:00-18:00", false},
		{"mon-fri 09:00-13:00", "fri 12:59-18:00", true},
		{"mon-fri 09:00-18:00", "wed 10:00-11:00", true},
		{"fri 22:00-06:00", "sat 05:00-09:00", true},
		{"fri 22:00-06:00", "sat 06:00-09:00", false},
		{"sun 22:00-06:00", "mon 05:59-09:00", true},
		{"sun 22:00-24:00", "mon 00:00-09:00", false},
		{"22:00-06:00", "06:00-22:00", false},
		{"22:00-06:00", "05:00-22:00", true},
		{"00:00-24:00", "mon 03:00-04:00", true},
	} {
		a, b := hours(t, c.a)[0], hours(t, c.b)[0]
		if a.Overlap(b) != c.want || b.Overlap(a) != c.want {
			t.Errorf("%s and %s: %v, %v", c.a, c.b, a.Overlap(b), b.Overlap(a))
		}
	}
}

// TestSchedule: what a schedule is at a moment of the zone's clock, and until when.
func TestSchedule(t *testing.T) {
	work := Schedule{Hours: hours(t, "mon-fri 09:00-18:00", "sat 10:00-14:00"),
		Except: []Exception{except(t, "2026-12-31", "09:00-15:00"), except(t, "2027-01-01..2027-01-08"), except(t, "2027-05-09", "20:00-24:00")}}
	night := Schedule{Hours: hours(t, "mon-fri 22:00-06:00"), Except: []Exception{except(t, "2026-11-25")}}
	always := Schedule{Hours: hours(t, "00:00-24:00")}
	apart := Schedule{Hours: hours(t, "mon 00:00-12:00", "mon 12:00-24:00", "tue 00:00-08:00")}
	early := Schedule{Hours: hours(t, "02:15-04:00")}
	late := Schedule{Hours: hours(t, "01:00-02:30")}
	inside := Schedule{Hours: hours(t, "02:10-02:50")}
	midnight := Schedule{Hours: hours(t, "sun 00:00-24:00")}
	for _, c := range []struct {
		name, zone, at string
		s              *Schedule
		want           string
	}{
		{"monday before", "Europe/Moscow", "2026-11-23 08:59:59", &work, "closed until Mon 09:00"},
		{"monday begins", "Europe/Moscow", "2026-11-23 09:00:00", &work, "open until Mon 18:00"},
		{"monday ends", "Europe/Moscow", "2026-11-23 18:00:00", &work, "closed until Tue 09:00"},
		{"saturday", "Europe/Moscow", "2026-11-28 13:59:59", &work, "open until Sat 14:00"},
		{"sunday", "Europe/Moscow", "2026-11-29 12:00:00", &work, "closed until Mon 09:00"},
		{"short day", "Europe/Moscow", "2026-12-31 14:00:00", &work, "open until Thu 15:00"},
		{"behind the short day", "Europe/Moscow", "2026-12-31 15:00:00", &work, "closed until 2027-01-09 10:00"},
		{"a holiday", "Europe/Moscow", "2027-01-05 12:00:00", &work, "closed until Sat 10:00"},
		{"a sunday of work", "Europe/Moscow", "2027-05-09 21:00:00", &work, "open until Mon 00:00"},
		{"night, evening", "Europe/Moscow", "2026-11-23 22:00:00", &night, "open until Tue 06:00"},
		{"night, morning", "Europe/Moscow", "2026-11-24 05:59:00", &night, "open until Tue 06:00"},
		{"the night before a holiday goes on", "Europe/Moscow", "2026-11-25 03:00:00", &night, "open until Wed 06:00"},
		{"the night of a holiday does not begin", "Europe/Moscow", "2026-11-25 23:00:00", &night, "closed until Thu 22:00"},
		{"friday night", "Europe/Moscow", "2026-11-28 05:00:00", &night, "open until Sat 06:00"},
		{"always", "Europe/Moscow", "2026-11-28 05:00:00", &always, "open"},
		{"hours that follow each other", "UTC", "2026-11-23 11:00:00", &apart, "open until Tue 08:00"},
		{"never", "UTC", "2026-11-23 11:00:00", &Schedule{}, "closed"},
		{"spring: the beginning is left out", "Europe/Berlin", "2027-03-28 01:59:59", &early, "closed until Sun 03:00"},
		{"spring: it has begun", "Europe/Berlin", "2027-03-28 03:00:00", &early, "open until Sun 04:00"},
		{"spring: the end is left out", "Europe/Berlin", "2027-03-28 01:30:00", &late, "open until Sun 03:00"},
		{"spring: all is left out", "Europe/Berlin", "2027-03-28 01:30:00", &inside, "closed until Mon 02:10"},
		{"autumn: the end comes twice", "Europe/Berlin", "2027-10-31 01:30:00", &late, "open until Sun 02:30"},
		{"midnight is left out", "Asia/Beirut", "2027-03-27 23:59:59", &midnight, "closed until Sun 01:00"},
		{"another zone", "Asia/Vladivostok", "2026-11-23 08:59:00", &work, "closed until Mon 09:00"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation(time.DateTime, c.at, zone)
		if err != nil {
			t.Fatal(err)
		}
		state := c.s.At(at)
		if got := state.Text(at); got != c.want || c.s.Open(at) != state.Open {
			t.Errorf("%s: %s, open %v, want %s", c.name, got, c.s.Open(at), c.want)
		}
	}
	// The hour that comes twice is within the hours both times.
	zone, _ := time.LoadLocation("Europe/Berlin")
	first := time.Date(2027, 10, 31, 0, 29, 0, 0, time.UTC).In(zone)
	for i, at := range []time.Time{first, first.Add(30 * time.Minute), first.Add(time.Hour)} {
		if s := late.At(at); !s.Open || !s.Until.Equal(time.Date(2027, 10, 31, 1, 30, 0, 0, time.UTC)) {
			t.Errorf("%d: %v at %v", i, s, at)
		}
	}
	if late.Open(first.Add(61 * time.Minute)) {
		t.Error("open behind the second end")
	}
}

// TestScheduleAgainstClock compares a schedule with the clock of a zone, by steps of five
// minutes, away from the nights in which it is changed.
func TestScheduleAgainstClock(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	s := Schedule{Hours: hours(t, "mon-fri 09:00-18:00", "fri-sun 22:00-03:00", "sat 10:00-14:00")}
	within := func(at time.Time) bool {
		day, m := at.Weekday(), at.Hour()*60+at.Minute()
		switch {
		case day >= time.Monday && day <= time.Friday && m >= 540 && m < 1080, day == time.Saturday && m >= 600 && m < 840:
			return true
		case m >= 1320:
			return day == time.Friday || day == time.Saturday || day == time.Sunday
		case m < 180:
			return day == time.Saturday || day == time.Sunday || day == time.Monday
		}
		return false
	}
	at := time.Date(2027, 4, 1, 0, 0, 30, 0, zone)
	state := s.At(at)
	for range 14 * 24 * 12 {
		if got := s.Open(at); got != within(at) {
			t.Fatalf("%v: open %v", at, got)
		}
		if !state.Until.After(at) {
			next := s.At(at)
			if next.Open == state.Open {
				t.Fatalf("%v: no change at %v", at, state.Until)
			}
			state = next
		}
		if s.Open(at) != state.Open {
			t.Fatalf("%v: changed before %v", at, state.Until)
		}
		at = at.Add(5 * time.Minute)
	}
}

func TestScheduleStored(t *testing.T) {
	s := Schedule{Name: "work", Hours: hours(t, "mon-fri 09:00-18:00"), Except: []Exception{except(t, "2027-01-01..2027-01-08"), except(t, "2027-02-22", "09:00-15:00")}}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again Schedule
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(s, again) {
		t.Errorf("%s: %+v, %v", text, again, err)
	}
}

func BenchmarkSchedule(b *testing.B) {
	zone, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		b.Fatal(err)
	}
	s := Schedule{Hours: hours(b, "mon-fri 09:00-18:00", "sat 10:00-14:00"), Except: []Exception{except(b, "2027-01-01..2027-01-08")}}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, zone)
	b.ReportAllocs()
	for b.Loop() {
		s.At(at)
	}
}
