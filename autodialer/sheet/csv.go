package sheet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// record is a row as it stands in the file. The cells are there until the next is read.
type record struct {
	line   int // from 1
	cells  []string
	faults []fault
}

// fault is what is wrong with a cell, or with a row as a whole where column is -1.
type fault struct {
	column int // from 0
	reason string
}

// blank tells whether a row has nothing in it.
func (r record) blank() bool {
	for _, c := range r.cells {
		if oneLine(c) != "" {
			return false
		}
	}
	return len(r.faults) == 0
}

// table gives the rows of a file.
type table interface {
	// next gives the next row, or [io.EOF]. Any other error says what is wrong
	// with the file.
	next() (record, error)
}

// physical is a line of a file, without its end.
type physical struct {
	number int
	text   string
	long   bool // and text is its beginning
}

// csvTable reads comma-separated values (RFC 4180) as spreadsheets read them: any
// delimiter, any end of line, quotes in the middle of a cell are quotes. Where quotes are
// broken the row is at fault and reading goes on with the line below.
type csvTable struct {
	src    *bufio.Reader
	limits Limits
	delim  byte
	line   int        // last one read from src
	ahead  []physical // lines to be read before those of src
	buf    []byte     // of a line
	cells  []string
	faults []fault
}

// newCSV reads UTF-8. The delimiter is found when it is 0.
func newCSV(r io.Reader, delim rune, l Limits) (*csvTable, error) {
	t := &csvTable{src: bufio.NewReaderSize(r, window), limits: l}
	sample, err := t.src.Peek(window)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.IndexByte(sample, 0) >= 0 {
		return nil, invalid("", "this is neither a table of text nor an Excel workbook: save it as CSV or XLSX")
	}
	told, err := t.hint()
	switch {
	case err != nil && err != io.EOF:
		return nil, err
	case delim != 0 && !strings.ContainsRune(delimiters, delim):
		return nil, invalid("delimiter", "%q does not delimit columns: it is a comma, semicolon, tab or |", delim)
	case delim != 0:
		t.delim = byte(delim)
	case told != 0:
		t.delim = told
	default:
		t.delim = delimiter(sample, len(sample) == window, l)
	}
	return t, nil
}

// delimiters in the order in which they are believed: a comma is the most common sign
// inside cells.
const delimiters = "\t;|,"

var hint = regexp.MustCompile(`(?i)^"?sep=([,;\t|])"?$`)

// hint takes the line sep=; with which Excel is told the delimiter.
func (t *csvTable) hint() (byte, error) {
	first, err := t.take()
	if err != nil {
		return 0, err
	}
	if m := hint.FindStringSubmatch(first.text); m != nil {
		return m[1][0], nil
	}
	t.ahead = append(t.ahead, first)
	return 0, nil
}

// delimiter finds what divides most rows of a sample into as many cells as the first,
// and more than one.
func delimiter(sample []byte, cut bool, l Limits) byte {
	best, most := byte(';'), 0
	for i := range len(delimiters) {
		t := &csvTable{src: bufio.NewReader(bytes.NewReader(sample)), limits: l, delim: delimiters[i]}
		var widths []int
		for len(widths) < 50 {
			r, err := t.next()
			if err != nil {
				break
			}
			if !r.blank() {
				widths = append(widths, len(r.cells))
			}
		}
		if cut && len(widths) > 1 && len(widths) < 50 {
			widths = widths[:len(widths)-1]
		}
		if score := regular(widths); score > most {
			best, most = delimiters[i], score
		}
	}
	return best
}

// regular says how many of a hundred rows are as wide as most are; and half as much
// again when the first one is.
func regular(widths []int) int {
	counts := map[int]int{}
	usual := 0
	for _, w := range widths {
		counts[w]++
		if w > 1 && counts[w] > counts[usual] {
			usual = w
		}
	}
	if usual == 0 {
		return 0
	}
	score := 100 * counts[usual] / len(widths)
	if widths[0] > 1 {
		score += 50
	}
	return score
}

// next reads a row.
func (t *csvTable) next() (record, error) {
	first, err := t.take()
	if err != nil {
		return record{}, err
	}
	t.cells, t.faults = t.cells[:0], t.faults[:0]
	var taken []physical
	if first.long {
		t.fault(-1, "the line is longer than %d bytes; are there line ends in the file?", t.maxLine())
	} else {
		taken = t.split(first.text)
	}
	if len(t.faults) > 0 && t.faults[len(t.faults)-1].column < 0 {
		t.ahead = append(taken, t.ahead...)
		t.cells = append(t.cells[:0], first.text)
	}
	return record{first.number, t.cells, t.faults}, nil
}

func (t *csvTable) fault(column int, format string, args ...any) {
	t.faults = append(t.faults, fault{column, fmt.Sprintf(format, args...)})
}

// split cuts a row into cells. It gives the further lines that it took for that.
func (t *csvTable) split(rest string) []physical {
	var taken []physical
	for more := true; more; {
		if len(t.cells) == t.limits.Columns && strings.TrimRight(rest, string(t.delim)+" ") != "" {
			t.fault(-1, "the row has more than %d columns", t.limits.Columns)
			return taken
		}
		var cell string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			var lines []physical
			cell, rest, lines, ok = t.quoted(quoted)
			taken = append(taken, lines...)
			if !ok {
				return taken
			}
			rest, more = strings.CutPrefix(rest, string(t.delim))
		} else {
			cell, rest, more = strings.Cut(rest, string(t.delim))
		}
		switch {
		case len(cell) > t.limits.Cell:
			t.fault(len(t.cells), "the cell is longer than %d bytes", t.limits.Cell)
			cell = beginning(cell)
		case len(t.cells) == t.limits.Columns:
			return taken // nothing but delimiters is left
		}
		t.cells = append(t.cells, cell)
	}
	return taken
}

// quoted reads a cell whose quote was opened, and gives what is behind the quote that
// closes it.
func (t *csvTable) quoted(rest string) (cell, behind string, taken []physical, ok bool) {
	var b strings.Builder
	for {
		i := strings.IndexByte(rest, '"')
		if i < 0 {
			b.WriteString(rest)
			b.WriteByte('\n')
			line, err := t.take()
			if err == nil {
				taken = append(taken, line)
			}
			if err != nil || line.long || b.Len() > t.limits.Cell {
				t.fault(-1, "a quote is opened in column %d and not closed within the %d bytes of a cell: close it, or write two quotes for one", len(t.cells)+1, t.limits.Cell)
				return "", "", taken, false
			}
			rest = line.text
			continue
		}
		b.WriteString(rest[:i])
		rest = rest[i+1:]
		if !strings.HasPrefix(rest, `"`) {
			break
		}
		b.WriteByte('"')
		rest = rest[1:]
	}
	behind = strings.TrimLeft(rest, " ")
	if behind != "" && behind[0] != t.delim {
		t.fault(-1, "there is text behind the quote that closes column %d: write two quotes for one inside a cell", len(t.cells)+1)
		return "", "", taken, false
	}
	return b.String(), behind, taken, true
}

// maxLine bounds a line: as many cells as there may be, as long as they may be.
func (t *csvTable) maxLine() int { return t.limits.Columns * (t.limits.Cell + 3) }

// take gives the next line. Lines end with LF, CRLF or CR.
func (t *csvTable) take() (physical, error) {
	if len(t.ahead) > 0 {
		line := t.ahead[0]
		t.ahead = t.ahead[1:]
		return line, nil
	}
	t.buf = t.buf[:0]
	begun, long := false, false
	for {
		if _, err := t.src.Peek(1); err != nil {
			if err == io.EOF && begun {
				break
			}
			return physical{}, err
		}
		begun = true
		head, _ := t.src.Peek(t.src.Buffered())
		end := bytes.IndexAny(head, "\r\n")
		part := head
		if end >= 0 {
			part = head[:end]
		}
		room := t.maxLine() - len(t.buf)
		long = long || len(part) > room
		t.buf = append(t.buf, part[:min(len(part), room)]...)
		if end < 0 {
			t.skip(len(head))
			continue
		}
		carriage := head[end] == '\r'
		t.skip(end + 1)
		if carriage {
			if after, _ := t.src.Peek(1); len(after) > 0 && after[0] == '\n' {
				t.skip(1)
			}
		}
		break
	}
	t.line++
	if long {
		return physical{t.line, beginning(string(t.buf)), true}, nil
	}
	return physical{t.line, string(t.buf), false}, nil
}

// skip forgets n bytes that are in the buffer.
func (t *csvTable) skip(n int) {
	_, _ = t.src.Discard(n) // cannot fail: they are buffered
}
