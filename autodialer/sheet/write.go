package sheet

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Type is what the cells of a column hold.
type Type int

// The types of columns, and what [Writer].Write takes for them; nil is an empty cell.
const (
	Text     Type = iota // string
	Number               // int, int64, float64
	Time                 // time.Time; the zero one is an empty cell
	Duration             // time.Duration
	Phone                // string in E.164
)

// Heading is a column of a table that is written.
type Heading struct {
	Title string
	Type  Type
}

// WriteOptions say how a table is written. The zero value will do.
type WriteOptions struct {
	// Delimiter of CSV: a comma, or a semicolon, as spreadsheets want it where a comma
	// divides the fraction from a number; default semicolon. With it numbers have a
	// comma.
	Delimiter rune
	Zone      *time.Location // in which times are written; nil: UTC
	Sheet     string         // name of the sheet of a workbook; "": Sheet1
	// TempDir has the unpacked sheet of a large workbook until Close; "": that of
	// the system.
	TempDir string
}

// Writer writes a table row by row. Close has to be called, also after an error. It is
// not for several goroutines at once.
type Writer struct {
	columns []Heading
	out     sink
}

// sink takes rows of cells that are checked.
type sink interface {
	heading([]Heading) error
	row([]Heading, []any) error
	close() error
}

// NewWriter begins a table with its header. CSV goes to w as it is written, in UTF-8
// with a byte order mark; a workbook goes to w when it is closed. Texts that a
// spreadsheet would take for formulas have an apostrophe before them, which [Import]
// takes away again; telephone numbers are text in a workbook, and as they are, +79161234567,
// in CSV.
func NewWriter(w io.Writer, kind Kind, columns []Heading, o WriteOptions) (*Writer, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	var out sink
	var err error
	switch kind {
	case CSV:
		out, err = newCSVSink(w, o)
	case XLSX:
		out, err = newXLSXSink(w, o)
	default:
		err = invalid("format", "%q is no format of a table: it is csv or xlsx", short(string(kind)))
	}
	if err != nil {
		return nil, err
	}
	t := &Writer{columns: columns, out: out}
	if err := out.heading(columns); err != nil {
		_ = out.close() // the error that is told came first
		return nil, fmt.Errorf("write the header of a table: %w", err)
	}
	return t, nil
}

// Write writes a row, a cell for each column. A cell of another type than its column is
// an error, and so is a row that a workbook has no place for.
func (t *Writer) Write(cells ...any) error {
	if len(cells) != len(t.columns) {
		return fmt.Errorf("write a row: %d cells for %d columns", len(cells), len(t.columns))
	}
	for i, c := range cells {
		if !fits(t.columns[i].Type, c) {
			return fmt.Errorf("write a row: a %T in column %q", c, t.columns[i].Title)
		}
	}
	if err := t.out.row(t.columns, cells); err != nil {
		return fmt.Errorf("write a row: %w", err)
	}
	return nil
}

// Close ends the table. It does not close what it was written to.
func (t *Writer) Close() error {
	if err := t.out.close(); err != nil {
		return fmt.Errorf("finish a table: %w", err)
	}
	return nil
}

// fits tells whether a value may stand in a column.
func fits(t Type, cell any) bool {
	ok := cell == nil
	switch v := cell.(type) {
	case string:
		ok = t == Text || t == Phone
	case int, int64:
		ok = t == Number
	case float64:
		ok = t == Number && !math.IsNaN(v) && !math.IsInf(v, 0)
	case time.Time:
		ok = t == Time
	case time.Duration:
		ok = t == Duration
	}
	return ok
}

// dialled tells whether a text is a number and nothing else, and so no formula.
func dialled(text string) bool {
	rest := strings.TrimPrefix(text, "+")
	return rest != "" && len(rest) <= 15 && strings.Trim(rest, "0123456789") == ""
}

// safeText is how a text, or what should be a telephone number, is written.
func safeText(t Type, text, starts string) string {
	if t == Phone && dialled(text) {
		return text
	}
	return disarm(printable(text), starts)
}

// csvSink writes CSV.
type csvSink struct {
	w       *csv.Writer
	zone    *time.Location
	decimal string
	cells   []string
}

func newCSVSink(w io.Writer, o WriteOptions) (*csvSink, error) {
	s := &csvSink{w: csv.NewWriter(w), zone: o.Zone, decimal: ","}
	s.w.Comma, s.w.UseCRLF = ';', true
	switch o.Delimiter {
	case 0, ';':
	case ',':
		s.w.Comma, s.decimal = ',', "."
	default:
		return nil, invalid("delimiter", "%q does not delimit columns: it is a comma or a semicolon", o.Delimiter)
	}
	if _, err := io.WriteString(w, marks[0].mark); err != nil {
		return nil, fmt.Errorf("begin a table: %w", err)
	}
	return s, nil
}

func (s *csvSink) heading(columns []Heading) error {
	s.cells = s.cells[:0]
	for _, c := range columns {
		s.cells = append(s.cells, safeText(Text, c.Title, splitters))
	}
	return s.w.Write(s.cells)
}

func (s *csvSink) row(columns []Heading, cells []any) error {
	s.cells = s.cells[:0]
	for i, c := range cells {
		s.cells = append(s.cells, s.text(columns[i].Type, c))
	}
	return s.w.Write(s.cells)
}

func (s *csvSink) text(t Type, cell any) string {
	switch v := cell.(type) {
	case string:
		return safeText(t, v, splitters)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return s.fraction(v)
	case time.Duration:
		return s.fraction(v.Round(time.Millisecond).Seconds())
	case time.Time:
		if !v.IsZero() {
			return v.In(s.zone).Format(time.DateTime)
		}
	}
	return ""
}

func (s *csvSink) fraction(f float64) string {
	return strings.Replace(strconv.FormatFloat(f, 'f', -1, 64), ".", s.decimal, 1)
}

func (s *csvSink) close() error {
	s.w.Flush()
	return s.w.Error()
}
