package amd_test

import (
	"fmt"
	"testing"
	"time"

	"vpbx/media/amd"
)

// Beeps of every pitch and length are heard, in noise of the line that is 20 dB below.
func TestBeeps(t *testing.T) {
	if raced {
		t.Skip("long, and nothing here is concurrent")
	}
	for _, noise := range []string{"silence 1", "noise 20 -40"} {
		for freq := 350; freq <= 2500; freq += 70 {
			for _, ms := range []int{100, 120, 200, 450, 1000, 2000} {
				if freq < 500 && ms < 150 {
					continue // a voice may be as low, and a note
				}
				hiss := noise == "noise 20 -40"
				pcm := sound(t, "voice 3000", "silence 400", fmt.Sprintf("tone %d %d", ms, freq), "silence 200")
				if hiss {
					for i, v := range sound(t, fmt.Sprintf("noise %d -38", len(pcm)/8)) {
						pcm[i] += v
					}
				}
				d := amd.New(amd.Default())
				d.Feed(pcm)
				n, end := d.Beeps()
				off := end - time.Duration(3400+ms)*time.Millisecond
				if n != 1 || max(off, -off) > 40*time.Millisecond {
					t.Errorf("%d Hz for %d ms, noise %v: %d beeps, %v off", freq, ms, hiss, n, off)
				}
			}
		}
	}
}

// Two tones are a beep, too, unless they are a key or an octave.
func TestTwoTones(t *testing.T) {
	for _, f := range [][2]int{{400, 600}, {440, 620}, {500, 900}, {600, 800}, {800, 1250}, {1000, 1500}, {900, 2200}} {
		d := amd.New(amd.Default())
		d.Feed(sound(t, "voice 3000", "silence 400", fmt.Sprintf("tone 200 %d %d", f[0], f[1]), "silence 200"))
		if n, _ := d.Beeps(); n != 1 {
			t.Errorf("%v Hz: %d beeps", f, n)
		}
	}
	d := amd.New(amd.Default())
	d.Feed(sound(t, "voice 3000", "silence 400", "tone 200 500 1000", "silence 200"))
	if n, _ := d.Beeps(); n != 0 {
		t.Error("an octave is a beep")
	}
	for _, low := range []int{697, 770, 852, 941} {
		for _, high := range []int{1209, 1336, 1477, 1633} {
			d := amd.New(amd.Default())
			d.Feed(sound(t, "voice 3000", "silence 400", fmt.Sprintf("tone 200 %d %d", low, high), "silence 200"))
			if n, _ := d.Beeps(); n != 0 {
				t.Errorf("the key of %d and %d Hz is a beep", low, high)
			}
		}
	}
}

// Nobody's voice is a beep: that of no clip of the corpus, at any loudness.
func TestVoicesAreNoBeeps(t *testing.T) {
	if raced {
		t.Skip("long, and nothing here is concurrent")
	}
	for _, part := range []string{"tuning", "held"} {
		for _, c := range clips(t, part) {
			for _, shift := range []int{0, 2} {
				pcm := make([]int16, len(c.pcm))
				for i, v := range c.pcm {
					pcm[i] = v >> shift
				}
				d := amd.New(amd.Default())
				d.Feed(pcm)
				d.Feed(make([]int16, 800))
				if n, end := d.Beeps(); n != 0 {
					t.Errorf("%s: a beep to %v", c.name, end)
				}
			}
		}
	}
}
