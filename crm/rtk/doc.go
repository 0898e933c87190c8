// Package rtk speaks the Rostelecom "Virtual PBX" integration dialect to a
// CRM: JSON over POST, signed with a key both sides know.
//
// What it is: [Client], the connector for the methods that we call: get_number_info,
// which asks a CRM who is calling and which internal number shall be called, call_events
// and history_file_completed. [Server], which answers the methods that a CRM
// calls: an http.Handler. [Client.Test], by which somebody tries a CRM, and [Samples].
// And the signature itself, [Sign] and [Verify]. The language
// is described in docs/integration.md, the choices in decision 22.
//
// What it is not: it keeps no answers, sets no budget and counts no failures;
// crm does. It makes no calls, keeps no orders and serves no recordings: call, store and
// recordings do, behind the interfaces of [ServerOptions].
//
// Who owns which goroutine: of the Client only net/http's, two for each connection.
// Close ends dials under way and closes the idle connections; a request under way
// ends with its context. Server.Start begins one, which makes the histories that are
// ordered, one after the other, and removes old ones; Close ends it and waits for it.
//
// Invariants: a body is signed as it is sent, byte for byte. No redirect is
// followed and no proxy of the environment is used. At most 64 KiB of an answer, and
// of a request, are read. What a CRM says is hostile text: names lose control characters and
// all beyond 128 runes. Who does not sign as a company learns nothing, and all get the
// same answer; who does is answered about that company only. Every answer to a company
// is signed. The file of a history gets its name when it is whole, and the store says
// that it is ready in the transaction that queues the event. A test goes nowhere but to
// addresses that a company may choose, and ends in its time.
//
// Where the tests are: sign_test.go holds the golden vectors; answer_test.go
// tables and a fuzz target for what a CRM may say; client_test.go drives real
// HTTP over connections in memory on fake time; server_test.go has the rows R1 to R5,
// R12 and R27, and trust_test.go R29, D6 and D7, of the acceptance list on a real store, bounds, bad requests, and fuzz
// targets. Whole calls are the flows r05 to r25 of internal/flow.
package rtk
