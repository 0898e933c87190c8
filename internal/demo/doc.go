// Package demo is `vpbx demo`: a company, its CRM and its phones, so that a
// newcomer sees the main job in one command and can then join with a real
// softphone.
//
// What it is: a company file, a stand-in CRM, simulated phones and a simulated
// carrier on real sockets, around the same program that `vpbx serve` runs.
//
// What it is not: nothing of it is used by `vpbx serve`.
//
// Who owns which goroutine: Run starts one goroutine for each simulated phone
// that answers and one for the CRM, and waits for them.
//
// Invariants: what Run prints about a call is what the API says of it.
//
// Where the tests are: demo_test.go runs the demo on loopback.
package demo
