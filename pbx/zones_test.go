package pbx

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestZones: where a number is, and how much of its country it leaves open.
func TestZones(t *testing.T) {
	russia := ZonesOf("RU")
	if len(russia) != 11 || russia[0] != "Europe/Kaliningrad" || russia[10] != "Asia/Kamchatka" {
		t.Fatalf("Russia: %v", russia)
	}
	for number, want := range map[string]string{
		"+74152200000":  "RU Asia/Kamchatka",
		"+74012123456":  "RU Europe/Kaliningrad", // libphonenumber: Europe/Bucharest
		"+74957777777":  "RU Europe/Moscow",
		"+78452123456":  "RU Europe/Astrakhan", // libphonenumber: Europe/Moscow
		"+73022123456":  "RU Asia/Chita",
		"+74112123456":  "RU Asia/Chita Asia/Vladivostok Asia/Magadan",
		"+79161234567":  "RU " + strings.Join(russia, " "), // a mobile may be anywhere
		"+78001234567":  "RU " + strings.Join(russia, " "),
		"+73992123456":  "RU " + strings.Join(russia, " "), // an area that does not exist
		"+77012345678":  "KZ Asia/Almaty",
		"+77272123456":  "KZ Asia/Almaty",
		"+12125550100":  "US America/New_York",
		"+12085550100":  "US America/Los_Angeles America/Denver", // Idaho; the data name America/Boise
		"+18085550100":  "US Pacific/Honolulu",
		"+19075550100":  "US America/Adak America/Anchorage",
		"+18005550100":  "US " + strings.Join(ZonesOf("US"), " "),
		"+14165550100":  "CA America/Toronto",
		"+442079460958": "GB Europe/London",
		"+447400123456": "GB Europe/London",
		"+441534000000": "JE Europe/Jersey",
		"+34922123456":  "ES Atlantic/Canary",
		"+34600123456":  "ES Atlantic/Canary Europe/Madrid",
		"+4930123456":   "DE Europe/Berlin",
		"+61491570156":  "AU " + strings.Join(ZonesOf("AU"), " "), // the data say Sydney for every mobile
		"+80012345678":  "",
		"+88212345678":  "",
		"":              "", "+": "", "112": "", "sip:x": "", "+7916123456x": "", "+0123456789": "", "+71234567890123456": "", "89161234567": "",
	} {
		for range 2 { // found, and remembered
			if got := strings.TrimSpace(CountryOf(number) + " " + strings.Join(Zones(number), " ")); got != want {
				t.Errorf("%s: %s, want %s", number, got, want)
			}
		}
	}
}

// TestZoneTable: each zone of the table is known and no country has two whose clocks go alike.
func TestZoneTable(t *testing.T) {
	for key, list := range zoneTable() {
		seen := map[string]string{}
		for _, name := range list {
			zone, err := ParseZone(name)
			if err != nil {
				t.Fatal(key, err)
			}
			var clock strings.Builder
			for at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2029; at = at.AddDate(0, 0, 1) {
				clock.WriteString(at.In(zone).Format("-0700 "))
			}
			if other := seen[clock.String()]; other != "" {
				t.Errorf("%s: %s goes like %s", key, name, other)
			}
			seen[clock.String()] = name
		}
		if key[0] == '+' && !slices.Contains(ZonesOf("RU"), list[0]) {
			t.Errorf("%s: %s is not of Russia", key, list[0])
		}
	}
}

// TestZoneTableComplete compares the table with the machine's own, where it has one.
func TestZoneTableComplete(t *testing.T) {
	text, err := os.ReadFile("/usr/share/zoneinfo/zone.tab")
	if err != nil {
		t.Skip("no zone.tab here")
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0][0] == '#' {
			continue
		}
		country, zone := words[0], words[2]
		if !slices.ContainsFunc(ZonesOf(country), func(z string) bool { return hoursOf(z) == hoursOf(zone) }) {
			t.Errorf("%s has no zone like %s", country, zone)
		}
	}
}

func TestParseZone(t *testing.T) {
	winter := time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"Asia/Kamchatka": "+1200", "Europe/Berlin": "+0100", " Europe/Moscow ": "+0300", "UTC": "+0000", "utc+3": "+0300", "UTC+07:00": "+0700", "+12": "+1200", "-3": "-0300",
		"GMT-03:30": "-0330", "+0545": "+0545", "MSK": "+0300", "МСК+2": "+0500", "мск-1": "+0200", "+14:00": "+1400", "-12": "-1200",
	} {
		zone, err := ParseZone(text)
		if err != nil || winter.In(zone).Format("-0700") != want {
			t.Errorf("%q: %v, %v, want %s", text, zone, err, want)
		}
		if again, err := ParseZone(zone.String()); err != nil || again != zone {
			t.Errorf("%q: %s is read as %v, %v", text, zone, again, err)
		}
	}
	for _, text := range []string{"", " ", "Local", "Moscow", "+", "+15", "-13", "+5:7", "+05:99", "5", "++5", "+1234567", "../../etc/passwd", "/etc/passwd", "Europe\\Moscow", "МСК+12", "UTC+5:10", strings.Repeat("A", 500)} {
		if zone, err := ParseZone(text); err == nil {
			t.Errorf("%q is read as %v", text, zone)
		}
	}
}

func FuzzParseZone(f *testing.F) {
	for _, text := range []string{"Europe/Moscow", "UTC+07:00", "МСК+2", "-0330", "Local"} {
		f.Add(text)
	}
	at := time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		zone, err := ParseZone(text)
		if err != nil {
			return
		}
		if _, ahead := at.In(zone).Zone(); ahead < -12*3600 || ahead > 14*3600 {
			t.Fatalf("%q is %d s ahead", text, ahead)
		}
	})
}

func FuzzZones(f *testing.F) {
	for _, number := range []string{"+74152200000", "+12125550100", "+34600123456", "+800", "112"} {
		f.Add(number)
	}
	f.Fuzz(func(t *testing.T, number string) {
		if country, zones := CountryOf(number), Zones(number); (country == "") != (len(zones) == 0) {
			t.Fatalf("%q: country %q, zones %v", number, country, zones)
		}
	})
}

func BenchmarkZones(b *testing.B) {
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Zones("+79161234567")
		}
	})
	for name, number := range map[string]string{"russia": "+74152200000", "america": "+12125550100", "britain": "+442079460958"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				findPlace(number)
			}
		})
	}
}
