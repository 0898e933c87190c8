package sheet

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxStreamed is how large a workbook may be that comes as a stream and not as a file:
// it has to be in memory, since its end is read first. In bytes.
const maxStreamed = 64 << 20

// Import reads a list and gives its rows, in their order. A file ([io.ReaderAt] and
// [io.Seeker]) is read from its beginning, anything else as it comes; a workbook should
// be a file. An error of each ends the import and is returned as it is. Other errors are
// [pbx.Error] of kind Invalid or Limit, Field naming the option at fault. The report
// tells of what was read, also with an error.
func Import(r io.Reader, o Options, each func(Row) error) (Report, error) {
	o.Limits = o.Limits.withDefaults()
	if o.Normalise == nil {
		return Report{}, fmt.Errorf("import a list: nothing says what a telephone number is")
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	m := &importer{options: o, each: each, seen: map[uint64]uint32{}, zones: map[string]zone{}}
	if err := m.open(r); err != nil {
		return m.report, err
	}
	head, err := readHead(m.table, o.Header, o.Mapping, m.isPhone)
	m.told()
	if err != nil {
		return m.report, err
	}
	if head.width() == 0 {
		return m.report, invalid("", "the list is empty")
	}
	if m.layout, err = findLayout(o.Mapping, head); err != nil {
		return m.report, head.because(err)
	}
	m.report.Columns = m.layout.columns
	if head.header != nil {
		m.report.Header = head.header.line
	}
	err = m.rows(head)
	m.told()
	return m.report, err
}

// importer is an import that runs.
type importer struct {
	options Options
	each    func(Row) error
	text    *decoded // nil for a workbook
	table   table
	layout  *layout
	report  Report
	seen    map[uint64]uint32 // line by number
	zones   map[string]zone
}

// open finds out what a file is and opens it.
func (m *importer) open(r io.Reader) error {
	file, size, err := seekable(r, m.options.Limits.Bytes)
	if err != nil {
		return err
	}
	if file != nil {
		r = io.NewSectionReader(file, 0, size)
	}
	start := make([]byte, 512)
	n, err := io.ReadFull(r, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("read the list: %w", err)
	}
	start = start[:n]
	if m.report.Kind, err = kindOf(start); err != nil {
		return err
	}
	r = io.MultiReader(bytes.NewReader(start), r)
	if m.report.Kind == CSV {
		return m.openCSV(&capped{r, m.options.Limits.Bytes, m.options.Limits.Bytes})
	}
	if file == nil {
		whole, err := io.ReadAll(&capped{r, maxStreamed, maxStreamed})
		if err != nil {
			return err
		}
		file, size = bytes.NewReader(whole), int64(len(whole))
	}
	m.table, m.report.Sheet, err = openBook(file, size, m.options)
	return err
}

// openBook is openXLSX with its result as a table.
func openBook(file io.ReaderAt, size int64, o Options) (table, string, error) {
	t, sheet, err := openXLSX(file, size, o.Sheet, o.Limits)
	if err != nil {
		return nil, "", err
	}
	return t, sheet, nil
}

func (m *importer) openCSV(r io.Reader) error {
	text, err := newDecoded(r, m.options.Encoding)
	if err != nil {
		return err
	}
	m.text = text
	t, err := newCSV(text, m.options.Delimiter, m.options.Limits)
	if err != nil {
		return err
	}
	m.table = t
	m.report.Delimiter = string(t.delim)
	return nil
}

// told notes the encoding: it may have been found in the middle.
func (m *importer) told() {
	if m.text != nil {
		m.report.Encoding = m.text.encoding()
	}
}

// seekable gives a reader as a file, if it is one, and its size.
func seekable(r io.Reader, most int64) (io.ReaderAt, int64, error) {
	file, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil, 0, nil
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, nil // a pipe, which is an os.File as well
	}
	if size > most {
		return nil, 0, tooLarge(most)
	}
	return file, size, nil
}

func tooLarge(most int64) error {
	return limit("the file is larger than %d MiB: divide the list", most>>20)
}

// capped refuses to read more than left bytes.
type capped struct {
	r          io.Reader
	left, most int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(int64(len(p)), c.left+1)])
	if c.left -= int64(n); c.left < 0 {
		return 0, tooLarge(c.most)
	}
	return n, err
}

// signatures are the beginnings of files that are uploaded by mistake.
var signatures = []struct{ start, what string }{
	{"\xd0\xcf\x11\xe0", "an old Excel workbook (XLS), or one with a password: save it as XLSX without a password, or as CSV"},
	{"%PDF", "a PDF document: give the table it was made from, as CSV or XLSX"},
	{"\x1f\x8b", "a packed file: unpack it and give the table in it"},
	{"Rar!", "a packed file: unpack it and give the table in it"},
	{"7z\xbc\xaf", "a packed file: unpack it and give the table in it"},
	{`{\rtf`, "a text document: save the table as CSV or XLSX"},
	{"<", "a web page or XML, whatever its name says: open it in a spreadsheet and save it as XLSX or CSV"},
}

// kindOf tells the format from the beginning of a file.
func kindOf(start []byte) (Kind, error) {
	if bytes.HasPrefix(start, []byte("PK\x03\x04")) || bytes.HasPrefix(start, []byte("PK\x05\x06")) {
		return XLSX, nil
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), " \t\r\n")
	for _, s := range signatures {
		if bytes.HasPrefix(text, []byte(s.start)) {
			return "", invalid("", "this is %s", s.what)
		}
	}
	return CSV, nil
}

// rows reads all below the header.
func (m *importer) rows(h head) error {
	for _, r := range h.rows[h.body:] {
		if err := m.row(r, h.header != nil); err != nil {
			return err
		}
	}
	for {
		r, err := m.table.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.row(r, h.header != nil); err != nil {
			return err
		}
	}
}

// row counts a row and gives it on if it is good.
func (m *importer) row(r record, header bool) error {
	if m.report.Read == m.options.Limits.Rows {
		return limit("the list has more than %d rows: divide it", m.options.Limits.Rows)
	}
	m.report.Read++
	if r.blank() {
		m.report.Empty++
		return nil
	}
	if p, bad := m.fault(r, header); bad {
		m.reject(p)
		return nil
	}
	row, problem, bad := m.read(r)
	if bad {
		m.reject(problem)
		return nil
	}
	numbers, problem, verdict := m.numbers(r)
	switch verdict {
	case rejected:
		m.reject(problem)
		return nil
	case repeated:
		m.report.Duplicates++
		keep(&m.report.Repeated, problem)
		return nil
	}
	row.Numbers = numbers
	m.report.Accepted++
	m.report.Numbers += len(numbers)
	if problem.Reason != "" {
		m.report.Noted++
		keep(&m.report.Notes, problem)
	}
	return m.each(row)
}

func (m *importer) reject(p Problem) {
	m.report.Invalid++
	keep(&m.report.Problems, p)
}

func keep(list *[]Problem, p Problem) {
	if len(*list) < maxProblems {
		*list = append(*list, p)
	}
}

// fault gives what is wrong with a row as it stands in the file, in the columns that are
// read.
func (m *importer) fault(r record, header bool) (Problem, bool) {
	for _, f := range r.faults {
		switch {
		case f.column < 0:
			value := ""
			if len(r.cells) > 0 {
				value = r.cells[0]
			}
			return Problem{Line: r.line, Value: short(value), Reason: f.reason}, true
		case f.column < len(m.layout.used) && m.layout.used[f.column]:
			return m.problem(r, f.column, r.cells[f.column], f.reason), true
		}
	}
	if n := filled(r.cells); header && n > len(m.layout.columns) {
		return Problem{Line: r.line, Value: short(r.cells[n-1]), Reason: fmt.Sprintf(
			"the row has %d columns and the header %d: put a cell with a delimiter in it into quotes", n, len(m.layout.columns))}, true
	}
	for i, cell := range r.cells {
		if i < len(m.layout.used) && m.layout.used[i] && (!utf8.ValidString(cell) || strings.ContainsRune(cell, utf8.RuneError)) {
			return m.problem(r, i, cell, "the cell is not of the encoding of the file: save the list as UTF-8, or name its encoding"), true
		}
	}
	return Problem{}, false
}

func (m *importer) problem(r record, column int, value, reason string) Problem {
	return Problem{Line: r.line, Column: m.layout.label(column), Value: short(value), Reason: reason}
}

// verdict is what the numbers of a row mean for it.
type verdict int

const (
	accepted verdict = iota
	rejected
	repeated
)

// numbers reads the numbers of a row and notes them as seen. Each is with the first row
// that has it. A problem without rejection is what was left out.
func (m *importer) numbers(r record) ([]string, Problem, verdict) {
	var good []string
	var packed []uint64
	var wrong, again, left Problem
	for _, column := range m.layout.phones {
		if column >= len(r.cells) {
			continue
		}
		cell := r.cells[column]
		if len(cell) > maxPhoneCell {
			first(&wrong, m.problem(r, column, cell, fmt.Sprintf("the cell is longer than %d bytes: these are no telephone numbers", maxPhoneCell)))
			continue
		}
		list, extensions, lost := phones(cell)
		if lost != "" {
			first(&wrong, m.problem(r, column, cell, lost))
		}
		if extensions > 0 {
			first(&left, m.problem(r, column, cell, "the extension is left out: a campaign dials none"))
		}
		for _, text := range list {
			number, n, err := m.normalise(text)
			switch {
			case err != nil:
				first(&wrong, m.problem(r, column, text, err.Error()))
			case slices.Contains(packed, n):
			case m.seen[n] != 0:
				first(&again, m.problem(r, column, text, fmt.Sprintf("the number stands in line %d already", m.seen[n])))
			case len(good) == maxPhones:
				first(&left, m.problem(r, column, text, fmt.Sprintf("a person has at most %d numbers; this one is left out", maxPhones)))
			default:
				good, packed = append(good, number), append(packed, n)
			}
		}
	}
	switch {
	case len(good) == 0 && again.Reason != "":
		return nil, again, repeated
	case len(good) == 0 && wrong.Reason != "":
		return nil, wrong, rejected
	case len(good) == 0:
		return nil, m.problem(r, m.layout.phones[0], "", "the row has no telephone number"), rejected
	}
	for _, n := range packed {
		m.seen[n] = uint32(r.line)
	}
	first(&wrong, again)
	first(&wrong, left)
	return good, wrong, accepted
}

// first keeps the first of several problems.
func first(p *Problem, next Problem) {
	if p.Reason == "" {
		*p = next
	}
}

// normalise brings a number into E.164 and packs it.
func (m *importer) normalise(text string) (string, uint64, error) {
	number, err := m.options.Normalise(text)
	if err != nil {
		return "", 0, fmt.Errorf("%s", short(err.Error()))
	}
	n, ok := e164(number)
	if !ok {
		return "", 0, fmt.Errorf("this is no full telephone number: write it with its country, such as +79161234567")
	}
	return number, n, nil
}

// isPhone tells whether a cell has a telephone number in it, of ten digits at least:
// shorter ones are as often amounts and codes.
func (m *importer) isPhone(cell string) bool {
	if len(cell) > maxPhoneCell || digits(cell) < 10 {
		return false
	}
	list, _, _ := phones(cell)
	for _, text := range list {
		if _, _, err := m.normalise(text); err == nil && digits(text) >= 10 {
			return true
		}
	}
	return false
}
