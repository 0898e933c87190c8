package words

import (
	"fmt"
	"strings"
)

var (
	englishSmall = [20]string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
		"twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"}
	englishTens   = [10]string{2: "twenty", 3: "thirty", 4: "forty", 5: "fifty", 6: "sixty", 7: "seventy", 8: "eighty", 9: "ninety"}
	englishScales = [5]string{1: "thousand", 2: "million", 3: "billion", 4: "trillion"}
	// irregular are the ordinals that are not the number with -th.
	irregular = map[string]string{"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}
)

// englishCardinal is a number in American English. n is below maxNumber.
func englishCardinal(n int64) string {
	if n < 0 {
		return "minus " + englishCardinal(-n)
	}
	if n == 0 {
		return englishSmall[0]
	}
	var parts []string
	for k, unit := len(englishScales)-1, int64(maxNumber/1000); k >= 0; k, unit = k-1, unit/1000 {
		group := n / unit % 1000
		if group == 0 {
			continue
		}
		if group >= 100 {
			parts = append(parts, englishSmall[group/100], "hundred")
		}
		if group%100 > 0 {
			parts = append(parts, englishTwo(group%100))
		}
		if k > 0 {
			parts = append(parts, englishScales[k])
		}
	}
	return strings.Join(parts, " ")
}

// englishTwo is a number of 0 to 99.
func englishTwo(n int64) string {
	switch {
	case n < 20:
		return englishSmall[n]
	case n%10 == 0:
		return englishTens[n/10]
	}
	return englishTens[n/10] + "-" + englishSmall[n%10]
}

// englishOrdinal is an ordinal number: twenty-second.
func englishOrdinal(n int64) string {
	text := englishCardinal(n)
	at := strings.LastIndexAny(text, " -") + 1
	last := text[at:]
	switch special, ok := irregular[last]; {
	case ok:
		last = special
	case strings.HasSuffix(last, "y"):
		last = strings.TrimSuffix(last, "y") + "ieth"
	default:
		last += "th"
	}
	return text[:at] + last
}

// englishYear is a year as it is said: nineteen oh five, two thousand five, twenty
// twenty-six.
func englishYear(n int64) string {
	century, rest := n/100, n%100
	switch {
	case n < 1000 || n > 9999 || century%10 == 0 && rest < 10:
		return englishCardinal(n)
	case rest == 0:
		return englishTwo(century) + " hundred"
	case rest < 10:
		return englishTwo(century) + " oh " + englishTwo(rest)
	}
	return englishTwo(century) + " " + englishTwo(rest)
}

// englishTime is a time of day by the twelve-hour clock.
func englishTime(hour, minute int64) string {
	half := "a.m."
	if hour >= 12 {
		half = "p.m."
	}
	h := englishTwo((hour+11)%12 + 1)
	switch {
	case hour == 0 && minute == 0:
		return "midnight"
	case hour == 12 && minute == 0:
		return "noon"
	case minute == 0:
		return h + " " + half
	case minute < 10:
		return fmt.Sprintf("%s oh %s %s", h, englishTwo(minute), half)
	}
	return fmt.Sprintf("%s %s %s", h, englishTwo(minute), half)
}
