//go:build unix

package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A processSpec is what to start.
type processSpec struct {
	args  []string
	env   []string // added to this process's own
	dir   string
	stdin bool
	tty   *ttySpec // nil if it gets no terminal
	login bool     // it is the login shell of the user, and args says nothing
	job   string   // if not empty, it is kept: it leads a session, and ends with who started it
	group string   // the folder of its control group, if it has one
}

// jobVariable holds the job's id in a kept command's environment.
const jobVariable = "LANDLINE_JOB"

// A startError says why a command could not be started.
type startError struct {
	code int // as exit's: 125, 126, 127
	what string
}

func (e *startError) Error() string { return e.what }

// A process is a started command. It leads a process group, to which all signals
// go; until reap the kernel keeps the group's number for it.
type process struct {
	cmd            *exec.Cmd
	tty            bool     // it has a terminal: stdin and stdout are our side of it, stderr is nil
	stdin          *os.File // nil if it has none
	stdout, stderr *os.File
	group          string // its control group's folder, or ""
	ended          chan struct{}
	state          *os.ProcessState // once it is reaped
}

func startProcess(spec *processSpec) (*process, error) {
	env := append(os.Environ(), "PWD="+spec.dir)
	env = append(env, spec.env...)
	if spec.job != "" {
		env = append(env, jobVariable+"="+spec.job)
	}
	if spec.tty != nil {
		env = append(env, "TERM="+spec.tty.term)
	}
	if info, err := os.Stat(spec.dir); err != nil || !info.IsDir() {
		return nil, &startError{125, fmt.Sprintf("no such directory: %s", spec.dir)}
	}
	path, args, err := spec.program(env)
	if err != nil {
		return nil, err
	}
	p := &process{ended: make(chan struct{}), group: spec.group}
	session := spec.job != "" || spec.tty != nil
	p.cmd = &exec.Cmd{Path: path, Args: args, Env: env, Dir: spec.dir, SysProcAttr: &syscall.SysProcAttr{Setpgid: !session, Setsid: session}}
	if spec.job != "" {
		p.endWithParent()
	}
	if spec.group != "" {
		done, err := p.joinCgroup(spec.group)
		if err != nil {
			return nil, &startError{125, fmt.Sprintf("no control group: %v", err)}
		}
		defer done()
	}
	var theirs []*os.File
	if spec.tty != nil {
		theirs, err = p.terminal(spec.tty)
	} else {
		theirs, err = p.pipes(spec.stdin)
	}
	defer closeAll(theirs)
	if err == nil {
		err = p.start()
	}
	if err != nil {
		closeAll([]*os.File{p.stdin, p.stdout, p.stderr})
		return nil, startFault(path, spec.dir, err)
	}
	return p, nil
}

// program finds what to start, and its arguments, of which the first is its name.
func (spec *processSpec) program(env []string) (path string, args []string, err error) {
	if spec.login {
		return loginShell(), spec.args, nil // whose name says what it is
	}
	path, err = lookPath(spec.args[0], spec.dir, env)
	return path, spec.args, err
}

// pipes makes the ends of both sides. The program's are returned to be closed
// here once it has them.
func (p *process) pipes(stdin bool) (theirs []*os.File, err error) {
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	if stdin {
		var r *os.File
		r, p.stdin = pipe()
		theirs = append(theirs, r)
		p.cmd.Stdin = r
	}
	var out, errs *os.File
	p.stdout, out = pipe()
	p.stderr, errs = pipe()
	p.cmd.Stdout, p.cmd.Stderr = out, errs
	return append(theirs, out, errs), err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// lookPath finds a program as execvp does, in the PATH that it will have itself.
func lookPath(name, dir string, env []string) (string, error) {
	if name == "" {
		return "", &startError{127, "not found: the command's name is empty"}
	}
	if strings.Contains(name, "/") {
		return name, nil // relative to dir, as exec.Cmd has it
	}
	path := "/usr/local/bin:/usr/bin:/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	var found string
	for _, d := range filepath.SplitList(path) {
		file := filepath.Join(d, name)
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		info, err := os.Stat(file)
		if err != nil || info.IsDir() {
			continue
		}
		if info.Mode()&0o111 != 0 {
			return file, nil
		}
		found = file
	}
	if found != "" {
		return "", &startError{126, fmt.Sprintf("cannot be executed: %s: no execute permission", found)}
	}
	return "", &startError{127, fmt.Sprintf("not found: %s", name)}
}

// startFault tells apart what the one error of fork and exec may mean.
func startFault(path, dir string, err error) error {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	switch {
	case errors.Is(err, syscall.ENOENT) && exists(path):
		return &startError{126, fmt.Sprintf("cannot be executed: %s: its interpreter is missing", path)}
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		return &startError{127, fmt.Sprintf("not found: %s", path)}
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &startError{125, fmt.Sprintf("cannot be started now: %v", err)}
	}
	return &startError{126, fmt.Sprintf("cannot be executed: %s: %v", path, err)}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// exited is closed when the program has ended; its group is not reaped by that.
func (p *process) exited() <-chan struct{} { return p.ended }

// terminate asks the group to end: by TERM, or if it has a terminal, by hanging up, for
// shells at one do not listen to TERM.
func (p *process) terminate() {
	if p.tty {
		p.send(unix.SIGHUP)
		p.send(unix.SIGCONT)
		return
	}
	p.send(unix.SIGTERM)
}

// kill kills the group, and if there is a control group, what has left it, too.
func (p *process) kill() {
	p.send(unix.SIGKILL)
	if p.group != "" {
		killCgroup(p.group)
	}
}

// signal sends a signal by its name without SIG, or by its number. An unknown one
// is ignored.
func (p *process) signal(name string) {
	sig := unix.SignalNum("SIG" + name)
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 128 {
		sig = syscall.Signal(n)
	}
	if sig != 0 {
		p.send(sig)
	}
}

// send signals the group, and on a terminal the one in its foreground. The group may be
// empty but for the ended leader: then nobody is left to tell.
func (p *process) send(sig syscall.Signal) {
	_ = unix.Kill(-p.pid(), sig)
	if front := p.foreground(); front > 1 && front != p.pid() {
		_ = unix.Kill(-front, sig)
	}
}

// reap takes the ended program's status. After it the group's number is free.
func (p *process) reap() ending {
	if p.state == nil {
		// Its error is about the status, which follows.
		_ = p.cmd.Wait()
		p.state = p.cmd.ProcessState
	}
	if p.state == nil {
		return refusal(125, "its status was lost")
	}
	status := p.state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		sig := status.Signal()
		return ending{reason: Signalled, signal: signalName(sig), signalNo: int(sig)}
	}
	return ending{reason: Exited, code: status.ExitStatus()}
}

func signalName(sig syscall.Signal) string {
	if name := strings.TrimPrefix(unix.SignalName(sig), "SIG"); name != "" {
		return name
	}
	return strconv.Itoa(int(sig))
}

// readable says whether a read of a pipe would not wait: there are bytes, or the
// end.
func readable(f *os.File) bool { return polled(f)&(unix.POLLIN|unix.POLLHUP) != 0 }

// unheld says whether nobody can write to a pipe any more: what is in it is all
// that will come. It is so of one that is closed here.
func unheld(f *os.File) bool {
	return polled(f)&(unix.POLLHUP|unix.POLLNVAL) != 0
}

// polled returns what poll(2) says of a file now.
func polled(f *os.File) (events int16) {
	rc, err := f.SyscallConn()
	if err != nil {
		return unix.POLLNVAL
	}
	err = rc.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, 0); n == 1 && err == nil {
			events = poll[0].Revents
		}
	})
	if err != nil {
		return unix.POLLNVAL
	}
	return events
}
