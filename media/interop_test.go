package media

import (
	"strconv"
	"strings"
	"testing"
)

// The tests of this file are named after the rows of docs/interop.md.

// originOf gives the session id and the version of the o= line.
func originOf(t *testing.T, text string) (id, version uint64) {
	t.Helper()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "o="); ok {
			f := strings.Fields(v)
			id, err1 := strconv.ParseUint(f[1], 10, 63)
			version, err2 := strconv.ParseUint(f[2], 10, 63)
			if err1 != nil || err2 != nil {
				t.Fatalf("more than 63 bits: %s", line)
			}
			return id, version
		}
	}
	t.Fatalf("no o= in\n%s", text)
	return 0, 0
}

// TestInterop13VersionGrowsWithChange: phones that ignore a description whose
// version did not grow hear of every change, and of nothing but changes.
func TestInterop13VersionGrowsWithChange(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, _, _ := r.pair()
		talk, hold := describe("198.51.100.1:4000"), describe("198.51.100.1:4000", "a=sendonly")
		offer := func() string {
			t.Helper()
			text, err := a.Offer([]Codec{PCMA})
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		last := string(a.LocalSDP())
		id, version := originOf(t, last)
		for i, next := range []func() string{
			func() string { return a.answer(t, talk) }, func() string { return a.answer(t, talk) },
			func() string { return a.answer(t, hold) }, func() string { return a.answer(t, hold) },
			func() string { return a.answer(t, talk) }, offer, offer, func() string { return a.answer(t, talk) },
			func() string { return a.answer(t, talk, PCMU) }, offer,
		} {
			text := next()
			id2, version2 := originOf(t, text)
			_, before, _ := strings.Cut(last, "\r\ns=")
			_, after, _ := strings.Cut(text, "\r\ns=")
			want := version
			if before != after {
				want++
			}
			if id2 != id || version2 != want {
				t.Errorf("step %d: o= %d %d, want %d %d", i, id2, version2, id, want)
			}
			last, version = text, version2
		}
		if version < 5 {
			t.Errorf("version %d: nothing changed", version)
		}
	})
}

// TestInterop22EventsAtTheClockOfOpus: telephone events are offered at 48 kHz
// too, and answered at the clock of the codec that was chosen.
func TestInterop22EventsAtTheClockOfOpus(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		both := describeCodecs("198.51.100.1:4000", "111 8 100 101", "a=rtpmap:111 opus/48000/2", "a=rtpmap:100 telephone-event/48000", "a=rtpmap:101 telephone-event/8000")
		if text := a.answer(t, both, opus); !strings.Contains(text, " 111 100\r\n") {
			t.Errorf("opus was answered\n%s", text)
		}
		if text := a.answer(t, both, PCMA); !strings.Contains(text, " 8 101\r\n") {
			t.Errorf("A-law was answered\n%s", text)
		}
		b := r.open("198.51.100.2")
		text, err := b.Offer([]Codec{opus, PCMA})
		if err != nil || !strings.Contains(string(text), "telephone-event/48000\r\n") || !strings.Contains(string(text), "telephone-event/8000\r\n") {
			t.Errorf("offered\n%s, %v", text, err)
		}
	})
}
