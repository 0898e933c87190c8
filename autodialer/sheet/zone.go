package sheet

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// offset is a distance from UTC, or from Moscow as Russians count: +7, UTC+07:00, МСК+4.
// Spreadsheets make 7 of +7, and 07:00:00 of 07:00.
var offset = regexp.MustCompile(`(?i)^(utc|gmt|мск|msk)?\s*(?:([+\-−])?\s*(\d{1,2})(?:(?:[:.,]?(00|15|30|45)|[.,](5|25|75))(?::00)?)?(?:\s*ч\.?)?)?$`)

// zoneOf brings a zone into the form that [Location] reads: the name of the IANA
// database, or +07:00.
func zoneOf(text string) (string, error) {
	m := offset.FindStringSubmatch(text)
	if m == nil || m[1] == "" && m[3] == "" {
		return named(text)
	}
	hours, _ := strconv.Atoi("0" + m[3])   // of at most two digits
	minutes, _ := strconv.Atoi("0" + m[4]) // likewise
	if m[5] != "" {
		minutes = map[string]int{"5": 30, "25": 15, "75": 45}[m[5]]
	}
	total := 60*hours + minutes
	if m[2] == "-" || m[2] == "−" {
		total = -total
	}
	if base := strings.ToLower(m[1]); base == "мск" || base == "msk" {
		if total == 0 {
			return "Europe/Moscow", nil
		}
		total += 3 * 60
	}
	if total < -12*60 || total > 14*60 {
		return "", fmt.Errorf("zones are from -12:00 to +14:00")
	}
	sign := '+'
	if total < 0 {
		sign, total = '-', -total
	}
	return fmt.Sprintf("%c%02d:%02d", sign, total/60, total%60), nil
}

// named finds a zone by its name.
func named(text string) (string, error) {
	if text != "Local" && strings.Contains(text, "/") || text == "UTC" {
		if zone, err := time.LoadLocation(text); err == nil {
			return zone.String(), nil
		}
	}
	return "", fmt.Errorf("this is no time zone: write one such as Europe/Moscow or +07:00")
}

// Location gives the zone of a [Row]: a name of the IANA database, or an offset such as
// +07:00.
func Location(zone string) (*time.Location, error) {
	if len(zone) == len("+07:00") && (zone[0] == '+' || zone[0] == '-') {
		at, err := time.Parse("-07:00", zone)
		if err != nil {
			return nil, fmt.Errorf("zone %q: %w", zone, err)
		}
		_, seconds := at.Zone()
		return time.FixedZone("UTC"+zone, seconds), nil
	}
	at, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("zone %q: %w", zone, err)
	}
	return at, nil
}
