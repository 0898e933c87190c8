package sip

import (
	"strconv"
	"strings"
	"time"
)

const (
	maxInfo  = 256              // bytes of a body that are read
	maxPress = 10 * time.Second // longest digit
)

// onInfo takes an INFO (RFC 6086 §4.2.1: a legacy one): digits are passed on,
// everything else, such as requests for a video picture, is answered and
// changes nothing.
func (l *Leg) onInfo(x *exchange) {
	l.implied()
	kind, _, _ := strings.Cut(value(x.req, "content-type"), ";")
	if kind = strings.TrimSpace(kind); !oneOf(kind, "application/dtmf-relay", "application/dtmf") {
		l.close(x, 200)
		return
	}
	digit, d, ok := parsePress(x.req.Body())
	if !ok {
		l.close(x, 400)
		return
	}
	l.close(x, 200)
	if l.phase != ended && len(l.queue) < legQueue/2 {
		l.emit(Pressed{l, digit, d})
	}
}

// parsePress reads a digit of an INFO: "Signal=5" and "Duration=160" in lines of
// their own (application/dtmf-relay), or the digit alone (application/dtmf).
// Both were never standardised, so phones differ in blanks and in the names of
// star, pound and flash.
func parsePress(body []byte) (digit rune, d time.Duration, ok bool) {
	if len(body) > maxInfo {
		return 0, 0, false
	}
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		name, value, named := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch {
		case line == "":
		case !named && digit == 0, named && strings.EqualFold(strings.TrimSpace(name), "signal") && digit == 0:
			if !named {
				value = line
			}
			if digit = signal(value); digit == 0 {
				return 0, 0, false
			}
		case named && strings.EqualFold(strings.TrimSpace(name), "duration"):
			if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
				d = min(time.Duration(ms)*time.Millisecond, maxPress)
			}
		}
	}
	return digit, d, digit != 0
}

// signal reads the name of a digit, or its number as an event of RFC 4733; 0
// for what is none.
func signal(s string) rune {
	switch {
	case len(s) == 1 && strings.Contains("0123456789*#ABCD!", strings.ToUpper(s)):
		return rune(strings.ToUpper(s)[0])
	case oneOf(s, "10", "star"):
		return '*'
	case oneOf(s, "11", "pound", "hash"):
		return '#'
	case oneOf(s, "16", "flash", "hf"):
		return '!'
	}
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n >= 12 && n <= 15 {
		return rune('A' + n - 12)
	}
	return 0
}
