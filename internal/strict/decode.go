package strict

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Decode reads the document in data into the struct v points to. What the
// document does not name keeps its value, so defaults are set before the call;
// a list or map that it names replaces the default as a whole. The Doc is
// never nil and the decoded value is of use only when [Doc.Err] is nil.
//
// Fields are those with a `yaml:"name"` tag and those of embedded structs.
// They may be strings, booleans, integers, floats, slices, maps with string
// keys, structs, pointers to these, time.Duration ("20s"), netip.Prefix, and
// every type that implements encoding.TextUnmarshaler or [Unmarshaler]. A key
// without a value leaves a pointer, struct, list or map as it was and is a
// mistake for anything else.
func Decode(data []byte, v any) *Doc {
	doc := &Doc{}
	doc.root = doc.parse(data)
	doc.parsed = len(doc.mistakes)
	if doc.root != nil {
		d := &decoder{Doc: doc, structs: map[reflect.Type]*structInfo{}}
		d.decodeInto(doc.root, v)
	}
	doc.decoded = len(doc.mistakes)
	return doc
}

// DecodeText reads one value from text as a document would hold it: a list is
// written with commas, everything else as in [Decode]. v is a pointer.
func DecodeText(text string, v any) error {
	d := &decoder{Doc: &Doc{}, structs: map[reflect.Type]*structInfo{}}
	root := &node{kind: Scalar, text: text}
	p := reflect.ValueOf(v)
	if p.Kind() == reflect.Pointer && p.Elem().Kind() == reflect.Slice && !isScalar(p.Elem()) {
		root = listOf(text)
	}
	d.decodeInto(root, v)
	return d.Err()
}

// listOf is the list that a text with commas stands for.
func listOf(text string) *node {
	list := &node{kind: List}
	if strings.TrimSpace(text) == "" {
		return list
	}
	for i, part := range strings.Split(text, ",") {
		item := &node{kind: Scalar, parent: list, index: i, text: strings.TrimSpace(part)}
		list.items = append(list.items, item)
	}
	return list
}

// decoder is one pass over a document.
type decoder struct {
	*Doc
	structs map[reflect.Type]*structInfo
}

// decodeInto decodes n into what v points to and says whether it was right.
func (d *decoder) decodeInto(n *node, v any) bool {
	before := len(d.mistakes) + d.left
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		d.noteAt(n, "cannot be decoded into %T: not a pointer", v)
		return false
	}
	d.value(n, p.Elem())
	return len(d.mistakes)+d.left == before
}

var (
	unmarshalerType = reflect.TypeFor[Unmarshaler]()
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType    = reflect.TypeFor[time.Duration]()
	prefixType      = reflect.TypeFor[netip.Prefix]()
)

// isScalar says whether v reads a single value by itself, whatever its kind.
func isScalar(v reflect.Value) bool {
	return reflect.PointerTo(v.Type()).Implements(textType)
}

// value decodes n into v, which can be set.
func (d *decoder) value(n *node, v reflect.Value) {
	if reflect.PointerTo(v.Type()).Implements(unmarshalerType) {
		v.Addr().Interface().(Unmarshaler).UnmarshalStrict(Node{d, n})
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		d.pointer(n, v)
	case isScalar(v), v.Type() == durationType:
		d.scalar(n, v)
	case v.Kind() == reflect.Struct:
		d.structure(n, v)
	case v.Kind() == reflect.Slice:
		d.slice(n, v)
	case v.Kind() == reflect.Map:
		d.mapping(n, v)
	default:
		d.scalar(n, v)
	}
}

func (d *decoder) pointer(n *node, v reflect.Value) {
	if n.kind == Null {
		return
	}
	p := reflect.New(v.Type().Elem())
	d.value(n, p.Elem())
	v.Set(p)
}

func (d *decoder) slice(n *node, v reflect.Value) {
	if n.kind == Null {
		return
	}
	if n.kind != List {
		d.noteAt(n, "must be a list, is %v", n.kind)
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		d.value(item, s.Index(i))
	}
	v.Set(s)
}

func (d *decoder) mapping(n *node, v reflect.Value) {
	if n.kind == Null {
		return
	}
	if n.kind != Map {
		d.noteAt(n, "must be a map, is %v", n.kind)
		return
	}
	if v.Type().Key().Kind() != reflect.String {
		d.noteAt(n, "cannot be decoded into %s: its keys are not strings", v.Type())
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.items))
	for _, item := range n.items {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(item, elem)
		m.SetMapIndex(reflect.ValueOf(item.key).Convert(v.Type().Key()), elem)
	}
	v.Set(m)
}

func (d *decoder) structure(n *node, v reflect.Value) {
	if n.kind == Null {
		return
	}
	if n.kind != Map {
		d.noteAt(n, "must be a map, is %v", n.kind)
		return
	}
	info := d.info(v.Type())
	for _, item := range n.items {
		index, ok := info.fields[item.key]
		if !ok {
			d.unknown(item, info)
			continue
		}
		d.value(item, v.FieldByIndex(index))
	}
}

func (d *decoder) unknown(n *node, info *structInfo) {
	msg := "unknown key"
	if near := nearest(n.key, info.names); near != "" {
		msg = fmt.Sprintf("unknown key, did you mean %s?", near)
	}
	d.note(Mistake{n.path(), n.keyLine, n.keyColumn, msg})
}
