// Package durable makes names of files outlive a loss of power.
//
// What it is: a file that was synced is on the disk; that it has a name in its directory
// is only sure when the directory was synced, too. [SyncDir] and [SyncParents] do that.
//
// What it is not: it does not sync the files themselves, and it cannot make a disk keep
// what it lies about. A file system that has nothing to sync for a directory is taken at
// its word.
//
// Who owns which goroutine: it starts none. Both functions wait for the disk.
//
// Where the tests are: durable_test.go for errors; store/powerloss_test.go for
// what relies on it.
package durable
