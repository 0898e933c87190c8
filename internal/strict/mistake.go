package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxMistakes bounds the list of one document; the rest is only counted.
const maxMistakes = 100

// Mistake is one thing wrong with a document.
type Mistake struct {
	Path   string // such as extensions[2].password; "" is the document itself
	Line   int    // from 1; 0 when the value does not stand in the document
	Column int    // from 1, in characters; 0 when Line is 0
	Msg    string // what is wrong, in words for the author of the document
}

// String is "line 14: extensions[2].password: unknown key", without the parts
// that are not known.
func (m Mistake) String() string {
	var b strings.Builder
	if m.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", m.Line)
	}
	if m.Path != "" {
		b.WriteString(m.Path + ": ")
	}
	b.WriteString(m.Msg)
	return b.String()
}

// Mistakes is everything wrong with a document, by line; those without a line
// stand at the end. It is found in a wrapped error with errors.As.
type Mistakes []Mistake

// Error is the mistake itself when there is one, otherwise their number and
// one line for each.
func (ms Mistakes) Error() string {
	if len(ms) == 1 {
		return ms[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d mistakes:", len(ms))
	for _, m := range ms {
		b.WriteString("\n  " + m.String())
	}
	return b.String()
}

// Doc is a decoded document: where everything in it stands, and the mistakes
// found so far.
type Doc struct {
	root     *node
	mistakes Mistakes
	parsed   int // how many of them are about the text itself
	decoded  int // and how many came from it and the decoder
	left     int // mistakes beyond maxMistakes
}

// Add notes a mistake that the decoder cannot see, at the place of path. A
// path that is not in the document gets the line of its nearest parent that
// is, so that a missing key points at the thing it is missing from. Where the
// decoder already found a mistake nothing is added: the value that was checked
// is not the author's.
func (d *Doc) Add(path, format string, args ...any) {
	if d.misread(path) {
		return
	}
	line, column := d.position(path)
	d.note(Mistake{Path: path, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)})
}

// misread says whether the decoder found a mistake at path or around it, or
// found no document at all.
func (d *Doc) misread(path string) bool {
	for i, m := range d.mistakes[:d.decoded] {
		if m.Path == "" {
			return true
		}
		rest, inside := strings.CutPrefix(path, m.Path)
		if i >= d.parsed && inside && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// Line is the line of path, or of its nearest parent in the document; 0 when
// the document has neither.
func (d *Doc) Line(path string) int {
	line, _ := d.position(path)
	return line
}

// Has says whether the document itself gives path a value.
func (d *Doc) Has(path string) bool {
	_, whole := find(d.root, path)
	return whole
}

// Err is nil, or all mistakes as Mistakes.
func (d *Doc) Err() error {
	if len(d.mistakes) == 0 {
		return nil
	}
	ms := slices.Clone(d.mistakes)
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(sortLine(a), sortLine(b)), cmp.Compare(a.Column, b.Column))
	})
	if d.left > 0 {
		ms = append(ms, Mistake{Msg: fmt.Sprintf("and %d more", d.left)})
	}
	return ms
}

func sortLine(m Mistake) int {
	if m.Line == 0 {
		return MaxSize + 1
	}
	return m.Line
}

func (d *Doc) note(m Mistake) {
	if len(d.mistakes) >= maxMistakes {
		d.left++
		return
	}
	d.mistakes = append(d.mistakes, m)
}

// noteAt notes a mistake about the value of n.
func (d *Doc) noteAt(n *node, format string, args ...any) {
	line, column := n.place()
	d.note(Mistake{Path: n.path(), Line: line, Column: column, Msg: fmt.Sprintf(format, args...)})
}

func (d *Doc) position(path string) (line, column int) {
	n, _ := find(d.root, path)
	if n == nil || n == d.root && path != "" {
		return 0, 0
	}
	return n.place()
}
