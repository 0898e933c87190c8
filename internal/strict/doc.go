// Package strict decodes YAML, and JSON as a part of YAML, into Go structs
// and reports every mistake of the document at once, each with its path, line
// and column.
//
// # What it is
//
// [Decode] parses the document, fills the struct by its `yaml:"name"` tags and
// returns a [Doc]: the mistakes found so far and the positions of everything
// in the document. The caller adds the mistakes that only it can see (a number
// used twice, an unknown group) with [Doc.Add] and asks [Doc.Err] at the end.
// A type that is not a plain struct decodes itself through [Unmarshaler].
// [DecodeText] does the same for one value from outside a document, such as an
// environment variable.
//
// # What it is not
//
// It is not a general YAML library. Anchors, aliases, merge keys, tags,
// explicit keys and several documents in one file are refused: a file that a
// person checks must say what it means where it means it, and without aliases
// no short document expands into a huge one. It does not write YAML.
//
// # Who owns which goroutine
//
// Nobody: the package starts none. A Doc belongs to the goroutine that made
// it.
//
// # Invariants
//
// A document costs bounded time and memory: its size, depth, number of
// elements, keys of one map and length of a key are limited before the parser
// sees it. No input panics. Text is kept as written: 007 and +7495 in a string
// field lose nothing. A mistake quotes only values that failed to be read as a
// number, duration or other typed value, never the value of a string, so a
// password does not reach a log.
//
// # Where the tests are
//
// decode_test.go has the tables of good and bad documents, limits_test.go the
// hostile ones, fuzz_test.go compares JSON with encoding/json and throws
// anything at the parser.
package strict
