package remote

import (
	"fmt"
	"io"
	"sync"
)

// replayBuffer is how much standard input is kept that the job may not have yet.
const replayBuffer = 4 << 20

// A replay gives a command's standard input to one call after another. It keeps what
// it has read until the job has taken it.
type replay struct {
	mu    sync.Mutex
	moved sync.Cond
	base  int64  // the position of buf's first byte
	buf   []byte // read, and not known to be taken
	err   error  // why no more is read: io.EOF or what went wrong
	over  bool   // nobody wants more
	// unplaced is true until the first call says which position the first byte has.
	unplaced bool
}

// newReplay begins to read r. Like Run, it cannot end a Read that is under way.
func newReplay(r io.Reader) *replay {
	in := &replay{}
	in.moved.L = &in.mu
	go in.read(r)
	return in
}

func (in *replay) read(r io.Reader) {
	p := make([]byte, 32<<10)
	for in.hasRoom() {
		n, err := r.Read(p)
		in.mu.Lock()
		in.buf = append(in.buf, p[:n]...)
		in.err = err
		in.moved.Broadcast()
		in.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// hasRoom waits until more can be kept. It is false if nobody wants it.
func (in *replay) hasRoom() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.buf) >= replayBuffer && !in.over {
		in.moved.Wait()
	}
	return !in.over
}

// taken drops what comes before a position.
func (in *replay) taken(to int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if n := to - in.base; n > 0 && n <= int64(len(in.buf)) {
		in.base = to
		in.buf = in.buf[n:]
		in.moved.Broadcast()
	}
}

// place makes a position that of the first byte, if it has none.
func (in *replay) place(at int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.unplaced {
		in.unplaced, in.base = false, at
	}
}

// close lets the reading end.
func (in *replay) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.over = true
	in.moved.Broadcast()
}

// feed gives a call its input: from the start, or if it resumes, from where the server
// says. It returns when all is given, or the call or its connection has ended.
func (in *replay) feed(call *clientCall, resumes bool) {
	stop := call.whenLost(in.wake)
	defer stop()
	var at int64
	if resumes {
		select {
		case <-call.started:
			at = call.how.begin[0]
		case <-call.stdin.c.done:
			return
		}
		in.place(at)
		in.taken(at)
	}
	call.stdin.whenTaken(in.taken)
	for {
		p, err := in.next(call, at)
		switch {
		case err == io.EOF:
			call.stdin.Close()
			return
		case err != nil:
			call.failed <- fmt.Errorf("standard input: %w", err)
			return
		case p == nil:
			return
		}
		n, err := call.stdin.Write(p)
		at += int64(n)
		if err != nil {
			return // the call's end tells why
		}
	}
}

// next waits for input at a position. It returns none if the call is not to get more,
// or the input's end.
func (in *replay) next(call *clientCall, at int64) ([]byte, error) {
	const piece = 64 << 10
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		have := at - in.base
		switch {
		case have < 0 || have > int64(len(in.buf)):
			return nil, nil // the server wants what is gone: it has ended the job
		case have < int64(len(in.buf)):
			p := in.buf[have:]
			return p[:min(len(p), piece)], nil // what is appended later lies behind it
		case in.err != nil:
			return nil, in.err
		case in.over, call.stdin.fault() != nil:
			return nil, nil
		}
		in.moved.Wait()
	}
}

func (in *replay) wake() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.moved.Broadcast()
}
