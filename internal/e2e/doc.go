// Package e2e runs the vpbx binary between phones and carriers that are not
// ours, on real sockets.
//
// What it is: tests. TestMain builds the command once; each test serves its own
// company from its own directory on ports that the kernel chose, or freePort when a program
// binds them later, and talks to it with baresip, SIPp, raw sockets and HTTP.
//
// What it is not: a place for behaviour that internal/flow can show on fake time;
// here is what only real programs, sockets, disks and signals can show.
//
// Who owns which goroutine: every process that a test starts is ended by the
// test's cleanup, which also waits for it.
//
// Invariants: nothing outside the test's directory is written; no port is fixed;
// nobody sleeps, everything is waited for with a deadline, which is far: a machine that is
// ten times slower, or stands still for seconds, fails no test. So nothing is expected to
// last as long as it should, sound is counted where it was recorded or heard and not by the
// clock, a request that was sent again counts once, a scenario of SIPp goes on when the test
// tells it to, and durations are shown on fake time elsewhere. A program that is
// missing skips the test by name, in CI (CI=true) it fails. After each test the
// server must have let go of every call, lost no record, found no fault of its
// own, and end by SIGTERM with status 0.
//
// Where the tests are: here. Loopback addresses tell who is who: the server and
// phones are 127.0.0.1, carriers 127.0.0.10 and up, strangers 127.0.0.60 and up.
package e2e
