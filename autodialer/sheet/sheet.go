package sheet

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"

	"vpbx/pbx"
)

// Kind is the format of a table.
type Kind string

// The formats that are read and written.
const (
	CSV  Kind = "csv"
	XLSX Kind = "xlsx"
)

// Limits bound what is read; zero fields have the defaults.
type Limits struct {
	Bytes   int64 // of the file, default 256 MiB
	Columns int   // default 100
	Cell    int   // bytes of a cell, default 4 KiB
	Rows    int   // default 2,000,000
	// Unpacked bounds each part of a workbook, in bytes, default 1 GiB. A part is
	// never in memory as a whole.
	Unpacked int64
	// Strings bounds the texts of a workbook that its cells share, which are in
	// memory, in bytes, default 256 MiB.
	Strings int64
}

// Defaults of [Limits].
const (
	maxBytes    = 256 << 20
	maxColumns  = 100
	maxCell     = 4 << 10
	maxRows     = 2_000_000
	maxUnpacked = 1 << 30
	maxStrings  = 256 << 20
)

func (l Limits) withDefaults() Limits {
	return Limits{
		Bytes:    cmp.Or(l.Bytes, maxBytes),
		Columns:  cmp.Or(l.Columns, maxColumns),
		Cell:     cmp.Or(l.Cell, maxCell),
		Rows:     cmp.Or(l.Rows, maxRows),
		Unpacked: cmp.Or(l.Unpacked, maxUnpacked),
		Strings:  cmp.Or(l.Strings, maxStrings),
	}
}

// Options say how a list is read. Only Normalise is needed.
type Options struct {
	// Normalise brings a number as people write it into E.164, or says in a sentence
	// why it is none.
	Normalise func(string) (string, error)
	// Mapping says which column is which; a zero one is found.
	Mapping   Mapping
	Header    *bool          // whether the first row that is not empty is the header; nil: found
	Encoding  string         // of CSV, such as windows-1251; "": found
	Delimiter rune           // of CSV; 0: found
	Sheet     string         // of a workbook; "": the first that is not hidden
	Zone      *time.Location // of times without a zone; nil: UTC
	Now       time.Time      // consents given later are refused; zero: not looked at
	Limits    Limits
}

// Row is one person of a list, with at least one number.
type Row struct {
	Line      int      // in the file, from 1
	Numbers   []string // E.164, at most 5, each at one person of a file only
	Name, ID  string
	Zone      string // as [Location] reads it; "": not given
	Consent   Consent
	Priority  int               // higher is earlier, -1000 to 1000; 0: not given
	Variables map[string]string // those with a value, by name
}

// Consent is what a list says of the consent to be called.
type Consent struct {
	Source, Text string    // where it is from, and what was agreed to
	At           time.Time // zero: not given
}

// Report is what came of an import. Read is the sum of the four counts below it.
type Report struct {
	Kind      Kind     `json:"kind"`
	Encoding  string   `json:"encoding,omitempty"`  // of CSV
	Delimiter string   `json:"delimiter,omitempty"` // of CSV
	Sheet     string   `json:"sheet,omitempty"`     // of XLSX
	Header    int      `json:"header"`              // line of the header, 0: there is none
	Columns   []Column `json:"columns"`             // the mapping that was used

	Read       int `json:"read"` // rows below the header
	Accepted   int `json:"accepted"`
	Duplicates int `json:"duplicates"` // all their numbers stand in rows above
	Invalid    int `json:"invalid"`
	Empty      int `json:"empty"`

	Numbers int `json:"numbers"` // of the accepted rows
	Noted   int `json:"noted"`   // accepted rows of which something was left out

	// The first 1,000 of each, in their order: invalid rows, duplicates, and what was
	// left out of accepted rows.
	Problems []Problem `json:"problems,omitempty"`
	Repeated []Problem `json:"repeated,omitempty"`
	Notes    []Problem `json:"notes,omitempty"`
}

// maxProblems is how many problems of a kind a report lists.
const maxProblems = 1000

// Problem is what was wrong in a row.
type Problem struct {
	Line   int    `json:"line"`             // from 1
	Column string `json:"column,omitempty"` // its header, or "column 3"; "": the whole row
	Value  string `json:"value,omitempty"`  // shortened, without control characters
	Reason string `json:"reason"`
}

// Use is what a column is for.
type Use string

// What columns are for.
const (
	UsePhone         Use = "phone"
	UseName          Use = "name"
	UseID            Use = "id"
	UseZone          Use = "zone"
	UseConsentSource Use = "consent_source"
	UseConsentText   Use = "consent_text"
	UseConsentAt     Use = "consent_at"
	UsePriority      Use = "priority"
	UseVariable      Use = "variable"
	UseNothing       Use = "nothing"
)

// Column is how a column of a list was used.
type Column struct {
	Number   int    `json:"number"`           // from 1
	Header   string `json:"header,omitempty"` // as it stands in the file
	Use      Use    `json:"use"`
	Variable string `json:"variable,omitempty"` // its name in texts: {name}
}

// label is how a problem names the column.
func (c Column) label() string {
	if c.Header != "" {
		return short(c.Header)
	}
	return fmt.Sprintf("column %d", c.Number)
}

// invalid is the refusal of a file or of how it is to be read.
func invalid(field, format string, args ...any) error {
	return &pbx.Error{Kind: pbx.Invalid, Field: field, Msg: fmt.Sprintf(format, args...)}
}

// limit is the refusal of a file that is too large.
func limit(format string, args ...any) error {
	return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf(format, args...)}
}

// maxShown is how much of a value a report shows, in characters.
const maxShown = 60

// beginning is what is kept of a text that is too long.
func beginning(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), 8*maxShown)], "")
}

// short makes a value fit to be shown: one line, without control characters.
func short(s string) string {
	runes := []rune(oneLine(beginning(s)))
	if len(runes) > maxShown {
		return string(runes[:maxShown-1]) + "…"
	}
	return string(runes)
}

// oneLine makes one line of a text: space of all kinds and control characters become
// single blanks, characters that only steer the direction of writing go.
func oneLine(s string) string {
	if plain(s) {
		return s
	}
	out := make([]rune, 0, len(s))
	blank := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			blank = len(out) > 0
			continue
		case unicode.Is(unicode.Cf, r):
			continue
		case blank:
			out, blank = append(out, ' '), false
		}
		out = append(out, r)
	}
	return string(out)
}

// plain tells whether oneLine would change nothing, of texts in Latin and Cyrillic: ASCII
// without two blanks in a row, and letters.
func plain(s string) bool {
	last := ' '
	for _, r := range s {
		latin, cyrillic := r >= 0xc0 && r < 0x250, r >= 0x400 && r < 0x530
		if r < ' ' || r >= 0x7f && !latin && !cyrillic || r == ' ' && last == ' ' {
			return false
		}
		last = r
	}
	return s == "" || last != ' '
}
