package tcp

import "time"

// Read reads what has arrived, and waits if nothing has. The error is io.EOF after the peer has
// sent all, syscall.ECONNRESET, syscall.ETIMEDOUT, or another of Conn.
func (c *Conn) Read(b []byte) (int, error) {
	var wait waiting
	for {
		var n int
		var err error
		if n, wait, err = c.tryRead(b, wait); wait.token == nil {
			return n, err
		}
		wait.wait()
	}
}

// A waiting is what to wait for: a token, or that a time is over.
type waiting struct {
	token chan struct{}
	over  <-chan struct{}
	into  bool // text comes into the memory of who waits
}

func (w waiting) wait() {
	select {
	case <-w.token:
	case <-w.over:
	}
}

// tryRead reads without waiting, or returns what to wait for. last is what has been waited for already.
func (c *Conn) tryRead(b []byte, last waiting) (n int, wait waiting, err error) {
	c.mu.Lock()
	if n = c.endAwaitLocked(last); n == 0 { // otherwise that is read, whatever has happened since then
		n, err = c.readLocked(b)
	}
	switch {
	case n > 0:
		c.afterReadLocked()
		return n, wait, nil
	case err != nil || len(b) == 0:
		c.wakeLocked() // for the next one
	default:
		wait = c.awaitTextLocked(b)
	}
	c.mu.Unlock()
	return 0, wait, err
}

// readLocked reads what there is, and returns neither bytes nor an error if that is nothing.
func (c *Conn) readLocked(b []byte) (n int, err error) {
	if err = c.mayReadLocked(len(b)); err != nil || len(b) == 0 || c.lent {
		return 0, err
	}
	if n = c.t.read(b); n == 0 {
		err = c.whyNothingLocked()
	}
	return n, err
}

// awaitTextLocked returns what to wait for, until there is something to read. If b is large, and nobody else waits, that comes
// right into it. endAwaitLocked must be called after that.
func (c *Conn) awaitTextLocked(b []byte) waiting {
	over := c.limitsLocked().read.Done()
	if c.readers++; c.readers == 1 && len(b) >= largeLeast {
		c.t.receiveInto(b)
		return waiting{waitLocked(&c.filled), over, true}
	}
	return waiting{waitLocked(&c.readable), over, false}
}

// endAwaitLocked returns how much has come into the memory of who has waited.
func (c *Conn) endAwaitLocked(last waiting) int {
	if last.token == nil {
		return 0
	}
	if c.readers--; last.into {
		return c.t.endReceiveInto()
	}
	return 0
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
	c.wakeReaderLocked(false)
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
		wait := waiting{token: waitLocked(&c.turn), over: c.limitsLocked().write.Done()}
		c.mu.Unlock()
		wait.wait()
	}
}

func (c *Conn) endWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	c.wakeLocked()
}

// tryWrite writes what there is room for, or returns what to wait for.
func (c *Conn) tryWrite(b []byte) (n int, wait waiting, err error) {
	c.mu.Lock()
	c.takeOverLocked()
	if err = c.whyNotWriteLocked(); err == nil {
		n = c.putLocked(b)
	}
	switch {
	case n > 0:
		c.unlockWritten(time.Now())
		return n, wait, nil
	case err != nil || len(b) == 0:
		c.wakeLocked() // for the next one
	default:
		wait = c.awaitRoomLocked()
	}
	c.mu.Unlock()
	return 0, wait, err
}

// largeLeast is from how many bytes on it is worth while to send from the user's memory, or to receive into it.
const largeLeast = 8 << 10

// putLocked writes what there is room for. What somebody else will send must not lie in the user's memory.
func (c *Conn) putLocked(b []byte) int {
	c.t.more = false // what Fill has kept was for this
	if len(b) >= largeLeast && !c.sending {
		return c.t.borrow(b)
	}
	return c.t.write(b)
}

// unlockWritten is unlock, and leaves nothing in the user's memory.
func (c *Conn) unlockWritten(now time.Time) {
	if !c.sending {
		c.sendLocked(now)
	}
	if c.t.giveBack() && c.parked != nil {
		c.t.repoint(c.parked.out[:c.parked.count])
		c.parked.built, c.parked.joined = false, c.parked.joined[:0]
	}
	c.settleLocked(now)
	c.mu.Unlock()
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
