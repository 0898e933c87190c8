// Package app builds the whole program from a Config and a Host and runs it.
//
// What it is: wiring. Every package of vpbx is made here, in order, and closed
// here, in the opposite order; the command and the tests use the same code.
//
// What it is not: it holds no behaviour of its own beyond start, reload, drain
// and stop.
//
// Who owns which goroutine: App.Start starts the HTTP server; App.Close
// waits for it and for everything it made.
//
// Invariants: nothing is listened on before the store is open, the company
// files are applied and what a dead process left behind is recorded. Close is
// idempotent.
//
// Where the tests are: app_test.go here, and internal/flow, which runs this
// package on an in-memory network.
package app
