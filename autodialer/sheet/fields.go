package sheet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxZones is how many texts of zones are remembered; lists have a few.
const maxZones = 1000

// zone is what a text in the column of zones means.
type zone struct {
	name string
	err  error
}

// read reads all of a row but its numbers.
func (m *importer) read(r record) (Row, Problem, bool) {
	row := Row{Line: r.line}
	get := func(use Use) string {
		if i, ok := m.layout.single[use]; ok && i < len(r.cells) {
			return m.tidy(r.cells[i])
		}
		return ""
	}
	bad := func(use Use, err error) (Row, Problem, bool) {
		i := m.layout.single[use]
		return row, m.problem(r, i, r.cells[i], err.Error()), true
	}
	row.Name, row.ID = get(UseName), get(UseID)
	var err error
	if row.Zone, err = m.zone(get(UseZone)); err != nil {
		return bad(UseZone, err)
	}
	if row.Priority, err = priority(get(UsePriority)); err != nil {
		return bad(UsePriority, err)
	}
	row.Consent.Text = get(UseConsentText)
	if source := get(UseConsentSource); !slices.Contains(refusals, strings.ToLower(source)) {
		row.Consent.Source = source
	}
	if row.Consent.At, err = m.consentAt(get(UseConsentAt)); err != nil {
		return bad(UseConsentAt, err)
	}
	for i, c := range m.layout.columns {
		if c.Variable == "" || i >= len(r.cells) {
			continue
		}
		if value := m.tidy(r.cells[i]); value != "" {
			if row.Variables == nil {
				row.Variables = make(map[string]string, len(m.layout.columns))
			}
			row.Variables[c.Variable] = value
		}
	}
	return row, Problem{}, false
}

// tidy is the value of a cell: one line, and without the apostrophes by which [Writer]
// made text of formulas.
func (m *importer) tidy(cell string) string {
	starts := ""
	if m.report.Kind == CSV {
		starts = splitters
	}
	return oneLine(disarmed(cell, starts))
}

// refusals are what people write where there is no consent.
var refusals = []string{"нет", "no", "false", "0", "-", "n", "н"}

func (m *importer) zone(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	z, known := m.zones[text]
	if !known {
		z.name, z.err = zoneOf(text)
		if len(m.zones) == maxZones {
			clear(m.zones)
		}
		m.zones[text] = z
	}
	return z.name, z.err
}

// maxPriority bounds priorities both ways.
const maxPriority = 1000

func priority(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < -maxPriority || n > maxPriority {
		return 0, fmt.Errorf("a priority is a whole number from -%d to %d", maxPriority, maxPriority)
	}
	return n, nil
}

// How times are written, those with a zone, and those without.
var (
	zoned = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700"}
	local = []string{
		time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly,
		"2.1.2006 15:04:05", "2.1.2006 15:04", "2.1.2006", "2006/1/2", "2006/1/2 15:04", "2006/1/2 15:04:05",
	}
)

// consentAt reads when a consent was given. 05/06/2026 is refused: nobody knows which
// is the month.
func (m *importer) consentAt(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := timeOf(text, m.options.Zone)
	switch {
	case err != nil:
		return at, err
	case at.Year() < 1990:
		return at, fmt.Errorf("no consent is as old as that")
	case !m.options.Now.IsZero() && at.After(m.options.Now.Add(24*time.Hour)):
		return at, fmt.Errorf("this is in the future")
	}
	return at, nil
}

func timeOf(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range zoned {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	for _, layout := range local {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("this is no date: write 2026-11-22, 22.11.2026 or 2026-11-22 15:04")
}
