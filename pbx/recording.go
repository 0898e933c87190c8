package pbx

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// RecordingRules say how a company keeps its recordings.
type RecordingRules struct {
	Keep time.Duration `json:"keep,omitempty"` // from the begin of the call, 0: for ever

	Announce string        `json:"announce,omitempty"` // prompt for those who are recorded, where the rule says so
	Beep     time.Duration `json:"beep,omitempty"`     // from one tone to the next, likewise

	// The keys by which an extension that talks begins, ends, pauses and resumes the
	// recording; "": there is none. With the same key for two it is one after the other.
	StartKey  string `json:"start_key,omitempty"`
	StopKey   string `json:"stop_key,omitempty"`
	PauseKey  string `json:"pause_key,omitempty"`
	ResumeKey string `json:"resume_key,omitempty"`

	PauseLimit time.Duration `json:"pause_limit,omitempty"` // a pause ends by itself then, 0: never
}

// Keys lists the keys, each once.
func (r *RecordingRules) Keys() []string {
	var list []string
	for _, k := range []string{r.StartKey, r.StopKey, r.PauseKey, r.ResumeKey} {
		if k != "" && !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	return list
}

// Notice says how those who talk learn that they are recorded.
type Notice struct {
	Announce bool `json:"announce,omitempty"` // by the prompt of the company, before it begins
	Beep     bool `json:"beep,omitempty"`     // by a tone, again and again
}

// With is what either of two says.
func (n Notice) With(o Notice) Notice {
	return Notice{n.Announce || o.Announce, n.Beep || o.Beep}
}

// RecordAction is what can be done with the recording of a call that goes on.
type RecordAction string

// The actions.
const (
	RecordOn   RecordAction = "on"
	RecordOff  RecordAction = "off"
	RecordHalt RecordAction = "pause"
	RecordGoOn RecordAction = "resume"
)

// Removal is the tombstone of a recording: its sound is gone, and this says why.
type Removal struct {
	At  time.Time `json:"at"`
	By  string    `json:"by"` // the name of a token, or [ByRetention]
	Why string    `json:"why,omitempty"`
}

// ByRetention in [Removal.By] says that the rule of the company removed it.
const ByRetention = "retention"

// ByMail in [Removal.By] says that a message was removed behind its e-mail.
const ByMail = "mail"

// ChainStart is the link before the first one.
const ChainStart = "0000000000000000000000000000000000000000000000000000000000000000"

// RecordOrder is something to do with the recording of a call that goes on.
type RecordOrder struct {
	Do  RecordAction
	For time.Duration // of RecordHalt: how long at most, 0: as the company says
	By  string        // the extension that asks, "": the API
}

// Link is one place in the chain of the recordings of a company, in the order
// in which they were kept.
type Link struct {
	Seq    int64       `json:"seq"` // 1, 2, 3 …
	Kind   LinkKind    `json:"kind,omitempty"`
	ID     RecordingID `json:"id"`
	SHA256 string      `json:"sha256"` // of the file, or of the tombstone
	Link   string      `json:"link"`   // as [Link.Follow] gives it
	At     time.Time   `json:"at"`     // when it was added

	// Recording is what is known of it now; nil when its row is missing.
	Recording *Recording `json:"-"`
	// Buried says that the chain has a link of the kind LinkRemoved for it.
	Buried bool `json:"-"`
}

// LinkKind says what a link is about.
type LinkKind string

// The kinds: a recording was kept, or removed.
const (
	LinkKept    LinkKind = ""
	LinkRemoved LinkKind = "removed"
)

// Follow is the link behind the link previous: [ChainLink] for a recording that was
// kept, and for a removal the same with its kind before the id.
func (l *Link) Follow(previous string) string {
	return ChainLink(previous, RecordingID(l.Kind)+l.ID, l.SHA256)
}

// Sum is the SHA-256, in hex, of a tombstone: of its time, in UTC as RFC 3339 writes
// it, of who and why, as a JSON array of three texts.
func (r Removal) Sum() string {
	text, err := json.Marshal([]string{r.At.UTC().Format(time.RFC3339Nano), r.By, r.Why})
	if err != nil {
		return "" // three texts can always be written
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

// ChainLink gives the link of a recording behind the link previous: the SHA-256,
// in hex, of previous, the id and the SHA-256 of the file, all three as text, one
// behind the other.
func ChainLink(previous string, id RecordingID, sum string) string {
	h := sha256.Sum256([]byte(previous + string(id) + sum))
	return hex.EncodeToString(h[:])
}

// IsSum says whether s is a SHA-256 in lower-case hex.
func IsSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}

// Flaw says what is wrong with a recording.
type Flaw string

// The flaws that a verification finds.
const (
	FlawAltered   Flaw = "altered"   // the file is not the one that was recorded
	FlawMissing   Flaw = "missing"   // there is no file, and nobody is known to have removed it
	FlawUnread    Flaw = "unread"    // the file is there and could not be read to the end
	FlawUnchained Flaw = "unchained" // it has no place in the chain, or there is no record of it
	FlawBroken    Flaw = "broken"    // the chain or the record was changed
	FlawLeftOver  Flaw = "left_over" // it was removed, and its file is still there
)

// Finding is one flaw.
type Finding struct {
	Recording RecordingID `json:"recording,omitempty"`
	Seq       int64       `json:"seq,omitempty"` // place in the chain
	Flaw      Flaw        `json:"flaw"`
	Text      string      `json:"text"`
}

// Verified is what came of looking through a part of a chain.
type Verified struct {
	Checked  int       `json:"checked"` // recordings of the chain that were looked at
	Whole    int       `json:"whole"`   // whose file is the one that was recorded
	Removed  int       `json:"removed"` // that have a tombstone in the place of a file
	Buried   int       `json:"buried"`  // links that are tombstones; beside checked
	Waiting  int       `json:"waiting"` // files of calls that are going on: they have no record yet
	Findings []Finding `json:"findings"`
	More     bool      `json:"more,omitempty"` // there were more findings than are listed
	Head     string    `json:"head"`           // the last link that was looked at: to be noted elsewhere
	Next     int64     `json:"next,omitempty"` // where to go on, 0: this was the end of the chain
}

// VerifyQuery says which part of a chain to verify.
type VerifyQuery struct {
	After int64  // links behind this place
	Limit int    // links at most
	Head  string // a head that was noted before and must still be there; "": none
}
