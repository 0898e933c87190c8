package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"vpbx/pbx"
)

// russian reads numbers as a company in Russia does.
func russian(s string) (string, error) {
	t := pbx.Tenant{Country: "RU"}
	n := t.E164(s)
	if !strings.HasPrefix(n, "+") || len(n) < 10 {
		return "", fmt.Errorf("this is no telephone number of Russia")
	}
	return n, nil
}

// stream hides that a reader is a file.
type stream struct{ io.Reader }

// read imports a list from memory.
func read(t *testing.T, file []byte, o Options) ([]Row, Report, error) {
	t.Helper()
	if o.Normalise == nil {
		o.Normalise = russian
	}
	var rows []Row
	report, err := Import(bytes.NewReader(file), o, func(r Row) error {
		rows = append(rows, r)
		return nil
	})
	adds(t, report, len(rows))
	return rows, report, err
}

// adds checks that every row is counted once.
func adds(t testing.TB, r Report, rows int) {
	t.Helper()
	if r.Read != r.Accepted+r.Duplicates+r.Invalid+r.Empty {
		t.Errorf("counts do not add up: read %d, accepted %d, duplicates %d, invalid %d, empty %d", r.Read, r.Accepted, r.Duplicates, r.Invalid, r.Empty)
	}
	if r.Accepted != rows {
		t.Errorf("%d rows are counted as accepted and %d were given", r.Accepted, rows)
	}
	if min(r.Invalid, maxProblems) != len(r.Problems) || min(r.Duplicates, maxProblems) != len(r.Repeated) || min(r.Noted, maxProblems) != len(r.Notes) {
		t.Errorf("%d invalid, %d duplicates, %d noted, and listed %d, %d, %d", r.Invalid, r.Duplicates, r.Noted, len(r.Problems), len(r.Repeated), len(r.Notes))
	}
}

// refused wants an error that has all of the parts.
func refused(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it was taken; want %q", parts)
	}
	if k := pbx.KindOf(err); k != pbx.Invalid && k != pbx.Limit {
		t.Errorf("%v is of kind %s", err, k)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q does not say %q", err, p)
		}
	}
}

// book makes a workbook with another library than the one that reads it.
func book(t testing.TB, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	return saved(t, f)
}

func saved(t testing.TB, f *excelize.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// edited gives a workbook with parts changed: an empty answer leaves the part out.
func edited(t testing.TB, file []byte, edit func(name, part string) string) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	var names []string
	for _, f := range r.File {
		part, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		names, parts[f.Name] = append(names, f.Name), edit(f.Name, string(b))
	}
	return zipped(t, names, parts)
}

func zipped(t testing.TB, names []string, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		if parts[name] == "" {
			continue
		}
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, parts[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withSheet gives a workbook whose only sheet has these rows of XML.
func withSheet(t testing.TB, data string) []byte {
	t.Helper()
	return edited(t, book(t, []any{"x"}), func(name, part string) string {
		if name != "xl/worksheets/sheet1.xml" {
			return part
		}
		return `<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` + data + `</worksheet>`
	})
}

// field is the field at fault.
func field(err error) string {
	if e, ok := errors.AsType[*pbx.Error](err); ok {
		return e.Field
	}
	return ""
}
