package strict_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"vpbx/internal/strict"
)

// FuzzDecode throws anything at the decoder: it must come back, the mistakes
// must have a place inside the document, and every path must lead there again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(good))
	for _, s := range []string{
		"", "a: [1, {b: c}]\n", "- - - x", "a:\n  - b\n - c", "? x\n: y", "a: |\n  x\n >", "{\"a\": \"\\u0000\"}", "\"\\ud83d",
		"a: 'x\n\n y'", "*a", "&a a", "- a\n-\n- b: 1", "a: #c\n", "[a, b: c]", "%", "---\n...\n---", "\ufeffa: 1", "limits:\n\tcalls: 1",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c company
		doc := strict.Decode(data, &c)
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 2
		var ms strict.Mistakes
		if err := doc.Err(); err == nil || !errors.As(err, &ms) {
			return
		}
		for _, m := range ms {
			if m.Line < 0 || m.Line > lines || m.Msg == "" {
				t.Errorf("%q: mistake %+v of a document of %d lines", data, m, lines)
			}
			if strings.Contains(m.Msg, "YAML parser failed") {
				t.Logf("%q: %s", data, m.Msg)
			}
			doc.Line(m.Path)
		}
	})
}

// FuzzJSON holds the claim that a JSON document means the same here as to
// encoding/json.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"v": {"a": [1, "x", true, null, 2.5e3, {"b": "\u041f\ud83d\ude00\/\\\"\t"}], "": "", "c d": "x: y # z"}}`,
		"{\r\n\t\"v\"\t:\t[ ]\r\n}", `{"v": "- a"}`, `{"v": {}}`, `{"v":[[],[[]],{}]}`, `{"v": "  x\n y  "}`, `{"v":"\u2028\u0085\ufeff"}`,
		`{"v":-0.1e-2}`, `{"v":"null"}`, `{"v":{"null":null,"true":1,"1":2}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		var want map[string]any
		if dec.Decode(&want) != nil || dec.More() || want == nil || !json.Valid(data) {
			return
		}
		got := anything{}
		doc := strict.Decode(data, &got)
		if doc.Err() != nil {
			t.Skip("refused:", doc.Err())
		}
		a, _ := json.Marshal(plain(want))
		b, _ := json.Marshal(got.v)
		if !bytes.Equal(a, b) {
			t.Errorf("%q:\nencoding/json %s\nstrict        %s", data, a, b)
		}
	})
}

// anything is any value, with scalars as their text.
type anything struct{ v any }

func (a *anything) UnmarshalStrict(n strict.Node) {
	switch n.Kind() {
	case strict.Scalar:
		a.v = n.Text()
	case strict.List:
		list := []any{}
		for _, item := range n.Items() {
			var elem anything
			item.Decode(&elem)
			list = append(list, elem.v)
		}
		a.v = list
	case strict.Map:
		m := map[string]any{}
		for i, item := range n.Items() {
			var elem anything
			item.Decode(&elem)
			m[n.Keys()[i]] = elem.v
		}
		a.v = m
	}
}

// plain turns what encoding/json decodes into what anything decodes.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for key, elem := range v {
			m[key] = plain(elem)
		}
		return m
	case []any:
		list := []any{}
		for _, elem := range v {
			list = append(list, plain(elem))
		}
		return list
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return v
}
