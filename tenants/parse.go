package tenants

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// maxMistakes bounds the list of mistakes that only [Document.Company] sees.
const maxMistakes = 100

// Mistake is one thing wrong with a document.
type Mistake struct {
	Path    string `json:"path"`           // such as extensions[2].password
	Line    int    `json:"line,omitempty"` // from 1, 0 when not known
	Message string `json:"message"`
}

// Mistakes lists what is wrong with a document according to an error of Parse,
// Company or Apply; nil when the error is about something else.
func Mistakes(err error) []Mistake {
	list, ok := errors.AsType[strict.Mistakes](err)
	if !ok {
		return nil
	}
	mistakes := make([]Mistake, len(list))
	for i, m := range list {
		mistakes[i] = Mistake{Path: m.Path, Line: m.Line, Message: m.Msg}
	}
	return mistakes
}

// Parse reads and checks a document, YAML or JSON. Prompt files are looked up
// in the directory dir and may not lie outside it. The error lists all mistakes
// and is a pbx.Error of kind Invalid.
func Parse(data []byte, dir string) (*Document, error) {
	digest := sha256.Sum256(append([]byte(dir+"\x00"), data...))
	d := &Document{dir: dir, digest: hex.EncodeToString(digest[:])}
	d.doc = strict.Decode(data, d)
	known := map[string]bool{}
	for _, m := range Mistakes(d.doc.Err()) {
		known[m.Path] = true
	}
	if !known[""] { // otherwise there is nothing to check
		d.check(func(path, format string, args ...any) {
			if !known[path] {
				d.doc.Add(path, format, args...)
			}
		})
	}
	if err := d.doc.Err(); err != nil {
		return nil, invalid(err)
	}
	return d, nil
}

// invalid is the error for a document with mistakes.
func invalid(mistakes error) error {
	e := &pbx.Error{Kind: pbx.Invalid, Msg: "the company document has mistakes", Err: mistakes}
	if list := Mistakes(mistakes); len(list) > 0 {
		e.Field = list[0].Path
	}
	return e
}

// mistakes collects what is wrong with a document after it was parsed.
type mistakes struct {
	doc  *strict.Doc // nil when it was not parsed
	part part
	list strict.Mistakes
	left int
}

func (m *mistakes) add(path, format string, args ...any) {
	if len(m.list) >= maxMistakes {
		m.left++
		return
	}
	mistake := strict.Mistake{Path: path, Msg: fmt.Sprintf(format, args...)}
	if p, line, sent := m.part.place(path); sent {
		mistake.Path, mistake.Line = p, line
	} else if m.doc != nil {
		mistake.Line = m.doc.Line(path)
	}
	m.list = append(m.list, mistake)
}

func (m *mistakes) err() error {
	if len(m.list) == 0 {
		return nil
	}
	slices.SortStableFunc(m.list, func(a, b strict.Mistake) int { return cmp.Compare(a.Line, b.Line) })
	if m.left > 0 {
		m.list = append(m.list, strict.Mistake{Msg: fmt.Sprintf("and %d more", m.left)})
	}
	return invalid(m.list)
}
