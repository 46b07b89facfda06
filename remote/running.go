package remote

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultKillAfter is how long a command that was asked to end has until it is
	// killed.
	DefaultKillAfter = 5 * time.Second
	// shutdownKill is the most that a command has when the server ends.
	shutdownKill = 3 * time.Second
	// heldAfter is how long an output may stay open and silent after its program
	// has ended.
	heldAfter = time.Second
)

// An inflow is what a command's standard input comes from.
type inflow interface {
	io.WriterTo
	failed() bool // it broke off, which is not its end
	abandon()     // no more of it is wanted
}

// A running is a command between its start and its end.
type running struct {
	p              *process
	start          time.Time
	ctx            context.Context // ends with the reason why the command must
	down           <-chan struct{} // closed when the server ends
	signals        <-chan string
	windows        <-chan Window
	stdin          inflow        // nil if it has none
	stdout, stderr io.Writer     // they fail when their reader wants no more
	timeout        time.Duration // 0 means none
	killAfter      time.Duration
	asked          func() // if not nil, is called when the command is asked to end

	lastByte atomic.Int64 // nanoseconds since start
	ended    atomic.Bool  // the program has; its outputs may still be open
	giveUp   atomic.Bool  // do not wait for the outputs any more
	held     atomic.Bool
}

// limits takes the time limits of a request.
func (r *running) limits(m *message) {
	r.killAfter = DefaultKillAfter
	if m.killAfter != 0 {
		r.killAfter = milliseconds(m.killAfter)
	}
	if m.timeout != 0 {
		r.timeout = milliseconds(m.timeout)
	}
}

// milliseconds converts, and keeps what no timer can hold at the most one can.
func milliseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(n, most)) * time.Millisecond
}

var errTimeout = errors.New("its time ran out")

// wait carries the command's streams until it has ended and all its output is
// taken, and returns how it ended.
func (r *running) wait() ending {
	var copies, feed sync.WaitGroup
	copies.Go(func() { r.drain(r.p.stdout, r.stdout) })
	if r.p.stderr != nil {
		copies.Go(func() { r.drain(r.p.stderr, r.stderr) })
	}
	if r.stdin != nil {
		feed.Go(r.feed)
	}
	drained := make(chan struct{})
	go func() {
		copies.Wait()
		close(drained)
	}()
	why := r.steer(drained)
	if why != nil {
		r.p.kill() // what is left of its group
	}
	if r.stdin != nil {
		r.p.stdin.Close()
		r.stdin.abandon()
	}
	feed.Wait()
	e := r.p.reap()
	e.held = r.held.Load()
	switch {
	case errors.Is(why, errTimeout):
		e.reason, e.err = TimedOut, why.Error()
	case why != nil:
		e.reason, e.err = Cancelled, why.Error()
	}
	return e
}

// steer passes signals on and ends the command when it must. It returns when the
// command has ended and its outputs are drained, with the reason if it was made
// to end.
func (r *running) steer(drained <-chan struct{}) (why error) {
	var timeout, kill <-chan time.Time
	if r.timeout != 0 {
		t := time.NewTimer(r.timeout)
		defer t.Stop()
		timeout = t.C
	}
	ended, cancelled, down := r.p.exited(), r.ctx.Done(), r.down
	var size Window
	var resize <-chan time.Time
	for ended != nil || drained != nil {
		select {
		case <-ended:
			ended = nil
			r.leaderEnded()
		case <-drained:
			drained = nil
		case name := <-r.signals:
			r.p.signal(name)
		case size = <-r.windows:
			first := size
			if size.redraw {
				first = size.other()
				resize = time.After(redrawAfter)
			}
			r.p.resize(first)
		case <-resize:
			r.p.resize(size)
		case <-kill:
			r.p.kill()
			r.stopReading()
		case <-timeout:
			timeout = nil
			if why == nil && !r.over() {
				why = errTimeout
				kill = r.terminate(r.killAfter)
			}
		case <-cancelled:
			cancelled = nil
			if why == nil && !r.over() {
				why = context.Cause(r.ctx)
				kill = r.terminate(r.killAfter)
			}
		case <-down:
			down = nil
			if !r.over() {
				why = cmp.Or(why, errShutDown)
				kill = r.terminate(min(r.killAfter, shutdownKill))
			}
		}
	}
	return why
}

func (r *running) terminate(killAfter time.Duration) (kill <-chan time.Time) {
	r.p.terminate()
	if r.asked != nil {
		r.asked()
	}
	return time.After(killAfter)
}

// over says whether the program has ended by itself and left nobody who could write
// more: then only the reader of its output is slow, and no time limit is for that.
func (r *running) over() bool {
	return r.ended.Load() && unheld(r.p.stdout) && (r.p.tty || unheld(r.p.stderr))
}

// leaderEnded begins the wait for outputs that something else holds open.
func (r *running) leaderEnded() {
	r.heard()
	r.ended.Store(true)
	r.deadline(time.Now().Add(heldAfter))
}

// stopReading gives up outputs that stay open although all of the group was
// killed: what holds them has left the group.
func (r *running) stopReading() {
	r.giveUp.Store(true)
	r.deadline(time.Now().Add(heldAfter))
}

func (r *running) deadline(t time.Time) {
	// An output that has ended and is closed needs none.
	_ = r.p.stdout.SetReadDeadline(t)
	if !r.p.tty {
		_ = r.p.stderr.SetReadDeadline(t)
	}
}

// pipeBuffer is how much a pipe of Linux's holds.
const pipeBuffer = 64 << 10

var pipeBuffers = sync.Pool{New: func() any { return new([pipeBuffer]byte) }}

// drain moves a program's output to its stream until it ends. A receiver that
// wants no more closes the pipe, so that the program sees it; one that is gone
// only stops the reading, for the program is being ended anyway.
func (r *running) drain(f *os.File, s io.Writer) {
	defer f.Close()
	b := pipeBuffers.Get().(*[pipeBuffer]byte)
	defer pipeBuffers.Put(b)
	again := true // what a pipe that is given up holds is read once more
	for {
		n, err := f.Read(b[:])
		if n > 0 {
			r.heard()
			if _, err := s.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil && !r.goOn(f, err, again) {
			return
		}
		if err != nil {
			again = !r.giveUp.Load()
		}
		if err != nil || r.ended.Load() && !r.giveUp.Load() {
			_ = f.SetReadDeadline(time.Now().Add(heldAfter))
		}
	}
}

// heard notes that output came now.
func (r *running) heard() { r.lastByte.Store(int64(time.Since(r.start))) }

// goOn says whether reading goes on after err. What is in a pipe that nobody can
// write to is all read, however slow the reader at the other end. A pipe that is
// held open and silent is given up only when the other one is silent too; a time
// that has run out says nothing of that, if this process was kept from running
// meanwhile. Of a pipe that was given up, what it holds is read and no more.
func (r *running) goOn(f *os.File, err error, more bool) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	silent := time.Since(r.start) - time.Duration(r.lastByte.Load())
	switch {
	case unheld(f):
		return true
	case r.giveUp.Load() && more && readable(f), !r.giveUp.Load() && (silent < heldAfter || readable(f)):
		return true
	}
	r.held.Store(true)
	return false
}

// feed moves the client's bytes to the program's standard input.
func (r *running) feed() {
	last := lastByte{w: r.p.stdin, b: '\n'}
	_, err := r.stdin.WriteTo(&last)
	if r.stdin.failed() {
		return // a lost connection is not the input's end: the program must not think so
	}
	if err != nil {
		r.stdin.abandon() // the program closed it
	}
	if r.p.tty {
		// A terminal has no end, but a key for it: once it passes on what was typed of
		// a line.
		if last.b != '\n' && last.b != '\r' {
			_, _ = r.p.stdin.Write([]byte{endOfFile})
		}
		_, _ = r.p.stdin.Write([]byte{endOfFile})
		return
	}
	r.p.stdin.Close()
}

// A lastByte remembers the last byte that it wrote.
type lastByte struct {
	w io.Writer
	b byte
}

func (l *lastByte) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	if n > 0 {
		l.b = p[n-1]
	}
	return n, err
}

// onlyWriter hides a file's ReadFrom.
type onlyWriter struct{ io.Writer }
