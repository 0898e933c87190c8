package tenants

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Recordings says how the recordings of a company are kept.
type Recordings struct {
	Keep       Days     `yaml:"keep" json:"keep,omitzero"`               // from the begin of the call, default for ever
	Announce   string   `yaml:"announce" json:"announce,omitempty"`      // prompt for record: announce
	Beep       Duration `yaml:"beep" json:"beep,omitzero"`               // from one tone to the next, for record: beep
	StartKey   string   `yaml:"start_key" json:"start_key,omitempty"`    // an extension that talks begins the recording by it
	StopKey    string   `yaml:"stop_key" json:"stop_key,omitempty"`      // ends it; may be the same
	PauseKey   string   `yaml:"pause_key" json:"pause_key,omitempty"`    // leaves out what is said from now on
	ResumeKey  string   `yaml:"resume_key" json:"resume_key,omitempty"`  // and no longer, default the pause key
	PauseLimit Duration `yaml:"pause_limit" json:"pause_limit,omitzero"` // a pause ends by itself, default never
}

// Days is a time.Duration of days or hours, written 90d or 36h.
type Days time.Duration

// Bounds of recordings.keep.
const (
	minKeep = time.Hour
	maxDays = 36500
	maxKeep = maxDays * 24 * time.Hour
)

// UnmarshalText reads 90d; what time.ParseDuration knows is understood as well.
func (d *Days) UnmarshalText(text []byte) error {
	if number, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > maxDays {
			return fmt.Errorf("%q is not a number of days up to %d, as 90d", text, maxDays)
		}
		*d = Days(n) * Days(24*time.Hour)
		return nil
	}
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time like 90d or 36h", text)
	}
	*d = Days(v)
	return nil
}

// MarshalText writes it as UnmarshalText reads it, whole days as days.
func (d Days) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the duration as people write it.
func (d Days) String() string {
	const day = Days(24 * time.Hour)
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return time.Duration(d).String()
}

func (c *checker) checkRecordings() {
	if keep := time.Duration(c.Recordings.Keep); keep != 0 && (keep < minKeep || keep > maxKeep) {
		c.note("recordings.keep", "%s; from 1h to %dd, or leave it out to keep them for ever", c.Recordings.Keep, maxDays)
	}
}
