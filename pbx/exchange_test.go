package pbx

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

const testKey = "00000716ABDA6D4DFF10F82BCBBFC532"

// TestExchangeClean: what is kept is within its bounds, valid text, and without the
// sign key, wherever a CRM puts it.
func TestExchangeClean(t *testing.T) {
	big := strings.Repeat("я", MaxExchangeBody)
	e := Exchange{
		Method: strings.Repeat("m", 100), URL: "http://crm.test/" + strings.ToLower(testKey), Error: "boom " + testKey,
		Request: NewHTTPMessage(map[string][]string{"X-Client-Sign": {"abc"}, "Authorization": {"Bearer t"}, "Cookie": {"c"}, "Empty": {}, "Two": {"a", "b"}, "K" + testKey: {testKey}},
			[]byte("\x00\x1b[2J\xff\xfe{\r\n"), 8),
		Answer: NewHTTPMessage(nil, []byte(strings.Repeat("x", MaxExchangeBody-16)+testKey+"tail"), 10<<20),
	}
	e.Clean(testKey)
	h := e.Request.Headers
	if len(e.Method) != 64 || h["X-Client-Sign"] != "abc" || h["Authorization"] != "********" || h["Cookie"] != "********" || h["Two"] != "a, b" || len(h) != 5 {
		t.Errorf("request %+v", e.Request)
	}
	if e.Request.Body != "\x00\x1b[2J\uFFFD{\r\n" || e.Request.Cut {
		t.Errorf("hostile body %q", e.Request.Body)
	}
	if a := e.Answer; len(a.Body) != MaxExchangeBody || !a.Cut || a.Bytes != 10<<20 || !strings.HasSuffix(a.Body, "x"+strings.Repeat("*", 16)) {
		t.Errorf("answer of %d, %t, ends with %q", len(a.Body), a.Cut, a.Body[len(a.Body)-40:])
	}
	text, err := json.Marshal(e)
	if err != nil || strings.Contains(strings.ToUpper(string(text)), testKey) || !strings.Contains(string(text), `\u001b[2J`) {
		t.Errorf("%s, %v", text[:min(len(text), 400)], err)
	}
	m := NewHTTPMessage(nil, []byte("x"+big), int64(len(big)+1))
	m.clean(nil)
	if !m.Cut || len(m.Body) > MaxExchangeBody || !utf8.ValidString(m.Body) || len(m.Body) < MaxExchangeBody-1 {
		t.Errorf("cut to %d", len(m.Body))
	}
	many := map[string][]string{}
	for i := range 100 {
		many[fmt.Sprint("H", i)] = []string{strings.Repeat("v", 5000)}
	}
	m = NewHTTPMessage(many, nil, 0)
	m.clean(nil)
	if len(m.Headers) != maxExchangeHead || len(m.Headers["H0"]) != maxExchangeText {
		t.Errorf("%d headers", len(m.Headers))
	}
}

func FuzzExchangeClean(f *testing.F) {
	f.Add("body", testKey)
	f.Add(testKey+"\xff\x00"+strings.ToLower(testKey), testKey)
	f.Fuzz(func(t *testing.T, body, url string) {
		e := Exchange{URL: url, Request: NewHTTPMessage(map[string][]string{body: {url}}, []byte(body), int64(len(body)))}
		e.Clean(testKey)
		for _, s := range []string{e.URL, e.Request.Body} {
			if !utf8.ValidString(s) || len(s) > MaxExchangeBody || strings.Contains(strings.ToUpper(s), testKey) {
				t.Errorf("%q", s)
			}
		}
	})
}
