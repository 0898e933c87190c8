package sheet

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
)

// encoded is a text in an encoding; signs that it has not are left out.
func encoded(t *testing.T, name, text string) []byte {
	t.Helper()
	e := encodings[name]
	if e == nil {
		return []byte(text)
	}
	var b []byte
	for _, r := range text {
		one, err := encoding.ReplaceUnsupported(e.NewEncoder()).Bytes([]byte(string(r)))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, one...)
	}
	return b
}

// TestEncodingIsFound in texts as lists have them, short ones and capitals among them.
func TestEncodingIsFound(t *testing.T) {
	russian := []string{
		"Телефон;ФИО\n+79161234567;Иванов Иван Иванович\n",
		"ТЕЛЕФОН;ФИО\n+79161234567;ИВАНОВ ИВАН ИВАНОВИЧ\n",
		"phone;name\n+79161234567;Анна\n",
		"phone;name\n+79161234567;Щукина Юлия\n",
		"phone;city\n+79161234567;г. Екатеринбург, ул. Малышева, д. 5\n+79161234568;Москва\n",
		"phone;note\n+79161234567;оплатить до 1 декабря\n",
		"phone,firm\n+79161234567,ООО «Ромашка»\n",
	}
	for _, name := range []string{"utf-8", "windows-1251", "koi8-r", "cp866"} {
		for _, text := range russian {
			if name == "koi8-r" || name == "cp866" {
				text = strings.NewReplacer("«", `"`, "»", `"`).Replace(text)
			}
			finds(t, name, text)
		}
	}
	for _, text := range []string{"phone;name\n+441632960961;Zoë Müller\n", "phone;city\n+33612345678;Besançon, l’été à Orléans\n", "phone;name\n+4930123456;GRÜNDER GMBH & CO\n"} {
		finds(t, "utf-8", text)
		finds(t, "windows-1252", text)
	}
	finds(t, "utf-8", "phone;name\n+79161234567;ascii\n")
}

func finds(t *testing.T, name, text string) {
	t.Helper()
	d, err := newDecoded(bytes.NewReader(encoded(t, name, text)), "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(d)
	if err != nil || string(got) != text || d.encoding() != name {
		t.Errorf("%s was taken for %s: %q %v", name, d.encoding(), got, err)
	}
}

// TestMarks are the byte order marks, and UTF-16 without one.
func TestMarks(t *testing.T) {
	const text = "Телефон;ФИО\n+79161234567;Иванов\n"
	wide := func(order int, text string) []byte {
		var b []byte
		for _, r := range text {
			pair := []byte{byte(r), byte(r >> 8)}
			b = append(b, pair[order], pair[1-order])
		}
		return b
	}
	tests := []struct {
		name, given, want string
		file              []byte
	}{
		{"UTF-8", "", "utf-8", []byte("\ufeff" + text)},
		{"UTF-16LE", "", "utf-16le", wide(0, "\ufeff"+text)},
		{"UTF-16BE", "", "utf-16be", wide(1, "\ufeff"+text)},
		{"UTF-16LE without", "", "utf-16le", wide(0, text)},
		{"UTF-16BE without", "", "utf-16be", wide(1, text)},
		{"named wrongly", "windows-1251", "utf-8", []byte("\ufeff" + text)},
		{"named", "CP 1251", "windows-1251", encoded(t, "windows-1251", text)},
		{"named DOS", "IBM866", "cp866", encoded(t, "cp866", text)},
		{"named UTF-16", "utf-16", "utf-16le", wide(0, "\ufeff"+text)},
		{"mac", "x-mac-cyrillic", "x-mac-cyrillic", encoded(t, "x-mac-cyrillic", text)},
	}
	for _, tt := range tests {
		d, err := newDecoded(bytes.NewReader(tt.file), tt.given)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		got, err := io.ReadAll(d)
		if err != nil || string(got) != text || d.encoding() != tt.want {
			t.Errorf("%s: %s %q %v", tt.name, d.encoding(), got, err)
		}
	}
	_, _, err := read(t, []byte(text), Options{Encoding: "klingon\x00"})
	refused(t, err, `the encoding "klingon" is not known: it is one of cp866, iso-8859-1`)
	if field(err) != "encoding" {
		t.Error(field(err))
	}
}

// TestLateLetters finds the encoding where the first letter is far behind the beginning.
func TestLateLetters(t *testing.T) {
	ascii := "phone;name\n" + strings.Repeat("+79160000001;Ivan\n", 20_000)
	rows, report, err := read(t, encoded(t, "windows-1251", ascii+"+79160000002;Иванов\n"), Options{})
	if err != nil || len(rows) != 2 || rows[1].Name != "Иванов" || report.Encoding != "windows-1251" {
		t.Error(len(rows), report.Encoding, err)
	}
}

// TestBrokenText are cells that are not of the encoding: the row is told, not the file.
func TestBrokenText(t *testing.T) {
	file := "phone;name\n" + strings.Repeat("+79160000001;Иванов\n", 3) + "+79160000002;Ив\xc0\xffан\n+79160000003;Пётр\n"
	rows, report, err := read(t, []byte(file), Options{})
	if err != nil || len(rows) != 2 || report.Invalid != 1 || report.Encoding != "utf-8" || !strings.Contains(report.Problems[0].Reason, "not of the encoding") {
		t.Errorf("%+v %+v %v", rows, report, err)
	}
	rows, report, err = read(t, []byte("phone;name;note\n+79160000001;Ivan\x98;\n"), Options{Encoding: "windows-1251"})
	if err != nil || len(rows) != 0 || report.Invalid != 1 {
		t.Errorf("%+v %+v %v", rows, report, err)
	}
	rows, _, err = read(t, []byte("phone;name;note\n+79160000001;Ivan;\xff\n"), Options{Encoding: "utf-8", Mapping: Mapping{Phones: []string{"1"}, Variables: map[string]string{"x": "2"}}})
	if err != nil || len(rows) != 1 {
		t.Error("a column that is not used spoils its row", rows, err)
	}
}
