// Package pcap writes SIP messages as a capture file that Wireshark, tshark and
// sngrep read.
//
// # What it is
//
// A [Writer] puts each message into an Ethernet frame with an IP and a UDP or
// TCP header, as if it had been caught on the wire, in the classic pcap format
// with microseconds. Addresses, ports and times are the true ones, checksums are
// right, TCP streams have sequence numbers without a gap.
//
// # What it is not
//
// It catches nothing and reads nothing. What a frame has beside a message is
// made up: Ethernet addresses, TTL, and of TCP the handshake is missing.
// Messages that went over TLS or a WebSocket stand in UDP datagrams, readable,
// because as TCP they would be taken for TLS.
//
// # Who owns which goroutine
//
// Nobody: the package starts none. A Writer is used by one goroutine at a time.
//
// # Invariants
//
// A frame has at most 65535 bytes; what does not fit into a datagram is cut off,
// and the frame says how long it was. The memory of a Writer grows with the number
// of TCP streams only, and that is bounded.
//
// # Where the tests are
//
// Beside the code, with a reader of their own; tests that need tshark run it
// when it is installed.
package pcap
