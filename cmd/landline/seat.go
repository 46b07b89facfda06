package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"landline/remote"
)

const (
	// leaveWithin is how long who leaves a command waits for the other side to say so, and
	// endWithin, who hangs up: by then it has killed what does not heed that, unless the
	// command was given longer.
	leaveWithin = 2 * time.Second
	endWithin   = remote.DefaultKillAfter + time.Second
	// seatWithin is how long a lost line of a shell is made anew, if nobody says.
	seatWithin = time.Hour
)

// errHungUpByUser is why a command on a terminal is ended by its user.
var errHungUpByUser = errors.New("hung up")

// A seat is the terminal here of a command that has one there.
type seat struct {
	a      *app
	d      *dialer
	job    string
	escape byte // 0 for none
	kept   bool // the command may be left
	within time.Duration

	keys   io.Reader   // what is typed, or standard input if that is no terminal
	leave  func()      // from then on no more of it is taken
	before *term.State // of the terminal, nil if standard input is none
	rise   func()      // puts it back; it may be called often
}

// sitDown has the terminal pass on every key, until rise.
func (s *seat) sitDown() error {
	s.keys, s.leave, s.rise = os.Stdin, func() {}, func() {}
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return nil
	}
	before, err := term.MakeRaw(fd)
	if err != nil {
		return fmt.Errorf("the terminal: %w", err)
	}
	keys, err := openStdin()
	if err != nil {
		term.Restore(fd, before)
		return err
	}
	s.keys, s.leave, s.before = keys, sync.OnceFunc(keys.leave), before
	s.d.seated = true
	s.a.raw.Store(true)
	s.rise = sync.OnceFunc(func() {
		s.a.raw.Store(false)
		s.leave()
		// A terminal that is gone needs no more.
		_ = term.Restore(fd, before)
	})
	return nil
}

// A sitting is how a command is run on a terminal, or taken to it.
type sitting func(ctx context.Context, terminal *remote.Terminal, keys *typed) (remote.Result, error)

// carry sits down for a command until it has ended or is left. The error is what explain
// needs besides.
func (s *seat) carry(do sitting) (remote.Result, error) {
	if err := s.sitDown(); err != nil {
		return neverStarted(err), err
	}
	defer s.rise()
	ends := make(chan os.Signal, 1)
	for _, sig := range endings {
		if !signal.Ignored(sig) {
			signal.Notify(ends, sig)
		}
	}
	defer signal.Stop(ends)
	return s.sit(do, ends)
}

// sit stays until the command has ended or is left, or one of ends comes: then the command
// is left with its line. So its context does not end then, for that would end the command.
func (s *seat) sit(do sitting, ends <-chan os.Signal) (remote.Result, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	resized := make(chan remote.Window)
	go watchWindow(watching, resized)

	type outcome struct {
		r   remote.Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		defer s.riseInPanic()
		r, err := do(ctx, &remote.Terminal{Type: terminalType(), Window: windowNow(), Resized: resized}, s.typed(cancel))
		done <- outcome{r, err}
	}()
	left := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case o := <-done:
			defer cancel(nil) // only here, where nothing is left to be ended by it
			if ctx.Err() != nil || o.r.Reason == remote.Lost {
				s.breakOff()
			}
			s.rise()
			return s.became(ctx, o.r, o.err)
		case sig := <-ends:
			s.breakOff()
			return remote.Result{Job: s.job, Reason: remote.Running}, s.goesOn(interruptedBy(sig))
		case <-left:
			left, late = nil, time.After(answerWithin(ctx))
		case <-late:
			s.breakOff()
			return s.unanswered(ctx)
		}
	}
}

// answerWithin is how long to wait for an answer to what ended ctx.
func answerWithin(ctx context.Context) time.Duration {
	if errors.Is(context.Cause(ctx), errHungUpByUser) {
		return endWithin
	}
	return leaveWithin
}

// unanswered is what is known when nothing has come by then.
func (s *seat) unanswered(ctx context.Context) (remote.Result, error) {
	why := errors.New("no answer")
	if errors.Is(context.Cause(ctx), errHungUpByUser) {
		r := remote.Result{Job: s.job, Reason: remote.Lost, Error: why.Error()}
		if s.kept {
			return r, &hinted{why, "if it runs yet: " + s.again()}
		}
		return r, why
	}
	return remote.Result{Job: s.job, Reason: remote.Running}, s.goesOn(why)
}

// breakOff rises in the middle of what is on the screen: what is said goes on a new line.
func (s *seat) breakOff() {
	if s.before != nil {
		fmt.Fprint(os.Stderr, "\r\n")
	}
	s.rise()
}

// riseInPanic puts the terminal back when a goroutine panics, so that it can be read why.
func (s *seat) riseInPanic() {
	if p := recover(); p != nil {
		s.rise()
		panic(p)
	}
}

// became says what became of the command.
func (s *seat) became(ctx context.Context, r remote.Result, err error) (remote.Result, error) {
	why := context.Cause(ctx)
	r.Job = cmp.Or(r.Job, s.job)
	switch {
	case r.Reason == remote.Running:
		s.a.say("%s: left; it goes on: %s", s.d.host.text, s.again())
		return r, nil
	case r.Reason == remote.Lost && why != nil:
		r.Reason = remote.Running // for all we know
		return r, s.goesOn(afterwards(err))
	case r.Reason == remote.Cancelled && errors.Is(why, errHungUpByUser):
		r.Error = errHungUpByUser.Error()
		return r, nil
	case r.Reason == remote.Lost && (notLetIn(err) || cannot(err)):
		err = afterwards(err)
		return neverStarted(err), err
	case r.Reason == remote.Lost:
		err = afterwards(err)
		r.Error = err.Error()
		if s.kept {
			err = &hinted{err, "if it runs yet: " + s.again()}
		}
	}
	return r, err
}

// cannot says whether a server was not asked for what it does not do.
func cannot(err error) bool {
	return errors.Is(err, remote.ErrNoJobs) || errors.Is(err, remote.ErrNoTerminals)
}

// goesOn is why the command was left without a word to the other side.
func (s *seat) goesOn(why error) error {
	if !s.kept {
		return why
	}
	return &hinted{fmt.Errorf("%w; it goes on for %v there", why, s.within), s.again()}
}

// again is how to come back.
func (s *seat) again() string { return "landline attach " + s.d.host.text + " " + s.job }

// typed is what is typed for the command.
func (s *seat) typed(cancel context.CancelCauseFunc) *typed {
	leave := func(why error) func() bool {
		return func() bool {
			s.leave()
			cancel(why)
			return true
		}
	}
	keys := map[byte]func() bool{
		'.': leave(errHungUpByUser),
		'?': s.help,
	}
	if s.kept {
		keys['d'] = leave(remote.ErrLeave)
	}
	if s.before == nil {
		keys = nil
	}
	return &typed{r: s.keys, escapeKeys: escapeKeys{char: s.escape, keys: keys}}
}

// help says what the escapes are.
func (s *seat) help() (left bool) {
	c := string(rune(s.escape))
	text := "at the beginning of a line: " + c + ". hangs up and ends the command, "
	if s.kept {
		text += c + "d leaves it, so that it goes on, "
	}
	s.a.tell(text + c + "? tells this, " + c + c + " is " + c)
	return false
}

// terminalType is the terminal's TERM.
func terminalType() string {
	if t := os.Getenv("TERM"); t != "" && len(t) <= 64 {
		return t
	}
	return "dumb"
}

// windowNow is the terminal's size, zero if that is not known.
func windowNow() (w remote.Window) {
	for _, f := range []*os.File{os.Stdout, os.Stdin, os.Stderr} {
		cols, rows, err := term.GetSize(int(f.Fd()))
		if err == nil && cols > 0 && rows > 0 {
			return remote.Window{Rows: rows, Cols: cols}
		}
	}
	return w
}

// escapeChar reads --escape.
func escapeChar(s string) (byte, error) {
	switch {
	case s == "none":
		return 0, nil
	case len(s) == 1 && s[0] > ' ' && s[0] < 0x7f:
		return s[0], nil
	}
	return 0, fmt.Errorf("--escape %s: it is one character, or none", s)
}

// endings are the signals at which landline leaves a terminal as it found it.
var endings = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
