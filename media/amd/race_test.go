//go:build race

package amd_test

// raced says that the race detector watches, under which codecs take ten times as long:
// what is about sound alone is then cut short.
const raced = true
