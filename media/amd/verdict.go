package amd

import (
	"fmt"
	"time"
)

// Verdict is who has answered.
type Verdict uint8

// The verdicts. Human, Machine and Unsure are final.
const (
	Undecided Verdict = iota // not known yet
	Human
	Machine
	Unsure // not known within the bound
)

var verdicts = [...]string{"undecided", "human", "machine", "unsure"}

// String is the name in files, traces and metrics.
func (v Verdict) String() string { return verdicts[min(int(v), len(verdicts)-1)] }

// MarshalText is String.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText takes what String gives.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, name := range verdicts {
		if string(text) == name {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("must be one of %q", verdicts)
}

// Reason is why a verdict is what it is.
type Reason uint8

// The reasons, of the verdict in brackets.
const (
	None                 Reason = iota // [undecided]
	SilenceAfterGreeting               // a greeting, then a silence [human]
	LongGreeting                       // a greeting that goes on [machine]
	Words                              // a greeting of many words [machine]
	Beep                               // a beep [machine]
	Tone                               // tones of the network, a fax or a modem [machine], or of a telephone that rings [unsure]
	InitialSilence                     // nobody spoke [unsure]
	Timeout                            // the bound came first [unsure]
)

var reasons = [...]string{"none", "silence_after_greeting", "long_greeting", "words", "beep", "tone", "initial_silence", "timeout"}

// String is the name in traces and metrics.
func (r Reason) String() string { return reasons[min(int(r), len(reasons)-1)] }

// Decision is a verdict with its reason.
type Decision struct {
	Verdict Verdict
	Reason  Reason
	After   time.Duration // from the answer to when there was enough to decide
	Quiet   time.Duration // how long nobody had spoken by then: since the greeting, or, where there was none, the answer
}
