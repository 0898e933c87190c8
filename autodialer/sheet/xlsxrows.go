package sheet

import (
	"fmt"
	"io"
	"strconv"
)

// maxSheetRows is how many rows a sheet has.
const maxSheetRows = 1 << 20

// xlsxTable reads the rows of a sheet, one at a time (ECMA-376 part 1 §18.3.1.80).
type xlsxTable struct {
	book   *workbook
	xml    *partXML
	row    int
	begun  bool // the rows have begun
	ended  bool
	cells  []string
	faults []fault
	cell   cellXML
}

// cellXML is a cell as it is read.
type cellXML struct {
	column  int // from 0
	kind    string
	style   int
	formula bool
	text    textXML
}

// next reads a row. A sheet that ends before its rows do is damaged: what was read of it
// is not all.
func (t *xlsxTable) next() (record, error) {
	for !t.ended {
		if err := t.xml.advance(); err != nil {
			return record{}, err
		}
		switch name := string(t.xml.name); t.xml.event {
		case startTag:
			switch {
			case name == "sheetData":
				t.begun = true
			case name == "row" && t.begun:
				return t.readRow()
			case name == "chartsheet":
				return record{}, invalid("sheet", "the sheet is a chart: name one that has a table")
			}
		case endTag:
			if t.ended = name == "sheetData"; t.ended {
				return record{}, t.xml.finish()
			}
		}
	}
	return record{}, io.EOF
}

func (t *xlsxTable) readRow() (record, error) {
	t.row++
	if r := t.xml.attr("r"); r != "" {
		n, err := strconv.Atoi(r)
		if err != nil || n < t.row || n > maxSheetRows {
			return record{}, damaged("row %q follows row %d", short(r), t.row-1)
		}
		t.row = n
	}
	t.cells, t.faults = t.cells[:0], t.faults[:0]
	t.cell.column = -1
	for {
		if err := t.xml.advance(); err != nil {
			return record{}, err
		}
		switch name := t.xml.name; t.xml.event {
		case startTag:
			switch string(name) {
			case "c":
				if err := t.begin(); err != nil {
					return record{}, err
				}
			case "f":
				t.cell.formula = true
			case "row":
				return record{}, damaged("row %d does not end", t.row)
			}
			t.cell.text.start(name)
		case charData:
			t.cell.text.add(t.xml.text)
		case endTag:
			t.cell.text.end(name)
			switch string(name) {
			case "c":
				t.put(t.value())
			case "row":
				return record{t.row, t.cells, t.faults}, nil
			}
		}
	}
}

// begin begins a cell.
func (t *xlsxTable) begin() error {
	column := t.cell.column + 1
	if ref := t.xml.attr("r"); ref != "" {
		var ok bool
		if column, ok = columnOf(ref); !ok {
			return damaged("row %d has a cell %q", t.row, short(ref))
		}
	}
	t.cell = cellXML{column: column, kind: t.xml.attr("t"), text: t.cell.text}
	t.cell.text.begin(t.book.limits.Cell)
	if s := t.xml.attr("s"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return damaged("row %d has a cell of style %q", t.row, short(s))
		}
		t.cell.style = n
	}
	return nil
}

// columnOf gives the column of a reference such as AB12, from 0.
func columnOf(ref string) (int, bool) {
	n := 0
	for i := range len(ref) {
		c := ref[i] &^ 0x20
		switch {
		case c >= 'A' && c <= 'Z' && i < 3:
			n = 26*n + int(c-'A') + 1
		default:
			return n - 1, i > 0 && ref[i] >= '0' && ref[i] <= '9'
		}
	}
	return n - 1, n > 0
}

// put sets the value of the cell that was read; reason says what is wrong with it.
func (t *xlsxTable) put(value, reason string) {
	switch limits := t.book.limits; {
	case value == "" && reason == "":
		return
	case t.cell.column >= limits.Columns:
		t.faults = append(t.faults, fault{-1, fmt.Sprintf("the row has more than %d columns", limits.Columns)})
		return
	case len(value) > limits.Cell:
		value, reason = beginning(value), fmt.Sprintf("the cell is longer than %d bytes", limits.Cell)
	}
	for len(t.cells) <= t.cell.column {
		t.cells = append(t.cells, "")
	}
	t.cells[t.cell.column] = value
	if reason != "" {
		t.faults = append(t.faults, fault{t.cell.column, reason})
	}
}

// value gives what a cell says, by its type (ECMA-376 part 1 §18.18.11).
func (t *xlsxTable) value() (value, reason string) {
	text := string(t.cell.text.text)
	switch t.cell.kind {
	case "s":
		i, err := strconv.Atoi(text)
		if err != nil {
			i = -1
		}
		shared, ok := t.book.shared.at(i)
		if !ok && text != "" {
			return text, "the text of this cell is not in the workbook: type it again"
		}
		return unescaped(shared), ""
	case "inlineStr", "str", "d":
		return unescaped(text), t.uncalculated(text)
	case "b":
		return map[string]string{"1": "TRUE", "0": "FALSE"}[text], ""
	case "e":
		return text, "the formula in this cell came to an error: repair it, or type the value"
	}
	if text == "" {
		return "", t.uncalculated(text)
	}
	n, ok := number(text, t.book.style(t.cell.style), t.book.epoch)
	if !ok {
		return text, "the cell is said to be a number and is none"
	}
	return n, ""
}

// uncalculated is the reason against a formula that has no value.
func (t *xlsxTable) uncalculated(text string) string {
	if text == "" && t.cell.formula && t.cell.kind != "str" {
		return "the cell has a formula and no value: open the file in a spreadsheet and save it"
	}
	return ""
}
