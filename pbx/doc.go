// Package pbx is the vocabulary of vpbx: the nouns that several packages speak
// about, their identifiers, the error kinds, the trace of a call and its fold
// into a call record.
//
// What it is: plain data and pure functions. Nothing here does I/O, starts a
// goroutine, reads a clock or logs. What was read of numbers of late is remembered,
// in a table of fixed size, because to look it up anew is slow.
//
// What it is not: it is no place for behaviour that one package owns. A type
// moves here when three packages need it or when it is stored.
//
// Who owns which goroutine: nobody; there are none.
//
// Invariants: a [Company] and a [Directory] are never changed once they are
// built, so that a call may keep the one it was routed with while a newer one
// is applied. [Summarize] is a pure function of the trace. Every value that
// belongs to a company names its [TenantID].
//
// Where the tests are: beside each file, as tables; number_test.go writes the numbers of
// a contact list in ten thousand ways.
package pbx
