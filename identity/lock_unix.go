//go:build unix && !solaris && !aix

package identity

import (
	"os"
	"syscall"
)

// lock waits until f is locked against other landlines. Closing f unlocks it.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}
