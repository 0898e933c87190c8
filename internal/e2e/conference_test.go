package e2e

import (
	"fmt"
	"testing"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// TestConference: three foreign phones in a conference hear each other and not
// themselves; all are in its one recording, which is in the record of the last.
func TestConference(t *testing.T) {
	t.Parallel()
	company := acme{}.String() + "conferences:\n  - {number: \"800\", name: Планёрка, record: true, tones: true}\n"
	s := serve(t, serverOptions{Company: company})
	freqs := []float64{440, 1030, 1670} // none is a harmonic of another
	var phones []*baresip
	for i, user := range []string{"101", "102", "103"} {
		b := startBaresip(t, s, baresipOptions{User: user, Password: "s3cret-" + user, Tone: freqs[i]})
		b.do("dial", "sip:800@acme.vpbx.test")
		b.waitEvent("CALL_ESTABLISHED")
		phones = append(phones, b)
	}
	for i, b := range phones {
		for k, freq := range freqs {
			if k != i {
				b.waitMixed(freq, 1)
			}
		}
	}
	var list struct{ Items []pbx.ConferenceInfo }
	if s.get("conferences", &list); len(list.Items) != 1 || len(list.Items[0].Members) != 3 {
		t.Errorf("conferences %+v", list)
	}
	for _, freq := range freqs {
		waitFor(t, 30*time.Second, fmt.Sprintf("%.0f Hz is in the recording", freq), func() bool {
			all := s.recorded()
			return len(all) == 1 && all[0].mixed(0, freq) >= 0.5
		})
	}
	for i, b := range phones {
		b.do("hangup", "")
		b.waitEvent("CALL_CLOSED")
		waitFor(t, 20*time.Second, "the conference has one less", func() bool {
			s.get("conferences", &list)
			return i == 2 && len(list.Items) == 0 || i < 2 && len(list.Items) == 1 && len(list.Items[0].Members) == 2-i
		})
	}
	for i, b := range phones {
		if got := b.heard().mixed(0, freqs[i]); got > 0.2 {
			t.Errorf("%s hears itself for %.1f s", b.name, got)
		}
	}
	last := s.find("103", func(r record) bool { return r.Conference != nil && len(r.Recordings) == 1 })
	if c := last.Conference; c == nil || c.Number != "800" || len(c.With) != 2 || len(c.Recordings) != 1 {
		t.Fatalf("conference %+v", last.Conference)
	}
	rec := s.recording(last)
	for _, freq := range freqs {
		if got := rec.mixed(0, freq); got < 0.5 {
			t.Errorf("%v Hz is in the recording for %.1f s", freq, got)
		}
	}
}

// mixed is how many seconds of a channel a tone is in, with others.
func (s sound) mixed(channel int, freq float64) float64 {
	const block = rate / 10
	n := 0
	for pcm := s.channels[channel]; len(pcm) >= block; pcm = pcm[block:] {
		if audio.Goertzel(pcm[:block], rate, freq) > 0.2 {
			n++
		}
	}
	return float64(n) / 10
}

// waitMixed waits until the phone has heard a tone, with others, for so many seconds.
func (b *baresip) waitMixed(freq, seconds float64) {
	b.t.Helper()
	waitFor(b.t, 30*time.Second, fmt.Sprintf("%s hears %.0f Hz for %.1f s", b.name, freq, seconds), func() bool {
		return b.heard().mixed(0, freq) >= seconds
	})
}
