package tcp

import "time"

// Read reads what has arrived, and waits if nothing has. The error is io.EOF after the peer has
// sent all, syscall.ECONNRESET, syscall.ETIMEDOUT, or another of Conn.
func (c *Conn) Read(b []byte) (int, error) {
	for {
		n, wait, err := c.tryRead(b)
		if wait.token == nil {
			return n, err
		}
		wait.wait()
	}
}

// A waiting is what to wait for: a token, or that a time is over.
type waiting struct {
	token chan struct{}
	over  <-chan struct{}
}

func (w waiting) wait() {
	select {
	case <-w.token:
	case <-w.over:
	}
}

// tryRead reads without waiting, or returns what to wait for.
func (c *Conn) tryRead(b []byte) (n int, wait waiting, err error) {
	c.mu.Lock()
	if err = c.mayReadLocked(len(b)); err == nil && len(b) > 0 && !c.lent {
		n, err = c.readLocked(b)
	}
	switch {
	case n > 0:
		c.afterReadLocked()
		return n, wait, nil
	case err != nil || len(b) == 0:
		c.wakeLocked() // for the next one
	default:
		wait = waiting{waitLocked(&c.readable), c.limitsLocked().read.Done()}
	}
	c.mu.Unlock()
	return 0, wait, err
}

// readLocked reads what there is, and returns neither bytes nor an error if that is nothing.
func (c *Conn) readLocked(b []byte) (n int, err error) {
	if n = c.t.read(b); n == 0 {
		err = c.whyNothingLocked()
	}
	return n, err
}

// afterReadLocked lets go of the lock after something has been taken from what has arrived. Most of the time
// the peer need not be told.
func (c *Conn) afterReadLocked() {
	if c.gone {
		c.chargeLocked()
	} else if c.t.windowDue {
		c.unlock(time.Now())
		return
	}
	if c.readable != nil && c.t.readable() > 0 {
		signal(c.readable)
	}
	c.mu.Unlock()
}

// chunk is how much is put into the send ring before some of it is sent: it is still in the processor's cache
// then.
const chunk = 64 << 10

// Write sends b, and waits while there is no room for it. What several goroutines write is not mixed.
// n is less than len(b) only if there is an error: syscall.EPIPE if nothing can be sent any more,
// or what ended the connection.
func (c *Conn) Write(b []byte) (n int, err error) {
	if err := c.beginWrite(); err != nil {
		return 0, err
	}
	defer c.endWrite()
	for {
		k, wait, err := c.tryWrite(b[n:min(len(b), n+chunk)])
		n += k
		switch {
		case err != nil || n == len(b):
			return n, err
		case wait.token != nil:
			wait.wait()
		}
	}
}

// beginWrite waits until no other goroutine is writing.
func (c *Conn) beginWrite() error {
	for {
		c.mu.Lock()
		err := c.mayWriteLocked()
		if err != nil || !c.writing {
			c.writing = c.writing || err == nil
			c.wakeLocked() // for the next one
			c.mu.Unlock()
			return err
		}
		wait := waiting{waitLocked(&c.turn), c.limitsLocked().write.Done()}
		c.mu.Unlock()
		wait.wait()
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
func (c *Conn) tryWrite(b []byte) (n int, wait waiting, err error) {
	c.mu.Lock()
	if err = c.whyNotWriteLocked(); err == nil {
		n = c.t.write(b)
	}
	switch {
	case n > 0:
		c.unlock(time.Now())
		return n, wait, nil
	case err != nil || len(b) == 0:
		c.wakeLocked() // for the next one
	default:
		wait = waiting{waitLocked(&c.writable), c.limitsLocked().write.Done()}
	}
	c.mu.Unlock()
	return 0, wait, err
}

// SetReadDeadline makes reads fail that are not done at t; the zero Time is never.
func (c *Conn) SetReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.limitsLocked().read.Set(t)
	}
}

// SetWriteDeadline is SetReadDeadline for writes.
func (c *Conn) SetWriteDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.limitsLocked().write.Set(t)
	}
}

// TakeError returns what ended the connection, a syscall.Errno, if no call has told it yet. Then it is told, as
// by SO_ERROR of other systems.
func (c *Conn) TakeError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == 0 {
		return nil
	}
	err := c.failure
	c.failure = 0
	return err
}
