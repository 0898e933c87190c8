// Package lint holds the tests that keep the program in its shape: who may
// import whom, and a few rules of style that a compiler does not know.
//
// # What it is
//
// Tests only. They read the source of every package and fail with the file and
// line of what breaks a rule. The import table is one literal in table_test.go,
// so a change of the architecture is a change of one line that a reviewer
// sees.
//
// # What it is not
//
// Not a place for what go vet and staticcheck find; `make lint` runs those.
//
// # Who owns which goroutine
//
// Nobody: there are none.
//
// # Invariants
//
// A rule is a function from source to problems, so that it can be shown to
// find what it looks for. A rule never depends on a file outside the module.
//
// # Where the tests are
//
// lint_test.go applies the rules to the program, rules_test.go to small pieces
// of source that break them.
package lint
