// Package media carries the audio of calls: it opens RTP ports, negotiates them by
// SDP and relays packets between parties.
//
// # What it is
//
// An Engine opens a Session for each party of a call. A session owns an RTP and an
// RTCP port, holds its side of the offer/answer exchange (RFC 3264), takes packets
// from the right source only, keeps the statistics of RFC 3550, sends and reads
// RTCP, hears and presses keys and can play a prompt. Keys pass in three ways, as
// telephone events (RFC 4733), as tones and by the owner's signalling, and become
// what each peer takes (hearkeys.go hears, press.go presses). A Bridge of two sessions is a
// relay: the goroutine that reads one party's packets writes them to the other,
// under the other session's own SSRC, sequence numbers and payload types; where the
// two have no codec in common it decodes and encodes them first (transcode.go). What
// goes between a session and its peer is plain, or secured by SRTP with keys from SDP or
// from a handshake of DTLS (secure.go, srtp.go, dtls.go): nothing above those files
// sees but what is in clear. A
// Conference of more than two mixes them, everybody without himself and by roles
// (mixer.go): the packets of each member wait in an adaptive jitter buffer (delay.go
// measures for how long, jitter.go keeps them, playout.go decodes them), what all say is added up
// once, and a frame is coded once for all who hear the same in one codec.
//
// # What it is not
//
// It knows nothing of calls, tenants or SIP; SDP goes through as bytes. It does not
// buffer audio against jitter but to mix it: the phones do that. What it decodes for a bridge it puts in order
// first (audio.Order, decision 12). Codecs that package
// audio does not know are relayed, not mixed nor changed. The media of browsers comes through
// package webrtc, which speaks ICE; to the rest of a session it is a socket like any other.
//
// # Goroutines
//
// Each session has two, from Open to Close: "rtp" reads the RTP socket and relays;
// "rtcp" reads the RTCP socket and wakes up, by the socket's read deadline, to send
// reports and to notice silence. Play starts a third until the prompt ends or is
// stopped, Press one until all keys are pressed; each handshake of DTLS has one, with those
// of the library, until the session or the peer ends it. Close stops all of them and waits.
// A Conference has one while it mixes, and none for its members; its Close, or that
// of the Engine, waits for it. Nothing is started by Engine or Bridge. The exported methods of a Session are for
// its one owner (the call) and return at once; Quality and State may be called by
// anybody. An owner hands a session on by Own.
//
// # Invariants
//
//   - Packets go to the address of the peer's SDP, to its signalling source, or to
//     the source that was locked on, which is one of these two IP addresses; never
//     to another address, nor to one of our own ports.
//   - Packets are accepted from those two IP addresses only and, once locked, from
//     one port only (against RTP bleed and RTP injection).
//   - What a peer receives is one stream: one SSRC, sequence numbers and timestamps
//     that go on whatever is behind them.
//   - A jitter buffer keeps 64 packets at most, whatever comes, and no sound waits in it
//     for 400 ms longer than it has to.
//   - A frame of a conference costs no allocation, once everybody has spoken.
//   - A relayed packet costs no allocation, no channel and no lock that another
//     session's packets contend for.
//   - No mutex is held across a read or write of a socket or a channel. Where two
//     are held the order is Engine.bridging or Engine.mu, Session.mu, then
//     handshakes.mu, receiver.mu or stream.mu; ports.mu is taken last. Those of keys
//     are taken alone.
//   - Keys are in SDP and in contexts, never in errors, logs, events or State but its SDP.
//     One key of ours has one counter, for as long as the session lasts.
//
// # Tests
//
// Tables for the pure parts beside each file. Sessions run on an in-memory packet
// network in a synctest bubble (net_test.go), so time-outs cost nothing;
// loopback_test.go uses real sockets. golden_test.go sends speech through each path and
// compares (quality_test.go), and an hour of it through a jitter buffer; abuse_test.go is
// what peers should not send, and one stream whatever changes. FuzzHeader for the packet parser,
// FuzzJitter for what comes to a jitter buffer; BenchmarkRelayPacket for the packet path, BenchmarkConference for mixing.
package media
