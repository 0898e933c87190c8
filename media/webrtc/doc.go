// Package webrtc carries the media of browsers: ICE, DTLS and SRTP by pion/webrtc,
// behind what looks like a socket.
//
// # What it is
//
// A [Port] is the one UDP port of the node for browsers. It opens a [Transport] for
// each of them, which is one PeerConnection of pion: ICE-lite (RFC 8445 §2.5), rtcp-mux,
// one bundle. [Transport.RTP] gives the decrypted packets of the browser, RTP and RTCP
// as they share a port (RFC 5761), and takes those for it.
//
// # What it is not
//
// It writes no SDP for peers and reads none: package media negotiates, and gives here
// only what concerns the way of the packets ([Remote], [Local]). pion is told of one
// stream that we send; which codec is spoken, who is on hold and which payload types
// are meant it never learns. It makes no reports (RTCP): the session of package media
// does. It checks no connectivity of its own, so candidates of the browser only
// name its addresses in [Stats].
//
// # Goroutines
//
// A Port has one, which reads the socket; Close stops it and waits. A Transport has
// those of pion, which Close stops and waits for. The readers of RTP and Alarm are
// the caller's.
//
// # Invariants
//
//   - A datagram gets no further than the port unless it comes from an address that has
//     shown, by a check with the password of a session (RFC 8445 §7.3), to belong to it.
//   - Queues are bounded: what does not fit is dropped and counted. A session has at
//     most maxFlows addresses, and a browser at most maxSources sources (SSRC); one that
//     has more is cut off.
//   - The certificate of the peer is that whose fingerprint the signalling gave;
//     otherwise the connection has failed and nothing was heard of it.
//   - A packet costs the port no allocation; those of pion are measured by
//     BenchmarkTransport.
//
// # Tests
//
// Beside the code: a client made of pion on an in-memory network in a synctest bubble;
// garbage, strangers, forged certificates. Real browsers: internal/e2e.
package webrtc
