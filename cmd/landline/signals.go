package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// catchBrokenPipe lets a write to a reader that went away fail, instead of ending
// the program: `landline run shed yes | head` ends with a verdict, as the remote
// command met the closed pipe. The signal is caught and not ignored, because
// what this program starts would ignore it too.
func catchBrokenPipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// catchHangup keeps a hang-up that is to be ignored (nohup) ignored here, but not by
// the commands that are started here: they would inherit it.
func catchHangup() {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
}

// An interrupted says which signal ended landline's work.
type interrupted struct {
	number int
}

func (e *interrupted) Error() string { return "interrupted" }

func interruptedBy(s os.Signal) *interrupted {
	number, _ := s.(syscall.Signal)
	return &interrupted{int(number)}
}

// cancelOnSignal ends the work at the first interrupt; at the second the system
// ends the program.
func cancelOnSignal(cancel context.CancelCauseFunc) (stop func()) {
	in := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(in, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-in:
			signal.Stop(in)
			cancel(interruptedBy(s))
		case <-done:
		}
	}()
	return func() {
		signal.Stop(in)
		close(done)
	}
}

// passSignals hands signals to the command. The second that asks it to end ends
// landline's work, and at the third the system ends the program. So does one that comes after stop: to give each back to the
// system takes longer than a short command.
func passSignals(cancel context.CancelCauseFunc) (names <-chan string, stop func()) {
	in := make(chan os.Signal, 8)
	out := make(chan string, 8)
	var over atomic.Bool
	for _, s := range passedOn {
		if !signal.Ignored(s) { // nohup means that the command there goes on as well
			signal.Notify(in, s)
		}
	}
	go func() {
		asked := 0
		for s := range in {
			if over.Load() {
				os.Exit(exitSignal + interruptedBy(s).number)
			}
			if s == os.Interrupt || s == syscall.SIGTERM {
				asked++
			}
			if asked == 2 {
				signal.Stop(in)
				cancel(interruptedBy(s))
			}
			select {
			case out <- signalName(s):
			default: // as many are still on their way
			}
		}
	}()
	return out, func() { over.Store(true) }
}
