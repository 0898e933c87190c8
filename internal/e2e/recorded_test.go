package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// recorded is what the recordings that go on have in their files so far. A test that wants
// some sound of both sides in a recording waits for it here before it hangs up: a packet
// that comes late on a busy machine is not in it, although a phone heard it.
func (s *server) recorded() (all []sound) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.data, "recordings", "acme", "*", "*", "*", "*.wav.part"))
	if err != nil {
		s.t.Fatalf("find the recording: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it has just been finished
			s.t.Fatalf("read the recording: %v", err)
		}
		all = append(all, growingWAV(raw))
	}
	return all
}

// growingWAV reads a WAV file that is still being written: the lengths in its header are
// older than what is behind it.
func growingWAV(raw []byte) sound {
	const header = 44
	if len(raw) < header {
		return sound{channels: make([][]int16, 2)}
	}
	channels := int(binary.LittleEndian.Uint16(raw[22:]))
	s := sound{channels: make([][]int16, max(channels, 2))}
	for at := header; at+2*channels <= len(raw); at += 2 * channels {
		for c := range channels {
			s.channels[c] = append(s.channels[c], int16(binary.LittleEndian.Uint16(raw[at+2*c:])))
		}
	}
	return s
}

// waitRecorded waits until a side of a recording that goes on has a tone for so many
// seconds.
func (s *server) waitRecorded(side int, freq, seconds float64) {
	s.t.Helper()
	waitFor(s.t, 30*time.Second, fmt.Sprintf("side %d of the recording has %.0f Hz for %.1f s", side, freq, seconds), func() bool {
		return slices.ContainsFunc(s.recorded(), func(r sound) bool { return r.tones(side, freq) >= seconds })
	})
}

// wantGood fails when a leg's sound was bad although nothing happened to it: on a machine
// that stands still for a while packets come late, or not at all.
func wantGood(t *testing.T, who string, q *pbx.Quality, mos float64) {
	t.Helper()
	switch {
	case q == nil || q.Received == 0 || q.MOS <= 0 || q.OneWay:
		t.Errorf("%s: quality %+v", who, q)
	case q.MOS < mos && q.Lost == 0 && q.MaxJitter < 20 && q.LongestGap < 100 && q.RTTMs < 100:
		t.Errorf("%s: the sound is bad without a reason: %+v", who, q)
	}
}

// calls are the Call-IDs of SIP messages, each once: what is sent again is no new call.
func calls(messages []string) []string {
	var ids []string
	seen := map[string]bool{}
	for _, m := range messages {
		if id := dialogIn(m).callID; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// once gives messages without those that were sent again.
func once(messages []string) (l []string) {
	seen := map[string]bool{}
	for _, m := range messages {
		if !seen[strings.TrimSpace(m)] {
			seen[strings.TrimSpace(m)] = true
			l = append(l, m)
		}
	}
	return l
}
