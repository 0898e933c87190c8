//go:build race

package crm

// raceDetector makes everything ten times as slow.
const raceDetector = true
