// Package bench measures the vpbx binary from outside, over loopback sockets.
//
// What it is: benchmarks (make bench) and stepped loads (make load) that print
// calls per second, CPU per call and per relayed packet, the delay added to
// packets, memory per call and registrations per second. docs/performance.md keeps
// the figures. A soak (TestLoadSoak) has phones use everything that the server can
// do, by seed, and looks whether it holds afterwards what it held before. TestLoadCampaign
// has a campaign dial, with sipp as the carrier.
//
// What it is not: a test of behaviour; a failure here means that something was
// refused, lost or sent again, and the figures would lie.
//
// Who owns which goroutine: a rig reads its three sockets in goroutines that end
// with it; loads start theirs and wait for them. A desk of the soak is one
// goroutine, which waits for those of its calls.
//
// Invariants: the server is a process of its own, so that its CPU is its own. The
// callers and the called are plain text over plain sockets and share no code with
// it; in the soak they are the phones of internal/phone. Nothing runs without
// -bench or VPBX_LOAD=1.
//
// Where the tests are: this package is nothing else.
package bench
