package main

import (
	"context"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"landline/remote"
)

// passedOn are the signals that a running command gets in our place.
var passedOn = []os.Signal{os.Interrupt}

// signalName returns the name that the protocol has for a signal.
func signalName(os.Signal) string { return "INT" }

// watchEvery is how often the terminal is asked for its size: no signal tells of it.
const watchEvery = 250 * time.Millisecond

// watchWindow tells of the terminal's sizes until ctx ends.
func watchWindow(ctx context.Context, resized chan<- remote.Window) {
	last := windowNow()
	for tick := time.Tick(watchEvery); ; {
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
		now := windowNow()
		if now == last {
			continue
		}
		select {
		case resized <- now:
			last = now
		case <-ctx.Done():
			return
		}
	}
}

// lockNow locks a file for this process, unless another has locked it.
func lockNow(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}

// inputWaits reports whether somebody has given this program something to read that it has not read.
func inputWaits() bool {
	info, err := os.Stdin.Stat()
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// ownSession has a program started that outlives this one's console.
func ownSession() *syscall.SysProcAttr {
	const detachedProcess = 0x8
	return &syscall.SysProcAttr{CreationFlags: detachedProcess}
}
