package media

import (
	"encoding/binary"
	"time"
)

// keyNames are the events 0 to 15 of RFC 4733 §3.2.
const keyNames = "0123456789*#ABCD"

// keyPause ends a key whose end packets were all lost.
const keyPause = 500 * time.Millisecond

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
	digit    byte
	ts       uint32 // of the current segment
	units    uint32 // duration of the current segment
	earlier  uint32 // duration of the segments before it (§2.5.1.3)
	rate     int
	last     time.Time
	finished uint32 // timestamp of the last key that has ended
	any      bool   // there was one
	count    int    // of keys that have begun
}

// hear takes a packet's payload and says when a key has ended: by its end bit, by
// the beginning of another, or because nothing more of it came. A key may begin and
// end with one packet; of two with one packet, the second is open behind it.
func (k *keypad) hear(ts uint32, payload []byte, f *format, at time.Time) (press, bool) {
	if !f.event {
		if k.open && at.Sub(k.last) >= keyPause {
			return k.end(), true
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
		k.begin(digit, ts)
	case digit == k.digit && ts == k.ts+keySpan:
		k.earlier, k.ts, k.units = k.earlier+keySpan, ts, 0
	case ts != k.ts:
		before, ended = k.end(), true
		k.begin(digit, ts)
	}
	k.units, k.rate, k.last = max(k.units, units), f.codec.Rate, at
	if over && !ended {
		return k.end(), true
	}
	return before, ended
}

// begin opens a key.
func (k *keypad) begin(digit byte, ts uint32) {
	*k = keypad{open: true, digit: digit, ts: ts, finished: k.finished, any: k.any, count: k.count + 1}
}

// end closes the current key.
func (k *keypad) end() press {
	k.open, k.finished, k.any = false, k.ts, true
	return press{digit: k.digit, held: k.held()}
}

// held is how long the current key has been down.
func (k *keypad) held() time.Duration {
	return time.Duration(k.earlier+k.units) * time.Second / time.Duration(k.rate)
}
