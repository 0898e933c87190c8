// Package phone is a small SIP phone for tests and the demo.
//
// # What it is
//
// A user agent on one UDP, TCP or TLS address, on the real network or on simnet:
// it registers, calls, answers, holds, transfers, sends and hears tones and digits,
// several calls at once, and can be told to misbehave. With [Config.Challenge] it
// plays a provider: it challenges and accepts registrations and calls. It keeps its
// own transactions and dialogs on sipgo's message parser and shares no code with the
// engine it tests. It refers others, but is not referred: a REFER gets 405.
//
// # What it is not
//
// Not a phone for people: no jitter buffer, codecs as package audio knows them, at 8 kHz. Not a model
// of good manners: it does what it is told, also when that breaks the RFC.
//
// # Goroutines
//
// [New] starts one loop, which owns every transaction, call and timer; methods
// send it closures and wait. One reader per socket hands messages to the loop in
// the order of arrival. A call with media has a reader and a 20 ms sender of its
// own. [Phone.Close] ends them all and waits for them. Nothing exists at package
// level, so a phone works inside a testing/synctest bubble.
//
// # Invariants
//
// Only the loop touches the state of transactions and calls; the state of the
// audio has a mutex, held for a few lines. Hooks ([Config.OnRequest],
// [Call.OnReInvite]) run in the loop and must not call the phone. Every call ends
// exactly once, and its Done channel is closed then. After [Phone.Gone] nothing is
// sent and nothing is answered.
//
// # Tests
//
// In this folder: two phones, and a phone with a provider, on simnet with loss and
// NAT and on real loopback sockets; tables and fuzzing for the SDP reader.
package phone
