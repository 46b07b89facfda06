//go:build unix && !solaris && !aix

package lan

import (
	"os"
	"syscall"
)

// lockFile keeps others from having the file locked as long as it is open. The error is syscall.EWOULDBLOCK if another has.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
