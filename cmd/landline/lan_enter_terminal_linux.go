package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// A terminal is the one of our session. Its methods may be called if it is nil, when there is none.
//
// The command is in our process group, so that the terminal's signals, stops and continuations come to both, and a shell
// treats the two as one.
type terminal struct {
	file  *os.File
	group int  // of processes, that we are in
	front bool // it was in the foreground at the start
}

func ownTerminal() *terminal {
	file, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	t := &terminal{file: file, group: unix.Getpgrp()}
	t.front = t.foreground() == t.group
	return t
}

// foreground returns the process group that has the terminal, or 0.
func (t *terminal) foreground() int {
	group, err := unix.IoctlGetInt(int(t.file.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return 0
	}
	return group
}

// sends reports whether a signal came, as far as can be known, from the terminal: then the command has it already.
func (t *terminal) sends(s syscall.Signal) bool {
	return t != nil && (s == unix.SIGINT || s == unix.SIGQUIT) && t.foreground() == t.group
}

// takeBack gives the terminal back to our group, if the command had taken it for a group that has ended. Shells
// try to do that themselves, but cannot see from their namespace which group it was.
func (t *terminal) takeBack() {
	if t == nil || !t.front {
		return
	}
	if now := t.foreground(); now == t.group || now != 0 && unix.Kill(-now, 0) != unix.ESRCH {
		return
	}
	signal.Ignore(syscall.SIGTTOU) // which would stop us, as we are in the background
	// If it fails, the terminal is gone.
	_ = unix.IoctlSetPointerInt(int(t.file.Fd()), unix.TIOCSPGRP, t.group)
}
