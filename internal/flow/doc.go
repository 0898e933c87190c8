// Package flow runs whole calls through the whole program and compares what
// happened with what is written down.
//
// What it is: a runner for the scripts in testdata/flows. It starts the program
// of internal/app with real SIP, RTP, SQLite and HTTP on a network in memory,
// inside a testing/synctest bubble, together with phones, providers and a CRM
// that behave as the script says. Above the rule of a script stands what is
// done, below it the transcript: the traces of the calls, what the phones saw
// and heard, and the call records as the HTTP API gives them. The storms do the
// same with random calls and faults, by seed, and look at the invariants only.
//
//	go test ./internal/flow                    run all flows and a few storms
//	go test ./internal/flow -run Flows/hold    run one
//	go test ./internal/flow -rewrite           write the transcripts anew; review the diff
//	STORM_SEEDS=1-200 go test ./internal/flow -run Storm
//
// What it is not: it tests no function of its own, and nothing here is built
// into the program; everything but this comment is in test files. README.md
// tells how scripts are written.
//
// Who owns which goroutine: a flow's goroutine sleeps from action to action and
// starts one for each action and one for each phone, and waits for them all. A
// goroutine of the program that is left behind fails the flow.
//
// Invariants: a transcript is the same in every run. It names phones and calls,
// never ids, tags or ports. The invariants of check_test.go hold after each flow.
//
// Where the tests are: the scripts are the tests; those of the script language
// itself are in script_test.go.
package flow
