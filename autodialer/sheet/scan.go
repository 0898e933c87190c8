package sheet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// event is what a scanner came to.
type event int

const (
	startTag event = iota
	endTag
	charData
)

// scanner cuts the XML of a sheet into tags and texts. It knows as much of XML as
// workbooks have: no DTD, and nothing but UTF-8. It is several times as fast as
// encoding/xml, which allocates for every tag, and a sheet has ten million of them.
type scanner struct {
	src *bufio.Reader

	// Of the event, until the next.
	event event
	name  []byte // of a tag, without its prefix
	attrs []byte // as they stand in the tag
	text  []byte

	open   []byte // names of the tags that are open, one behind another
	depths []int  // where each begins
	buf    []byte // of a tag or text that does not fit into that of src
	plain  []byte // of a text with entities
	closed bool   // the start tag that was given is its end as well
}

// next goes to the next event; [io.EOF] is the end.
func (s *scanner) next() error {
	if s.closed {
		s.closed = false
		return s.leave(s.open[s.depths[len(s.depths)-1]:])
	}
	for {
		first, err := s.src.Peek(1)
		switch {
		case err == io.EOF && len(s.depths) > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		if first[0] != '<' {
			return s.readText()
		}
		if given, err := s.markup(); given || err != nil {
			return err
		}
	}
}

// to reads up to a sign, with it. What it gives is there until the next read.
func (s *scanner) to(sign byte) ([]byte, error) {
	s.buf = s.buf[:0]
	return s.further(sign)
}

// further reads on what to, or it, has read.
func (s *scanner) further(sign byte) ([]byte, error) {
	for {
		part, err := s.src.ReadSlice(sign)
		if err == nil && len(s.buf) == 0 {
			return part, nil
		}
		if s.buf = append(s.buf, part...); len(s.buf) > maxToken {
			return nil, fmt.Errorf("a text longer than %d bytes", maxToken)
		}
		if err != bufio.ErrBufferFull {
			return s.buf, err
		}
	}
}

func (s *scanner) readText() error {
	raw, err := s.to('<')
	if err != nil && err != io.EOF {
		return err
	}
	if err == nil {
		raw = raw[:len(raw)-1]
		if err := s.src.UnreadByte(); err != nil {
			return err
		}
	}
	s.event = charData
	s.text, err = s.decoded(raw)
	return err
}

// markup reads what begins with <; it is given if it is an event.
func (s *scanner) markup() (given bool, err error) {
	var q quotes
	raw, err := s.to('>')
	for err == nil && !q.complete(raw) {
		if len(s.buf) == 0 {
			s.buf = append(s.buf, raw...)
		}
		raw, err = s.further('>')
	}
	switch {
	case err == io.EOF:
		return false, io.ErrUnexpectedEOF
	case err != nil:
		return false, err
	case bytes.HasPrefix(raw, cdata):
		s.event, s.text = charData, raw[len(cdata):len(raw)-len("]]>")]
		return true, nil
	case bytes.HasPrefix(raw, comment):
		return false, nil
	case bytes.HasPrefix(raw, []byte("<?")):
		return false, declared(raw)
	case bytes.HasPrefix(raw, []byte("<!")):
		return false, fmt.Errorf("a document type")
	}
	return true, s.tag(raw[1 : len(raw)-1])
}

var (
	comment = []byte("<!--")
	cdata   = []byte("<![CDATA[")
)

// quotes follows the quotes of a tag, in which a > does not end it.
type quotes struct {
	open byte // the quote that is open, 0: none
	seen int  // bytes that were looked at
}

// complete tells whether what ends with > is all of a piece of markup.
func (q *quotes) complete(raw []byte) bool {
	switch {
	case bytes.HasPrefix(raw, comment):
		return len(raw) >= len("<!---->") && bytes.HasSuffix(raw, []byte("-->"))
	case bytes.HasPrefix(raw, cdata):
		return bytes.HasSuffix(raw, []byte("]]>"))
	case bytes.HasPrefix(raw, []byte("<?")):
		return len(raw) >= len("<??>") && bytes.HasSuffix(raw, []byte("?>"))
	}
	for _, c := range raw[q.seen:] {
		switch {
		case q.open == 0 && (c == '"' || c == '\''):
			q.open = c
		case c == q.open:
			q.open = 0
		}
	}
	q.seen = len(raw)
	return q.open == 0
}

// declared refuses another encoding than UTF-8.
func declared(raw []byte) error {
	lower := bytes.ToLower(raw)
	if bytes.HasPrefix(lower, []byte("<?xml ")) && bytes.Contains(lower, []byte("encoding")) && !bytes.Contains(lower, []byte("utf-8")) {
		return fmt.Errorf("an encoding that is not UTF-8")
	}
	return nil
}

// maxDepth is how many tags are open at once; in sheets it is some ten.
const maxDepth = 100

// tag takes a tag apart.
func (s *scanner) tag(raw []byte) error {
	if name, ok := bytes.CutPrefix(raw, []byte("/")); ok {
		return s.leave(bytes.TrimRight(name, " \t\r\n"))
	}
	raw, s.closed = bytes.CutSuffix(raw, []byte("/"))
	end := bytes.IndexAny(raw, " \t\r\n")
	if end < 0 {
		end = len(raw)
	}
	s.event, s.name, s.attrs = startTag, raw[:end], raw[end:]
	if len(s.depths) == maxDepth {
		return fmt.Errorf("more than %d tags in one another", maxDepth)
	}
	s.depths = append(s.depths, len(s.open))
	s.open = append(s.open, s.name...)
	s.name = bareName(s.name)
	if len(s.name) == 0 || !letter(s.name[0]) || bytes.ContainsAny(s.name, "\"'=<&/") || bytes.IndexByte(s.attrs, '<') >= 0 {
		return fmt.Errorf("a tag %q", short(string(raw)))
	}
	return nil
}

// leave ends the tag that was opened last; name is its own.
func (s *scanner) leave(name []byte) error {
	last := len(s.depths) - 1
	if last < 0 || !bytes.Equal(s.open[s.depths[last]:], name) {
		return fmt.Errorf("an end %q of what was not begun", short(string(name)))
	}
	s.event, s.name = endTag, bareName(s.open[s.depths[last]:])
	s.open, s.depths = s.open[:s.depths[last]], s.depths[:last]
	return nil
}

// bareName is a name without its prefix.
func bareName(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// letter tells whether a name may begin with a byte.
func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

// attr gives an attribute of the tag that has no prefix, "" when there is none.
func (s *scanner) attr(name string) string {
	rest := s.attrs
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		key, value, ok := bytes.Cut(rest, []byte("="))
		value = bytes.TrimLeft(value, " \t\r\n")
		if !ok || len(value) == 0 || value[0] != '"' && value[0] != '\'' {
			return ""
		}
		end := bytes.IndexByte(value[1:], value[0])
		if end < 0 {
			return ""
		}
		if string(bytes.TrimRight(key, " \t\r\n")) == name {
			return string(value[1 : 1+end])
		}
		rest = value[end+2:]
	}
}

// entities that XML knows by name.
var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

// decoded is a text without entities.
func (s *scanner) decoded(raw []byte) ([]byte, error) {
	if bytes.IndexByte(raw, '&') < 0 {
		return raw, nil
	}
	s.plain = s.plain[:0]
	for {
		before, rest, found := bytes.Cut(raw, []byte("&"))
		s.plain = append(s.plain, before...)
		if !found {
			return s.plain, nil
		}
		name, behind, ok := bytes.Cut(rest, []byte(";"))
		if !ok {
			return nil, fmt.Errorf("an entity without its end")
		}
		if text, known := entities[string(name)]; known {
			s.plain = append(s.plain, text...)
		} else {
			r, ok := reference(string(name))
			if !ok {
				return nil, fmt.Errorf("an entity %q", short(string(name)))
			}
			s.plain = utf8.AppendRune(s.plain, r)
		}
		raw = behind
	}
}

// reference gives the character of #1080 or #x438.
func reference(name string) (rune, bool) {
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	return rune(n), err == nil && n <= utf8.MaxRune
}
