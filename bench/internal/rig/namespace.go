package rig

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"landline/bench/internal/kernel"
)

// enter furnishes the namespaces that the inner program of root was born into.
// With them, processes and mounts end when it ends.
func enter(dir string) error {
	if err := mount(); err != nil {
		return err
	}
	if err := useShell(dir); err != nil {
		return err
	}
	return kernel.SetUp()
}

func mount() error {
	if err := kernel.Furnish(); err != nil {
		return err
	}
	return os.Mkdir("/run/sshd", 0o755) // sshd insists on it
}

// useShell makes /bin/sh the user's login shell, by which sshd starts commands:
// others start slower, which is not sshd's fault.
func useShell(dir string) error {
	u, err := user.Current()
	if err != nil {
		return err
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(passwd), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, u.Username+":") {
			lines[i] = l[:strings.LastIndexByte(l, ':')] + ":/bin/sh\n"
		}
	}
	own := filepath.Join(dir, "passwd")
	if err := os.WriteFile(own, []byte(strings.Join(lines, "")), 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(own, "/etc/passwd", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting /etc/passwd: %w", err)
	}
	return nil
}

// About says what the figures were measured on.
func (r *Rig) About() string {
	where := "in a network of its own with cubic, login shell /bin/sh"
	if os.Getuid() != 0 {
		cc, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
		where = fmt.Sprintf("not as root, so on the machine's own loopback (%s) and with the user's login shell", strings.TrimSpace(string(cc)))
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	minute, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("Linux %s, %d processors, load average %s; %s; %s; %s.", strings.TrimSpace(string(kernel)),
		runtime.NumCPU(), minute, r.version("ssh -V"), r.version("rsync --version"), where)
}

func (r *Rig) version(line string) string {
	out, err := r.Command(line).CombinedOutput()
	if err != nil {
		return line + " does not answer"
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.Join(strings.Fields(first), " ")
}
