package strict

import (
	"strconv"
	"strings"
)

// Kind is the shape of a value in a document.
type Kind int

// The shapes. Null is a key without a value, null or ~.
const (
	Null Kind = iota
	Scalar
	List
	Map
)

// String is the shape in the words of a mistake.
func (k Kind) String() string {
	switch k {
	case Scalar:
		return "a single value"
	case List:
		return "a list"
	case Map:
		return "a map"
	}
	return "nothing"
}

// node is one value of the parsed document.
type node struct {
	kind         Kind
	parent       *node
	key          string // in a map
	index        int    // in a list
	line, column int    // of the value
	keyLine      int    // of the key, 0 outside a map
	keyColumn    int
	text         string // of a scalar, as written and without its quotes
	quoted       bool
	items        []*node // of a list or map, in the order of the document
	fields       map[string]*node
}

// path is the place of n in the document: groups[0].members[1].
func (n *node) path() string {
	if n.parent == nil {
		return ""
	}
	up := n.parent.path()
	switch {
	case n.parent.kind == List:
		return up + "[" + strconv.Itoa(n.index) + "]"
	case !isPlainKey(n.key):
		return up + "[" + strconv.Quote(n.key) + "]"
	case up == "":
		return n.key
	}
	return up + "." + n.key
}

// place is where a reader looks for n: a scalar's text, otherwise its key.
func (n *node) place() (line, column int) {
	if n.kind == Scalar || n.keyLine == 0 {
		return n.line, n.column
	}
	return n.keyLine, n.keyColumn
}

// isPlainKey says whether a key stands in a path as it is.
func isPlainKey(key string) bool {
	return key != "" && !strings.ContainsAny(key, ".[]\"\\ \t\r\n")
}

// find walks path from root. It returns the deepest node it met and whether
// that is the whole path; nil when root is nil.
func find(root *node, path string) (n *node, whole bool) {
	n = root
	for path != "" && n != nil {
		next, rest := n.step(path)
		if next == nil {
			return n, false
		}
		n, path = next, rest
	}
	return n, n != nil
}

// step takes the first part of path from n; next is nil when n lacks it.
func (n *node) step(path string) (next *node, rest string) {
	switch {
	case strings.HasPrefix(path, `["`):
		quoted, err := strconv.QuotedPrefix(path[1:])
		if err != nil {
			return nil, ""
		}
		key, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, ""
		}
		return n.fields[key], strings.TrimPrefix(path[1+len(quoted):], "]")
	case strings.HasPrefix(path, "["):
		digits, rest, _ := strings.Cut(path[1:], "]")
		i, err := strconv.Atoi(digits)
		if err != nil || n.kind != List || i < 0 || i >= len(n.items) {
			return nil, ""
		}
		return n.items[i], rest
	}
	path = strings.TrimPrefix(path, ".")
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	return n.fields[path[:end]], path[end:]
}

// Unmarshaler is a type that decodes itself, such as a union: a step that is
// {ring: "600"} or {reject: 404}. It reports mistakes through the Node.
type Unmarshaler interface {
	UnmarshalStrict(n Node)
}

// Node is a value of the document as an [Unmarshaler] sees it.
type Node struct {
	doc *decoder
	n   *node
}

// Kind is the shape of the value.
func (n Node) Kind() Kind { return n.n.kind }

// Path is the place of the value in the document.
func (n Node) Path() string { return n.n.path() }

// Line is the line the value stands on.
func (n Node) Line() int {
	line, _ := n.n.place()
	return line
}

// Text is the text of a scalar as written, without its quotes; "" otherwise.
func (n Node) Text() string { return n.n.text }

// Keys are the keys of a map in the order of the document; nil otherwise.
func (n Node) Keys() []string {
	if n.n.kind != Map {
		return nil
	}
	keys := make([]string, len(n.n.items))
	for i, item := range n.n.items {
		keys[i] = item.key
	}
	return keys
}

// Field is the value of a key of a map, and whether it is there.
func (n Node) Field(key string) (Node, bool) {
	f, ok := n.n.fields[key]
	return Node{n.doc, f}, ok
}

// Items are the values of a list or map in the order of the document.
func (n Node) Items() []Node {
	items := make([]Node, len(n.n.items))
	for i, item := range n.n.items {
		items[i] = Node{n.doc, item}
	}
	return items
}

// Decode fills the value v points to from the node, noting mistakes in the
// document, and says whether there were none. An [Unmarshaler] must not pass
// itself: it would be asked again.
func (n Node) Decode(v any) bool {
	return n.doc.decodeInto(n.n, v)
}

// Errorf notes a mistake at the node.
func (n Node) Errorf(format string, args ...any) {
	n.doc.noteAt(n.n, format, args...)
}
