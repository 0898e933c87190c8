package store

import (
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE of Linux: the blocks are the file's, its
// length stays.
const keepSize = 1

// allocate gives f blocks for its first size bytes.
func allocate(f *os.File, size int64) error {
	return os.NewSyscallError("fallocate", syscall.Fallocate(int(f.Fd()), keepSize, 0, size))
}
