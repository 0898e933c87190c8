package tenants

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpbx/pbx"
)

// Record says whether calls are recorded, and how those who talk learn of it: false
// or "", true, announce, beep, or announce+beep.
type Record string

// The words of Record beside true and false.
const (
	announce = "announce"
	beep     = "beep"
	both     = announce + "+" + beep
)

// UnmarshalText reads the word. Whether the company has what it asks for is checked
// with the document.
func (r *Record) UnmarshalText(text []byte) error {
	switch word := string(text); word {
	case "false":
		*r = ""
	case "true", announce, beep, both:
		*r = Record(word)
	default:
		return fmt.Errorf("%.60q is none of true, false, announce, beep, announce+beep", word)
	}
	return nil
}

// MarshalText writes the word.
func (r Record) MarshalText() ([]byte, error) { return []byte(r), nil }

// MarshalJSON writes true and false as such: what a client that knows no other words
// reads.
func (r Record) MarshalJSON() ([]byte, error) {
	switch r {
	case "":
		return []byte("false"), nil
	case "true":
		return []byte("true"), nil
	}
	return strconv.AppendQuote(nil, string(r)), nil
}

// notice is how those who talk learn of it.
func (r Record) notice() pbx.Notice {
	return pbx.Notice{Announce: r == announce || r == both, Beep: r == beep || r == both}
}

// recordOf is the word for what is stored.
func recordOf(on bool, n pbx.Notice) Record {
	switch {
	case !on:
		return ""
	case n.Announce && n.Beep:
		return both
	case n.Announce:
		return announce
	case n.Beep:
		return beep
	}
	return "true"
}

// Bounds of the recordings section.
const (
	minBeep  = 5 * time.Second
	maxBeep  = 5 * time.Minute
	minPause = 5 * time.Second
	maxPause = time.Hour
)

// recordKey is a sequence of keys that means something for the recording. It begins
// with * or #, as no digit does that is pressed for a menu, and is not the beginning
// of a transfer.
var recordKey = regexp.MustCompile(`^[*#][0-9]{1,3}$`)

// recordingRules is the section as the engine has it.
func recordingRules(r Recordings) pbx.RecordingRules {
	return pbx.RecordingRules{
		Keep: time.Duration(r.Keep), Announce: r.Announce, Beep: time.Duration(r.Beep),
		StartKey: r.StartKey, StopKey: r.StopKey, PauseKey: r.PauseKey, ResumeKey: r.ResumeKey, PauseLimit: time.Duration(r.PauseLimit),
	}
}

// documentRecordings is the section of a document.
func documentRecordings(r pbx.RecordingRules) Recordings {
	return Recordings{
		Keep: Days(r.Keep), Announce: r.Announce, Beep: Duration(r.Beep),
		StartKey: r.StartKey, StopKey: r.StopKey, PauseKey: r.PauseKey, ResumeKey: r.ResumeKey, PauseLimit: Duration(r.PauseLimit),
	}
}

// checkRecord notes a way of telling of a recording that the company does not have.
func (c *checker) checkRecord(path string, r Record) {
	n := r.notice()
	if n.Announce && c.Recordings.Announce == "" {
		c.note(path, "%s needs recordings.announce: the prompt", r)
	}
	if n.Beep && c.Recordings.Beep == 0 {
		c.note(path, "%s needs recordings.beep: how often", r)
	}
}

// checkNotices notes mistakes in what is told of recordings, and in their keys. It
// comes after index: it names a prompt.
func (c *checker) checkNotices() {
	r := &c.Recordings
	if _, ok := c.prompts[r.Announce]; r.Announce != "" && !ok {
		c.note("recordings.announce", "there is no prompt %.60q", r.Announce)
	}
	c.duration("recordings.beep", r.Beep, minBeep, maxBeep)
	c.duration("recordings.pause_limit", r.PauseLimit, minPause, maxPause)
	keys := []struct{ path, key string }{
		{"recordings.start_key", r.StartKey}, {"recordings.stop_key", r.StopKey},
		{"recordings.pause_key", r.PauseKey}, {"recordings.resume_key", r.ResumeKey},
	}
	for i, k := range keys {
		if k.key == "" {
			continue
		}
		if !recordKey.MatchString(k.key) {
			c.note(k.path, "%.20q is not * or # and 1 to 3 digits", k.key)
			continue
		}
		at := slices.IndexFunc(keys, func(o struct{ path, key string }) bool {
			return o.key != k.key && o.key != "" && strings.HasPrefix(k.key, o.key)
		})
		if at >= 0 {
			c.note(k.path, "%s begins with %s, which is %s: it would never be heard", k.key, keys[at].key, keys[at].path)
		}
		if i == 2 && (k.key == r.StartKey || k.key == r.StopKey) {
			c.note(k.path, "%s is start_key or stop_key", k.key)
		}
	}
	if r.ResumeKey != "" && (r.PauseKey == "" || r.ResumeKey == r.StartKey || r.ResumeKey == r.StopKey) {
		c.note("recordings.resume_key", "goes with pause_key, and is not start_key or stop_key")
	}
}
