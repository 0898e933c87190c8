package strict

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// MaxSize is the largest document in bytes. A caller that reads one from a
// file or a request stops one byte behind it.
const MaxSize = 4 << 20

// The other limits of a document. They are far above what a company of ten thousand
// extensions needs and keep the worst document within a second or two and a
// few hundred MiB. The parser (goccy/go-yaml 1.19) takes quadratic time in the
// depth, in the keys of one block map and in the values left out, and gives
// every value its full path as a string.
const (
	maxElements = 1 << 18   // separators, counted before anything is read
	maxTokens   = 1 << 19   // words and signs
	maxDepth    = 64        // open brackets and steps of indentation
	maxKeys     = 256       // of one block map
	maxKey      = 128       // bytes of one key
	maxNulls    = 1000      // keys and list items with nothing after them
	maxPaths    = 128 << 20 // bytes of all paths together, estimated upwards
)

// level is one step of indentation: everything that begins in one column.
type level struct {
	column int
	keys   int
}

// bracket is an open [ or {.
type bracket struct {
	isMap  bool
	colons int // since the last comma
}

// limiter walks the tokens once and keeps what bounds the parser's work.
type limiter struct {
	last     *token.Token
	levels   []level // outside brackets, by rising column
	brackets []bracket
	longest  int // key so far
	nulls    int
	paths    int
}

// checkTokens refuses what the parser should not see: anything beyond the
// limits, and the parts of YAML that this package leaves out.
func checkTokens(tokens token.Tokens) (Mistake, bool) {
	if len(tokens) > maxTokens {
		return Mistake{Msg: fmt.Sprintf("more than %d words and signs", maxTokens)}, false
	}
	l := limiter{last: &token.Token{Position: &token.Position{}}}
	for _, tk := range tokens {
		if tk.Type == token.InvalidType {
			return Mistake{}, true // the parser words it better
		}
		if tk.Type == token.CommentType {
			continue
		}
		if msg := l.take(tk); msg != "" {
			return Mistake{Line: tk.Position.Line, Column: tk.Position.Column, Msg: msg}, false
		}
		l.last = tk
	}
	return Mistake{}, true
}

// take accounts for one token and returns what is wrong with it, or "".
func (l *limiter) take(tk *token.Token) string {
	if msg := refused(tk.Type); msg != "" {
		return msg
	}
	if tk.Type == token.MappingValueType {
		if len(l.last.Value) > maxKey {
			return fmt.Sprintf("a key of more than %d bytes", maxKey)
		}
		l.longest = max(l.longest, len(l.last.Value))
	}
	msg := ""
	if len(l.brackets) == 0 {
		msg = l.block(tk)
	} else {
		msg = l.flow(tk)
	}
	if msg != "" {
		return msg
	}
	if l.nulls > maxNulls {
		return fmt.Sprintf("more than %d keys or list items without a value", maxNulls)
	}
	depth := len(l.levels) + len(l.brackets)
	if depth > maxDepth {
		return fmt.Sprintf("nested more than %d deep", maxDepth)
	}
	if l.paths += depth * l.longest; l.paths > maxPaths {
		return "too much nesting with too long keys"
	}
	return ""
}

// block takes a token outside brackets.
func (l *limiter) block(tk *token.Token) string {
	if tk.Type == token.MappingValueType {
		if len(l.levels) == 0 {
			return ""
		}
		top := &l.levels[len(l.levels)-1]
		if top.keys++; top.keys > maxKeys {
			return fmt.Sprintf("a map of more than %d keys", maxKeys)
		}
		return ""
	}
	column := tk.Position.Column
	if l.leftOut(tk) {
		l.nulls++
	}
	for len(l.levels) > 0 && l.levels[len(l.levels)-1].column > column {
		l.levels = l.levels[:len(l.levels)-1]
	}
	if len(l.levels) == 0 || l.levels[len(l.levels)-1].column < column {
		l.levels = append(l.levels, level{column: column})
	}
	if opens(tk.Type) {
		l.brackets = append(l.brackets, bracket{isMap: tk.Type == token.MappingStartType})
	}
	return ""
}

// leftOut says whether tk begins something new where the dash or key before it
// waits for a value.
func (l *limiter) leftOut(tk *token.Token) bool {
	if tk.Position.Line == l.last.Position.Line || len(l.levels) == 0 {
		return false
	}
	top := l.levels[len(l.levels)-1].column
	switch l.last.Type {
	case token.SequenceEntryType:
		return tk.Position.Column <= top
	case token.MappingValueType:
		return tk.Position.Column < top || tk.Position.Column == top && tk.Type != token.SequenceEntryType
	}
	return false
}

// flow takes a token inside brackets.
func (l *limiter) flow(tk *token.Token) string {
	top := &l.brackets[len(l.brackets)-1]
	switch {
	case opens(tk.Type):
		l.brackets = append(l.brackets, bracket{isMap: tk.Type == token.MappingStartType})
	case tk.Type == token.SequenceEndType, tk.Type == token.MappingEndType:
		l.endItem(top)
		l.brackets = l.brackets[:len(l.brackets)-1]
	case tk.Type == token.CollectEntryType:
		l.endItem(top)
		top.colons = 0
	case tk.Type == token.SequenceEntryType:
		return "a list of dashes inside brackets"
	case tk.Type == token.MappingValueType:
		if top.colons++; top.colons > 1 {
			return "a second \":\" before the comma"
		}
	}
	return ""
}

// endItem counts an item of a bracket that ends without a value: {a: } or {a}.
func (l *limiter) endItem(top *bracket) {
	empty := opens(l.last.Type) || l.last.Type == token.CollectEntryType
	if l.last.Type == token.MappingValueType || top.isMap && top.colons == 0 && !empty {
		l.nulls++
	}
}

func opens(t token.Type) bool {
	return t == token.SequenceStartType || t == token.MappingStartType
}

// refused names the parts of YAML that are left out.
func refused(t token.Type) string {
	switch t {
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		return "anchors (&), aliases (*) and merge keys (<<) are not supported; a text that begins so must stand in quotes"
	case token.TagType:
		return "tags (!) are not supported; a text that begins so must stand in quotes"
	case token.DirectiveType:
		return "directives (%) are not supported"
	case token.MappingKeyType:
		return "explicit keys (?) are not supported"
	}
	return ""
}
