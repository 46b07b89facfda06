package remote

import (
	"errors"
	"os"
)

// Windows has no process groups, signals or exec as the protocol means them, so
// this server runs no commands there; the client's side is whole.

type processSpec struct {
	args  []string
	env   []string
	dir   string
	stdin bool
	tty   *ttySpec // nil if it gets no terminal
	login bool     // it is the login shell of the user, and args says nothing
	job   string
	group string
}

type startError struct {
	code int
	what string
}

func (e *startError) Error() string { return e.what }

type process struct {
	tty            bool
	stdin          *os.File
	stdout, stderr *os.File
}

func startProcess(*processSpec) (*process, error) {
	return nil, errors.New("commands are not run on Windows")
}

func (*process) pid() int                { return 0 }
func (*process) exited() <-chan struct{} { return nil }
func (*process) terminate()              {}
func (*process) kill()                   {}
func (*process) signal(string)           {}
func (*process) reap() ending            { return ending{} }
func (*process) resize(Window)           {}

func readable(*os.File) bool { return false }
func unheld(*os.File) bool   { return true }
