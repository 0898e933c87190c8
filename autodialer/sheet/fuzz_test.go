package sheet

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// small are limits within reach of a fuzzer.
var small = Limits{Bytes: 1 << 20, Rows: 500, Unpacked: 1 << 20, Strings: 1 << 18}

// check imports anything: counts add up, lines go up, and what is shown can be shown.
func check(t testing.TB, file []byte, o Options) Report {
	t.Helper()
	o.Normalise, o.Limits = russian, small
	rows, last := 0, 0
	seen := map[string]bool{}
	report, err := Import(bytes.NewReader(file), o, func(r Row) error {
		rows++
		if r.Line <= last || len(r.Numbers) == 0 || len(r.Numbers) > maxPhones {
			t.Errorf("line %d behind %d, %d numbers", r.Line, last, len(r.Numbers))
		}
		last = r.Line
		for _, n := range r.Numbers {
			if _, ok := e164(n); !ok || seen[n] {
				t.Errorf("number %q, seen before: %t", n, seen[n])
			}
			seen[n] = true
		}
		for name, value := range r.Variables {
			if variable(name) != name || value == "" || oneLine(value) != value {
				t.Errorf("variable %q is %q", name, value)
			}
		}
		return nil
	})
	adds(t, report, rows)
	if err != nil && (!utf8.ValidString(err.Error()) || len(err.Error()) > 3000) {
		t.Errorf("the error is %q", err)
	}
	for _, list := range [][]Problem{report.Problems, report.Repeated, report.Notes} {
		for _, p := range list {
			if p.Line <= 0 || p.Reason == "" || oneLine(p.Value) != p.Value || oneLine(p.Column) != p.Column || utf8.RuneCountInString(p.Value) > maxShown {
				t.Errorf("%+v", p)
			}
		}
	}
	return report
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{list, "phone;name\n+79160000001;\"a\n", "sep=,\nphone,x\n", "\xff\xfep\x00", "89160000001\r89160000002", "тел;имя\n8916000000\x98;\xff", "\"\"\"\n\"", ";;;;\n"} {
		f.Add([]byte(seed), "")
	}
	f.Add([]byte(list), "koi8-r")
	f.Fuzz(func(t *testing.T, file []byte, encoding string) { check(t, file, Options{Encoding: encoding}) })
}

// smallest is a workbook of no more parts than it needs.
func smallest(t testing.TB, sheet, shared string) []byte {
	names := []string{"_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"}
	return zipped(t, names, map[string]string{
		names[0]: `<Relationships><Relationship Id="1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		names[1]: `<workbook xmlns:r="x"><sheets><sheet name="a" r:id="1"/></sheets></workbook>`,
		names[2]: `<Relationships><Relationship Id="1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="2" Type="x/sharedStrings" Target="/xl/sharedStrings.xml"/><Relationship Id="3" Type="x/styles" Target="styles.xml"/></Relationships>`,
		names[3]: `<worksheet>` + sheet + `</worksheet>`,
		names[4]: shared,
		names[5]: `<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="21"/></cellXfs></styleSheet>`,
	})
}

// FuzzXLSX reads workbooks whose bytes were changed, and sheets of any XML.
func FuzzXLSX(f *testing.F) {
	f.Add(smallest(f, `<sheetData><row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row></sheetData>`, `<sst><si><t>phone</t></si><si><t>+79161234567</t></si></sst>`), "+79161234567")
	f.Add([]byte("PK\x03\x04"), `<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row><row><c><v>7.9161234567E10</v></c></row></sheetData>`)
	f.Add([]byte(""), `<sheetData><row><c t="s"><v>0</v></c><c t="e"><v>#N/A</v></c><c s="1"><f>1</f></c></row></sheetData>`)
	f.Fuzz(func(t *testing.T, file []byte, sheet string) {
		check(t, file, Options{})
		check(t, smallest(t, sheet, `<sst><si><t>phone</t></si><si><t>`+sheet+`</t></si></sst>`), Options{})
	})
}

func FuzzEncoding(f *testing.F) {
	f.Add([]byte("phone;Иванов"))
	f.Add([]byte("\xc8\xe2\xe0\xed\xee\xe2"))
	f.Add([]byte("\xfe\xff\x04\x18"))
	f.Fuzz(func(t *testing.T, file []byte) {
		d, err := newDecoded(bytes.NewReader(file), "")
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(d); err != nil {
			t.Fatal(err)
		}
		if d.encoding() == "utf-8" && utf8.Valid(file) && !bytes.Equal(b.Bytes(), bytes.TrimPrefix(file, []byte("\xef\xbb\xbf"))) {
			t.Errorf("%q became %q", file, b.Bytes())
		}
		if d.encoding() != "utf-8" && !utf8.Valid(b.Bytes()) {
			t.Errorf("%s: %q is not UTF-8", d.encoding(), b.Bytes())
		}
	})
}

func FuzzCells(f *testing.F) {
	for _, seed := range []string{"+79161234567, 8 495 123-45-67; доб. 12", "7,91612E+10", "МСК+4", "2026-11-22", "'=1", "a/b\\c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		phones(cell)
		if zone, err := zoneOf(cell); err == nil {
			if _, err := Location(zone); err != nil {
				t.Errorf("%q is the zone %q: %v", cell, zone, err)
			}
		}
		if name := variable(cell); utf8.ValidString(cell) && variable(name) != name {
			t.Errorf("%q is the variable %q", cell, name)
		}
		if text := printable(cell); disarmed(disarm(text, splitters), splitters) != text {
			t.Errorf("%q does not come back", text)
		}
		_, _ = number(cell, dateNumber, true)
	})
}

// TestCountsAddUp whatever the list is: rows of all kinds, with any delimiter and encoding,
// of which a given number is good.
func TestCountsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delimiter := rapid.SampledFrom([]string{";", ",", "\t", "|"}).Draw(t, "delimiter")
		end := rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "end")
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"good", "again", "short", "none", "empty", "zone", "quote", "wide"}), 1, 60).Draw(t, "rows")
		var b strings.Builder
		b.WriteString(strings.Join([]string{"Телефон", "Имя", "Часовой пояс"}, delimiter) + end)
		var want Report
		for i, kind := range kinds {
			fresh := "+7916" + strings.Repeat("0", 4) + string([]byte{'0' + byte(i/10), '0' + byte(i%10), '7'})
			cells := map[string][]string{
				"good": {fresh, "Анна", "+7"}, "again": {"+79161111111", "Анна", ""}, "short": {"12", "Анна", ""}, "none": {"", "Анна", ""},
				"empty": {"", " ", ""}, "zone": {fresh, "Анна", "Луна"}, "quote": {fresh, "\"a\" b", ""}, "wide": {fresh, "a", "", "b"},
			}[kind]
			b.WriteString(strings.Join(cells, delimiter) + end)
			want.Read++
			switch {
			case kind == "good" || kind == "again" && want.Noted == 0:
				want.Accepted++
			case kind == "again":
				want.Duplicates++
			case kind == "empty":
				want.Empty++
			default:
				want.Invalid++
			}
			if kind == "again" {
				want.Noted = 1
			}
		}
		file := []byte(b.String())
		if rapid.Bool().Draw(t, "windows-1251") {
			var err error
			if file, err = encodings["windows-1251"].NewEncoder().Bytes(file); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Import(bytes.NewReader(file), Options{Normalise: russian}, func(Row) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if got.Read != want.Read || got.Accepted != want.Accepted || got.Duplicates != want.Duplicates || got.Invalid != want.Invalid || got.Empty != want.Empty {
			t.Fatalf("%+v\nwant\n%+v\nof\n%s", got, want, b.String())
		}
	})
}
