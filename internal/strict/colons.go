package strict

import (
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// joinColons puts together again what the lexer cuts at a colon although no
// space follows it: in {listen: [udp://0.0.0.0:5060]} the item is one text
// (YAML 1.2.2 §7.3.3), but goccy/go-yaml 1.19 takes it for the pair
// udp://0.0.0.0: 5060. It does so only for items of a list inside braces.
func joinColons(tokens token.Tokens) token.Tokens {
	var joined token.Tokens
	var brackets []token.Type
	for i := 0; i < len(tokens); i++ {
		tk := tokens[i]
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets = append(brackets, tk.Type)
		case token.SequenceEndType, token.MappingEndType:
			if len(brackets) > 0 {
				brackets = brackets[:len(brackets)-1]
			}
		case token.MappingValueType:
			inList := len(brackets) > 0 && brackets[len(brackets)-1] == token.SequenceStartType
			if inList && i > 0 && i+1 < len(tokens) && isWord(tokens[i+1]) && follows(tk, tokens[i+1], 1) {
				tk, joined = join(tk, tokens[i+1], joined)
				i++
			}
		}
		joined.Add(tk)
	}
	return joined
}

// join makes one text of a colon, the word behind it and, when it is the last
// of done, the word in front of it. It returns done without that word.
func join(colon, after *token.Token, done token.Tokens) (*token.Token, token.Tokens) {
	value, origin, pos := ":"+after.Value, colon.Origin+after.Origin, colon.Position
	if len(done) > 0 {
		before := done[len(done)-1]
		if isWord(before) && follows(before, colon, utf8.RuneCountInString(before.Value)) {
			value, origin, pos = before.Value+value, before.Origin+origin, before.Position
			done = done[:len(done)-1]
		}
	}
	return token.String(value, origin, pos), done
}

// isWord says whether tk is a scalar without quotes.
func isWord(tk *token.Token) bool {
	switch tk.Type {
	case token.StringType, token.BoolType, token.NullType, token.IntegerType, token.FloatType, token.InfinityType,
		token.NanType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType:
		return true
	}
	return false
}

// follows says whether b begins width characters after a.
func follows(a, b *token.Token, width int) bool {
	return a.Position.Line == b.Position.Line && a.Position.Column+width == b.Position.Column
}
