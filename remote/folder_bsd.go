//go:build unix && !linux

package remote

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const utimeOmit = -2 // UTIME_OMIT

// setTime sets the time of change of the file, whose name in dir is given.
func (f *diskFile) setTime(dir *folder, name string, t diskTime) error {
	return dir.setTime(name, t)
}

// bootID names the time since the system was started; after another start, what
// was written but never synced may be gone. It is empty if there is no telling.
func bootID() string {
	tv, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return ""
	}
	return strconv.FormatInt(int64(tv.Sec), 10)
}

// machineID names this machine among others; it may be empty.
func machineID() string {
	name, _ := os.Hostname()
	return name
}
