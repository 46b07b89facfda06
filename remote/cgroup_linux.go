package remote

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// makeCgroup makes a control group for a job inside the one that this process is in,
// if that is delegated. It returns the new one's folder, or "" if there is none.
func makeCgroup(id string) string {
	own, ok := ownCgroup()
	if !ok || !delegated(own) {
		return ""
	}
	dir := filepath.Join(own, cgroupPrefix+id)
	if os.Mkdir(dir, 0o755) != nil || !canKill(dir) {
		return ""
	}
	return dir
}

// ownCgroup returns the folder of this process's control group, version 2.
func ownCgroup() (string, bool) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", false
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(groups)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return cgroupFolder(string(mounts), path)
		}
	}
	return "", false
}

// cgroupFolder finds a control group among the mounts, as mountinfo of proc(5) has
// them.
func cgroupFolder(mounts, path string) (string, bool) {
	for line := range strings.Lines(mounts) {
		where, what, _ := strings.Cut(line, " - ")
		f := strings.Fields(where)
		if len(f) < 5 || !strings.HasPrefix(what, "cgroup2 ") || strings.Contains(f[4], `\`) {
			continue
		}
		if rel, err := filepath.Rel(f[3], path); err == nil && !strings.HasPrefix(rel, "..") {
			return filepath.Join(f[4], rel), true
		}
	}
	return "", false
}

// delegated says whether a control group has been handed over, to make others in
// it: systemd marks it, and an ordinary user owns it.
func delegated(dir string) bool {
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		var b [2]byte
		if n, err := unix.Getxattr(dir, name, b[:]); err == nil && string(b[:n]) == "1" {
			return true
		}
	}
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() == 0 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func canKill(dir string) bool {
	return unix.Access(filepath.Join(dir, "cgroup.kill"), unix.W_OK) == nil
}

// killCgroup kills all that is in a control group, whatever sessions it has made.
func killCgroup(dir string) {
	// One that is gone has nobody to kill.
	_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
}

// joinCgroup has the command begin its life in a control group.
func (p *process) joinCgroup(dir string) (done func(), err error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	p.cmd.SysProcAttr.UseCgroupFD, p.cmd.SysProcAttr.CgroupFD = true, fd
	return func() { unix.Close(fd) }, nil
}

// killJob kills what is left of a job whose keeper is dead: all processes of this user
// that have its id in their environment.
func killJob(id string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && ofJob(pid, id) {
			killOfJob(pid, id)
		}
	}
}

// killOfJob kills a process, if the one that has this number now is the job's.
func killOfJob(pid int, id string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if ofJob(pid, id) { // and the descriptor is its, as it was there before
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// ofJob says whether a process has a job's id in its environment. Of another user's
// it cannot be known.
func ofJob(pid int, id string) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && strings.Contains("\x00"+string(env), "\x00"+jobVariable+"="+id+"\x00")
}
