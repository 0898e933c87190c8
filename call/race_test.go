//go:build race

package call

// raced says that the race detector watches, under which the simulation takes minutes; it
// has one goroutine and nothing to race with.
const raced = true
