// Package routing decides what happens to a call: who rings, over which trunk
// it leaves, or why it is refused.
//
// What it is: one pure function, decide, over the company's configuration, the
// call and what the CRM said, and a Router that asks the CRM first where a
// rule wants the owner of the caller, and the company's address book; and [Forward],
// as pure, which says where a call goes that an extension sends on. The first rule
// takes a call whose number, callers and time all hold; a rule that dials another
// number of the company goes on with that one's rule. A [Decision] is data: a list
// of steps with reasons that a manager can read. The call executes it and never asks
// which rule it is in. [Router.Explain] is a decision without a call.
//
// What it is not: it does not ring, does not know which phones answer, and
// keeps no state. It reads no clock: a Request carries its time.
//
// Who owns which goroutine: nobody; there are none. Route blocks for as long
// as the CRM lookup takes, which that lookup bounds, and 50 ms at most for the
// address book.
//
// Invariants: a decision has 1 to [MaxSteps] steps; nothing follows a Reject;
// the last step connects or refuses (Ring, Dial, Feature or Reject). Every target is of
// the company of the request. A failing CRM or address book is a reason, never an
// error and never the end of a call. Rules that lead to each other end at the second
// visit. Emergency numbers are carried whatever the time. What is refused is refused with a reason. A number
// that may lie abroad and cannot be read counts as one abroad.
//
// Where the tests are: decide_test.go, rule_test.go and forward_test.go hold the tables,
// property_test.go the invariants above over random companies, with fuzz targets.
package routing
