package sheet

import (
	"io"
	"slices"
)

// Bounds of the beginning of a list, in which its header is looked for.
const (
	headRows = 30 // that are looked at
	titles   = 10 // rows that may stand above the header
)

// head is the beginning of a list.
type head struct {
	header *record // nil: there is none
	rows   []record
	body   int // where the rows below the header begin
	phone  func(cell string) bool
}

// readHead reads the beginning and finds the header. given says whether there is one.
func readHead(t table, given *bool, m Mapping, phone func(string) bool) (head, error) {
	h := head{phone: phone}
	for len(h.rows) < headRows {
		r, err := t.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return h, err
		}
		r.cells, r.faults = slices.Clone(r.cells), slices.Clone(r.faults)
		h.rows = append(h.rows, r)
	}
	i := -1
	switch {
	case given == nil:
		i = h.find(m)
	case *given:
		i = slices.IndexFunc(h.rows, func(r record) bool { return !r.blank() })
	}
	if i < 0 {
		return h, nil
	}
	h.header, h.body = &h.rows[i], i+1
	for _, f := range h.header.faults {
		return h, invalid("", "the header in line %d cannot be read: %s", h.header.line, f.reason)
	}
	return h, nil
}

// find looks for the header: of the first rows, above the first one with a telephone
// number, the one with most of the words that headers have or the mapping names.
// Without such words it is the first row, if numbers stand below it.
func (h head) find(m Mapping) int {
	best, most, first, seen := -1, 0, -1, 0
	for i, r := range h.rows {
		if r.blank() {
			continue
		}
		if seen++; seen > titles {
			break
		}
		if slices.ContainsFunc(r.cells, h.phone) {
			if best < 0 && first >= 0 {
				return first
			}
			return best
		}
		if first < 0 {
			first = i
		}
		score := 0
		for _, c := range r.cells {
			if use, _ := usual(c); use != "" || m.names(c) {
				score++
			}
		}
		if score > most {
			best, most = i, score
		}
	}
	return best
}

// because gives the reason why no mapping was found: that the first row cannot be read,
// if it cannot.
func (h head) because(err error) error {
	for _, r := range h.rows {
		for _, f := range r.faults {
			if h.header == nil && f.column < 0 {
				return invalid("", "line %d cannot be read: %s", r.line, f.reason)
			}
		}
		if !r.blank() {
			break
		}
	}
	return err
}

// names tells whether a mapping names a header.
func (m Mapping) names(header string) bool {
	if oneLine(header) == "" {
		return false
	}
	is := func(ref string) bool { return same(ref, header) }
	for _, ref := range m.wanted() {
		if is(ref) {
			return true
		}
	}
	for _, ref := range m.Variables {
		if is(ref) {
			return true
		}
	}
	return slices.ContainsFunc(m.Phones, is)
}

// width is how many columns the list has: those of the header, or without one, of the
// widest row that was looked at.
func (h head) width() int {
	if h.header != nil {
		return filled(h.header.cells)
	}
	width := 0
	for _, r := range h.rows {
		width = max(width, filled(r.cells))
	}
	return width
}

// filled is how many columns a row has without the empty ones at its end.
func filled(cells []string) int {
	for i := len(cells); i > 0; i-- {
		if oneLine(cells[i-1]) != "" {
			return i
		}
	}
	return 0
}

// phoneColumns are the columns in which most cells are telephone numbers.
func (h head) phoneColumns() []int {
	var list []int
	for column := range h.width() {
		full, phones := 0, 0
		for _, r := range h.rows[h.body:] {
			if column >= len(r.cells) || oneLine(r.cells[column]) == "" {
				continue
			}
			full++
			if h.phone(r.cells[column]) {
				phones++
			}
		}
		if phones > 0 && 2*phones >= full {
			list = append(list, column)
		}
	}
	return list
}
