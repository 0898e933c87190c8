// Package sdp reads and writes the part of the session description that a
// telephone call needs (RFC 8866, RFC 3264).
//
// # What it is
//
// Parse turns the SDP of a peer into a small value; Answer and Origin.Describe
// build ours. Reading is tolerant where phones are known to be careless (the last
// line without CRLF, lines out of order, unknown media and attributes), and strict
// where a guess would be dangerous (ports, addresses, sizes, control characters).
//
// # What it is not
//
// It keeps no state of the offer/answer exchange but the version of our own
// description, opens no sockets and resolves no names. It does not use a general
// parser: those refuse a whole description for one medium they do not know (T.38's
// "m=image … udptl"), where RFC 3264 §6 wants that medium alone refused.
//
// # Goroutines
//
// None. Values are safe to read concurrently; an Origin belongs to one owner.
//
// # Invariants
//
// Whatever Parse accepts, Answer can answer with the same number of media in the
// same order, and what Describe writes is valid SDP that Parse reads back. Text
// of the peer that is written again has no line breaks or other control
// characters. Sizes and counts are bounded.
//
// # Tests
//
// Tables in parse_test.go and build_test.go, FuzzParse beside it, FuzzCrypto for keys, and a
// foreign parser that must accept everything we write.
package sdp
