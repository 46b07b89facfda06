//go:build unix

package link

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// datagramSlab is how many bytes there are to read into before Receive is called.
const datagramSlab = 320 << 10

// A sender is the address of a socket: a path, or, behind a zero byte, a name that is not in the file
// system. It has none if n is 0.
type sender struct {
	name [len(unix.RawSockaddrUnix{}.Path)]byte
	n    int
}

// set takes a name, and cuts the zero byte that ends a path.
func (s *sender) set(b []byte) {
	s.n = copy(s.name[:], b)
	if s.n > 0 && s.name[0] != 0 {
		for s.n > 1 && s.name[s.n-1] == 0 {
			s.n--
		}
	}
}

func (s *sender) bytes() []byte { return s.name[:s.n] }

// A datagramReader reads frames one behind the other into a slab.
type datagramReader struct {
	raw  syscall.RawConn
	fill func(fd uintptr) bool // readAll, made once
	slab []byte

	// What the last call of read has brought.
	frames []Frame
	from   []sender // of each
	err    error
}

func newDatagramReader(raw syscall.RawConn) *datagramReader {
	r := &datagramReader{raw: raw, slab: make([]byte, datagramSlab)}
	r.frames, r.from = make([]Frame, 0, maxBatch), make([]sender, 0, maxBatch)
	r.fill = r.readAll
	return r
}

// read waits for frames, and takes all that there are.
func (r *datagramReader) read() error {
	if err := r.raw.Read(r.fill); err != nil {
		return err
	}
	return r.err
}

func (r *datagramReader) readAll(fd uintptr) bool {
	r.frames, r.from, r.err = r.frames[:0], r.from[:0], nil
	const room = maxSocketFrame // what is longer is cut, and still too long for everybody
	for used := 0; len(r.frames) < maxBatch && len(r.slab)-used >= room; {
		r.from = r.from[:len(r.frames)+1]
		n, err := receiveFrom(int(fd), r.slab[used:used+room], &r.from[len(r.frames)])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return len(r.frames) > 0
		case err != nil:
			r.err = os.NewSyscallError("recvfrom", err)
			return true
		}
		r.frames = append(r.frames, Frame{Head: r.slab[used : used+n : used+n]})
		used += (n + 63) &^ 63
	}
	return true
}

// A datagramWriter writes batches, one at a time.
type datagramWriter struct {
	raw     syscall.RawConn
	to      unix.Sockaddr    // nil if the socket is connected
	control func(fd uintptr) // writeAllLocked, made once

	mu     sync.Mutex // held while a batch is written, which does not block
	frames []Frame    // the batch
	taken  int        // of it
	err    error      // why no more
	buf    []byte     // for frames in two pieces
	pause  time.Duration
}

// How long a full socket is left alone, if the system does not say when it has room: longer and longer.
const (
	minPause = time.Millisecond
	maxPause = 64 * time.Millisecond
)

func (w *datagramWriter) init(raw syscall.RawConn, to unix.Sockaddr) {
	w.raw, w.to = raw, to
	w.control = w.writeAllLocked
}

// write returns how many frames were taken, and the system's error.
func (w *datagramWriter) write(frames []Frame) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames, w.taken, w.err = frames, 0, nil
	if w.raw.Control(w.control) != nil {
		w.err = net.ErrClosed
	}
	w.frames = nil
	if w.taken > 0 {
		w.pause = 0
	}
	return w.taken, w.err
}

func (w *datagramWriter) writeAllLocked(fd uintptr) {
	for i := range w.frames {
		if w.err = w.writeLocked(int(fd), &w.frames[i]); w.err != nil {
			return
		}
		w.taken++
	}
}

func (w *datagramWriter) writeLocked(fd int, f *Frame) (err error) {
	b := f.Head
	if len(f.Body) > 0 {
		w.buf = f.AppendTo(w.buf[:0])
		b = w.buf
	}
	for {
		if w.to == nil {
			_, err = unix.Write(fd, b)
		} else {
			err = unix.Sendto(fd, b, 0, w.to)
		}
		if err != unix.EINTR {
			return err
		}
	}
}

// nextPause returns how long to wait before the next try.
func (w *datagramWriter) nextPause() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pause = min(max(2*w.pause, minPause), maxPause)
	return w.pause
}
