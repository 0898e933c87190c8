package sheet

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"vpbx/speech/words"
)

const list = `Телефон;ФИО;Часовой пояс;Сумма долга;Дата
8 (916) 123-45-67;Иванов Иван;Europe/Moscow;1500,50;01.12.2026
;;;;
+7 916 123 45 67;Иванов ещё раз;;1;
8-495-000;Короткий;;2;
79261112233, 8 (495) 123-45-67;Мария;МСК+4;3;
;Без номера;;4;
89031234567;Пётр;Луна;5;
89031234567;Пётр;+7;5;
`

// TestA01ListsAddUp is row A1: a list with variables, as CSV of two encodings and as
// XLSX; duplicates and invalid rows are reported, and the counts add up.
func TestA01ListsAddUp(t *testing.T) {
	windows, err := charmap.Windows1251.NewEncoder().String(list)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]any
	for line := range strings.Lines(list) {
		var row []any
		for _, cell := range strings.Split(strings.TrimSpace(line), ";") {
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	files := map[string][]byte{"utf-8": []byte(list), "windows-1251": []byte(windows), "xlsx": book(t, rows...)}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			rows, report, err := read(t, file, Options{})
			if err != nil {
				t.Fatal(err)
			}
			empty := 1
			want := []Row{
				{Line: 2, Numbers: []string{"+79161234567"}, Name: "Иванов Иван", Zone: "Europe/Moscow", Variables: map[string]string{"ФИО": "Иванов Иван", "Сумма_долга": "1500,50", "Дата": "01.12.2026"}},
				{Line: 6, Numbers: []string{"+79261112233", "+74951234567"}, Name: "Мария", Zone: "+07:00", Variables: map[string]string{"ФИО": "Мария", "Сумма_долга": "3"}},
				{Line: 9, Numbers: []string{"+79031234567"}, Name: "Пётр", Zone: "+07:00", Variables: map[string]string{"ФИО": "Пётр", "Сумма_долга": "5"}},
			}
			if d := cmp.Diff(want, rows); d != "" {
				t.Error(d)
			}
			if report.Read != 7+empty || report.Accepted != 3 || report.Duplicates != 1 || report.Invalid != 3 || report.Empty != empty || report.Numbers != 4 {
				t.Errorf("%+v", report)
			}
			problems := []Problem{
				{5, "Телефон", "8-495-000", "this is no telephone number of Russia"},
				{7, "Телефон", "", "the row has no telephone number"},
				{8, "Часовой пояс", "Луна", "this is no time zone: write one such as Europe/Moscow or +07:00"},
			}
			if d := cmp.Diff(problems, report.Problems); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]Problem{{4, "Телефон", "+7 916 123 45 67", "the number stands in line 2 already"}}, report.Repeated); d != "" {
				t.Error(d)
			}
			columns := []Column{
				{1, "Телефон", UsePhone, ""}, {2, "ФИО", UseName, "ФИО"}, {3, "Часовой пояс", UseZone, ""},
				{4, "Сумма долга", UseVariable, "Сумма_долга"}, {5, "Дата", UseVariable, "Дата"},
			}
			if d := cmp.Diff(columns, report.Columns); d != "" {
				t.Error(d)
			}
			if report.Kind == CSV && (report.Encoding != name || report.Delimiter != ";") || report.Kind == XLSX && report.Sheet != "Sheet1" || report.Header != 1 {
				t.Errorf("%s %s %q %s %d", report.Kind, report.Encoding, report.Delimiter, report.Sheet, report.Header)
			}
		})
	}
}

// TestNumbersOfACell cuts cells as people fill them.
func TestNumbersOfACell(t *testing.T) {
	tests := []struct {
		cell string
		want string // numbers, or the beginning of the reason
	}{
		{"+79161234567, 8 495 123-45-67; доб. 12", "+79161234567 +74951234567"},
		{"8 495 123-45-67 доб. 12", "+74951234567"},
		{"8 (495) 123-45-67 (вн. 12)", "+74951234567"},
		{"+7 495 123 45 67 ext. 7, +79161234567", "+74951234567 +79161234567"},
		{"84951234567x12", "+74951234567"},
		{"84951234567#12", "+74951234567"},
		{"8 916 123-45-67/8 916 123-45-68", "+79161234567 +79161234568"},
		{"8/916/1234567", "+79161234567"},
		{"+79161234567\n+79161234568", "+79161234567 +79161234568"},
		{"+79161234567 или 89161234568", "+79161234567 +79161234568"},
		{"моб.: +7 916 123-45-67 (Мария)", "+79161234567"},
		{"Мария, +7 916 123-45-67", "+79161234567"},
		{"'+79161234567", "+79161234567"},
		{"7.9161234567E10", "+79161234567"},
		{"7,9161234567E+10", "+79161234567"},
		{"7,91612E+10", "the spreadsheet shortened"},
		{"79161234567.0", "+79161234567"},
		{"79161234567,00", "+79161234567"},
		{"79,161,234,567", "+79161234567"},
		{"+7 916 123-45-67, +7 916 123-45-67", "+79161234567"},
		{"１２３", "this is no telephone number"},
		{"＋７９１６１２３４５６７", "+79161234567"},
		{"8 800 FLOWERS", "this is no telephone number"},
		{"нет", "this is no telephone number"},
		{"доб. 12", "the row has no telephone number"},
		{" \t ", "the row has no telephone number"},
		{"89161234561 89161234562", "this is no telephone number"},
		{strings.Repeat("8 916 123-45-67, ", 30), "the cell is longer than 300 bytes"},
		{"1,2,3", "this is no telephone number"},
		{"#N/A", "this is no telephone number"},
	}
	for _, tt := range tests {
		no := false
		file := "\"" + strings.ReplaceAll(tt.cell, `"`, `""`) + "\";x\n"
		rows, report, err := read(t, []byte(file), Options{Header: &no, Mapping: Mapping{Phones: []string{"1"}}})
		if err != nil {
			t.Errorf("%q: %v", tt.cell, err)
			continue
		}
		got := ""
		switch {
		case len(rows) == 1:
			got = strings.Join(rows[0].Numbers, " ")
		case len(report.Problems) == 1:
			got = report.Problems[0].Reason
		}
		if got != tt.want && (len(rows) > 0 || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%q: %q, want %q", tt.cell, got, tt.want)
		}
	}
}

// TestWhatIsLeftOut are accepted rows of which something is told.
func TestWhatIsLeftOut(t *testing.T) {
	file := "phone;phone2\n" +
		"+79160000001;мимо\n" +
		"+79160000002;+79160000001\n" +
		"+79160000003 доб. 5;\n" +
		"+79160000011 и +79160000012 и +79160000013;+79160000014, +79160000015, +79160000016\n" +
		"+79160000016;\n"
	rows, report, err := read(t, []byte(file), Options{})
	if err != nil || len(rows) != 5 {
		t.Fatal(rows, err)
	}
	var notes []string
	for _, n := range report.Notes {
		notes = append(notes, fmt.Sprintf("%d %s %s: %s", n.Line, n.Column, n.Value, n.Reason))
	}
	want := []string{
		"2 phone2 мимо: this is no telephone number of Russia",
		"3 phone2 +79160000001: the number stands in line 2 already",
		"4 phone +79160000003 доб. 5: the extension is left out: a campaign dials none",
		"5 phone2 +79160000016: a person has at most 5 numbers; this one is left out",
	}
	if d := cmp.Diff(want, notes); d != "" {
		t.Error(d)
	}
	if len(rows[3].Numbers) != 5 || report.Numbers != 1+1+1+5+1 {
		t.Errorf("%v, %d numbers", rows[3].Numbers, report.Numbers)
	}
}

func TestMapping(t *testing.T) {
	const file = "Phone,Имя,Долг,Долг,Согласие откуда,Когда,zone,p\n+79160000001,Анна,100,200,сайт,2026-01-02 10:00,5,-3\n"
	m := Mapping{
		Phones: []string{"PHONE"}, Name: "имя", ID: "3", ConsentSource: "согласие откуда", ConsentAt: "когда", Zone: "7", Priority: "P",
		Variables: map[string]string{"debt": "4", "name": "имя"},
	}
	rows, report, err := read(t, []byte(file), Options{Mapping: m, Zone: time.FixedZone("", 3*3600)})
	if err != nil {
		t.Fatal(err)
	}
	want := []Row{{
		Line: 2, Numbers: []string{"+79160000001"}, Name: "Анна", ID: "100", Zone: "+05:00", Priority: -3,
		Consent:   Consent{Source: "сайт", At: time.Date(2026, 1, 2, 7, 0, 0, 0, time.UTC)},
		Variables: map[string]string{"debt": "200", "name": "Анна"},
	}}
	if d := cmp.Diff(want, rows); d != "" {
		t.Error(d)
	}
	if c := report.Columns[1]; c != (Column{2, "Имя", UseName, "name"}) {
		t.Errorf("%+v", c)
	}
	bad := []struct {
		field string
		m     Mapping
		says  string
	}{
		{"mapping.phones[0]", Mapping{Phones: []string{"телефон"}}, `the list has no column "телефон": it has Phone, Имя, Долг`},
		{"mapping.phones[0]", Mapping{Phones: []string{"9"}}, "no column"},
		{"mapping.phones[0]", Mapping{Phones: []string{"0"}}, "no column"},
		{"mapping.phones[1]", Mapping{Phones: []string{"1", "Phone"}}, "twice"},
		{"mapping.phones", Mapping{Name: "имя"}, "no column of telephone"},
		{"mapping.phones", Mapping{Phones: []string{"1", "2", "3", "4", "5", "6"}}, "at most 5"},
		{"mapping.id", Mapping{Phones: []string{"1"}, ID: "долг"}, "2 columns"},
		{"mapping.zone", Mapping{Phones: []string{"1"}, Zone: "пояс"}, "no column"},
		{"mapping.variables.a b", Mapping{Phones: []string{"1"}, Variables: map[string]string{"a b": "2"}}, "cannot stand in a text"},
		{"mapping.variables.x", Mapping{Phones: []string{"1"}, Variables: map[string]string{"x": "нет такой"}}, "no column"},
	}
	for _, tt := range bad {
		_, err := Import(strings.NewReader(file), Options{Mapping: tt.m, Normalise: russian}, func(Row) error {
			t.Errorf("%+v: a row was given", tt.m)
			return nil
		})
		refused(t, err, tt.says)
		if f := field(err); f != tt.field {
			t.Errorf("%v: field %q, want %q", err, f, tt.field)
		}
	}
}

// TestMappingIsFound are headers that people write, and lists without any.
func TestMappingIsFound(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"english", "ID,Full name,Phone 1,phone_2,Time zone,Debt\n1,A,+79160000001,,+7,5\n", "id name:Full_name phone phone zone variable:Debt"},
		{"russian", "№;Клиент;Имя;Мобильный телефон;Комментарий (важно)\n1;А;Б;89160000001;в\n", "variable:column_1 variable:Клиент name:Имя phone variable:Комментарий_важно"},
		{"by the numbers", "Куда звонить;Сумма\n89160000001;15\n89160000002;15\n", "phone variable:Сумма"},
		{"номер", "Номер;Договор;Номер 2\n1;15;89160000001\n2;16;89160000002\n", "variable:Номер variable:Договор phone"},
		{"no header", "Анна;89160000001\nИван;89160000002\n", "variable:column_1 phone"},
		{"numbers alone", "89160000001\n89160000002", "phone"},
		{"same names", "phone;a b;a_b;a b\n89160000001;1;2;3\n", "phone variable:a_b variable:a_b_2 variable:a_b_3"},
		{"title above", "Должники на 01.11.2026;;\n;;\nТелефон;ФИО;долг\n89160000001;А;1\n", "phone name:ФИО variable:долг"},
		{"six phones", "тел1;тел2;тел3;тел4;тел5;тел6\n89160000001;;;;;\n", "phone phone phone phone phone variable:тел6"},
		{"long", "phone;" + strings.Repeat("я", 50) + ";" + strings.Repeat("я", 60) + "\n89160000001;1;2\n",
			"phone variable:" + strings.Repeat("я", 40) + " variable:" + strings.Repeat("я", 38) + "_2"},
		{"header only", "phone;name\n", "phone name:name"},
		{"formula name", "phone;=cmd|' /C calc'!A0\n89160000001;1\n", "phone variable:cmd_C_calc_A0"},
	}
	for _, tt := range tests {
		_, report, err := read(t, []byte(tt.file), Options{})
		var got []string
		for _, c := range report.Columns {
			use := string(c.Use)
			if c.Variable != "" {
				use += ":" + c.Variable
			}
			got = append(got, use)
		}
		if g := strings.Join(got, " "); err != nil || g != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, g, err, tt.want)
		}
		if tt.name == "title above" && (report.Header != 3 || report.Read != 1) {
			t.Errorf("%+v", report)
		}
	}
	for file, says := range map[string]string{
		"":                         "empty",
		"\n;;\n  \n":               "empty",
		"a;b\n1;2\n":               "no column of telephone numbers was found",
		"\xef\xbb\xbf":             "empty",
		"телефон;имя\"\nx\x00;y\n": "neither",
	} {
		_, _, err := read(t, []byte(file), Options{})
		refused(t, err, says)
	}
	no, yes := false, true
	if rows, _, err := read(t, []byte("89160000001;89160000002\n89160000003;\n"), Options{Header: &yes}); err != nil || len(rows) != 1 {
		t.Error("a header that was said to be there is a row", rows, err)
	}
	if _, report, err := read(t, []byte("phone;89160000002\n89160000003;\n"), Options{Header: &no}); err != nil || report.Read != 2 {
		t.Error("a row was taken for a header", report, err)
	}
}

// TestVariables are names that can stand in a spoken text.
func TestVariables(t *testing.T) {
	for _, header := range []string{"Сумма долга", "debt", "№ договора", "a:b{c}", "  x  ", "Дата (план)", "имя\nклиента", "=1+1", strings.Repeat("я ", 60), "é-1_2"} {
		name := variable(header)
		text, err := words.Parse("{" + name + "}")
		if err != nil || !slices.Equal(text.Variables(), []string{name}) {
			t.Errorf("%q is %q: %v", header, name, err)
		}
	}
}

func TestZones(t *testing.T) {
	tests := map[string]string{
		"Europe/Moscow": "Europe/Moscow", "+7": "+07:00", "7": "+07:00", "-3": "-03:00", "−3": "-03:00", "UTC+07:00": "+07:00", "utc+7": "+07:00", "GMT +3": "+03:00",
		"+0530": "+05:30", "5.5": "+05:30", "5,75": "+05:45", "UTC": "+00:00", "МСК": "Europe/Moscow", "мск+4": "+07:00", "MSK-1": "+02:00", "07:00:00": "+07:00", "0": "+00:00",
		"+7 ч.": "+07:00", "Local": "", "Moscow": "", "+15": "", "-13": "", "7:20": "", "../../etc/passwd": "", "/etc/passwd": "", "Europe/Atlantis": "", "EST": "", "+": "", "123": "",
	}
	for text, want := range tests {
		got, err := zoneOf(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
			continue
		}
		if want == "" {
			continue
		}
		zone, err := Location(got)
		if err != nil {
			t.Errorf("%q: %v", got, err)
			continue
		}
		if _, seconds := time.Date(2026, 1, 1, 0, 0, 0, 0, zone).Zone(); want[0] == '+' && fmt.Sprintf("+%02d:%02d", seconds/3600, seconds/60%60) != want {
			t.Errorf("%q is %d s", got, seconds)
		}
	}
	for _, bad := range []string{"+7", "+99:99", "Nowhere/At/All"} {
		if _, err := Location(bad); err == nil {
			t.Errorf("%q is a zone", bad)
		}
	}
}

func TestConsent(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tests := map[string]string{ // reason, or the time
		"2026-11-01": "2026-10-31T21:00:00Z", "01.11.2026 10:30": "2026-11-01T07:30:00Z", "1.11.2026": "2026-10-31T21:00:00Z", "2026-11-01T10:00:00+05:00": "2026-11-01T05:00:00Z",
		"05/06/2026": "this is no date", "вчера": "this is no date", "2026-11-30": "this is in the future", "01.01.0001": "no consent is as old", "32.01.2026": "this is no date",
	}
	for text, want := range tests {
		rows, report, err := read(t, []byte("phone;consent_at;consent_source;consent_text\n+79160000001;"+text+";НЕТ;да, согласен\n"), Options{Now: now, Zone: time.FixedZone("", 3*3600)})
		got := ""
		switch {
		case err != nil:
			t.Fatal(err)
		case len(rows) == 1:
			got = rows[0].Consent.At.UTC().Format(time.RFC3339)
			if rows[0].Consent.Source != "" || rows[0].Consent.Text != "да, согласен" {
				t.Errorf("%+v", rows[0].Consent)
			}
		default:
			got = report.Problems[0].Reason
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for text, ok := range map[string]bool{"5": true, "-1000": true, "1001": false, "1.5": false, "high": false} {
		_, report, _ := read(t, []byte("phone;priority\n+79160000001;"+text+"\n"), Options{})
		if (report.Accepted == 1) != ok {
			t.Errorf("priority %q: %+v", text, report)
		}
	}
}

// TestLimitsOfAList are refused with their reason.
func TestLimitsOfAList(t *testing.T) {
	lines := "phone\n" + strings.Repeat("+79160000001\n", 50)
	rows, report, err := read(t, []byte(lines), Options{Limits: Limits{Rows: 40}})
	refused(t, err, "more than 40 rows")
	if len(rows) != 1 || report.Read != 40 {
		t.Errorf("%d rows, %+v", len(rows), report)
	}
	_, _, err = read(t, []byte(lines), Options{Limits: Limits{Bytes: 1}})
	refused(t, err, "larger than")
	_, err = Import(stream{strings.NewReader(lines)}, Options{Limits: Limits{Bytes: 100}, Normalise: russian}, func(Row) error { return nil })
	refused(t, err, "larger than")
	_, _, err = read(t, []byte(strings.Repeat("a;", 101)+"phone\n"), Options{})
	refused(t, err, "more than 100 columns")
	file := "phone;note\n+79160000001;" + strings.Repeat("x", 5000) + "\n+79160000002;" + strings.Repeat("a;", 100) + "b\n+79160000003;" + strings.Repeat(";", 200) + "\n"
	_, report, err = read(t, []byte(file), Options{})
	if err != nil || report.Invalid != 2 || report.Accepted != 1 || !strings.Contains(report.Problems[0].Reason, "longer than 4096") || !strings.Contains(report.Problems[1].Reason, "more than 100 columns") {
		t.Errorf("%+v %v", report, err)
	}
	stop := errors.New("enough")
	if _, err := Import(strings.NewReader(lines), Options{Normalise: russian}, func(Row) error { return stop }); err != stop {
		t.Error(err)
	}
	if _, err := Import(strings.NewReader(lines), Options{}, nil); err == nil {
		t.Error("a list without Normalise")
	}
}

// TestProblemsAreFew lists the first thousand and counts all, and shows no control
// characters.
func TestProblemsAreFew(t *testing.T) {
	var b strings.Builder
	b.WriteString("phone;x\n")
	for i := range 1200 {
		fmt.Fprintf(&b, "\x1b[31m%d\u202e%s;x\n", i, strings.Repeat("длинно", 20))
	}
	_, report, err := read(t, []byte(b.String()), Options{})
	if err != nil || report.Invalid != 1200 || len(report.Problems) != 1000 {
		t.Fatal(report.Invalid, len(report.Problems), err)
	}
	if v := report.Problems[7].Value; !strings.HasPrefix(v, "[31m7длинно") || len([]rune(v)) != 60 {
		t.Errorf("%q", v)
	}
	if slices.ContainsFunc(report.Problems, func(p Problem) bool { return strings.ContainsAny(p.Value, "\x1b\u202e") }) {
		t.Error("control characters are shown")
	}
}

// TestReadErrors are passed on.
func TestReadErrors(t *testing.T) {
	broken := errors.New("connection lost")
	for _, start := range []string{"", "phone;name\n+79160000001;A\n", "PK\x03\x04", strings.Repeat("x", window+1) + "\n"} {
		_, err := Import(io.MultiReader(strings.NewReader(start), failing{broken}), Options{Normalise: russian}, func(Row) error { return nil })
		if !errors.Is(err, broken) {
			t.Errorf("%.10q: %v", start, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
