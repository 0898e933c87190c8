package flow

import (
	"math"
	"slices"
	"strings"
	"time"

	"vpbx/internal/phone"
)

// hears names what is in the sound of the last second.
func (w *world) hears(c *phone.Call) string {
	var heard []string
	seen := map[float64]bool{}
	w.mu.Lock()
	order := slices.Clone(w.order)
	w.mu.Unlock()
	for _, a := range order {
		if !seen[a.tone] && c.Heard(a.tone) {
			heard = append(heard, a.name)
			seen[a.tone] = true
		}
	}
	for freq, name := range map[float64]string{ringbackTone: "ringback", promptTone: "the prompt", intruderTone: "the intruder", beepTone: "the beep",
		speechTone: "speech", musicTone: "music", busyTone: "busy", arrivalTone: "the arrival tone", departureTone: "the departure tone"} {
		if c.Heard(freq) {
			heard = append(heard, name)
		}
	}
	slices.Sort(heard)
	switch {
	case len(heard) > 0:
		return strings.Join(heard, "+")
	case time.Since(c.RTP().Last) > time.Second:
		return "nothing"
	case math.Round(c.Level()) == 0:
		return "packets"
	}
	return "silence"
}

// listen writes down who hears whom, of all who are in a call.
func (w *world) listen() {
	w.mu.Lock()
	order := slices.Clone(w.order)
	w.mu.Unlock()
	var heard []string
	for _, a := range order {
		a.mu.Lock()
		legs := slices.Clone(a.legs)
		a.mu.Unlock()
		for _, c := range legs {
			if c.State() == phone.Answered {
				heard = append(heard, a.name+" hears "+w.hears(c))
			}
		}
	}
	w.log.add("sound", "%s", strings.Join(heard, ", "))
}
