package pkt

import (
	"fmt"
	"strconv"
	"syscall"
	"time"
)

// A job is a system call under way. It runs in a goroutine of its own, for it may wait.
type job struct {
	event *Event
	call  *Call
	act   *action
	from  time.Duration // when it was called
	end   time.Duration // when it has to return

	done chan struct{} // closed when it has returned; then the rest is set
	at   time.Duration
	n    int64
	err  error
}

// An action is what a system call does.
type action struct {
	// do does it, and may wait.
	do func() (int64, error)
	// cancel makes do return that waits, because the socket is not to. It is nil if it is.
	cancel func()
	// opened takes the number of the descriptor that do has made, if it makes one.
	opened func(fd int)
	// ended is called when do has returned, whatever has come of it.
	ended func()
	// check looks at what do has left in arguments, and says what is wrong with it.
	check func() error
	// poke makes do look again, if it is waiting for a state of the host. It is nil if do is told.
	poke chan struct{}
}

// returns is an action that is over at once.
func returns(n int64, err error) *action {
	return &action{do: func() (int64, error) { return n, err }}
}

// call begins a system call. One that does not wait is over when call returns.
func (r *runner) call(c *Call, from time.Duration) error {
	if err := r.finishJobs(); err != nil {
		return err
	}
	sys := syscalls[c.Name]
	if sys == nil {
		return r.fail("not supported: %s()", c.Name)
	}
	act, err := sys(r, c)
	if err != nil {
		return r.fail("%s: %v", c.Name, err)
	}
	j := &job{event: r.event, call: c, act: act, from: from, end: from, done: make(chan struct{})}
	if c.Blocks && r.event.When.Relative {
		j.end = from - r.event.When.From + c.End
	} else if c.Blocks {
		j.end = c.End
	}
	r.jobs = append(r.jobs, j)
	start := r.start
	go func() {
		defer close(j.done)
		j.n, j.err = act.do()
		j.at = time.Since(start)
	}()
	if err := r.settle(); err != nil || c.Blocks || j.over() {
		return err
	}
	if act.cancel == nil {
		return r.fail("expected %s to return at once, and it waits", c.Name)
	}
	act.cancel()
	return r.settle()
}

func (j *job) over() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// poke makes calls look again that wait for a state of the host, and reports whether there are any.
func (r *runner) poke() (any bool) {
	for _, j := range r.jobs {
		if j.act.poke != nil {
			signal(j.act.poke)
			any = true
		}
	}
	return any
}

// checkJobs looks at calls that have returned, and at those that should have.
func (r *runner) checkJobs() error {
	left := r.jobs[:0:0]
	for _, j := range r.jobs {
		if j.over() {
			if err := r.result(j); err != nil {
				return err
			}
			continue
		}
		if j.call.Blocks && r.elapsed() > j.end+r.options.tolerance {
			return r.late(j)
		}
		left = append(left, j)
	}
	r.jobs = left
	return nil
}

func (r *runner) late(j *job) error {
	return r.failure(j.event.Line, "expected %s to return at %s, and it still waits at %s", j.call.Name, seconds(j.end), seconds(r.elapsed()))
}

// finishJobs waits for the call that is under way: a script has one program, which makes one call after another.
func (r *runner) finishJobs() error {
	for len(r.jobs) > 0 {
		j := r.jobs[0]
		left := j.end + r.options.tolerance - r.elapsed()
		select {
		case <-j.done:
		case <-time.After(max(left, 0)):
		}
		if err := r.settle(); err != nil {
			return err
		}
		if left <= 0 && !j.over() {
			return r.late(j)
		}
	}
	return nil
}

// result compares what has come of a call with what the script expects.
func (r *runner) result(j *job) error {
	c := j.call
	if j.act.ended != nil {
		j.act.ended()
	}
	errno := errnoOf(j.err)
	got := strconv.FormatInt(j.n, 10)
	if errno != 0 {
		got = "-1 " + errnoName(errno)
	} else if j.act.opened != nil && c.Result.Kind == Number && c.Result.Num >= 0 {
		got = strconv.FormatInt(c.Result.Num, 10) // the script chooses the numbers
		j.act.opened(int(c.Result.Num))
	}
	if want, err := r.wanted(c, got, errno); err != nil {
		return r.failure(j.event.Line, "%s: %v", c.Name, err)
	} else if want != got {
		return r.failure(j.event.Line, "expected %s to return %s, got %s", c.Name, want, got)
	}
	if t := r.options.tolerance; c.Blocks && (j.at < j.end-t || j.at > j.end+t) {
		return r.failure(j.event.Line, "expected %s to return at %s, and it did at %s", c.Name, seconds(j.end), seconds(j.at))
	}
	if j.act.check != nil && errno == 0 {
		if err := j.act.check(); err != nil {
			return r.failure(j.event.Line, "%s: %v", c.Name, err)
		}
	}
	return nil
}

// wanted returns what a script says of the result of a call, in the form of got.
func (r *runner) wanted(c *Call, got string, errno syscall.Errno) (string, error) {
	if c.Result.Kind == Ellipsis {
		return got, nil
	}
	n, err := r.int(c.Result)
	if err != nil {
		return "", err
	}
	want := strconv.FormatInt(n, 10)
	if n == -1 && c.Errno != "" {
		if _, ok := errnos[canonical(c.Errno)]; !ok {
			return "", fmt.Errorf("not supported: the error %s", c.Errno)
		}
		want += " " + canonical(c.Errno)
	} else if n == -1 && errno != 0 {
		want = got
	}
	return want, nil
}
