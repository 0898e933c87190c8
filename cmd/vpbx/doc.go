// Command vpbx is the telephony engine of a virtual PBX.
//
// What it is: the command line. It reads flags, turns signals into orders and
// hands everything else to internal/app and internal/demo; campaign asks a running
// engine by its API and prints what that answers.
//
// What it is not: it wires nothing and decides nothing.
//
// Who owns which goroutine: main waits for signals; all others belong to app.
//
// Invariants: exit status 0 means that what was asked for was done; 1 that it
// was not, with one line on standard error that says why.
//
// Where the tests are: campaign_test.go, internal/app, and internal/e2e, which runs the binary.
package main
