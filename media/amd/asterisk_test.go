package amd_test

import (
	"time"

	"vpbx/media/amd"
)

// Thresholds of Asterisk's app_amd when nothing is configured, milliseconds but for the words and
// the mean amplitude.
const (
	astInitial  = 2500
	astGreeting = 1500
	astAfter    = 800
	astTotal    = 5000
	astGap      = 50
	astWord     = 100
	astWords    = 2
	astWordMost = 5000
	astLevel    = 256
)

// asterisk decides as app_amd of Asterisk does: by frames of 20 ms that are silent or not.
func asterisk(s scene) outcome {
	const frame = 20
	var silence, voice, word, words int
	pause := false
	decide := func(ms int, v amd.Verdict, r amd.Reason) outcome {
		return outcome{scene: s, Decision: amd.Decision{Verdict: v, Reason: r, After: time.Duration(ms) * time.Millisecond}}
	}
	for ms := frame; ms <= astTotal; ms += frame {
		greeted := voice >= astWord
		if quiet(s.pcm[(ms-frame)*8 : ms*8]) {
			if silence += frame; silence >= astGap {
				pause, word = true, 0
			}
			if !greeted && silence >= astInitial {
				return decide(ms, amd.Machine, amd.InitialSilence)
			}
			if greeted && silence >= astAfter {
				return decide(ms, amd.Human, amd.SilenceAfterGreeting)
			}
			continue
		}
		word, voice = word+frame, voice+frame
		if word >= astWord && (pause || words == 0) {
			words++
			pause = false
		}
		if voice >= astWord {
			silence = 0
		}
		if word >= astWordMost || words > astWords {
			return decide(ms, amd.Machine, amd.Words)
		}
		if voice >= astGreeting {
			return decide(ms, amd.Machine, amd.LongGreeting)
		}
	}
	return decide(astTotal, amd.Unsure, amd.Timeout)
}

func quiet(frame []int16) bool {
	sum := 0
	for _, v := range frame {
		sum += max(int(v), -int(v))
	}
	return sum/len(frame) < astLevel
}
