package identity

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// lock waits until f is locked against other landlines. Closing f unlocks it. The lock is
// on a byte far behind the end: a lock on Windows shuts out readers, too.
func lock(f *os.File) error {
	far := &windows.Overlapped{Offset: math.MaxUint32, OffsetHigh: math.MaxInt32}
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, far)
}
