//go:build unix

package remote

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A store is the folder in which a server keeps jobs, one folder for each. Several
// servers of one user may share it: what belongs to whom is settled by
// names, which appear whole or not at all, and by locks, which end with who holds them.
type store struct{ dir string }

// The names in a store: a prefix, and for a job its id.
const (
	jobPrefix = "job-" // an id may be ".."
	newPrefix = "new-" // is being made
	oldPrefix = "old-" // is being removed
)

var (
	errNoJob        = errors.New("no job of this id is kept here")
	errNeverStarted = errors.New("the job was never started: what should have kept it ended at once")
	errKeeperGone   = errors.New("what kept the job was killed, so that nobody saw its end")
)

func (st store) path(id string) string { return filepath.Join(st.dir, jobPrefix+id) }

// has says whether a job of this id is kept. What is left of one that was never
// started, because its server was killed before, is removed, so that it may be.
func (st store) has(id string) bool {
	if _, err := os.Lstat(st.path(id)); err != nil {
		return false
	}
	j, err := st.load(id)
	if err != nil || j.state.kind != "" || j.alive() {
		return !errors.Is(err, errNoJob)
	}
	return !errors.Is(st.settle(j), errNeverStarted)
}

// create makes the folder of a new job, with its lock held, which is returned. It
// returns errJobKnown if there is a job of this id.
func (st store) create(j *job) (lock *os.File, err error) {
	content, err := j.encode()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(st.dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(st.dir, newPrefix)
	if err != nil {
		return nil, err
	}
	lock, err = takeLock(dir, os.O_CREATE)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, jobFile), content, 0o600)
	}
	if err == nil {
		err = os.Rename(dir, st.path(j.m.job))
	}
	if err != nil {
		// It is removed at the next start, if not now.
		_ = os.RemoveAll(dir)
		if lock != nil {
			lock.Close()
		}
		if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
			err = errJobKnown
		}
		return nil, err
	}
	j.dir = st.path(j.m.job)
	return lock, nil
}

// load reads a job.
func (st store) load(id string) (*job, error) {
	j, err := readJob(st.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoJob
	}
	return j, err
}

// takeLock locks a job's folder for who keeps it, or clears it. It does not wait.
func takeLock(dir string, flags int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// alive says whether a job's keeper lives, or is being started.
func (j *job) alive() bool {
	f, err := os.Open(j.file(lockFile))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// dial connects to a job's keeper.
func (j *job) dial() (net.Conn, error) {
	if runtime.GOOS != "linux" {
		return net.Dial("unix", j.file(socketFile))
	}
	// A socket's path has little room; a descriptor stands for the folder.
	dir, err := os.Open(j.dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return net.Dial("unix", "/proc/self/fd/"+strconv.Itoa(int(dir.Fd()))+"/"+socketFile)
}

// settle finishes a job whose keeper is dead: it ends as lost, with what output
// there is, or if it was never started, it is removed and the error is errNeverStarted.
// If somebody else is at it, it does nothing.
func (st store) settle(j *job) error {
	lock, err := takeLock(j.dir, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return errNoJob
		}
		return nil
	}
	defer lock.Close()
	j.readState()
	switch {
	case j.over():
		return nil
	case j.state.kind == "":
		st.remove(j.dir)
		return errNeverStarted
	}
	j.killLeft()
	outs, err := j.spools()
	if err != nil {
		return err
	}
	_ = os.Remove(j.file(socketFile))
	e := ending{reason: Lost, err: errKeeperGone.Error(), took: j.untilLastTrace()}
	if err := j.writeEnded(&e, [2]int64{outs[0].end, outs[1].end}); err != nil {
		return err
	}
	j.readState()
	return nil
}

// untilLastTrace is how long the job ran for all that is known: until its keeper
// wrote its state or its output for the last time.
func (j *job) untilLastTrace() time.Duration {
	last := j.created
	entries, _ := os.ReadDir(j.dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != lockFile && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return max(last.Sub(j.created), 1)
}

// remove removes a job's folder, whose lock is held. It is gone at once.
func (st store) remove(dir string) {
	(&job{dir: dir}).release()
	old := filepath.Join(st.dir, oldPrefix+strings.TrimPrefix(filepath.Base(dir), jobPrefix))
	if os.Rename(dir, old) == nil {
		dir = old
	}
	// What is left is removed at the next start.
	_ = os.RemoveAll(dir)
}

// jobs reads all jobs, oldest first.
func (st store) jobs() ([]*job, error) {
	entries, err := os.ReadDir(st.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []*job
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), jobPrefix); ok {
			if j, err := st.load(id); err == nil && j.m.job == id {
				list = append(list, j)
			}
		}
	}
	sortJobs(list)
	return list, nil
}
