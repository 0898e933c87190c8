//go:build race

package e2e

// raceEnabled makes the server that is tested a race detector's, too.
const raceEnabled = true
