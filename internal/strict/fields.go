package strict

import (
	"reflect"
	"slices"
	"strings"
)

// structInfo is what a struct type takes from a document.
type structInfo struct {
	fields map[string][]int // index for FieldByIndex, by name
	names  []string         // in the order of the type
}

// info reads a struct type once per document.
func (d *decoder) info(t reflect.Type) *structInfo {
	if info, ok := d.structs[t]; ok {
		return info
	}
	info := &structInfo{fields: map[string][]int{}}
	info.read(t, nil)
	d.structs[t] = info
	return info
}

// read adds the fields of t, which stands at index in the outer struct.
func (s *structInfo) read(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(index), i)
		name := fieldName(f)
		switch {
		case name != "" && f.IsExported():
			s.fields[name] = at
			s.names = append(s.names, name)
		case f.Anonymous && f.Type.Kind() == reflect.Struct && f.Tag.Get("yaml") != "-":
			s.read(f.Type, at)
		}
	}
}

// fieldName is the name before the first comma of the yaml tag; "" when the
// field does not stand in documents.
func fieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		return ""
	}
	return name
}

// nearest is the name that key was probably meant to be, or "".
func nearest(key string, names []string) string {
	best, near := "", 3
	for _, name := range names {
		if n := distance(strings.ToLower(key), name); n < near && n < len(name)-1 {
			best, near = name, n
		}
	}
	return best
}

// distance is the number of letters to insert, remove or change to make a
// into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
