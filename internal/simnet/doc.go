// Package simnet is a UDP and TCP network in memory.
//
// # What it is
//
// Hosts with IP addresses, joined by links that delay, lose and reorder, and
// NATs that rewrite ports and forget them. A program that takes its sockets
// from a [Host] (ListenPacket, Listen, Dial) runs unchanged inside a
// testing/synctest bubble, where an hour of a call costs a second, and its
// packets arrive in the same order every time.
//
// # What it is not
//
// Not a model of TCP: segments are never reordered, a lost one is late by a
// retransmission timeout, and the window is a bounded buffer. Not a resolver:
// addresses are IP literals (and "localhost"). There are no routers; a host
// reaches every host that is not behind a NAT.
//
// # Goroutines
//
// None that last. One timer per [Net] runs the deliveries, each in a short
// callback; read deadlines are timers of their conn. [Net.Close] stops them all
// and wakes whoever reads, writes, accepts or dials.
//
// # Invariants
//
// One packet is delivered per instant: of two that are due together the one
// sent first arrives first and the other a nanosecond later, so that in a bubble
// everything a packet causes has happened before the next one arrives. Every
// ordered pair of hosts has a delay of its own, a few microseconds apart from
// the others and derived from the seed and the addresses. Losses, jitter and
// reordering come from the seed, the two endpoints and the number of the packet
// between them, never from a shared generator. A conn waits only on channels
// (durably blocking) and holds no lock while it waits. Queues are bounded: a full
// UDP queue drops, a full TCP buffer makes the writer wait.
//
// # Tests
//
// In this folder: udp_test.go, tcp_test.go, nat_test.go, and a benchmark of an
// hour of two-way RTP in bench_test.go.
package simnet
