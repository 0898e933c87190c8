// Package law knows what law and good practice ask of those who call many people: the
// rules of each country as data, and the code that reads them. [Law.Judge] tells whether a
// number may be dialled at a moment, when else, or why never; [Law.CheckStart] what a
// campaign lacks before it may start at all.
//
// What it is not: it is no legal advice, and no place for the settings of a campaign or for
// what a company keeps of contacts and consents: the caller passes those in. It does
// not pace; it gives autodialer/pace the limits that hold.
//
// Who owns which goroutine: nobody; there are none. A [Law] is read-only once loaded, and
// everything is a pure function of its arguments.
//
// Invariants: a rule has a source, the date from which it holds and, unless it says that it
// was not, the date on which that was looked up, and makes one demand. Rules only add up: [Merge] and what a company demands
// besides can make a verdict stricter, never laxer. Where it is unknown in which zone
// somebody is, what is asked holds in all zones in which they may be. Where two readings of a
// law differ the stricter one is taken, and docs/law.md says so.
//
// Where the tests are: rule_test.go has the data, window_test.go the hours and the changes
// of clocks, judge_test.go the verdicts, start_test.go the start of a campaign.
package law
