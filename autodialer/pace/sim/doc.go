// Package sim is a contact centre in fake time that asks the real pacers of
// autodialer/pace how many calls to launch: it is what docs/pacing.md is measured with.
//
// What it is: [Centre], a simulation by events. Operators talk for log-normal times;
// those who are called answer with a chance that may change with the hour, or are busy, a
// machine, or not there, and are called again. Whoever answers and gets no operator in
// time is abandoned.
//
// What it is not: part of the program. It has no goroutine and no clock, and all of its
// chance comes from a seed: the same [Centre] and the same [Pacer] give the same days.
//
// Where the tests are: pacing_test.go holds the limits over many days and makes the table
// of docs/pacing.md; baseline_test.go has the ratio of other dialers, to compare with.
package sim
