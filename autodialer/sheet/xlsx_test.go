package sheet

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

// cells reads a workbook as rows: cells divided by |, faults in braces.
func cells(t *testing.T, file []byte, sheet string) (string, error) {
	t.Helper()
	x, _, err := openXLSX(bytes.NewReader(file), int64(len(file)), sheet, Limits{}.withDefaults())
	if err != nil {
		return "", err
	}
	var lines []string
	for {
		r, err := x.next()
		if err == io.EOF {
			return strings.Join(lines, "\n"), nil
		}
		if err != nil {
			return strings.Join(lines, "\n"), err
		}
		line := fmt.Sprintf("%d %s", r.line, strings.Join(r.cells, "|"))
		for _, f := range r.faults {
			line += fmt.Sprintf(" {%d %.20s}", f.column, f.reason)
		}
		lines = append(lines, line)
	}
}

// TestNumbersOfAWorkbook are cells as spreadsheets write them.
func TestNumbersOfAWorkbook(t *testing.T) {
	f := excelize.NewFile()
	format := func(code string) int {
		id, err := f.NewStyle(&excelize.Style{CustomNumFmt: &code})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	day := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	tests := []struct {
		value any
		style int
		want  string
	}{
		{"текст", 0, "текст"},
		{79161234567, 0, "79161234567"},
		{7.9161234567e10, 0, "79161234567"},
		{79161234567, format("+0 000 000-00-00"), "79161234567"},
		{79161234567, format("0.00E+00"), "79161234567"},
		{79161234567, format("dd.mm.yyyy"), "79161234567"}, // no day that there is
		{0.1 + 0.2, 0, "0.3"},
		{1500.5, format(`#,##0.00\ "₽"`), "1500.5"},
		{-5, format("[Red]0;[Blue]0"), "-5"},
		{1e21, 0, "1000000000000000000000"},
		{serial(day), format("dd.mm.yyyy"), "2026-11-22 15:04:05"},
		{serial(day.Truncate(24 * time.Hour)), format("[$-419]d mmmm yyyy;@"), "2026-11-22"},
		{46348, 14, "2026-11-22"},
		{1, format("d.m.yy"), "1900-01-01"},
		{59, format("d.m.yy"), "1900-02-28"},
		{61, format("d.m.yy"), "1900-03-01"},
		{0.5, format("h:mm"), "12:00:00"},
		{1.5, format("[h]:mm:ss"), "36:00:00"},
		{7.0 / 24, format("hh:mm"), "07:00:00"},
		{5, format(`0 "days"`), "5"},
		{true, 0, "TRUE"},
		{false, 0, "FALSE"},
	}
	var want []string
	for i, tt := range tests {
		cell := fmt.Sprintf("A%d", i+1)
		if err := f.SetCellValue("Sheet1", cell, tt.value); err != nil {
			t.Fatal(err)
		}
		if tt.style == 14 {
			id, err := f.NewStyle(&excelize.Style{NumFmt: 14})
			if err != nil {
				t.Fatal(err)
			}
			tt.style = id
		}
		if err := f.SetCellStyle("Sheet1", cell, cell, tt.style); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%d %s", i+1, tt.want))
	}
	got, err := cells(t, saved(t, f), "")
	if err != nil || got != strings.Join(want, "\n") {
		t.Errorf("%v\n%s\nwant\n%s", err, got, strings.Join(want, "\n"))
	}
}

// TestCellsOfASheet are cells as other programs write them.
func TestCellsOfASheet(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"no references", `<row><c><v>1</v></c><c t="inlineStr"><is><t>b</t></is></c></row><row><c><v>2</v></c></row>`, "1 1|b\n2 2"},
		{"gaps", `<row r="3"><c r="B3"><v>1</v></c><c r="D3"><v>2</v></c></row>`, "3 |1||2"},
		{"empty cells", `<row r="1"><c r="A1" s="1"/><c r="B1"><v></v></c></row><row r="2"/>`, "1 \n2 "},
		{"float", `<row r="1"><c r="A1"><v>79161234567.0</v></c><c r="B1"><v>7.9161234567E10</v></c></row>`, "1 79161234567|79161234567"},
		{"formula with its value", `<row r="1"><c r="A1" t="str"><f>CONCAT("+7","916")</f><v>+7916</v></c><c r="B1"><f>1+1</f><v>2</v></c></row>`, "1 +7916|2"},
		{"formula without", `<row r="1"><c r="A1"><f>1+1</f></c><c r="B1" t="str"><f>""</f><v></v></c></row>`, "1  {0 the cell has a formu}"},
		{"error", `<row r="1"><c r="A1" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>`, "1 #DIV/0! {0 the formula in this }"},
		{"no such text", `<row r="1"><c r="A1" t="s"><v>99</v></c><c r="B1" t="s"><v>x</v></c></row>`, "1 99|x {0 the text of this cel} {1 the text of this cel}"},
		{"no number", `<row r="1"><c r="A1"><v>abc</v></c><c r="B1"><v>NaN</v></c></row>`, "1 abc|NaN {0 the cell is said to } {1 the cell is said to }"},
		{"rich text", `<row r="1"><c r="A1" t="inlineStr"><is><r><rPr><b/></rPr><t>Ива</t></r><r><t>нов</t></r><rPh sb="0" eb="1"><t>x</t></rPh></is></c></row>`, "1 Иванов"},
		{"escapes", `<row r="1"><c r="A1" t="inlineStr"><is><t>a_x000D_&amp;_x005F_x_xZ_&lt;b&gt;</t></is></c></row>`, "1 a\r&_x_xZ_<b>"},
		{"wide", `<row r="1"><c r="A1"><v>1</v></c><c r="XFD1"><v>2</v></c></row>`, "1 1 {-1 the row has more tha}"},
		{"wide and empty", `<row r="1"><c r="A1"><v>1</v></c><c r="XFD1" s="1"/></row>`, "1 1"},
		{"long", `<row r="1"><c r="A1" t="inlineStr"><is><t>` + strings.Repeat("x", 5000) + `</t></is></c></row>`, "1 " + strings.Repeat("x", 480) + " {0 the cell is longer t}"},
		{"date text", `<row r="1"><c r="A1" t="d"><v>2026-11-22T10:00:00</v></c></row>`, "1 2026-11-22T10:00:00"},
	}
	for _, tt := range tests {
		got, err := cells(t, withSheet(t, "<sheetData>"+tt.data+"</sheetData>"), "")
		if err != nil || got != tt.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", tt.name, err, got, tt.want)
		}
	}
}

// TestSharedStrings are texts kept apart, as Excel keeps them, in other pieces of memory
// too.
func TestSharedStrings(t *testing.T) {
	var b strings.Builder
	b.WriteString(`<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`)
	for i := range 300 {
		fmt.Fprintf(&b, `<si><t>%d%s</t></si>`, i, strings.Repeat("я", 3000))
	}
	b.WriteString(`<si><r><t>a</t></r><r><t xml:space="preserve"> b</t></r></si><si/></sst>`)
	file := edited(t, withSheet(t, `<sheetData><row><c t="s"><v>299</v></c><c t="s"><v>300</v></c><c t="s"><v>301</v></c><c t="s"><v>0</v></c></row></sheetData>`), func(name, part string) string {
		if name == "xl/sharedStrings.xml" {
			return b.String()
		}
		return part
	})
	got, err := cells(t, file, "")
	if err != nil || !strings.HasPrefix(got, "1 299яя") || !strings.Contains(got, "|a b||0яя") {
		t.Errorf("%.40s %v", got, err)
	}
}

func TestSheets(t *testing.T) {
	f := excelize.NewFile()
	for _, name := range []string{"Скрытый", "Должники", "Ещё"} {
		if _, err := f.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		if err := f.SetCellStr(name, "A1", name); err != nil {
			t.Fatal(err)
		}
	}
	f.SetActiveSheet(1)
	if err := f.DeleteSheet("Sheet1"); err != nil {
		t.Fatal(err)
	}
	f.SetActiveSheet(1)
	if err := f.SetSheetVisible("Скрытый", false); err != nil {
		t.Fatal(err)
	}
	file := saved(t, f)
	for sheet, want := range map[string]string{"": "1 Должники", "ещё": "1 Ещё", "Скрытый": "1 Скрытый"} {
		if got, err := cells(t, file, sheet); err != nil || got != want {
			t.Errorf("%q: %s %v", sheet, got, err)
		}
	}
	_, _, err := read(t, file, Options{Sheet: "Лист1"})
	refused(t, err, `the workbook has no sheet "Лист1": it has "Скрытый", "Должники", "Ещё"`)
	if field(err) != "sheet" {
		t.Error(field(err))
	}
}

// TestEpoch counts days from 1904, as workbooks of old Macs do.
func TestEpoch(t *testing.T) {
	f := excelize.NewFile()
	id, err := f.NewStyle(&excelize.Style{NumFmt: 14})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetCellValue("Sheet1", "A1", 44886); err != nil {
		t.Fatal(err)
	}
	if err := f.SetCellStyle("Sheet1", "A1", "A1", id); err != nil {
		t.Fatal(err)
	}
	yes := true
	if err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}); err != nil {
		t.Fatal(err)
	}
	if got, err := cells(t, saved(t, f), ""); err != nil || got != "1 2026-11-22" {
		t.Error(got, err)
	}
}

// TestWrongFiles are files that are no workbook, whatever their name says.
func TestWrongFiles(t *testing.T) {
	some := map[string]string{"x": "y"}
	tests := map[string]string{
		"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":     "an old Excel workbook (XLS), or one with a password",
		"%PDF-1.7":                             "a PDF document",
		"\x1f\x8b\x08":                         "a packed file",
		"\xef\xbb\xbf<html><table>":            "a web page or XML",
		"{\\rtf1":                              "a text document",
		"\x89PNG\r\n\x1a\n\x00\x00\x00":        "neither a table of text nor",
		"PK\x03\x04":                           "the workbook is damaged",
		string(zipped(t, []string{"x"}, some)): "a ZIP archive and not an Excel workbook",
		string(zipped(t, []string{"content.xml", "mimetype"}, map[string]string{"content.xml": "x", "mimetype": "y"})): "an OpenDocument table",
		string(withRelations(t, "xl/workbook.bin")):     "a binary Excel workbook (XLSB)",
		string(withRelations(t, "word/document.xml")):   "an Office document and not an Excel workbook",
		string(withRelations(t, "xl/workbookGONE.xml")): "part xl/workbookGONE.xml is missing",
	}
	for file, says := range tests {
		_, _, err := read(t, []byte(file), Options{})
		refused(t, err, says)
	}
}

func withRelations(t *testing.T, target string) []byte {
	return edited(t, book(t, []any{"phone"}), func(name, part string) string {
		if name == "_rels/.rels" {
			return strings.Replace(part, "xl/workbook.xml", target, 1)
		}
		return part
	})
}

// TestDamagedWorkbooks loses no row in silence: what cannot be read to its end is refused,
// with what was read before.
func TestDamagedWorkbooks(t *testing.T) {
	const good = `<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c></row>`
	tests := map[string]struct{ data, says string }{
		"ends in the middle": {`<sheetData>` + good + `<row r="2"><c r="A2"><v>1</v></c>`, "damaged"},
		"a stray tag":        {`<sheetData>` + good + `<row r="2"><<c/></row></sheetData>`, "damaged"},
		"row in row":         {`<sheetData>` + good + `<row r="2"><row r="3"/></row></sheetData>`, "row 2 does not end"},
		"rows go back":       {`<sheetData><row r="5"/><row r="2"/></sheetData>`, `row "2" follows row 5`},
		"row of nonsense":    {`<sheetData><row r="x"/></sheetData>`, `row "x" follows row 0`},
		"too many rows":      {`<sheetData><row r="1048577"/></sheetData>`, "damaged"},
		"cell of nonsense":   {`<sheetData><row r="1"><c r="ABCD1"/></row></sheetData>`, `has a cell "ABCD1"`},
		"style of nonsense":  {`<sheetData><row r="1"><c r="A1" s="red"/></row></sheetData>`, `style "red"`},
		"no rows":            {``, "damaged"},
		"a long text":        {`<sheetData>` + good + `<row><c><v>` + strings.Repeat("1", 2*maxToken) + `</v></c></row></sheetData>`, "a text longer than"},
		"a stray end":        {`<sheetData><row></c></row></sheetData>`, `an end "c" of what was not begun`},
		"a cell outside":     {`<sheetData><c><v>1</v></c></row></sheetData>`, "damaged"},
		"an entity":          {`<sheetData><row><c><v>&lol;</v></c></row></sheetData>`, "damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(t, withSheet(t, tt.data), Options{})
			refused(t, err, tt.says)
		})
	}
	_, _, err := read(t, edited(t, book(t, []any{"phone"}), func(name, part string) string {
		if strings.HasSuffix(name, "sheet1.xml") {
			return `<chartsheet><sheetPr/></chartsheet>`
		}
		return part
	}), Options{})
	refused(t, err, "the sheet is a chart")
	whole := book(t, []any{"phone"}, []any{"+79161234567"})
	if _, _, err := read(t, whole, Options{}); err != nil {
		t.Fatal(err)
	}
	if at := bytes.Index(whole, []byte("PK\x01\x02")); at > 0 {
		_, _, err := read(t, whole[:at], Options{})
		refused(t, err, "damaged")
	}
}

// TestBombs are small files that are large when they are unpacked.
func TestBombs(t *testing.T) {
	rows := strings.Repeat(`<row><c><v>79161234567</v></c></row>`, 20_000)
	file := withSheet(t, `<sheetData><row><c t="inlineStr"><is><t>phone</t></is></c></row>`+rows+`</sheetData>`)
	_, _, err := read(t, file, Options{Limits: Limits{Unpacked: 100 << 10}})
	refused(t, err, "too large when it is unpacked", "divide the list")
	strs := edited(t, withSheet(t, `<sheetData/>`), func(name, part string) string {
		if name == "xl/sharedStrings.xml" {
			return "<sst>" + strings.Repeat("<si><t>"+strings.Repeat("x", 1000)+"</t></si>", 1000) + "</sst>"
		}
		return part
	})
	_, _, err = read(t, strs, Options{Limits: Limits{Strings: 100 << 10}})
	refused(t, err, "too much text")
	styles := edited(t, withSheet(t, `<sheetData/>`), func(name, part string) string {
		if name == "xl/styles.xml" {
			return "<styleSheet><x>" + strings.Repeat(" ", maxPart) + "</x></styleSheet>"
		}
		return part
	})
	_, _, err = read(t, styles, Options{})
	refused(t, err, "too large when it is unpacked (part xl/styles.xml)")
	var names []string
	parts := map[string]string{}
	for i := range 9_000 {
		name := fmt.Sprintf("%0100d", i)
		names, parts[name] = append(names, name), "x"
	}
	_, _, err = read(t, zipped(t, names, parts), Options{})
	refused(t, err, "too many parts")
	if _, err := Import(stream{io.MultiReader(strings.NewReader("PK\x03\x04"), endless{})}, Options{Normalise: russian}, nil); err == nil {
		t.Error("an endless stream is a workbook")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestStreamedWorkbook is one that does not come as a file.
func TestStreamedWorkbook(t *testing.T) {
	n := 0
	_, err := Import(stream{bytes.NewReader(book(t, []any{"phone"}, []any{"+79161234567"}))}, Options{Normalise: russian}, func(Row) error { n++; return nil })
	if err != nil || n != 1 {
		t.Error(n, err)
	}
}

// TestFormulaCells tells of the columns that are used only.
func TestFormulaCells(t *testing.T) {
	const data = `<sheetData><row><c t="inlineStr"><is><t>phone</t></is></c><c t="inlineStr"><is><t>долг</t></is></c></row>` +
		`<row><c t="str"><f>"+7"&amp;"9161234567"</f><v>+79161234567</v></c><c t="e"><f>1/0</f><v>#DIV/0!</v></c></row></sheetData>`
	_, report, err := read(t, withSheet(t, data), Options{})
	if err != nil || report.Invalid != 1 || report.Problems[0].Column != "долг" || report.Problems[0].Value != "#DIV/0!" {
		t.Errorf("%+v %v", report, err)
	}
	rows, _, err := read(t, withSheet(t, data), Options{Mapping: Mapping{Phones: []string{"phone"}, Variables: map[string]string{}}})
	if err != nil || len(rows) != 1 || rows[0].Numbers[0] != "+79161234567" || rows[0].Variables != nil {
		t.Error(rows, err)
	}
}
