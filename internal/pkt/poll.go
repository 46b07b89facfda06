package pkt

import (
	"context"
	"fmt"
	"time"
)

// The bits of poll and epoll.
const (
	pollIn    = 0x1
	pollOut   = 0x4
	pollErr   = 0x8
	pollHup   = 0x10
	pollRdHup = 0x2000
)

func (s *socket) ready() (events int64) {
	switch conn := s.connection(); {
	case s.listener != nil:
		if s.hasQueued() {
			return pollIn
		}
		return 0
	case s.dialing():
		return 0
	case conn == nil && s.dial != nil && s.dial.err != nil && !s.dial.told:
		return pollIn | pollOut | pollErr | pollHup | pollRdHup
	case conn == nil:
		return pollOut | pollHup
	}
	i := s.connection().Info()
	if i.Unread+len(s.peeked) > 0 {
		events |= pollIn
	}
	if i.Err != nil {
		events |= pollErr
	}
	switch i.State {
	case "CLOSED", "TIME-WAIT":
		return events | pollIn | pollOut | pollHup | pollRdHup
	case "CLOSE-WAIT", "LAST-ACK", "CLOSING":
		events |= pollIn | pollRdHup
		if s.shut {
			events |= pollHup
		}
	}
	// As on Linux, there is room if a third of the buffer is free.
	if used := i.InFlight + i.Unsent; s.shut || i.SendBuffer-used >= i.SendBuffer/3 {
		events |= pollOut
	}
	return events
}

// hasQueued reports whether there is a connection to accept.
func (s *socket) hasQueued() bool {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	if len(s.queue) == 0 {
		if conn, err := s.listener.Accept(now); err == nil {
			s.queue = append(s.queue, conn)
		}
	}
	return len(s.queue) > 0
}

// A watched is a descriptor of poll or epoll.
type watched struct {
	fd     int64
	object object
	events int64 // that are asked for
	last   int64 // that were told, of an edge
	bytes  int   // that could be read then
}

const (
	always  = pollErr | pollHup // is told without being asked for
	edge    = 1 << 31
	oneShot = 1 << 30
)

// look returns what is to be told of a descriptor.
func (w *watched) look() int64 {
	return w.object.ready() & (w.events | always)
}

// news is look for epoll, which may tell of changes only.
func (w *watched) news() int64 {
	now := w.look()
	if w.events&edge == 0 {
		return now
	}
	bytes := 0
	if s, ok := w.object.(*socket); ok && s.connection() != nil {
		bytes = s.connection().Info().Unread
	}
	told := now
	if now&^w.last == 0 && bytes <= w.bytes {
		told = 0
	}
	w.last, w.bytes = now, bytes
	return told
}

// waitFor calls look until it returns more than 0, or time is up. It is called again when the host has been told
// something, and each millisecond.
func (m *machine) waitFor(look func() int64, timeout int64, poke chan struct{}) int64 {
	var end <-chan time.Time
	if timeout >= 0 {
		timer := time.NewTimer(time.Duration(timeout) * time.Millisecond)
		defer timer.Stop()
		end = timer.C
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if n := look(); n > 0 || timeout == 0 {
			return n
		}
		select {
		case <-poke:
		case <-tick.C:
		case <-end:
			return look()
		case <-m.gone:
			return -1
		}
	}
}

// callPoll is poll([{fd=4, events=POLLIN, revents=POLLIN}], count, timeout).
func callPoll(r *runner, c *Call) (*action, error) {
	all := make([]watched, len(c.arg(0).List))
	want := make([]int64, len(all))
	for i, e := range c.arg(0).List {
		w, err := r.watched(e.field("fd"), e.field("events"))
		if err != nil {
			return nil, err
		}
		all[i] = w
		if want[i], err = r.argField(e, "revents"); err != nil {
			return nil, err
		}
	}
	timeout, err := r.argInt(c, 2, 0)
	if err != nil {
		return nil, err
	}
	got := make([]int64, len(all))
	look := func() (n int64) {
		for i := range all {
			if got[i] = all[i].look(); got[i] != 0 {
				n++
			}
		}
		return n
	}
	a := &action{poke: make(chan struct{}, 1)}
	a.do = func() (int64, error) { return r.waitFor(look, timeout, a.poke), nil }
	a.check = func() error {
		for i := range got {
			if got[i] != want[i] {
				return fmt.Errorf("expected the events %#x of descriptor %d, got %#x", want[i], all[i].fd, got[i])
			}
		}
		return nil
	}
	return a, nil
}

// watched reads what of which descriptor is asked for.
func (r *runner) watched(fd, events Expr) (w watched, err error) {
	fd.Name, events.Name = "", ""
	if w.fd, err = r.int(fd); err != nil {
		return w, err
	}
	if w.events, err = r.int(events); err != nil {
		return w, err
	}
	if w.object = r.fds[int(w.fd)]; w.object == nil {
		return w, fmt.Errorf("not supported: to poll the descriptor %d, which is not open", w.fd)
	}
	if s, ok := w.object.(*socket); ok && !s.stream {
		return w, fmt.Errorf("not supported: to poll UDP")
	}
	return w, nil
}

// An epoll is what epoll_create makes.
type epoll struct{ all []*watched }

func (p *epoll) ready() int64 { return 0 }
func (p *epoll) close() error { return nil }

func callEpollCreate(r *runner, _ *Call) (*action, error) {
	a := returns(0, nil)
	a.opened = func(fd int) { r.fds[fd] = &epoll{} }
	return a, nil
}

func (r *runner) epollArg(c *Call) (*epoll, error) {
	fd, err := r.int(c.arg(0))
	if err != nil {
		return nil, err
	}
	p, ok := r.fds[int(fd)].(*epoll)
	if !ok {
		return nil, fmt.Errorf("the descriptor %d is not one of epoll", fd)
	}
	return p, nil
}

// callEpollCtl is epoll_ctl(fd, EPOLL_CTL_ADD, fd, {events=EPOLLIN, fd=4}).
func callEpollCtl(r *runner, c *Call) (*action, error) {
	p, err := r.epollArg(c)
	if err != nil {
		return nil, err
	}
	what, err := r.int(c.arg(1))
	if err != nil {
		return nil, err
	}
	w, err := r.watched(c.arg(2), c.arg(3).field("events"))
	if err != nil {
		return nil, err
	}
	kept := p.all[:0]
	for _, old := range p.all {
		if old.fd != w.fd {
			kept = append(kept, old)
		}
	}
	if p.all = kept; what != constants["EPOLL_CTL_DEL"] {
		p.all = append(p.all, &w)
	}
	return returns(0, nil), nil
}

// callEpollWait is epoll_wait(fd, {events=EPOLLIN, fd=4}, count, timeout).
func callEpollWait(r *runner, c *Call) (*action, error) {
	p, err := r.epollArg(c)
	if err != nil {
		return nil, err
	}
	timeout, err := r.argInt(c, 3, 0)
	if err != nil {
		return nil, err
	}
	want := c.arg(1).List
	if c.arg(1).Kind == Struct {
		want = []Expr{c.arg(1)}
	}
	var got []int64
	look := func() int64 {
		got = got[:0]
		for _, w := range p.all {
			if told := w.news(); told != 0 {
				got = append(got, told)
			}
		}
		return int64(len(got))
	}
	a := &action{poke: make(chan struct{}, 1)}
	a.do = func() (int64, error) { return r.waitFor(look, timeout, a.poke), nil }
	a.check = func() error {
		for i := range min(len(got), len(want)) {
			events, err := r.argField(want[i], "events")
			if err != nil {
				return err
			}
			if events != got[i] {
				return fmt.Errorf("expected the events %#x, got %#x", events, got[i])
			}
		}
		return nil
	}
	return a, nil
}
