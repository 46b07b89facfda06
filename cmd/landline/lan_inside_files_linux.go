package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"landline/dhcp"
)

// files are those that are other ones inside than outside, by mounts over them: what tells the C library where names are
// looked up, /proc and /sys.
type files struct {
	resolv *os.File // nil if there is none outside
}

const resolvFile, switchFile = "/etc/resolv.conf", "/etc/nsswitch.conf"

// mountFiles makes the mounts, in a namespace for them. The files are in memory, where nothing but the mounts leads to.
func mountFiles() (*files, error) {
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return nil, fmt.Errorf("mounts: %w", err)
	}
	const way = "/proc" // a folder that is there, and that nobody needs for the moment
	if err := unix.Mount("landline", way, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755"); err != nil {
		return nil, fmt.Errorf("mount of files in memory: %w", err)
	}
	f, err := &files{}, error(nil)
	if f.resolv, err = replace(way, resolvFile, nil); err == nil {
		err = replaceSwitch(way)
	}
	for _, dir := range []string{"/run/nscd", "/var/run/nscd"} { // which would be asked first
		if err == nil {
			err = absent(unix.Mount("landline", dir, "tmpfs", unix.MS_RDONLY, ""))
		}
	}
	mountSys(way)
	if err = errors.Join(err, unix.Unmount(way, unix.MNT_DETACH)); err != nil {
		return nil, err
	}
	// It shows who has which number in here. Where containers have hidden parts of it, the outer one has to do.
	_ = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	return f, nil
}

// mountSys has /sys show the interfaces that there are inside. Where that is not allowed, it shows the others.
func mountSys(way string) {
	const groups = "/sys/fs/cgroup" // which stay those that the command is in
	kept := filepath.Join(way, "cgroup")
	if os.Mkdir(kept, 0o755) != nil || unix.Mount(groups, kept, "", unix.MS_BIND|unix.MS_REC, "") != nil {
		return
	}
	if unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") == nil {
		_ = unix.Mount(kept, groups, "", unix.MS_BIND|unix.MS_REC, "")
	}
}

// replace puts another text in the place of a file, and returns that text's file. It is nil if there is no such place.
func replace(way, path string, text []byte) (*os.File, error) {
	name := filepath.Join(way, filepath.Base(path))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644)); err == nil {
		err = unix.Mount(name, path, "", unix.MS_BIND, "")
	}
	if err != nil {
		f.Close()
		return nil, absent(err)
	}
	return f, nil
}

// absent makes no error of one that says that a file is not there.
func absent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// replaceSwitch has names looked up by the protocol, and nothing else: other services of this system would answer from
// outside of the LAN.
func replaceSwitch(way string) error {
	text, err := os.ReadFile(switchFile)
	if err != nil {
		return absent(err)
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(text)) {
		if database, _, _ := strings.Cut(line, ":"); strings.TrimSpace(database) == "hosts" {
			line = "hosts: files dns\n"
		}
		b.WriteString(line)
	}
	f, err := replace(way, switchFile, b.Bytes())
	if f != nil {
		f.Close()
	}
	return err
}

// resolve has names looked up as a lease says.
func (f *files) resolve(lease *dhcp.Lease) error {
	if f.resolv == nil {
		return nil
	}
	var b bytes.Buffer
	search := lease.Search
	if len(search) == 0 && lease.Domain != "" {
		search = []string{lease.Domain}
	}
	if len(search) > 0 {
		fmt.Fprintln(&b, "search", strings.Join(search, " "))
	}
	for _, a := range lease.DNS {
		fmt.Fprintln(&b, "nameserver", a)
	}
	if err := f.resolv.Truncate(0); err != nil {
		return err
	}
	_, err := f.resolv.WriteAt(b.Bytes(), 0)
	return err
}
