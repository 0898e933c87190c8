// Package crm asks a company's CRM who owns a caller, in a time that the
// caller never notices.
//
// What it is: [Lookup], which finds the connector of the company's CRM kind
// and stands between it and the call: one budget for everything, a cache,
// shared requests, a circuit breaker. Each kind of CRM is a package below this
// one with one type, a [Connector].
//
// What it is not: it decides nothing about calls; it answers with a contact
// and a result, and routing says what that means. It does not deliver events
// to a CRM yet: that will be the connectors' second method.
//
// Who owns which goroutine: Lookup starts one for each request that is under
// way and the cache's sweeper. A request ends when its budget is used up, when
// nobody waits for it any more, or with Close, which waits for all of them. A
// panic in a connector ends that request only.
//
// Invariants: Owner returns within the company's timeout whatever the CRM
// does, and at once when its context ends. It never returns an error: failure
// is a result of a closed set. Failures are not cached. What one company's CRM
// said is never told to another company, nor after the company changed its CRM
// settings. A CRM is not asked while its breaker is open, and by one request
// only to find out whether it is back.
//
// Where the tests are: lookup_test.go, on fake time in a bubble, against
// connectors that misbehave; breaker_test.go is a table. The wire is tested in
// the packages of the connectors.
package crm
