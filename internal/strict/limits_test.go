package strict_test

import (
	"fmt"
	"strings"
	"testing"

	"vpbx/internal/strict"
)

func TestRefused(t *testing.T) {
	rep := strings.Repeat
	var wide strings.Builder
	var empty strings.Builder
	for i := range 1100 {
		fmt.Fprintf(&wide, "k%d: 1\n", i)
		fmt.Fprintf(&empty, "k%d,", i)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"anchor":         {"tenant: &a x\nzone: *a", "1:9 : anchors"},
		"alias bomb":     {"a: &a [x,x]\nb: &b [*a,*a]", "1:4 : anchors"},
		"merge":          {"<<: {a: 1}", "1:1 : anchors"},
		"tag":            {"tenant: !!str 5", "1:9 : tags"},
		"directive":      {"%YAML 1.2\n---\na: 1", "1:1 : directives"},
		"explicit key":   {"? a\n: b", "1:1 : explicit keys"},
		"size":           {"tenant: " + rep("a", 5<<20), "0:0 : larger than 4 MiB"},
		"elements":       {"extensions: [" + rep("1,", 1<<18) + "1]", "0:0 : more than 262144 elements"},
		"bracket depth":  {"tenant: " + rep("[", 70) + rep("]", 70), "1:71 : nested more than 64 deep"},
		"brace depth":    {rep("{a: ", 70) + rep("}", 70), "1:253 : nested more than 64 deep"},
		"dash depth":     {rep("- ", 70), "1:129 : nested more than 64 deep"},
		"dashes inside":  {"tenant: [- a]", "1:10 : a list of dashes inside brackets"},
		"colons inside":  {`tenant: {"a": "b": "c"}`, `1:18 : a second ":" before the comma`},
		"wide":           {wide.String(), "257:5 : a map of more than 256 keys"},
		"words":          {rep("- - - - - - - - x\n", 60_000), "0:0 : more than 524288 words and signs"},
		"empty items":    {rep("-\n", 2000), "1002:1 : more than 1000 keys or list items without a value"},
		"empty keys":     {rep("- a:\n", 2000), "1002:1 : more than 1000 keys or list items without a value"},
		"bare keys":      {"{" + empty.String() + "}", "more than 1000 keys or list items without a value"},
		"bare values":    {"{" + strings.ReplaceAll(empty.String(), ",", ": ,") + "}", "more than 1000 keys or list items without a value"},
		"long key":       {rep("k", 200) + ": 1", "1:201 : a key of more than 128 bytes"},
		"not text":       {"tenant: x\nzone: \xff\xfe", "2:1 : not UTF-8 text"},
		"utf-16":         {"\xff\xfet\x00e\x00", "1:1 : not UTF-8 text"},
		"long and deep":  {longAndDeep(), "too much nesting with too long keys"},
		"huge indention": {indented(70), "65:65 : nested more than 64 deep"},
	} {
		var c company
		got := list(strict.Decode([]byte(tt.text), &c).Err())
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %.200s, want %s", name, got, tt.want)
		}
	}
}

// indented is a map n deep, one space each.
func indented(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// longAndDeep makes every one of many values carry a long path.
func longAndDeep() string {
	key := strings.Repeat("k", 127)
	return strings.Repeat("{"+key+": ", 60) + "[" + strings.Repeat("1,", 100_000) + "1]" + strings.Repeat("}", 60)
}

// TestLarge is a company of ten thousand, written both ways.
func TestLarge(t *testing.T) {
	var block, flow strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&flow, "  - {number: \"%d\", name: Анна, password: s3cret-%d, forward: {}}\n", i, i)
		fmt.Fprintf(&block, "  - number: %d\n    name: Анна\n    # none\n    password: s3cret-%d\n", i, i)
	}
	for name, text := range map[string]string{"block": block.String(), "flow": flow.String()} {
		var c company
		if err := strict.Decode([]byte("extensions:\n"+text), &c).Err(); err != nil || len(c.Extensions) != 10_000 {
			t.Errorf("%s: %d extensions, %v", name, len(c.Extensions), err)
		}
	}
}

func TestMistakesAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	var c company
	got := strict.Decode([]byte(b.String()), &c).Err().Error()
	if lines := strings.Count(got, "\n"); lines != 101 || !strings.HasSuffix(got, "\n  and 100 more") {
		t.Errorf("%d lines, the last is %s", lines, got[strings.LastIndex(got, "\n"):])
	}
}

// TestNoSecrets checks that what stands in a document as text does not come
// back in a mistake.
func TestNoSecrets(t *testing.T) {
	for _, text := range []string{
		"extensions: [{password: s3cret}, {password: s3cret, x: 1}, {password: [s3cret]}]",
		"extensions: [{password: a: s3cret}]",
		"extensions: [{password: \"s3cret}]",
		"extensions:\n  - password: s3cret\n number: 1",
		"extensions:\n  - password: s3cret: s3cret",
	} {
		var c company
		err := strict.Decode([]byte(text), &c).Err()
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestUnfitTypes(t *testing.T) {
	for text, v := range map[string]any{
		"a: 1": company{},
		"b: 1": (*company)(nil),
		"c: 1": &struct {
			C chan int `yaml:"c"`
		}{},
		"d: {1: 2}": &struct {
			D map[int]int `yaml:"d"`
		}{},
		"e: 1": &struct {
			E any `yaml:"e"`
		}{},
	} {
		if err := strict.Decode([]byte(text), v).Err(); err == nil || !strings.Contains(err.Error(), "cannot be decoded into") {
			t.Errorf("%q into %T: %v", text, v, err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	var text strings.Builder
	text.WriteString("extensions:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  - {number: \"%d\", name: Анна Петрова, password: s3cret-%d}\n", i, i)
	}
	data := []byte(text.String())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var c company
		if err := strict.Decode(data, &c).Err(); err != nil {
			b.Fatal(err)
		}
	}
}
