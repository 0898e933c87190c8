// Package tenants reads, checks and applies company documents.
//
// # What it is
//
// A [Document] is the file of one company: extensions, groups, trunks, numbers,
// rules. [Parse] reads it from YAML or JSON and lists every mistake by path and
// line. [Document.Company] makes of it the pbx.Company that the engine works
// with, passwords turned into digest hashes; [FromCompany] goes the other way
// and leaves the secrets out. [Service] applies a document in one transaction
// and tells what it changed, or edits one item of a [Section] of it.
//
// # What it is not
//
// It neither stores nor routes. It does not know where a document comes from;
// config never sees one.
//
// # Who owns which goroutine
//
// Nobody; there are none.
//
// # Invariants
//
// A document with a mistake changes nothing. A key that is not known is refused,
// never ignored. Applying a document twice changes nothing
// the second time, and so does applying what [FromCompany] gave: a secret that
// is left out stays what it was, but only for the same domain, provider or CRM.
// A prompt is a text, an upload by the API or a phone, or a file inside the directory given to
// Parse; a document cannot name other files of the machine. Uploaded sounds stay when a
// document is applied.
//
// # Where the tests are
//
// document_test.go has the example of the documentation, mistakes_test.go the
// table of mistakes with their lines, service_test.go what applying changes,
// fuzz_test.go throws anything at Parse; api/sections_test.go edits items.
package tenants
