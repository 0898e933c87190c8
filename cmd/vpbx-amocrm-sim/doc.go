// Command vpbx-amocrm-sim stands in for amoCRM, for those who develop a connector.
//
// What it is: flags, and an HTTP server around package amosim.
//
// What it is not: it behaves by itself in nothing; amosim does.
//
// Who owns which goroutine: main waits for signals; the server has its own, which end
// with it.
//
// Invariants: it listens on loopback unless told otherwise. Exit status 0 means that it
// was stopped by a signal, 1 that something was wrong, with one line on standard error.
//
// Where the tests are: main_test.go starts it, crm/amocrm/amosim has the rest.
package main
