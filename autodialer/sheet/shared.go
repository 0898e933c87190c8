package sheet

import (
	"encoding/binary"
	"io"
	"strconv"
	"strings"
)

// chunk is the size in which memory for shared strings is taken, in bytes. No string is
// longer: one that is longer than a cell may be is cut just behind that.
const chunk = 1 << 20

// sharedStrings are the texts of a workbook, in few pieces of memory: each is its length
// and its bytes.
type sharedStrings struct {
	chunks [][]byte
	places []uint64 // chunk and place in it
	bytes  int64
}

func (s *sharedStrings) add(text []byte) {
	need := len(text) + binary.MaxVarintLen32
	last := len(s.chunks) - 1
	if last < 0 || cap(s.chunks[last])-len(s.chunks[last]) < need {
		s.chunks = append(s.chunks, make([]byte, 0, max(chunk, need)))
		last++
	}
	s.places = append(s.places, uint64(last)<<32|uint64(len(s.chunks[last])))
	b := binary.AppendUvarint(s.chunks[last], uint64(len(text)))
	s.chunks[last] = append(b, text...)
	s.bytes += int64(len(text))
}

func (s *sharedStrings) at(i int) (string, bool) {
	if s == nil || i < 0 || i >= len(s.places) {
		return "", false
	}
	b := s.chunks[s.places[i]>>32][uint32(s.places[i]):]
	n, head := binary.Uvarint(b)
	return string(b[head : head+int(n)]), true
}

// readShared reads the table of shared strings (ECMA-376 part 1 §18.4.9).
func (w *workbook) readShared(name string) error {
	p, err := w.part(name)
	if err != nil {
		return err
	}
	w.shared = &sharedStrings{}
	var t textXML
	for {
		if err := p.advance(); err != nil {
			return err
		}
		switch p.event {
		case startTag:
			if string(p.name) == "si" {
				t.begin(w.limits.Cell)
			}
			t.start(p.name)
		case charData:
			t.add(p.text)
		case endTag:
			t.end(p.name)
			switch string(p.name) {
			case "si":
				w.shared.add(t.text)
			case "sst":
				if err := p.finish(); err != io.EOF {
					return err
				}
				return nil
			}
		}
		if w.shared.bytes > w.limits.Strings || len(w.shared.places) > maxShared {
			return limit("the workbook has too much text for one file: divide the list, or save it as CSV")
		}
	}
}

// textXML collects the text of a string item (ECMA-376 part 1 §18.4.8): plain or of
// several runs, without what says how it is pronounced.
type textXML struct {
	text     []byte
	limit    int // one byte more is kept, to show that it was longer
	inside   bool
	phonetic bool
}

func (t *textXML) begin(limit int) { *t = textXML{text: t.text[:0], limit: limit} }

func (t *textXML) start(tag []byte) {
	t.inside = string(tag) == "t" || string(tag) == "v"
	t.phonetic = t.phonetic || string(tag) == "rPh"
}

func (t *textXML) end(tag []byte) {
	t.inside = false
	t.phonetic = t.phonetic && string(tag) != "rPh"
}

func (t *textXML) add(text []byte) {
	if t.inside && !t.phonetic {
		t.text = append(t.text, text[:min(len(text), t.limit+1-len(t.text))]...)
	}
}

// unescaped reads _x000D_ and its like, by which workbooks write characters that XML
// has not (ECMA-376 part 1 §22.4.2.4).
func unescaped(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "_x")
		if i < 0 || i+7 > len(s) {
			b.WriteString(s)
			return b.String()
		}
		n, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
		if err != nil || s[i+6] != '_' {
			b.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		b.WriteRune(rune(n))
		s = s[i+7:]
	}
}
