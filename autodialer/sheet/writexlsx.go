package sheet

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/xuri/excelize/v2"
)

// Number formats of the cells of a workbook (ECMA-376 part 1 §18.8.30).
const (
	textFormat     = 49
	timeFormat     = "yyyy-mm-dd hh:mm:ss"
	durationFormat = "[h]:mm:ss"
	columnWidth    = 20
)

// xlsxSink writes a workbook of one sheet.
type xlsxSink struct {
	w      io.Writer
	zone   *time.Location
	file   *excelize.File
	stream *excelize.StreamWriter
	rows   int
	bold   int
	styles map[Type]int
	cells  []any
	failed bool
}

func newXLSXSink(w io.Writer, o WriteOptions) (*xlsxSink, error) {
	s := &xlsxSink{w: w, zone: o.Zone, file: excelize.NewFile(excelize.Options{TmpDir: o.TempDir})}
	if err := s.begin(cmp.Or(o.Sheet, "Sheet1")); err != nil {
		return nil, fmt.Errorf("begin a workbook: %w", errors.Join(err, s.file.Close()))
	}
	return s, nil
}

func (s *xlsxSink) begin(sheet string) error {
	first := s.file.GetSheetName(0)
	if sheet != first {
		if err := s.file.SetSheetName(first, sheet); err != nil {
			return err
		}
	}
	at, length := timeFormat, durationFormat
	styles := []*excelize.Style{
		{Font: &excelize.Font{Bold: true}, NumFmt: textFormat},
		{NumFmt: textFormat},
		{CustomNumFmt: &at},
		{CustomNumFmt: &length},
	}
	var ids []int
	for _, style := range styles {
		id, err := s.file.NewStyle(style)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	s.bold, s.styles = ids[0], map[Type]int{Text: ids[1], Phone: ids[1], Time: ids[2], Duration: ids[3]}
	var err error
	s.stream, err = s.file.NewStreamWriter(sheet)
	return err
}

func (s *xlsxSink) heading(columns []Heading) error {
	s.failed = true // until it is there
	if len(columns) > 0 {
		if err := s.stream.SetColWidth(1, len(columns), columnWidth); err != nil {
			return err
		}
	}
	if err := s.stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	for _, c := range columns {
		s.cells = append(s.cells, excelize.Cell{StyleID: s.bold, Value: safeText(Text, c.Title, "")})
	}
	s.failed = false
	return s.put()
}

func (s *xlsxSink) row(columns []Heading, cells []any) error {
	s.cells = s.cells[:0]
	for i, c := range cells {
		t := columns[i].Type
		s.cells = append(s.cells, excelize.Cell{StyleID: s.styles[t], Value: s.value(t, c)})
	}
	return s.put()
}

// value is what the library is given: texts and numbers only, so that it decides nothing.
func (s *xlsxSink) value(t Type, cell any) any {
	switch v := cell.(type) {
	case string:
		return safeText(t, v, "")
	case time.Duration:
		return v.Seconds() / 86400
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return serial(v.In(s.zone))
	}
	return cell
}

// serial is a time as the number of days that spreadsheets count.
func serial(at time.Time) float64 {
	wall := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
	days := wall.Sub(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)).Seconds() / 86400
	return math.Round(days*1e9) / 1e9
}

// put writes the row in s.cells.
func (s *xlsxSink) put() error {
	if s.rows == maxSheetRows {
		s.failed = true
		return limit("a workbook has at most %d rows below its header: choose CSV, or a shorter time", maxSheetRows-1)
	}
	s.rows++
	err := s.stream.SetRow(fmt.Sprintf("A%d", s.rows), s.cells)
	s.failed = s.failed || err != nil
	return err
}

// close gives the workbook to the writer, unless a row of it is missing.
func (s *xlsxSink) close() error {
	if s.failed {
		return s.file.Close()
	}
	if err := s.stream.Flush(); err != nil {
		return errors.Join(err, s.file.Close())
	}
	if err := s.file.Write(s.w); err != nil {
		return errors.Join(err, s.file.Close())
	}
	return s.file.Close()
}
