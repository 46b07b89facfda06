package remote

import (
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const utimeOmit = unix.UTIME_OMIT

// setTime sets the file's time of change; its name in dir is not needed here.
func (f *diskFile) setTime(_ *folder, _ string, t diskTime) error {
	mtime, err := unix.TimeToTimespec(t.time())
	if err != nil {
		return err
	}
	ts := [2]unix.Timespec{{Nsec: utimeOmit}, mtime}
	// Without a path, which package unix cannot leave out, it is futimens.
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(f.fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// bootID names the time since the system was started; after another start, what
// was written but never synced may be gone. It is empty if there is no telling.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// machineID names this machine among others; it may be empty.
func machineID() string {
	b, _ := os.ReadFile("/etc/machine-id")
	name, _ := os.Hostname()
	return string(b) + name
}
