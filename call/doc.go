// Package call is call control: it takes a leg that came in, or a request to
// call somebody, asks routing what is to be done, does it, and leaves one
// record.
//
// What it is: [Manager], which knows the calls that are going on, and Call,
// whose run is the whole life of a call from top to bottom.
//
// What it is not: it does not know which rule applies (package routing), how a
// SIP dialog works (package sip), what is inside an SDP or a packet (package
// media), what a prompt is made of (package sounds), or how a record is stored
// ([Journal]).
//
// Who owns which goroutine: one goroutine per call, started by the Manager. It
// owns every field of the Call and blocks in one place only, [Call.next].
// await starts at most one helper per call, for work that may take time. The
// Manager has none but those that write what was spent, one for each time that
// money is reserved or given back, and the callbacks of queues; Close waits for them. While
// somebody waits in a queue a timer of its company matches again (decision 20). A conference that goes on
// is a room with one goroutine, which owns its fields and lasts as long as anybody
// has a seat in it; a member is a call of its own (decision 16).
//
// Invariants: a call has one trace; it begins with Arrived, ends with Ended,
// and the record is a pure function of it. A call keeps the configuration it
// began with. A leg has one owner. Nothing of one company is looked up with
// the id of another: all look-ups start at c.company. No call holds a pointer
// to another call, and none waits for another or for a room but in await, or for a
// room that it leaves: a room waits for no call that has left. Nothing is dialled at a trunk without a grant of
// [Manager.admitOutside], and what is spent in a day, with what is reserved, is
// never more than its limit. A call is forwarded maxForwards times at most, and
// routing.MaxHops times in a row, and led into maxMenus menus. What phones are shown of an extension that
// they watch is made from the events of its calls alone: see busy.go. What a caller has recorded and
// wants kept (a prompt, a greeting) is seen through when it hangs up at once: the call is over
// when it is known what came of that, saveBound later at most.
//
// Who waits in a queue has the agents that it is offered to until it leaves, however its
// goroutine ends; after a round of the matcher nobody waits without an offer for whom
// there is an idle agent. A callback is dialled only after its attempt is saved. The number of
// a campaign is dialled only when all that may be said is made ready, over one trunk after the
// other until it rings, and nobody is rung for it behind the time in which an operator must be
// there (decision 32).
//
// The leg of an operator's line (line.go) is the line's or that of the one call it was lent
// to; it goes back where that call would hang it up. Who is reserved for the call of a
// campaign is free with its end at the latest (decision 33).
//
// Where the tests are: the behaviour is in the flows (internal/flow); pure
// parts are tested beside their files.
package call
