package tcp

import (
	"io"
	"syscall"
	"time"
)

// Who copies between a connection and something else needs no memory between: he gets what has arrived where it lies, and puts
// what is to be sent where it will lie. Meanwhile there is no lock, only a mark that others wait for.

// Lend waits for something to read, and returns some of it, in place: it is good until TakeBack is called, which must be. Others
// wait until then. The errors are those of Read.
func (c *Conn) Lend() ([]byte, error) {
	var wait waiting
	for {
		var b []byte
		var err error
		if b, wait, err = c.tryLend(wait); wait.token == nil {
			return b, err
		}
		wait.wait()
	}
}

func (c *Conn) tryLend(last waiting) (b []byte, wait waiting, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endAwaitLocked(last)
	if err = c.mayReadLocked(1); err == nil && !c.lent {
		if b = c.t.lend(chunk); len(b) > 0 {
			c.lent = true
			return b, wait, nil
		}
		err = c.whyNothingLocked()
	}
	if err != nil {
		c.wakeLocked() // for the next one
		return nil, wait, err
	}
	return nil, c.awaitTextLocked(nil), nil
}

// TakeBack ends Lend. The first n bytes have been read.
func (c *Conn) TakeBack(n int) {
	c.mu.Lock()
	c.lent = false
	c.t.readLent(n)
	c.wakeLocked() // who waited until now
	c.afterReadLocked()
}

// AwaitRoom waits until something can be written. The errors are those of Write.
func (c *Conn) AwaitRoom() error {
	for {
		wait, err := c.tryRoom()
		if wait.token == nil {
			return err
		}
		wait.wait()
	}
}

// tryRoom returns what to wait for, if there is no room. What is kept for want of a whole segment is sent then: who has to
// wait does not write more at once.
func (c *Conn) tryRoom() (wait waiting, err error) {
	c.mu.Lock()
	c.takeOverLocked()
	err = c.whyNotWriteLocked()
	switch {
	case err != nil:
	case c.writing:
		wait = waiting{token: waitLocked(&c.turn), over: c.limitsLocked().write.Done()}
	case !c.t.hasSendRoom():
		wait = c.awaitRoomLocked()
		if c.t.more {
			c.t.more = false
			c.unlock(time.Now())
		} else {
			c.mu.Unlock()
		}
		return wait, nil
	}
	c.wakeLocked() // for the next one: nothing is written here
	c.mu.Unlock()
	return wait, err
}

// Fill sends what put puts into room that it is given: up to n bytes, and at most 64 KiB. It does not wait for that: without room, or
// while another goroutine writes, put is not called. put returns how much it has put, and must not wait
// either. If it filled all, it is taken to have more, and less than a segment is kept until that comes, or AwaitRoom has to
// wait.
func (c *Conn) Fill(n int, put func(room []byte) (int, error)) (int, error) {
	b := c.lendRoom(min(n, chunk))
	if len(b) == 0 {
		return 0, nil
	}
	n, err := put(b)
	c.mu.Lock()
	c.t.takeRoom(n, n == len(b))
	c.writing = false
	c.unlock(time.Now())
	return n, err
}

func (c *Conn) lendRoom(n int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing || c.mayWriteLocked() != nil {
		return nil
	}
	b := c.t.lendRoom(n)
	c.writing = len(b) > 0
	return b
}

// whyNotWriteLocked returns why nothing can be written.
func (c *Conn) whyNotWriteLocked() error {
	if err := c.mayWriteLocked(); err != nil {
		return err
	}
	switch {
	case c.failure != 0:
		err := c.failure
		c.failure = 0
		return err
	case !c.t.maySend():
		return syscall.EPIPE
	}
	return nil
}

// whyNothingLocked returns why there is nothing to read and will not be, or nil if there may be.
func (c *Conn) whyNothingLocked() error {
	switch {
	case c.t.ended():
		return io.EOF
	case c.failure != 0:
		err := c.failure
		c.failure = 0
		return err
	case c.endedLocked():
		return io.EOF
	}
	return nil
}
