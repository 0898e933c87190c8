package media

import (
	"encoding/binary"
	"time"
)

// keyNames are the events 0 to 15 of RFC 4733 §3.2.
const keyNames = "0123456789*#ABCD"

// keyPause ends a key whose end packets were all lost.
const keyPause = 500 * time.Millisecond

// longPress is when a key that is held down counts as pressed, without waiting
// for its end.
const longPress = 3 * time.Second

// press is a key that was pressed for a while.
type press struct {
	digit byte
	held  time.Duration
}

// keypad turns telephone-event packets into key presses. A key is repeated in many
// packets of one timestamp with growing duration; the last ones, with the end bit,
// are sent three times (RFC 4733 §2.5.1.4).
type keypad struct {
	open     bool
	told     bool // it has been reported before its end
	digit    byte
	ts       uint32 // of the current segment
	units    uint32 // duration of the current segment
	earlier  uint32 // duration of the segments before it (§2.5.1.3)
	rate     int
	last     time.Time
	finished uint32 // timestamp of the last key that has ended
	any      bool   // there was one
}

// hear takes a packet's payload and says when a key has ended: by its end bit, by
// the beginning of another, or because nothing more of it came. A key held down
// for long is reported before.
func (k *keypad) hear(ts uint32, payload []byte, f *format, at time.Time) (press, bool) {
	if !f.event {
		if k.open && at.Sub(k.last) >= keyPause {
			return k.end()
		}
		return press{}, false
	}
	if len(payload) < 4 || int(payload[0]) >= len(keyNames) {
		return press{}, false
	}
	digit, over := keyNames[payload[0]], payload[1]&0x80 != 0
	units := uint32(binary.BigEndian.Uint16(payload[2:]))
	if k.any && int32(ts-k.finished) <= 0 && at.Sub(k.last) < keyPause {
		return press{}, false // a repetition, or a late packet of a key that has ended
	}
	if k.any && !k.open && ts == k.finished && digit == k.digit && units >= k.units {
		return press{}, false // the same after a pause of the sender or the network
	}
	if k.open && ts != k.ts && int32(ts-k.ts) < 0 {
		return press{}, false // late, of an earlier segment
	}
	var before press
	var ended bool
	switch {
	case !k.open:
		*k = keypad{open: true, digit: digit, ts: ts, finished: k.finished, any: k.any}
	case ts != k.ts && digit == k.digit && k.units == 0xFFFF && ts == k.ts+k.units:
		k.earlier, k.ts, k.units = k.earlier+k.units, ts, 0
	case ts != k.ts:
		before, ended = k.end()
		*k = keypad{open: true, digit: digit, ts: ts, finished: k.finished, any: k.any}
	}
	k.units, k.rate, k.last = max(k.units, units), f.codec.Rate, at
	if over && !ended {
		return k.end()
	}
	if !ended && !k.told && k.held() >= longPress {
		k.told = true
		return press{digit: k.digit, held: k.held()}, true
	}
	return before, ended
}

// end closes the current key; true unless it has been reported before.
func (k *keypad) end() (press, bool) {
	k.open, k.finished, k.any = false, k.ts, true
	return press{digit: k.digit, held: k.held()}, !k.told
}

// held is how long the current key has been down.
func (k *keypad) held() time.Duration {
	return time.Duration(k.earlier+k.units) * time.Second / time.Duration(k.rate)
}
