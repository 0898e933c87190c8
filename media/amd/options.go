package amd

import (
	"errors"
	"fmt"
	"time"
)

// Options are the thresholds of a Detector. Times are of the sound itself.
type Options struct {
	// Bound is when there is a verdict at the latest: so long after the first voice or, where
	// nobody speaks, after the answer. So it is never later than twice that after the answer.
	Bound time.Duration `yaml:"bound"`
	// Silence is when there is a verdict at the latest where nobody speaks, 0 or more than
	// Bound: as Bound says. Whoever must do something so long after the answer sets it.
	Silence time.Duration `yaml:"-"`
	// Unsure is what the verdict Unsure is taken for: Human or Machine. The detector itself
	// does not look at it: see Treat.
	Unsure Verdict `yaml:"unsure"`

	// Short is the longest greeting that is short, and ShortPause the silence after it that
	// makes its speaker a human.
	Short      time.Duration `yaml:"short"`
	ShortPause time.Duration `yaml:"short_pause"`
	// Pause is the silence after a longer greeting that makes its speaker a human.
	Pause time.Duration `yaml:"pause"`
	// Greeting is the longest that a human greets, from the first voice to the last: who
	// goes on is a machine.
	Greeting time.Duration `yaml:"greeting"`
	// Words is the most words in a human's greeting.
	Words int `yaml:"words"`

	// Gap is the silence that ends a word, and Word the shortest one.
	Gap  time.Duration `yaml:"gap"`
	Word time.Duration `yaml:"word"`
	// Level is how loud voice is at least, in decibels of full scale (0 is the loudest sine),
	// and Over how far it is above the noise of the line, in decibels.
	Level float64 `yaml:"level"`
	Over  float64 `yaml:"over"`

	// Beep is how long a beep is at least.
	Beep time.Duration `yaml:"beep"`
	// End is the silence after which a machine's greeting is over, when no beep comes.
	End time.Duration `yaml:"end"`
	// Listen is how long after the answer beeps and the end of the greeting are listened for.
	Listen time.Duration `yaml:"listen"`
}

// silence is when there is a verdict where nobody speaks.
func (o *Options) silence() time.Duration {
	if o.Silence <= 0 {
		return o.Bound
	}
	return min(o.Silence, o.Bound)
}

// Default is what docs/amd.md measures.
func Default() Options {
	return Options{
		Bound: 2 * time.Second, Unsure: Human,
		Short: 900 * time.Millisecond, ShortPause: 500 * time.Millisecond, Pause: 700 * time.Millisecond,
		Greeting: 1800 * time.Millisecond, Words: 5,
		Gap: 80 * time.Millisecond, Word: 60 * time.Millisecond, Level: -46, Over: 9,
		Beep: 100 * time.Millisecond, End: 2 * time.Second, Listen: time.Minute,
	}
}

// Treat is what a verdict is taken for: Unsure is Human or Machine by the options.
func (o Options) Treat(v Verdict) Verdict {
	if v == Unsure {
		return o.Unsure
	}
	return v
}

// Validate reports all options that are out of their bounds.
func (o Options) Validate() error {
	var errs []error
	o.Check(func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	})
	return errors.Join(errs...)
}

// Check notes every option that is out of its bounds, by its key in a file.
func (o Options) Check(note func(key, format string, args ...any)) {
	for _, x := range []struct {
		key               string
		value, least, top time.Duration
	}{
		{"bound", o.Bound, 500 * time.Millisecond, 10 * time.Second},
		{"short", o.Short, 0, 10 * time.Second},
		{"short_pause", o.ShortPause, 100 * time.Millisecond, 10 * time.Second},
		{"pause", o.Pause, 100 * time.Millisecond, 10 * time.Second},
		{"greeting", o.Greeting, 100 * time.Millisecond, 10 * time.Second},
		{"gap", o.Gap, blockTime, time.Second},
		{"word", o.Word, blockTime, time.Second},
		{"beep", o.Beep, 60 * time.Millisecond, 2 * time.Second},
		{"end", o.End, 500 * time.Millisecond, 10 * time.Second},
		{"listen", o.Listen, o.Bound, 5 * time.Minute},
	} {
		if x.value < x.least || x.value > x.top {
			note(x.key, "must be %v to %v", x.least, x.top)
		}
	}
	if o.Unsure != Human && o.Unsure != Machine {
		note("unsure", "must be human or machine")
	}
	if o.Words < 1 || o.Words > 100 {
		note("words", "must be 1 to 100")
	}
	if !(o.Level >= -70 && o.Level <= -10) {
		note("level", "must be -70 to -10")
	}
	if !(o.Over >= 3 && o.Over <= 30) {
		note("over", "must be 3 to 30")
	}
}
