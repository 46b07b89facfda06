package tcp

import (
	"io"
	"net"
	"syscall"
	"time"
)

// Read reads what has arrived, and waits if nothing has. The error is io.EOF after the peer has
// sent all, syscall.ECONNRESET, syscall.ETIMEDOUT, or another of Conn.
func (c *Conn) Read(b []byte) (int, error) {
	for {
		done := c.readBy.Done()
		n, wait, err := c.tryRead(b)
		if wait == nil {
			return n, err
		}
		select {
		case <-wait:
		case <-done:
			return 0, c.expired()
		}
	}
}

// tryRead reads without waiting, or returns what to wait for.
func (c *Conn) tryRead(b []byte) (n int, wait chan struct{}, err error) {
	if c.readBy.Passed() {
		return 0, nil, c.expired()
	}
	c.mu.Lock()
	if len(b) == 0 {
		c.mu.Unlock()
		return 0, nil, nil
	}
	if n := c.t.read(b); n > 0 {
		c.afterReadLocked()
		return n, nil, nil
	}
	defer c.mu.Unlock()
	switch {
	case c.t.ended():
		err = io.EOF
	case c.failure != 0:
		err, c.failure = c.failure, 0
	case c.endedLocked():
		err = io.EOF
	default:
		return 0, waitLocked(&c.readable), nil
	}
	c.wakeLocked() // for the next one
	return 0, nil, err
}

// afterReadLocked lets go of the lock after something has been taken from what has arrived. Most of the time
// the peer need not be told.
func (c *Conn) afterReadLocked() {
	if c.t.windowDue {
		c.unlock(time.Now())
		return
	}
	if c.readable != nil && c.t.readable() > 0 {
		signal(c.readable)
	}
	c.mu.Unlock()
}

// WriteTo writes all that arrives to w, until the end of the stream or an error.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	b := make([]byte, copySize)
	for {
		k, err := c.Read(b)
		if k > 0 {
			k, err := w.Write(b[:k])
			n += int64(k)
			if err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

const (
	// copySize is how much is copied at once from or to others.
	copySize = 64 << 10
	// chunk is how much is put into the send ring before some of it is sent: it is still in the
	// processor's cache then.
	chunk = 64 << 10
)

// Write sends b, and waits while there is no room for it. What several goroutines write is not mixed.
// n is less than len(b) only if there is an error: syscall.EPIPE if nothing can be sent any more,
// or what ended the connection.
func (c *Conn) Write(b []byte) (n int, err error) {
	if err := c.beginWrite(); err != nil {
		return 0, err
	}
	for {
		done := c.writeBy.Done()
		k, wait, err := c.tryWrite(b[n:min(len(b), n+chunk)])
		n += k
		if err != nil || n == len(b) {
			c.endWrite()
			return n, err
		}
		if wait == nil {
			continue
		}
		select {
		case <-wait:
		case <-done:
			c.endWrite()
			return n, c.expired()
		}
	}
}

// beginWrite waits until no other goroutine is writing.
func (c *Conn) beginWrite() error {
	for {
		done := c.writeBy.Done()
		if c.writeBy.Passed() {
			return c.expired()
		}
		c.mu.Lock()
		if !c.writing {
			c.writing = true
			c.mu.Unlock()
			return nil
		}
		wait := waitLocked(&c.turn)
		c.mu.Unlock()
		select {
		case <-wait:
		case <-done:
			return c.expired()
		}
	}
}

func (c *Conn) endWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	if c.turn != nil {
		signal(c.turn)
	}
}

// tryWrite writes what there is room for, or returns what to wait for.
func (c *Conn) tryWrite(b []byte) (n int, wait chan struct{}, err error) {
	if c.writeBy.Passed() {
		return 0, nil, c.expired()
	}
	c.mu.Lock()
	switch {
	case c.closed:
		err = net.ErrClosed
	case c.failure != 0:
		err, c.failure = c.failure, 0
	case !c.t.maySend():
		err = syscall.EPIPE
	}
	if err != nil {
		c.wakeLocked() // for the next one
		c.mu.Unlock()
		return 0, nil, err
	}
	n = c.t.write(b)
	if n == 0 && len(b) > 0 {
		wait = waitLocked(&c.writable)
		c.mu.Unlock()
		return 0, wait, nil
	}
	c.unlock(time.Now())
	return n, nil, nil
}

// ReadFrom sends all that r has.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	b := make([]byte, copySize)
	for {
		k, err := r.Read(b)
		if k > 0 {
			k, err := c.Write(b[:k])
			n += int64(k)
			if err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// SetReadDeadline makes reads fail that are not done at t; the zero Time is never.
func (c *Conn) SetReadDeadline(t time.Time) { c.readBy.Set(t) }

// SetWriteDeadline is SetReadDeadline for writes.
func (c *Conn) SetWriteDeadline(t time.Time) { c.writeBy.Set(t) }
