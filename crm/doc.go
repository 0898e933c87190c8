// Package crm asks a company's CRM who owns a caller, in a time that the
// caller never notices, and tells it of everything that happens in calls, however
// long it is down.
//
// What it is: [Lookup], which finds the connector of the company's CRM kind
// and stands between it and the call: one budget for everything, a cache,
// shared requests, a circuit breaker. [Deliverer], which takes events out of the
// outbox and tells them, again and again until the CRM has them. Each kind of CRM
// is a package below this one with one type, a [Connector] of two methods. [HTTP]
// is the client that they share, [Pools] keeps connections apart by whom they trust,
// [Guarded] keeps them out of networks that companies may not reach. [Debugger] keeps
// what passes between a company and its CRM while somebody looks.
//
// What it is not: it decides nothing about calls; it answers with a contact
// and a result, and routing says what that means. It makes no events: package
// store queues them with the trace and the record of the call (decision 17).
//
// Who owns which goroutine: Lookup starts one for each request that is under
// way and the cache's sweeper. A request ends when its budget is used up, when
// nobody waits for it any more, or with Close, which waits for all of them. A
// panic in a connector ends that request only. Deliverer has one for itself, one
// for each company of which something is due, 64 at most, and one for each of the
// eight calls at most that such a company's CRM is told of at once; Close ends
// the tries and waits for all of them. Debugger has one, which writes; Close writes
// what waits and ends it.
//
// Invariants: Owner returns within the company's timeout whatever the CRM
// does, and at once when its context ends. It never returns an error: failure
// is a result of a closed set. Failures are not cached. What one company's CRM
// said is never told to another company, nor after the company changed its CRM
// settings. A CRM is not asked while its breaker is open, and by one request
// only to find out whether it is back.
//
// Events of a call are told in their order, never two at once; a call whose event
// fails holds up no other. An event leaves the outbox only when the CRM has it,
// when the CRM refuses it, when it failed twelve times while the CRM took others,
// or after three days: a CRM that is down costs no event of these days. A CRM that
// is down is asked once in 30 s.
//
// Where the tests are: lookup_test.go and deliver_test.go, on fake time in a
// bubble, against connectors that misbehave; breaker_test.go is a table. The wire is tested in
// the packages of the connectors.
package crm
