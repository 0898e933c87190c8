package rtk

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"vpbx/crm"
	"vpbx/pbx"
)

func TestParseAnswer(t *testing.T) {
	for _, c := range []struct {
		body        string
		owner, name string
		err         string // bad: ErrBadAnswer; failed: another error
	}{
		{`{"result":0,"resultMessage":"OK","displayName":"Иван Петров","PIN":"201"}`, "201", "Иван Петров", ""},
		{`{"result":"0","displayName":"Ivan","PIN":201}`, "201", "Ivan", ""},
		{"\xef\xbb\xbf" + `{"result":" 0 ","PIN":" 201 "}`, "201", "", ""},
		{`{"result":0,"displayName":null,"PIN":null}`, "", "", ""},
		{`{"result":0,"displayName":"Ivan","PIN":""}`, "", "Ivan", ""},
		{`{"result":1,"displayName":"Ivan","PIN":"201"}`, "", "", ""},
		{`{"result":"7","PIN":{}}`, "", "", ""},
		{`{"result":0,"PIN":"201","more":[1,{"x":null}]}`, "201", "", ""},
		{`{"result":0,"displayName":"a\r\nX-Evil: 1\u0000\u202e\tb\u00a0c"}`, "", "a  X-Evil: 1 b c", ""},
		{`{"result":0,"displayName":"\r\n \u0007"}`, "", "", ""},
		{`{"result":0,"displayName":"` + strings.Repeat("ю", 500) + `"}`, "", strings.Repeat("ю", 128), ""},
		{`{"result":0,"PIN":"` + strings.Repeat("1", 500) + `"}`, strings.Repeat("1", 32), "", ""},
		{`{"result":0,"PIN":1e9}`, "1e9", "", ""},
		{`{"result":-2,"resultMessage":"bad signature"}`, "", "", "failed"},
		{`{"result":"-20"}`, "", "", "failed"},
		{`{}`, "", "", "bad"},
		{`{"result":null}`, "", "", "bad"},
		{`{"result":""}`, "", "", "bad"},
		{`{"result":true}`, "", "", "bad"},
		{`{"result":[0]}`, "", "", "bad"},
		{`{"result":0.5}`, "", "", "bad"},
		{`{"result":99999999999999999999}`, "", "", "bad"},
		{`{"result":"ok"}`, "", "", "bad"},
		{`{"result":0,"PIN":["201"]}`, "", "", "bad"},
		{`{"result":0,"PIN":true}`, "", "", "bad"},
		{`{"result":0,"displayName":5}`, "", "", "bad"},
		{`{"result":0,"displayName":{"a":"b"}}`, "", "", "bad"},
		{`[{"result":0}]`, "", "", "bad"},
		{`"0"`, "", "", "bad"},
		{`{"result":0,"PIN":"201"`, "", "", "bad"},
		{`{"result":0} trailing`, "", "", "bad"},
		{`<html><body>502 Bad Gateway</body></html>`, "", "", "bad"},
		{strings.Repeat("[", 60000), "", "", "bad"},
		{``, "", "", "bad"},
		{`null`, "", "", "bad"},
	} {
		got, err := parseAnswer([]byte(c.body))
		short := c.body[:min(len(c.body), 80)]
		if want := (pbx.Contact{Owner: c.owner, Name: c.name}); got != want {
			t.Errorf("%s: %+v, want %+v", short, got, want)
		}
		if (err != nil) != (c.err != "") || errors.Is(err, crm.ErrBadAnswer) != (c.err == "bad") {
			t.Errorf("%s: error %v, want %q", short, err, c.err)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, s := range []string{
		`{"result":0,"resultMessage":"OK","displayName":"Иван Петров","PIN":"201"}`,
		`{"result":"1","displayName":null,"PIN":null}`, `{"result":"-2"}`, `<html>`, `[]`, `{"PIN":1e400,"result":0}`, "\xef\xbb\xbf{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseAnswer(body)
		if err != nil && c != (pbx.Contact{}) {
			t.Fatalf("a contact with an error: %+v, %v", c, err)
		}
		for _, s := range []string{c.Name, c.Owner} {
			if !utf8.ValidString(s) || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("hostile text came through: %q", s)
			}
		}
		if utf8.RuneCountInString(c.Name) > crm.MaxName || utf8.RuneCountInString(c.Owner) > crm.MaxOwner {
			t.Fatalf("too long: %+v", c)
		}
	})
}
