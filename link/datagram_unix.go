//go:build unix

package link

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Datagram is a Device whose wire is a socket on which each datagram is a frame, as QEMU (-netdev dgram),
// libkrun and vfkit have it.
//
// Frames on it are whole: a datagram has no place to say that a checksum is missing. Such a socket does not tell
// when the machine at the other end goes away. That is found out as something is written to it; then
// Down is called.
type Datagram struct {
	info   Info
	writer datagramWriter
	own    io.Closer // its socket; nil if it sends by that of a listener
	start  func()    // begins to read; nil if a listener does
	leave  func()    // tells the listener; nil if there is none

	running sync.WaitGroup // of goroutines; none starts once closed

	mu       sync.Mutex
	handler  Handler
	attached bool
	closed   bool // by Close, or since the machine is gone
	waiting  bool // for room
	calling  int  // how many functions of the handler run outside of running
	quiet    sync.Cond
	timer    *time.Timer // of waiting, if the system does not say when there is room
}

// NewDatagram makes a connected datagram socket a Device, which closes it in the end. Of info, an empty Name is
// "datagram", a zero MAC is made up, as a local address, and an MTU of 0 is 1,500; Offloads are
// none, whatever it says. It panics if the MTU is not from MinMTU to MaxMTU. The error is that conn is no
// socket; then it is still the caller's.
func NewDatagram(conn net.Conn, info Info) (*Datagram, error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("datagram socket: %T is none", conn)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := newDatagram(ofSocket(info, "datagram"), raw, nil)
	d.own = conn
	d.start = func() { d.running.Go(func() { d.read(newDatagramReader(raw)) }) }
	return d, nil
}

func newDatagram(info Info, raw syscall.RawConn, to unix.Sockaddr) *Datagram {
	d := &Datagram{info: info}
	d.quiet.L = &d.mu
	d.writer.init(raw, to)
	d.timer = time.AfterFunc(time.Hour, d.hasRoom)
	d.timer.Stop()
	return d
}

// Info says what the device is.
func (d *Datagram) Info() Info { return d.info }

// Attach makes h the one who hears what arrives. It panics if it is called twice.
func (d *Datagram) Attach(h Handler) {
	d.mu.Lock()
	twice := d.attached
	d.handler, d.attached = h, true
	if !twice && !d.closed && d.start != nil {
		d.start()
	}
	d.mu.Unlock()
	if twice {
		panic("link: Attach called twice")
	}
}

func (d *Datagram) read(r *datagramReader) {
	for {
		if err := r.read(); err != nil {
			d.fail(err)
			return
		}
		d.receive(r.frames)
	}
}

// receive hands over what has arrived.
func (d *Datagram) receive(frames []Frame) {
	if len(frames) > 0 {
		d.call(func(h *Handler) { h.Receive(frames) })
	}
}

// call calls a function of the handler, if there is one and it may still be called.
func (d *Datagram) call(do func(*Handler)) {
	d.mu.Lock()
	if d.closed || !d.attached {
		d.mu.Unlock()
		return
	}
	d.calling++
	d.mu.Unlock()
	do(&d.handler)
	d.mu.Lock()
	d.calling--
	d.quiet.Broadcast()
	d.mu.Unlock()
}

// Write gives frames to the socket. See Device. A frame that the system does not take is an
// *os.SyscallError.
func (d *Datagram) Write(frames []Frame) (int, error) {
	good, bad := d.info.Check(frames)
	n, err := d.writer.write(frames[:good])
	switch {
	case err == nil:
		return n, bad
	case err == unix.EAGAIN || err == unix.ENOBUFS:
		d.await(err)
		return n, nil
	case isGone(err):
		d.fail(os.NewSyscallError("send", err))
		return n, net.ErrClosed
	case err == net.ErrClosed:
		return n, err
	}
	return n, os.NewSyscallError("send", err)
}

// isGone reports whether an error means that nobody is at the other end any more, or somebody who hears
// another socket.
func isGone(err error) bool {
	switch err {
	case unix.ECONNREFUSED, unix.ECONNRESET, unix.ENOENT, unix.ENOTCONN, unix.EPIPE, unix.EPERM:
		return true
	}
	return false
}

// await has Room called when there is room again. The system says when a socket of our own has some that was
// full (EAGAIN). It does not say it of one that several machines share, nor of a machine whose own buffer is full, as
// on BSDs (ENOBUFS): so that is tried after a pause.
func (d *Datagram) await(full error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.waiting || d.closed:
		return
	case full == unix.EAGAIN && d.own != nil:
		d.running.Go(func() {
			if d.writer.raw.Write(isWritable) == nil {
				d.hasRoom()
			}
		})
	default:
		d.timer.Reset(d.writer.nextPause())
	}
	d.waiting = true
}

func (d *Datagram) hasRoom() {
	d.mu.Lock()
	d.waiting = false
	d.mu.Unlock()
	d.call(func(h *Handler) {
		if h.Room != nil {
			h.Room()
		}
	})
}

// fail ends the device since the machine is gone, and says so in a goroutine of its own.
func (d *Datagram) fail(err error) {
	d.mu.Lock()
	again, down := d.closed, d.handler.Down
	d.closed = true
	if !again && down != nil {
		d.running.Go(func() { down(err) })
	}
	d.mu.Unlock()
	if !again {
		d.release()
	}
}

// release frees what the device holds. It is closed.
func (d *Datagram) release() {
	d.timer.Stop()
	if d.leave != nil {
		d.leave()
	}
	if d.own != nil {
		d.own.Close()
	}
}

// Close ends the device. The error is nil.
func (d *Datagram) Close() error {
	d.mu.Lock()
	again := d.closed
	d.closed = true
	d.mu.Unlock()
	if !again {
		d.release()
	}
	d.mu.Lock()
	for d.calling > 0 {
		d.quiet.Wait()
	}
	d.mu.Unlock()
	d.running.Wait()
	return nil
}
