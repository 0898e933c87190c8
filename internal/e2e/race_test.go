//go:build race

package e2e

// raceEnabled makes the server that is tested a race detector's, too.
const raceEnabled = true

// patience is how many times longer than without the race detector a test waits for
// what it expects: it takes ten times the processor, on a machine that others share.
const patience = 3
