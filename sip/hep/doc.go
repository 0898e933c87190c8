// Package hep sends a copy of the SIP messages to a Homer server, as HEP
// version 3.
//
// # What it is
//
// An [Exporter] takes packets from whoever sees them pass, keeps a bounded
// number of them, and sends each as one datagram. The server is found by its
// name again every few minutes.
//
// # What it is not
//
// It does not see messages by itself and masks nothing: what it is given has no
// secrets any more. HEP over TCP or TLS is not supported: the way to the Homer
// server must be a network of the operator's.
//
// # Who owns which goroutine
//
// One, started by Start and waited for by Close.
//
// # Invariants
//
// Send never waits. What the queue has no room for, and what cannot be sent, is
// dropped and counted: signalling does not depend on who watches it.
//
// # Where the tests are
//
// Beside the code, with a decoder of their own; the whole way, from a phone to
// the collector, is in internal/e2e.
package hep
