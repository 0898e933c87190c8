package sheet

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// style is what the number format of a cell makes of its number.
type style int

// What numbers can be beside numbers.
const (
	plainNumber style = iota
	dateNumber        // days, with or without a time
	timeNumber        // time of day, or elapsed
)

type stylesXML struct {
	Formats []struct {
		ID   int    `xml:"numFmtId,attr"`
		Code string `xml:"formatCode,attr"`
	} `xml:"numFmts>numFmt"`
	Cells []struct {
		Format int `xml:"numFmtId,attr"`
	} `xml:"cellXfs>xf"`
}

// readStyles finds out which styles show dates and times.
func (w *workbook) readStyles(name string) error {
	var x stylesXML
	if err := w.read(name, &x); err != nil {
		return err
	}
	custom := map[int]style{}
	for _, f := range x.Formats {
		custom[f.ID] = styleOf(f.Code)
	}
	for _, c := range x.Cells {
		s, ok := custom[c.Format]
		if !ok {
			s = builtin(c.Format)
		}
		w.styles = append(w.styles, s)
	}
	return nil
}

func (w *workbook) style(i int) style {
	if i < 0 || i >= len(w.styles) {
		return plainNumber
	}
	return w.styles[i]
}

// builtin is the style of a number format that has no code in the file (ECMA-376 part 1
// §18.8.30; 27 to 36 and 50 to 58 are dates of East Asia).
func builtin(id int) style {
	switch {
	case id >= 14 && id <= 17, id == 22, id >= 27 && id <= 36, id >= 50 && id <= 58:
		return dateNumber
	case id >= 18 && id <= 21, id >= 45 && id <= 47:
		return timeNumber
	}
	return plainNumber
}

// literal is what stands in a number format for itself: quoted text, escaped signs,
// blanks of a width, colours and languages in brackets.
var (
	literal = regexp.MustCompile(`"[^"]*"|\\.|_.|\*.|\[[^\]]*\]`)
	elapsed = regexp.MustCompile(`(?i)\[(h+|m+|s+)\]`)
)

// styleOf is the style of a code such as dd.mm.yyyy.
func styleOf(code string) style {
	code, _, _ = strings.Cut(code, ";")
	if elapsed.MatchString(code) {
		return timeNumber
	}
	code = strings.ToLower(literal.ReplaceAllString(code, ""))
	switch {
	case code == "general":
		return plainNumber
	case strings.ContainsAny(code, "yd"):
		return dateNumber
	case strings.ContainsAny(code, "hs"):
		return timeNumber
	case strings.Contains(code, "m"):
		return dateNumber
	}
	return plainNumber
}

// number writes the number of a cell as somebody would type it: whole where it is, with
// the 15 digits that spreadsheets have, and dates as dates.
func number(text string, s style, epoch bool) (string, bool) {
	if s == plainNumber && len(text) <= 15 && strings.Trim(text, "0123456789") == "" {
		return text, true
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", false
	}
	switch {
	case s == timeNumber && f >= 0 && f < maxSerial:
		return clock(f), true
	case s == dateNumber && f >= 0 && f < maxSerial:
		return date(f, epoch), true
	case math.Abs(f) >= 1e21:
		return text, true
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64) // of what was just written
	return strconv.FormatFloat(rounded, 'f', -1, 64), true
}

// maxSerial is the day behind 31 December 9999, the last that spreadsheets have.
const maxSerial = 2958466

// date gives the date, and the time of day if there is one, of a number of days. Before
// March 1900 days are one less: spreadsheets count a 29 February that never was.
func date(days float64, epoch bool) string {
	base := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case epoch:
		base = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60:
		base = base.AddDate(0, 0, 1)
	}
	whole := math.Floor(days)
	seconds := int(math.Round((days - whole) * 86400))
	at := base.AddDate(0, 0, int(whole)).Add(time.Duration(seconds) * time.Second)
	if seconds == 0 {
		return at.Format(time.DateOnly)
	}
	return at.Format(time.DateTime)
}

// clock gives hours, minutes and seconds of a number of days.
func clock(days float64) string {
	s := int64(math.Round(days * 86400))
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
