//go:build unix

package remote

import (
	"io"
	"sync"
)

// inletBuffer is how much of a job's standard input waits in its keeper.
const inletBuffer = 64 << 10

// An inlet is the standard input of a job, which one call after another may fill:
// the position says where the next goes on.
type inlet struct {
	mu    sync.Mutex
	moved sync.Cond
	owner *recvStream // whose bytes are taken
	buf   []byte
	at    int64 // how far it has been filled
	ended bool  // that was all
	gone  bool  // the program wants no more
}

func newInlet() *inlet {
	in := &inlet{}
	in.moved.L = &in.mu
	return in
}

// own makes s the stream that fills the inlet, and returns where s has to begin.
func (in *inlet) own(s *recvStream) int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.owner = s
	in.moved.Broadcast()
	return in.at
}

// fill moves s into the inlet until its end, or until another owns it. A stream
// that breaks off is no end.
func (in *inlet) fill(s *recvStream) {
	_, err := s.WriteTo(inletWriter{in, s})
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.gone:
		s.abandon()
	case err == nil && in.owner == s && s.whole():
		in.ended = true
		in.moved.Broadcast()
	}
}

// disown takes no more of s.
func (in *inlet) disown(s *recvStream) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.owner == s {
		in.owner = nil
		in.moved.Broadcast()
	}
}

type inletWriter struct {
	in *inlet
	s  *recvStream
}

func (w inletWriter) Write(p []byte) (n int, err error) {
	in := w.in
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(p) > 0 {
		for len(in.buf) >= inletBuffer && in.owner == w.s && !in.gone {
			in.moved.Wait()
		}
		if in.owner != w.s || in.gone {
			return n, io.ErrClosedPipe
		}
		piece := p[:min(len(p), inletBuffer-len(in.buf))]
		in.buf = append(in.buf, piece...)
		in.at += int64(len(piece))
		n += len(piece)
		p = p[len(piece):]
		in.moved.Broadcast()
	}
	return n, nil
}

// WriteTo moves the input to the program until it ends.
func (in *inlet) WriteTo(w io.Writer) (total int64, err error) {
	var spare []byte
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		for len(in.buf) == 0 && !in.ended && !in.gone {
			in.moved.Wait()
		}
		if len(in.buf) == 0 || in.gone {
			return total, nil
		}
		p := in.buf
		in.buf = spare[:0]
		in.moved.Broadcast()
		in.mu.Unlock()
		n, err := w.Write(p)
		in.mu.Lock()
		spare = p
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// failed is false: what has come into the inlet does not break off.
func (in *inlet) failed() bool { return false }

// abandon says that the program wants no more.
func (in *inlet) abandon() {
	in.mu.Lock()
	in.gone = true
	s := in.owner
	in.moved.Broadcast()
	in.mu.Unlock()
	if s != nil {
		s.abandon()
	}
}
