// Package pace says how fast campaigns may call: how many calls may be launched now, by
// which campaign, and how long it takes until the next may.
//
// What it is: [Limiter], which holds calls per second and calls at once of campaigns,
// trunks and companies, ramps, and the turns of those who share; [Progressive], a call
// for each free operator; and [Predictive], which dials ahead for a campaign as far as
// the limit of abandoned calls allows. Package sim below is the contact centre that they
// are tried in; docs/pacing.md has what came of it.
//
// What it is not: it does not know what a target or a call is, at what hours people may
// be called, or what time it is. It has no clock, no goroutine and no lock: the time is
// an argument, all chance comes from a seed, and the same questions get the same answers.
//
// Who owns which goroutine: nobody; the goroutine of autodialer.Runner asks, one for all
// campaigns of a node. It has one Limiter, and one Predictive for each campaign that
// dials so. A round, after anything has happened and at the earliest of the times that
// were named, is:
//
//	for each running campaign:
//		n is Progressive(free, dialling), or Launches(at, now), or how many messages are due
//		limiter.Want(id, trunk, n)
//	for limiter.Turn(at) names a campaign:
//		take its next target; with none: limiter.Want(id, trunk, 0)
//		limiter.Admit(at, id, trunk), predictive.Launched(at, call), dial
//
// The end of each call is told by [Limiter.Done], what becomes of it before by the methods
// of Predictive. The example shows it.
//
// How Predictive decides. It keeps what it believes as distributions: the chance that
// a live person answers (Beta; 150 results count, older ones fade, and what the same hour
// of other days was like counts for 30), how long calls ring (a histogram), how long an
// operator then talks and wraps up (log-normal). Three steps follow.
//
//  1. The target ([Predictive] aim): which share of the next live answers may be
//     abandoned so that the simulated probability of being over the limit at the end of
//     the day, and of the 30 days, is at most [Settings].Risk. The rest of the day is
//     drawn between nothing and all that is expected, since a campaign may be stopped;
//     the risk is spent evenly over the window. It is never more than the limit.
//  2. The cost of a launch (horizon): the coming 48 seconds are simulated, the calls that
//     ring and the talks that go on one by one, to find by how many the next launch raises the
//     number of abandoned calls. These costs add up to what will be abandoned.
//  3. The price: calls are launched while their cost is below the target times a factor,
//     which is learnt so that all launches cost on average what the target allows. What
//     was abandoned in truth corrects the costs.
//
// It dials progressively until 50 live answers and 20 talks are known, when the limit is
// reached, when there is no target above 0, and for 15 s when a tenth of the operators has left.
//
// Invariants: in any second, at any level, at most the calls per second that are set
// (rounded up), and never more at once; between campaigns of one trunk that always want a turn
// no more than one launch of each by weight; Predictive never launches fewer than
// Progressive does. One question with its simulations takes 0.6 ms of a processor, whatever the number
// of operators: the number of draws is bounded by the work that they are.
//
// Where the tests are: limiter_test.go has the properties of limits and turns,
// predictive_test.go those of the parts of Predictive, sim the days.
package pace
