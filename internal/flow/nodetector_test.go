//go:build !race

package flow

// detecting says that the race detector is on.
const detecting = false
