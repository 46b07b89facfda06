package link

import (
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// tapSlab is how many bytes there are to read into before Receive is called: enough for
// four units, little enough to stay in the cache.
const tapSlab = 320 << 10

// A tapReader reads frames one behind the other into a slab.
type tapReader struct {
	header int // before each frame
	slab   []byte
	used   int
	fill   func(fd uintptr) bool // readAll, made once

	// What the last call of fill has read.
	frames []Frame
	bytes  int
	faults [vnetUnit + 1]uint64
	err    error
}

func newTAPReader(header int) *tapReader {
	r := &tapReader{header: header, slab: make([]byte, tapSlab), frames: make([]Frame, 0, maxBatch)}
	r.fill = r.readAll
	return r
}

// readAll reads what is there, as far as there is room. It reports whether that was
// anything, or the end.
func (r *tapReader) readAll(fd uintptr) bool {
	r.frames, r.used, r.bytes, r.err = r.frames[:0], 0, 0, nil
	room := r.header + MaxFrame + 1 // one more, to see what is too long
	for len(r.frames) < maxBatch && len(r.slab)-r.used >= room {
		n, err := unix.Read(int(fd), r.slab[r.used:r.used+room])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return len(r.frames) > 0
		case err != nil:
			r.err = os.NewSyscallError("read", err)
			return true
		default:
			r.take(r.slab[r.used : r.used+n])
		}
	}
	return true
}

// take adds what was read as a frame, or counts what is wrong with it.
func (r *tapReader) take(b []byte) {
	if len(b) < r.header {
		r.faults[vnetLength]++
		return
	}
	f := Frame{Head: b[r.header:len(b):len(b)]}
	if fault := f.readVnet(b[:r.header]); fault != vnetGood {
		r.faults[fault]++
		return
	}
	r.frames = append(r.frames, f)
	r.bytes += len(f.Head)
	r.used += (len(b) + 63) &^ 63 // a cache line for each beginning
}

// A tapWriter writes batches, one at a time.
type tapWriter struct {
	tap     *TAP
	header  int              // before each frame
	control func(fd uintptr) // writeAllLocked, made once
	mu      sync.Mutex       // held while a batch is written, which does not block
	frames  []Frame          // the batch
	taken   int              // of it
	err     error            // why no more
	vnet    [vnetLen]byte    // of the frame that is written
	parts   [3][]byte        // of it
	stats   TAPStats         // the writer's part
}

func (w *tapWriter) init(t *TAP, header bool) {
	w.tap, w.control = t, w.writeAllLocked
	if header {
		w.header = vnetLen
	}
}

// write returns how many frames were taken. The error is EAGAIN if the kernel is full.
func (w *tapWriter) write(frames []Frame) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames, w.taken, w.err = frames, 0, nil
	if err := w.tap.raw.Control(w.control); err != nil {
		w.err = net.ErrClosed
	}
	w.frames, w.parts = nil, [3][]byte{}
	if w.err == unix.EAGAIN {
		w.stats.Full++
	}
	return w.taken, w.err
}

func (w *tapWriter) writeAllLocked(fd uintptr) {
	for i := range w.frames {
		f := &w.frames[i]
		err := w.writeLocked(int(fd), f)
		switch err {
		case nil:
			w.stats.Out++
			w.stats.BytesOut += uint64(f.Len())
		case unix.EIO:
			w.stats.LostDown++
		case unix.ENOMEM, unix.ENOBUFS:
			w.stats.LostOther++
		case unix.EAGAIN, ErrFrame:
			w.err = err
			return
		case unix.EBADFD, unix.ENODEV: // the interface is gone; the reader says so
			w.err = net.ErrClosed
			return
		default:
			w.err = os.NewSyscallError("writev", err)
			return
		}
		w.taken++
	}
}

// writeLocked writes a frame with its header.
func (w *tapWriter) writeLocked(fd int, f *Frame) error {
	parts := w.parts[:0]
	if w.header != 0 {
		if err := f.putVnet(&w.vnet); err != nil {
			return err
		}
		parts = append(parts, w.vnet[:])
	}
	parts = append(parts, f.Head)
	if len(f.Body) > 0 {
		parts = append(parts, f.Body)
	}
	for {
		if _, err := unix.Writev(fd, parts); err != unix.EINTR {
			return err
		}
	}
}

// addTo adds what was written to s.
func (w *tapWriter) addTo(s *TAPStats) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Out, s.BytesOut = w.stats.Out, w.stats.BytesOut
	s.LostDown, s.LostOther, s.Full = w.stats.LostDown, w.stats.LostOther, w.stats.Full
}
