//go:build unix

package link

import (
	"bytes"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A DatagramListener is a socket that several machines send to. Each of them is a Datagram, told apart
// by its address.
//
// What goes to a machine goes by a socket of its own, so that one which does not read keeps up nobody. But where
// the machine has connected its socket, so that it hears the listener alone, and on other systems than
// Linux, it goes by the listener's.
type DatagramListener struct {
	conn *net.UnixConn
	raw  syscall.RawConn
	info Info
	join func(*Datagram)
	done sync.WaitGroup

	mu     sync.Mutex
	closed bool
	guests map[string]*Datagram
	stats  DatagramStats
}

const (
	// maxGuests is how many machines may send to one socket.
	maxGuests = 1024
	// hello is what vfkit and libkrun send first, before any frame, so that their address is known.
	hello = "VFKT"
	// Sizes of the buffers of the socket that all share. Systems give what they like.
	listenerReadBuffer, listenerWriteBuffer = 4 << 20, 4 << 20
)

// ListenDatagram begins to read from conn, which it takes over. It calls join for each new sender, with a
// device that says what info does, filled in as by NewDatagram, but with the last part of the sender's
// path as its Name. If join attaches to it before it returns, nothing is lost; if it closes it, the sender is
// new again when it sends more. It must not block.
//
// A machine that has gone is noticed, as said for Datagram, and may come back.
func ListenDatagram(conn *net.UnixConn, info Info, join func(*Datagram)) (*DatagramListener, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(listenerReadBuffer)
	conn.SetWriteBuffer(listenerWriteBuffer)
	info.Name = ""
	l := &DatagramListener{conn: conn, raw: raw, info: info, join: join, guests: map[string]*Datagram{}}
	ofSocket(info, "") // for its panic
	l.done.Go(l.read)
	return l, nil
}

// Stats returns what has been counted.
func (l *DatagramListener) Stats() DatagramStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Close closes the socket. The devices hear Down. It waits until no function of theirs, nor join, is being called
// because of the socket, so they must not call it. The error is nil.
func (l *DatagramListener) Close() error {
	l.end(net.ErrClosed)
	l.done.Wait()
	return nil
}

// end closes the socket, and ends the devices because of err.
func (l *DatagramListener) end(err error) {
	l.mu.Lock()
	if l.closed { // which is why err is
		err = net.ErrClosed
	}
	l.closed = true
	var guests []*Datagram
	for _, d := range l.guests {
		guests = append(guests, d)
	}
	l.mu.Unlock()
	l.conn.Close()
	for _, d := range guests {
		d.fail(err)
	}
}

func (l *DatagramListener) read() {
	r := newDatagramReader(l.raw)
	for {
		if err := r.read(); err != nil {
			l.end(err)
			return
		}
		l.sort(r.frames, r.from)
	}
}

// sort gives each sender's frames to its device, as many at once as come in a row.
func (l *DatagramListener) sort(frames []Frame, from []sender) {
	for len(frames) > 0 {
		name, n := from[0].bytes(), 1
		for n < len(frames) && bytes.Equal(from[n].bytes(), name) {
			n++
		}
		batch := frames[:n]
		d, isNew := l.guest(name, n)
		if isNew {
			l.join(d)
			if string(batch[0].Head) == hello {
				batch = batch[1:]
			}
		}
		if d != nil {
			d.receive(batch)
		}
		frames, from = frames[n:], from[n:]
	}
}

// guest returns the device of a sender, and whether that is new; or nil, and counts datagrams.
func (l *DatagramListener) guest(name []byte, datagrams int) (d *Datagram, isNew bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch d = l.guests[string(name)]; {
	case d != nil:
		return d, false
	case len(name) == 0:
		l.stats.Nameless += uint64(datagrams)
		return nil, false
	case l.closed:
		return nil, false
	}
	if len(l.guests) < maxGuests {
		d = l.reach(string(name))
	}
	if d == nil {
		l.stats.Refused += uint64(datagrams)
		return nil, false
	}
	l.guests[string(name)] = d
	return d, true
}

// reach makes the device of a sender, or returns nil if nothing can be sent to it.
func (l *DatagramListener) reach(name string) *Datagram {
	d := (*Datagram)(nil)
	info := ofSocket(l.info, filepath.Base(name))
	switch conn, err := l.dial(name); {
	case conn != nil:
		raw, err := conn.SyscallConn()
		if err != nil {
			conn.Close()
			return nil
		}
		d = newDatagram(info, raw, nil)
		d.own = conn
	case err == nil:
		d = newDatagram(info, l.raw, &unix.SockaddrUnix{Name: name})
	default:
		return nil
	}
	d.leave = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.guests, name)
	}
	return d
}

// dial makes a socket for a machine. It returns none, without an error, if the listener's is to be used.
func (l *DatagramListener) dial(name string) (*net.UnixConn, error) {
	if runtime.GOOS != "linux" {
		return nil, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if errors.Is(err, unix.EPERM) { // it has connected its own
		return nil, nil
	}
	return conn, err
}
