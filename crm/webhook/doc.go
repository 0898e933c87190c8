// Package webhook joins any CRM without code: it posts events as JSON to an
// address of the company and asks for the owner of a caller by a request that the
// company describes.
//
// What it is: [Client], a [crm.Connector]; [Sign], by which the CRM knows that a
// request is ours; the template of the question and the path of the answer.
//
// What it is not: templates and paths are no language: a place is replaced by a
// value, a path is walked. It does not follow redirects and uses no proxy.
//
// Who owns which goroutine: those of net/http, which end with Close.
//
// Invariants: the company chooses the address, so no connection goes to an
// address that is not public unless the operator's config allows the network;
// what counts is the address that is connected to, not the name. What a CRM
// answers is read up to a bound and never shown. A value cannot break out of its
// place: it is escaped for the path, the query or the JSON it stands in.
//
// Where the tests are: beside the files; bad_test.go has the CRMs that misbehave.
package webhook
