//go:build race

package flow

// detecting says that the race detector is on, under which everything takes ten times as long.
const detecting = true
