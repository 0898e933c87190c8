package pbx

import (
	_ "embed"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// zonesText is a table of countries and of the areas of Russia; it says itself how it
// was made.
//
//go:embed zones.txt
var zonesText string

// zoneTable maps a country, or the beginning of a number, to its zones.
var zoneTable = sync.OnceValue(func() map[string][]string {
	table := map[string][]string{}
	for line := range strings.Lines(zonesText) {
		if words := strings.Fields(line); len(words) > 1 && words[0] != "#" {
			table[words[0]] = words[1:]
		}
	}
	return table
})

// ZonesOf gives one IANA zone for each way in which clocks go in a country, given by
// its ISO code; none when there is no such country. The slice is shared.
func ZonesOf(country string) []string { return zoneTable()[country] }

// CallingCode gives what numbers of a country begin with: +7 for RU; "" when there is no
// such country.
func CallingCode(country string) string {
	if code := phonenumbers.GetCountryCodeForRegion(country); code != 0 {
		return "+" + strconv.Itoa(code)
	}
	return ""
}

// CountryOf gives the ISO code of the country of a number in E.164 form, "" when it is
// none or of no country, as +800 is. It costs some 50 µs the first time.
func CountryOf(e164 string) string { return placeOf(e164).country }

// Zones gives the IANA zones in which a number in E.164 form can be: one for most
// numbers of a landline; all of its country for a number that does not say more, as those
// of mobiles do where a country has several zones, and free ones. It is nil
// when the country is unknown. The slice is shared.
//
// A number of North America is placed by its area code, though its holder may have moved
// away: there is nothing else to go by.
func Zones(e164 string) []string { return placeOf(e164).zones }

// numberPlace is where a number is.
type numberPlace struct {
	number, country string
	zones           []string
}

// numberPlaces keeps what was found of late.
var numberPlaces [4096]atomic.Pointer[numberPlace]

func placeOf(e164 string) *numberPlace {
	if !isE164(e164) {
		return &numberPlace{}
	}
	slot := &numberPlaces[maphash.String(readingSeed, e164)%uint64(len(numberPlaces))]
	if p := slot.Load(); p != nil && p.number == e164 {
		return p
	}
	p := findPlace(e164)
	slot.Store(p)
	return p
}

// isE164 tells whether a text is a plus and 7 to 15 digits (ITU-T E.164 §6).
func isE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func findPlace(e164 string) *numberPlace {
	p := &numberPlace{number: strings.Clone(e164)}
	if strings.HasPrefix(e164, "+7") {
		p.country = "RU"
		if e164[2] == '6' || e164[2] == '7' {
			p.country = "KZ"
		}
		p.zones = zoneTable()[e164[:5]]
		if p.zones == nil {
			p.zones = ZonesOf(p.country)
		}
		return p
	}
	number, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return p
	}
	country := phonenumbers.GetRegionCodeForNumber(number)
	all := ZonesOf(country)
	if all == nil {
		return p // of no country
	}
	p.country, p.zones = country, all
	if len(all) == 1 {
		return p
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.FIXED_LINE, phonenumbers.FIXED_LINE_OR_MOBILE:
		if named, err := phonenumbers.GetTimezonesForPrefix(e164); err == nil {
			p.zones = sameHours(all, named)
		}
	}
	return p
}

// sameHours gives those zones of a country whose clocks show in January and in July what
// those of the named zones do; all when one of those has no like in the country. The
// data of numbers name older zones, and those of neighbours.
func sameHours(all, named []string) []string {
	wanted := map[[2]int]bool{}
	for _, n := range named {
		hours := hoursOf(n)
		if !slices.ContainsFunc(all, func(z string) bool { return hoursOf(z) == hours }) {
			return all
		}
		wanted[hours] = true
	}
	var found []string
	for _, z := range all {
		if wanted[hoursOf(z)] {
			found = append(found, z)
		}
	}
	return found
}

// hoursOf gives how far the clocks of a zone are ahead in January and in July, in
// seconds; what is no zone is ahead of all.
func hoursOf(zone string) [2]int {
	loc, err := ParseZone(zone)
	if err != nil {
		return [2]int{wholeDay * 60, wholeDay * 60}
	}
	_, january := time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC).In(loc).Zone()
	_, july := time.Date(2027, 7, 15, 0, 0, 0, 0, time.UTC).In(loc).Zone()
	return [2]int{january, july}
}

// zones keeps zones that were loaded: there are some 600 names, and an offset for each
// quarter of an hour.
var zones sync.Map // of *time.Location, by name

// ParseZone reads the zone of a person as lists have it: an IANA name
// (Asia/Yekaterinburg), an offset (+5, UTC+05:00, GMT-3), or how far ahead of Moscow it is
// (MSK+2, МСК+2).
func ParseZone(text string) (*time.Location, error) {
	name := strings.TrimSpace(text)
	if loc, is := zones.Load(name); is {
		return loc.(*time.Location), nil
	}
	loc, err := readZone(name)
	if err != nil {
		return nil, err
	}
	known, _ := zones.LoadOrStore(loc.String(), loc)
	return known.(*time.Location), nil
}

func readZone(name string) (*time.Location, error) {
	upper := strings.ToUpper(name)
	for _, base := range []struct {
		prefix string
		ahead  int // minutes
	}{{"UTC", 0}, {"GMT", 0}, {"MSK", 180}, {"МСК", 180}, {"", 0}} {
		rest, is := strings.CutPrefix(upper, base.prefix)
		if !is || rest == "" && base.prefix == "" {
			continue
		}
		if minutes, ok := parseOffset(rest); ok {
			return offsetZone(name, base.ahead+minutes)
		}
	}
	if name == "" || name == "Local" || len(name) > 64 {
		return nil, badZone(name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, badZone(name)
	}
	return loc, nil
}

func badZone(name string) error {
	return fmt.Errorf("%.60q is not a zone; write Asia/Yekaterinburg or UTC+05:00", name)
}

// parseOffset reads +5, +05:00, -0330 and nothing, in minutes.
func parseOffset(text string) (minutes int, ok bool) {
	if text == "" {
		return 0, true
	}
	if text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	hour, minute, colon := strings.Cut(text[1:], ":")
	if !colon {
		minute = "00"
		if len(hour) == 4 {
			hour, minute = hour[:2], hour[2:]
		}
	}
	h, err := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	if err != nil || err2 != nil || len(hour) > 2 || len(minute) != 2 || h > 14 || m > 59 {
		return 0, false
	}
	minutes = int(h*60 + m)
	if text[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
}

// offsetZone is a zone so many minutes ahead, as far as there are any.
func offsetZone(name string, minutes int) (*time.Location, error) {
	if minutes < -12*60 || minutes > 14*60 || minutes%15 != 0 {
		return nil, badZone(name)
	}
	sign, m := '+', minutes
	if m < 0 {
		sign, m = '-', -m
	}
	return time.FixedZone(fmt.Sprintf("UTC%c%02d:%02d", sign, m/60, m%60), minutes*60), nil
}
