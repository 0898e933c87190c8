package sip

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

const (
	maxInfo  = 256              // bytes of a body that are read
	maxPress = 10 * time.Second // longest digit

	maxPresses = 32 // keys that wait for an INFO of ours

	dtmfRelay    = "application/dtmf-relay"
	dtmfAlone    = "application/dtmf"
	mediaControl = "application/media_control+xml"   // RFC 5168
	iceFragment  = "application/trickle-ice-sdpfrag" // RFC 8840: candidates, which a lite agent does not need
	icePackage   = "trickle-ice"
)

// onInfo takes an INFO without package (RFC 6086 §4.2.2), as they were before there
// were any: digits are passed on; what asks for a video picture, or only whether we
// are there, is answered and changes nothing; of anything else the peer learns what
// we take. Of the packages only trickle ICE is taken, in the same way.
func (l *Leg) onInfo(x *exchange) {
	l.implied()
	if p := value(x.req, "info-package"); p != "" && !oneOf(p, icePackage) {
		l.close(x, 469, msg.NewHeader("Recv-Info", ""))
		return
	}
	kind, _, _ := strings.Cut(value(x.req, "content-type"), ";")
	switch kind = strings.TrimSpace(kind); {
	case len(x.req.Body()) == 0 && kind == "", oneOf(kind, mediaControl, iceFragment):
		l.close(x, 200)
		return
	case !oneOf(kind, dtmfRelay, dtmfAlone):
		l.close(x, 415, msg.NewHeader("Accept", dtmfRelay+", "+dtmfAlone))
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

// onPress queues a key for an INFO of ours.
func (l *Leg) onPress(k keyPress) {
	if l.phase != confirmed || len(l.keys) >= maxPresses {
		return
	}
	l.keys = append(l.keys, k)
	l.pressNext()
}

// pressNext sends the next key when none is on its way: they must not overtake each
// other.
func (l *Leg) pressNext() {
	if l.informing != nil || len(l.keys) == 0 || l.phase != confirmed {
		return
	}
	k := l.keys[0]
	l.keys = l.keys[1:]
	l.d.localSeq++
	req, err := l.d.request(msg.INFO, l.d.localSeq)
	if err != nil {
		l.log.Warn("sip: INFO not sent", "error", err)
		return
	}
	header(req, "Content-Type", dtmfRelay)
	req.SetBody(fmt.Appendf(nil, "Signal=%c\r\nDuration=%d\r\n", k.digit, k.d.Milliseconds()))
	l.informing = &attempt{kind: kindInfo, req: req, d: &l.d, way: l.way()}
	l.send(l.informing)
	l.note()
}

// onInformed takes the end of an INFO of ours. One that is refused is a key less and
// nothing else (RFC 5057 §5.1).
func (l *Leg) onInformed(a *attempt, code int) {
	if l.informing != a {
		return
	}
	l.informing = nil
	if code >= 300 {
		l.log.Info("sip: key by INFO refused", "code", code)
	}
	l.pressNext()
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
