// Package storetest is the conformance suite of a store engine.
//
// What it is: [Run], a set of subtests that every engine behind store.Store has
// to pass. It looks at a store only through its exported methods, so that a
// second engine is tested by one more call.
//
// What it is not: it does not test files, locks or failures; those are of one
// engine and are tested beside it.
//
// Who owns which goroutine: those that a test starts end with the test.
//
// Invariants: a test never looks at data of a company without checking that
// another company does not see it.
//
// Where the tests are: this is them; package store runs them for SQLite.
package storetest
