// Package rtk speaks the Rostelecom "Virtual PBX" integration dialect to a
// CRM: JSON over POST, signed with a key both sides know.
//
// What it is: [Client], the connector for the method get_number_info, which
// asks a CRM who is calling and which internal number shall be called; and the
// signature itself, [Sign] and [Verify], for whoever stands at the other end.
//
// What it is not: it keeps no answers, sets no budget and counts no failures;
// crm does. It does not deliver call events yet, and does not serve the
// methods that a CRM calls.
//
// Who owns which goroutine: only net/http's, two for each connection. Close
// ends dials under way and closes the idle connections; a request under way
// ends with its context.
//
// Invariants: a body is signed as it is sent, byte for byte. No redirect is
// followed and no proxy of the environment is used. At most 64 KiB of an answer
// are read. What a CRM says is hostile text: names lose control characters and
// all beyond 128 runes.
//
// Where the tests are: sign_test.go holds the golden vectors; answer_test.go
// tables and a fuzz target for what a CRM may say; client_test.go drives real
// HTTP over connections in memory on fake time.
package rtk
