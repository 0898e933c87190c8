package amd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/media/amd"
)

// outcome is what a detector made of a scene.
type outcome struct {
	scene
	amd.Decision
	beeps int
	beep  time.Duration // when the last one ended, by the detector
	end   time.Duration // of the greeting, by silence; 0: not
}

func run(s scene, o amd.Options) outcome {
	d := amd.New(o)
	for at := 0; at < len(s.pcm); at += 160 {
		d.Feed(s.pcm[at:min(at+160, len(s.pcm))])
	}
	out := outcome{scene: s, Decision: d.Decision()}
	out.beeps, out.beep = d.Beeps()
	_, out.end = d.Ended()
	return out
}

// asterisk decides by the thresholds that app_amd of Asterisk has when nothing is configured.
func asterisk(s scene) outcome {
	const (
		frame, threshold                            = 20, 256
		initial, greeting, after, total             = 2500, 1500, 800, 5000
		betweenWords, leastWord, mostWords, oneMost = 50, 100, 2, 5000
	)
	out := outcome{scene: s}
	var silence, voice, run, words int
	started, greeted, pause := false, false, true
	decide := func(ms int, v amd.Verdict, r amd.Reason) outcome {
		out.Decision = amd.Decision{Verdict: v, Reason: r, After: time.Duration(ms) * time.Millisecond}
		return out
	}
	for ms := frame; ms*8 <= len(s.pcm) && ms <= total; ms += frame {
		var sum int
		for _, v := range s.pcm[(ms-frame)*8 : ms*8] {
			sum += max(int(v), -int(v))
		}
		if sum/(frame*8) < threshold {
			if silence += frame; silence >= betweenWords {
				pause, run = true, 0
			}
			if !started && silence >= initial {
				return decide(ms, amd.Machine, amd.InitialSilence)
			}
			if greeted && silence >= after {
				return decide(ms, amd.Human, amd.SilenceAfterGreeting)
			}
			continue
		}
		run, voice = run+frame, voice+frame
		if run >= leastWord && pause {
			words++
			pause = false
		}
		if voice >= leastWord {
			started, greeted, silence = true, true, 0
		}
		if run >= oneMost || words > mostWords {
			return decide(ms, amd.Machine, amd.Words)
		}
		if greeted && voice >= greeting {
			return decide(ms, amd.Machine, amd.LongGreeting)
		}
	}
	return decide(total, amd.Unsure, amd.Timeout)
}

func TestTune(t *testing.T) {
	for _, part := range []string{"tuning", "held"} {
		list := scenes(t, part, 4)
		var ours, theirs []outcome
		for _, s := range list {
			ours = append(ours, run(s, amd.Default()))
			theirs = append(theirs, asterisk(s))
		}
		for name, all := range map[string][]outcome{"ours": ours, "asterisk": theirs} {
			fmt.Println(part, name)
			kinds := map[string]map[string]int{}
			var after, wait []time.Duration
			for _, x := range all {
				if kinds[x.kind] == nil {
					kinds[x.kind] = map[string]int{}
				}
				kinds[x.kind][x.Verdict.String()+"/"+x.Reason.String()]++
				if human(x.kind) {
					after = append(after, x.After)
					wait = append(wait, x.After-x.voice[1])
				}
			}
			for k, v := range kinds {
				fmt.Println("  ", k, v)
			}
			slices.Sort(after)
			slices.Sort(wait)
			fmt.Println("   human after", after[len(after)/2], after[len(after)*95/100], after[len(after)-1], "wait", wait[len(wait)/2], wait[len(wait)*95/100], wait[len(wait)-1])
		}
		var found, want, more, ended int
		for _, x := range ours {
			if x.Verdict == amd.Human || human(x.kind) || x.beep == 0 && x.scene.beep == 0 {
				continue
			}
			if x.scene.beep > 0 && x.scene.beep < sceneTime-500*time.Millisecond {
				want++
				if off := x.outcome_beep() - x.scene.beep; x.beeps > 0 && off > -80*time.Millisecond && off < 80*time.Millisecond {
					found++
				} else {
					fmt.Println("   missed", x.name, x.beeps, x.beep, x.scene.beep)
				}
				more += max(0, x.beeps-1)
			} else {
				more += x.beeps
			}
			if x.end > 0 {
				ended++
			}
		}
		fmt.Println("  beeps", want, found, more, ended)
	}
	_ = strings.Join
}

func (x outcome) outcome_beep() time.Duration { return x.beep }
