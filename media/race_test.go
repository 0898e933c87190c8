//go:build race

package media

// raced says that the race detector watches, under which codecs take ten times as long:
// what is about sound alone is then cut short.
const raced = true
