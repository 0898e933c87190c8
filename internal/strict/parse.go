package strict

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// parse turns a document into a tree. A document without content is a nil
// tree. All its mistakes are mistakes of the text itself; after one of them
// the tree is nil.
func (d *Doc) parse(data []byte) *node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if m, ok := checkBytes(data); !ok {
		d.note(m)
		return nil
	}
	file, err := parseTokens(data)
	if err != nil {
		d.note(syntaxMistake(err))
		return nil
	}
	if len(file.Docs) > 1 {
		d.note(Mistake{Line: 1, Column: 1, Msg: "more than one document in the file"})
		return nil
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil
	}
	root := &node{}
	d.build(root, file.Docs[0].Body)
	return root
}

// parseTokens runs the YAML parser behind the limits. The parser is other
// people's code on other people's input: should it panic, that is an error of
// this one document and not the end of the process.
func parseTokens(data []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser failed on this document: %v", r)
		}
	}()
	tokens := joinColons(lexer.Tokenize(string(data)))
	if m, ok := checkTokens(tokens); !ok {
		return nil, tokenError(m)
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// tokenError is a mistake on its way through an error.
type tokenError Mistake

func (e tokenError) Error() string { return e.Msg }

// syntaxMistake keeps the parser's message and place, and leaves out the lines
// of the document that it quotes: they may hold a password.
func syntaxMistake(err error) Mistake {
	if e, ok := errors.AsType[tokenError](err); ok {
		return Mistake(e)
	}
	e, ok := errors.AsType[interface {
		error
		GetMessage() string
		GetToken() *token.Token
	}](err)
	if !ok {
		return Mistake{Msg: err.Error()}
	}
	m := Mistake{Msg: e.GetMessage()}
	if tk := e.GetToken(); tk != nil && tk.Position != nil {
		m.Line, m.Column = tk.Position.Line, tk.Position.Column
	}
	return m
}

// build fills n, whose place in the tree is already known, from a.
func (d *Doc) build(n *node, a ast.Node) {
	pos := a.GetToken().Position
	n.line, n.column = pos.Line, pos.Column
	switch a := a.(type) {
	case *ast.NullNode:
		n.kind = Null
	case *ast.MappingNode:
		d.buildMap(n, a)
	case *ast.SequenceNode:
		n.kind = List
		for i, value := range a.Values {
			item := &node{parent: n, index: i}
			n.items = append(n.items, item)
			d.build(item, value)
		}
	case *ast.LiteralNode:
		n.kind, n.text, n.quoted = Scalar, a.Value.Value, true
	case *ast.StringNode:
		n.kind, n.text = Scalar, a.Value
		n.quoted = isQuoted(a.Token)
		if !n.quoted && strings.Contains(n.text, ": ") {
			d.noteAt(n, "text with \": \" in it must stand in quotes")
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		n.kind, n.text = Scalar, a.GetToken().Value
	default:
		d.noteAt(n, "this kind of YAML (%s) is not supported", a.Type().YAMLName())
	}
}

func (d *Doc) buildMap(n *node, a *ast.MappingNode) {
	n.kind = Map
	n.fields = make(map[string]*node, len(a.Values))
	for i, value := range a.Values {
		tk := value.Key.GetToken()
		item := &node{parent: n, key: tk.Value, keyLine: tk.Position.Line, keyColumn: tk.Position.Column}
		if i == 0 && !a.IsFlowStyle { // no token of its own: the parser gives the first ":"
			n.line, n.column = item.keyLine, item.keyColumn
		}
		if first, ok := n.fields[item.key]; ok {
			d.note(Mistake{item.path(), item.keyLine, item.keyColumn,
				fmt.Sprintf("given twice, first on line %d", first.keyLine)})
			continue
		}
		n.fields[item.key] = item
		n.items = append(n.items, item)
		d.build(item, value.Value)
	}
}

func isQuoted(tk *token.Token) bool {
	return tk.Type == token.DoubleQuoteType || tk.Type == token.SingleQuoteType
}

// checkBytes refuses what the lexer should not see.
func checkBytes(data []byte) (Mistake, bool) {
	if len(data) > MaxSize {
		return Mistake{Msg: fmt.Sprintf("larger than %d MiB", MaxSize>>20)}, false
	}
	if !utf8.Valid(data) {
		at := 0
		for at < len(data) {
			r, size := utf8.DecodeRune(data[at:])
			if r == utf8.RuneError && size <= 1 {
				break
			}
			at += size
		}
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		return Mistake{Line: line, Column: 1, Msg: "not UTF-8 text"}, false
	}
	elements := 0
	for _, c := range data {
		switch c {
		case ',', ':', '[', ']', '{', '}', '\n':
			elements++
		}
	}
	if elements > maxElements {
		return Mistake{Msg: fmt.Sprintf("more than %d elements", maxElements)}, false
	}
	return Mistake{}, true
}
