package remote

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const utimeOmit = unix.UTIME_OMIT

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
