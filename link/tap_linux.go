package link

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A TAP is a Device whose other end is a network interface of the kernel.
//
// One goroutine reads, from Attach to Close, and calls Receive with all the
// frames that the kernel has ready, up to 64. A second one runs only while Write has found
// the kernel full. Frames that are written while the interface is not up are
// lost, as on a cable that is not plugged in, and counted. If the interface is deleted
// Down is called, and Write returns net.ErrClosed.
type TAP struct {
	info   Info
	file   *os.File
	raw    syscall.RawConn
	writer tapWriter

	mu       sync.Mutex
	handler  Handler
	attached bool
	closed   bool           // by Close
	gone     bool           // the interface
	waiting  bool           // a goroutine waits for room
	running  sync.WaitGroup // the goroutines; none starts once closed
	in       TAPStats       // the reader's part
}

// Info says what this end is. The MTU is that of the interface at the time of OpenTAP.
func (t *TAP) Info() Info { return t.info }

// Stats returns what has happened so far.
func (t *TAP) Stats() TAPStats {
	t.mu.Lock()
	s := t.in
	t.mu.Unlock()
	t.writer.addTo(&s)
	return s
}

// Attach makes h the one who hears what arrives. It panics if it is called twice.
func (t *TAP) Attach(h Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.attached {
		panic("link: Attach called twice")
	}
	t.handler, t.attached = h, true
	if !t.closed {
		t.running.Add(1)
		go t.read()
	}
}

// Write gives frames to the kernel. See Device. A frame that the kernel finds malformed is
// an *os.SyscallError.
func (t *TAP) Write(frames []Frame) (int, error) {
	good, bad := t.info.Check(frames)
	n, err := t.writer.write(frames[:good])
	switch {
	case err == unix.EAGAIN:
		t.await()
		err = nil
	case err == nil:
		err = bad
	}
	return n, err
}

// Close ends the device. An interface that was made by OpenTAP goes away.
func (t *TAP) Close() error {
	t.mu.Lock()
	again := t.closed
	t.closed = true
	t.mu.Unlock()
	var err error
	if !again {
		err = t.file.Close() // which wakes the goroutines
	}
	t.running.Wait()
	return err
}

// await starts a goroutine that waits for room, if there is none.
func (t *TAP) await() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.waiting && !t.closed && !t.gone {
		t.waiting = true
		t.running.Add(1)
		go t.awaitRoom()
	}
}

func (t *TAP) awaitRoom() {
	defer t.running.Done()
	err := t.raw.Write(isWritable)
	t.mu.Lock()
	t.waiting = false
	room := t.handler.Room
	if err != nil || t.closed || t.gone {
		room = nil
	}
	t.mu.Unlock()
	if room != nil {
		room()
	}
}

// read calls Receive until the device ends.
func (t *TAP) read() {
	defer t.running.Done()
	r := newTAPReader(t.writer.header)
	for {
		err := t.raw.Read(r.fill)
		t.count(r)
		if len(r.frames) > 0 {
			t.handler.Receive(r.frames)
		}
		if r.err == nil && err != nil {
			r.err = t.askWhy(err)
		}
		if r.err != nil {
			t.fail(r.err)
			return
		}
	}
}

// askWhy returns the kernel's error about a device that the poller refuses: for
// it all errors are one.
func (t *TAP) askWhy(refused error) error {
	var b [1]byte
	err := refused
	t.raw.Control(func(fd uintptr) {
		if _, errno := unix.Read(int(fd), b[:]); errno != nil {
			err = os.NewSyscallError("read", errno)
		}
	})
	return err
}

func (t *TAP) count(r *tapReader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.in.In += uint64(len(r.frames))
	t.in.BytesIn += uint64(r.bytes)
	t.in.BadLength += r.faults[vnetLength]
	t.in.BadSum += r.faults[vnetSum]
	t.in.BadUnit += r.faults[vnetUnit]
	clear(r.faults[:])
}

// fail ends the device because of the kernel, or does nothing if Close did.
func (t *TAP) fail(err error) {
	t.mu.Lock()
	t.gone = true
	down := t.handler.Down
	if t.closed {
		down = nil
	}
	t.mu.Unlock()
	if errors.Is(err, unix.EBADFD) {
		err = fmt.Errorf("%w (the interface was deleted)", err)
	}
	if down != nil {
		down(fmt.Errorf("tap %s: %w", t.info.Name, err))
	}
}
