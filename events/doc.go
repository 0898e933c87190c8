// Package events is the live bus: what happens in calls and registrations, for
// whoever watches now.
//
// What it is: a [Bus] with subscribers, each with a bounded queue, and a short
// memory per company from which a subscriber that was cut off can go on.
//
// What it is not: it is not durable and it may drop. What must arrive, such as
// events for a CRM, goes through the outbox in package store, never through
// here.
//
// Who owns which goroutine: there are none. Publish runs in the publisher's,
// Next in the subscriber's.
//
// Invariants: Publish never blocks. Event ids grow, across restarts too. A
// subscriber sees the events of its own company only, in order, and is told
// when and how many it has missed.
//
// Where the tests are: bus_test.go.
package events
