//go:build unix

package remote

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

const canTerminals = true

// terminal gives the program a terminal, whose other side is ours.
func (p *process) terminal(spec *ttySpec) (theirs []*os.File, err error) {
	ours, their, err := openTerminal(spec.size)
	if err != nil {
		return nil, err
	}
	p.tty, p.stdin, p.stdout = true, ours, ours
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = their, their, their
	p.cmd.SysProcAttr.Setctty = true // of fd 0
	return []*os.File{their}, nil
}

// openTerminal makes a pseudo-terminal: our side, and the program's.
func openTerminal(size Window) (ours, theirs *os.File, err error) {
	p, theirs, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	defer p.Close()
	// Package pty leaves it to wait in the kernel, where no deadline ends a Read.
	fd, err := unix.FcntlInt(p.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		if err = unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	ours = os.NewFile(uintptr(fd), "terminal")
	resizeTerminal(ours, size)
	return ours, theirs, nil
}

// resize gives the command's terminal another size, of which the kernel tells those in
// its foreground.
func (p *process) resize(size Window) {
	if p.tty {
		resizeTerminal(p.stdout, size)
	}
}

func resizeTerminal(f *os.File, size Window) {
	control(f, func(fd int) {
		// One that is closed has no size.
		_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(size.Rows), Col: uint16(size.Cols)})
	})
}

// foreground is the process group in the foreground of the command's terminal, 0 if it
// has none.
func (p *process) foreground() (group int) {
	if p.tty {
		control(p.stdout, func(fd int) {
			group, _ = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		})
	}
	return group
}

// control has f use the descriptor of a file, if that is open.
func control(file *os.File, f func(fd int)) {
	if rc, err := file.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { f(int(fd)) })
	}
}

// loginWords are the words by which a shell knows that it is the first one.
func loginWords() []string { return []string{"-" + filepath.Base(loginShell())} }

// loginShell is the shell of the user that this process runs as.
func loginShell() string {
	if shell := os.Getenv("SHELL"); strings.HasPrefix(shell, "/") {
		return shell
	}
	if f, err := os.Open("/etc/passwd"); err == nil {
		defer f.Close()
		if shell := shellOf(bufio.NewScanner(f), os.Getuid()); shell != "" {
			return shell
		}
	}
	return "/bin/sh"
}

// shellOf finds a user's shell among the lines of passwd(5).
func shellOf(lines *bufio.Scanner, uid int) string {
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) == 7 && fields[2] == strconv.Itoa(uid) {
			return fields[6]
		}
	}
	return ""
}
