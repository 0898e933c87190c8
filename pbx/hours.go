package pbx

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Hours are the days of a week and a span of time on each of them, written
// mon-fri 09:00-18:00. A span that ends before it begins goes on into the next
// day: fri 22:00-06:00 ends on Saturday morning.
type Hours struct {
	Days     Days
	From, To int // minutes of the day; To is up to 24:00
}

// Days are days of the week, one bit each, that of Sunday the lowest.
type Days uint8

// EveryDay are all days of the week.
const EveryDay Days = 1<<7 - 1

const wholeDay = 24 * 60 // minutes

// weekdays are the names of days as people write a week: from Monday on.
var weekdays = [7]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// dayOf is the bit of the i-th name of weekdays, which goes round.
func dayOf(i int) Days { return 1 << ((i + 1) % 7) }

// Has tells whether d is one of the days.
func (s Days) Has(d time.Weekday) bool { return s&(1<<d) != 0 }

// String writes the days as they are read, and "" for all.
func (s Days) String() string {
	if s == EveryDay {
		return ""
	}
	var parts []string
	for i := 0; i < 7; i++ {
		if s&dayOf(i) == 0 {
			continue
		}
		first := i
		for i < 6 && s&dayOf(i+1) != 0 {
			i++
		}
		switch {
		case i > first+1:
			parts = append(parts, weekdays[first]+"-"+weekdays[i])
		case i > first:
			parts = append(parts, weekdays[first], weekdays[i])
		default:
			parts = append(parts, weekdays[first])
		}
	}
	return strings.Join(parts, ",")
}

// ParseHours reads hours such as "mon-fri 09:00-18:00", "sat,sun 10:00-14:00",
// "fri-mon 22:00-06:00", and "00:00-24:00" for every day.
func ParseHours(text string) (Hours, error) {
	words := strings.Fields(strings.ToLower(text))
	h := Hours{Days: EveryDay}
	var err error
	switch len(words) {
	case 1:
	case 2:
		if h.Days, err = parseDays(words[0]); err != nil {
			return Hours{}, err
		}
	default:
		return Hours{}, fmt.Errorf("%.60q is not days and hours; write mon-fri 09:00-18:00", text)
	}
	from, to, ok := strings.Cut(words[len(words)-1], "-")
	if !ok {
		return Hours{}, fmt.Errorf("%.60q is not days and hours; write mon-fri 09:00-18:00", text)
	}
	if h.From, err = parseMinute(from); err != nil {
		return Hours{}, err
	}
	if h.To, err = parseMinute(to); err != nil {
		return Hours{}, err
	}
	switch {
	case h.From == wholeDay:
		return Hours{}, fmt.Errorf("%.60q begins at 24:00; write 00:00 of the next day", text)
	case h.From == h.To:
		return Hours{}, fmt.Errorf("%.60q ends when it begins; a whole day is 00:00-24:00", text)
	}
	return h, nil
}

// parseDays reads mon, mon-fri, or a list of these with commas.
func parseDays(text string) (Days, error) {
	var days Days
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, b := weekday(first), weekday(last)
		if a < 0 || b < 0 {
			return 0, fmt.Errorf("%.60q is not days of the week; write mon-fri or sat,sun", text)
		}
		if b < a {
			b += 7
		}
		for i := a; i <= b; i++ {
			if days&dayOf(i) != 0 {
				return 0, fmt.Errorf("%.60q has %s twice", text, weekdays[i%7])
			}
			days |= dayOf(i)
		}
	}
	return days, nil
}

// weekday is the place of a name in weekdays, -1 when it is none.
func weekday(name string) int {
	for i, n := range weekdays {
		if n == name {
			return i
		}
	}
	return -1
}

// parseMinute reads a time of the day, 00:00 to 24:00.
func parseMinute(text string) (int, error) {
	hour, minute, ok := strings.Cut(text, ":")
	h, err := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	if !ok || err != nil || err2 != nil || len(minute) != 2 || len(hour) > 2 || m > 59 || h*60+m > wholeDay {
		return 0, fmt.Errorf("%.60q is not a time of the day; write 09:00", text)
	}
	return int(h*60 + m), nil
}

// String writes the hours as ParseHours reads them.
func (h Hours) String() string {
	span := fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60)
	if days := h.Days.String(); days != "" {
		return days + " " + span
	}
	return span
}

// MarshalText writes the hours as ParseHours reads them.
func (h Hours) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what ParseHours reads.
func (h *Hours) UnmarshalText(text []byte) error {
	v, err := ParseHours(string(text))
	if err == nil {
		*h = v
	}
	return err
}

// length is how long the span of a day lasts, in minutes by the clock.
func (h Hours) length() int {
	if h.To <= h.From {
		return h.To - h.From + wholeDay
	}
	return h.To - h.From
}

// Overlap tells whether two hours of a week share a minute.
func (h Hours) Overlap(other Hours) bool {
	for i := range 7 {
		if h.Days&dayOf(i) == 0 {
			continue
		}
		for j := range 7 {
			if other.Days&dayOf(j) == 0 {
				continue
			}
			// How far the other begins behind this one, round the week.
			const week = 7 * wholeDay
			ahead := ((j-i)*wholeDay + other.From - h.From + week) % week
			if ahead < h.length() || week-ahead < other.length() {
				return true
			}
		}
	}
	return false
}
