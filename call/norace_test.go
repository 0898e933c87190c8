//go:build !race

package call

// raced says that the race detector watches.
const raced = false
