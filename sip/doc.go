// Package sip is the SIP side of the PBX: it listens on UDP, TCP, TLS and
// WebSockets, keeps who is registered where, finds out whose call an INVITE is,
// and holds one dialog per call and peer, the [Leg].
//
// # What it is
//
// A [Server] is a registrar (RFC 3261 §10) and a pair of user agents, back to
// back only in the sense that the owner of the legs makes them so. A request
// comes in through the read filter (rate, bans, garbage), is parsed, checked
// as RFC 3261 §8.2 says, and goes to the registrar, to the leg of its dialog,
// or, when it is a new INVITE, through identification: a trunk is known by its
// address or by the contact we registered at it, everybody else is an
// extension that has to prove it by digest (RFC 8760). There is no third way
// in. An identified INVITE becomes a leg and is given to Config.Accept. Phones
// that prove who they are can also watch numbers of their company (SUBSCRIBE,
// RFC 6665): what they see is told by [Server.ExtensionState] and
// [Server.Mailbox]; and send text messages to each other (MESSAGE, RFC 3428).
//
// Of sipgo only transports and transactions are used; it is imported as msg.
// Its Server, dialog sessions and client helpers are not: the reasons stand
// where we do otherwise.
//
// # What it is not
//
// It does not read SDP, does not route, does not bridge legs and knows nothing
// of calls. It knows companies only through [pbx.Directory]. It is no proxy:
// nothing is forwarded but the words of a text message, and no response of one
// peer reaches another one.
//
// # Who owns which goroutine
//
// One loop per listener, one per transport for connections we opened and for
// WebSockets, one short one per WebSocket that shakes hands, one goroutine that
// expires bindings and sends keepalives, one that saves bindings: started by
// Start, waited for by Close. One goroutine per leg and per trunk that
// registers: see dialog.go. One goroutine per subscription: see notify.go.
// Requests run in goroutines of sipgo, one each; the handler of an INVITE stays
// until the final response is sent.
//
// # Invariants
//
//   - No call without a company: an arrival has one.
//   - A password is never compared without a nonce of ours, made for that
//     source, and no answer to a nonce counts twice.
//   - A request in a dialog changes nothing unless it comes from where the peer
//     is known to be, or proves to be the peer's: see source.go.
//   - The phone that is registered over a flow is heard over that flow,
//     whatever others do from its address or to its account.
//   - A contact is sent back as it was written.
//   - Nothing is looked up or connected to because a request says so in its Via.
//   - Nothing is sent whose headers hold a line break that is not ours: see
//     validate.
//   - A datagram of a source, or of all strangers together, that is beyond its
//     rate costs a read and a look into a map: see shed.
//   - sipgo opens no connection and looks up no name: see transports.
//   - Every map here has a bound, and so has the ladder of a leg: what the two
//     sent each other, trimmed and without secrets.
//   - Of a connection sipgo gets whole messages only; a connection whose next
//     message cannot be told apart is closed. A request over UDP that cannot be
//     parsed is answered statelessly, with no more than it brought.
//   - What leaves for those who look on (Config.Mirror, captures) has passed mask.
//     A capture has what is known to be that extension's, nothing by its looks.
//   - A provisional response with a number is confirmed before the next one, and
//     before the 2xx when it describes the session (RFC 3262).
//   - Of a company nothing is told to phones of another one.
//   - A subscription has one NOTIFY under way, and ten a second at most.
//   - The end of a leg is told once to each owner it had, as its last event, and
//     a REFER, an offer or an event that the former owner left open is the next
//     one's.
//   - Of a REFER only its target is used; whether the peer may call it is for
//     the owner to say. NOTIFYs about it go out one at a time (RFC 3515).
//   - A store that fails never refuses a phone.
//
// Decisions that are ours to make: a contact more than the limit of an
// extension replaces the one not refreshed for longest; a wrong password is
// answered with 403; RFC 2543 requests without tags or branches get a 400;
// requests without rport from behind a NAT are answered as if they had it.
// The binding of a WebSocket ends with its connection, its calls 15 s later unless
// the phone is heard over another one. A binding with a Path is not saved: the
// store has no place for it. A trunk without a transport is what DNS says it is.
// The first New sets two globals of sipgo: msg.UDPMTUSize, so that a long INVITE
// is fragmented rather than refused, and its default logger, which is silenced.
//
// # Where the tests are
//
// Beside the code, on in-memory networks in testing/synctest bubbles, with raw
// SIP written by the test; TCP framing also on loopback. testdata/torture
// holds messages of RFC 4475. Parsers are fuzzed (go test -fuzz).
package sip
