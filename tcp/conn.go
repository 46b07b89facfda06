package tcp

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"landline/internal/gate"
	"landline/ip"
)

// A Conn is a connection: a stream of bytes each way. Its methods may be called by several
// goroutines at once.
//
// Its errors are plain: io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, or a syscall.Errno. As on other
// systems, what ended a connection is told once: after it reads are io.EOF, and writes EPIPE.
type Conn struct {
	tuple
	layer   *Layer
	next    *Conn         // in the table; under the shard's lock
	via     *ip.Interface // nil if any
	foreign bool          // the local address is another machine's
	bound   bool          // the user chose the local port, which is held for it

	// Tokens: there is one if there may be something to do, for one goroutine. Who leaves something to do
	// puts it back. They are made when somebody waits for the first time.
	readable, writable, turn chan struct{}
	filled                   chan struct{} // is readable for who waits with his memory, while others have that

	mu      sync.Mutex
	t       *tcb
	limits  *deadlines // nil until somebody waits, or sets one
	path    ip.Path
	timer   *time.Timer
	due     instant       // when the timer ends; 0 if it does not run
	failure syscall.Errno // why the connection ended, until that has been told
	linger  int32         // as of SetLinger; -1 if it was not called

	parked  *batch // what the device had no room for
	sending bool   // a goroutine is sending, or will when there is room
	room    bool   // there has been room again
	writing bool   // a goroutine is in Write, or has room to fill
	waits   bool   // a goroutine waits for room to write: see handOverLocked
	handed  bool   // and will send when it wakes
	lent    bool   // a goroutine has what is to be read
	closed  bool   // by the user
	gone    bool   // from the table
	ttl     uint8  // of packets; 0 is what the link says
	tos     uint8  // their Diffserv field
	readers int32  // how many goroutines wait for something to read
	resume  func() // resumeSending
}

func (l *Layer) newConn(t tuple, path ip.Path) *Conn {
	c := &Conn{tuple: t, layer: l, path: path, linger: -1}
	c.resume = c.resumeSending
	return c
}

// Local returns the address at this end.
func (c *Conn) Local() netip.AddrPort { return c.local }

// Remote returns the address at the other end.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Via returns the interface that the connection is bound to, as its addresses are link-local, or nil.
func (c *Conn) Via() *ip.Interface { return c.via }

// unlock does what follows from a change of the connection, and lets go of the lock.
func (c *Conn) unlock(now time.Time) {
	if c.t.state == closed {
		c.endLocked() // who reads while a last reset is sent hears of it
	}
	if !c.sending && !c.handOverLocked() {
		c.sendLocked(now)
	}
	c.settleLocked(now)
	c.mu.Unlock()
}

// settleLocked notes what has become of the connection, and wakes who waits for it.
func (c *Conn) settleLocked(now time.Time) {
	if c.t.state == closed {
		c.endLocked()
	}
	switch {
	case c.gone:
	case c.sending, c.handed:
		c.t.settle(c.t.tick(now)) // output, which does that, is not asked for
		c.armLocked(now)
	case c.t.state != closed && c.t.state != timeWait:
		c.armLocked(now)
	case c.t.state == closed:
		c.leaveLocked(nil)
	default:
		c.leaveLocked(&waitRecord{waiter: c.t.waiter(), began: c.t.cfg.at(now), bound: c.bound, via: c.via})
	}
	c.chargeLocked()
	c.wakeLocked()
	if c.closed && !c.drainingLocked() {
		signal(c.layer.drained)
	}
}

// endLocked notes why the connection has ended, and no longer waits for a device to take what is left, nor for somebody to send it.
func (c *Conn) endLocked() {
	c.handed = false
	if c.t.err != 0 {
		c.failure, c.t.err = c.errno(c.t.err), 0
	}
	if c.parked != nil {
		c.layer.putBatch(c.parked)
		c.parked, c.sending = nil, false
		c.t.release()
	}
}

// leaveLocked takes the connection out of the table. In TIME-WAIT a record stays.
func (c *Conn) leaveLocked(w *waitRecord) {
	c.gone = true
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	s, hash := c.layer.shardOf(&c.tuple)
	s.remove(c, hash, w)
	if w == nil {
		c.layer.releasePort(&c.tuple, c.bound)
	}
	if c.foreign {
		c.layer.countForeign(-1)
	}
}

// errno returns what a system says of the end of a connection.
func (c *Conn) errno(err syscall.Errno) syscall.Errno {
	switch {
	case err == errRefused && c.t.passive:
		return syscall.ECONNRESET
	case err == errReset && c.t.rcv.fin:
		return syscall.EPIPE // nothing more was to come: only writing goes wrong
	}
	return err
}

// wakeLocked gives tokens to those who wait.
func (c *Conn) wakeLocked() {
	c.wakeReaderLocked(c.endedLocked())
	if c.turn != nil && (c.closed || !c.writing) {
		signal(c.turn)
	}
	if c.writable != nil && (!c.t.maySend() || c.opened() && c.t.writable() >= int(c.t.snd.limit)/3) {
		signal(c.writable)
	}
}

// wakeReaderLocked wakes who waits for something to read, if there is, or nothing more will be.
func (c *Conn) wakeReaderLocked(ended bool) {
	more := ended || c.t.readable() > 0
	if c.readable != nil && more {
		signal(c.readable)
	}
	if c.filled != nil && (more || c.t.hasPutInto()) {
		signal(c.filled)
	}
}

// endedLocked reports whether nothing more will come.
func (c *Conn) endedLocked() bool {
	return c.t.ended() || c.t.rcv.shut || c.t.state == closed || c.closed
}

// opened reports whether the handshake is over.
func (c *Conn) opened() bool { return c.t.state != synSent && c.t.state != synReceived }

func signal(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}

// waitLocked returns a channel that gets a token when there may be something to do. There is nothing now, so
// a token that lies there means nothing.
func waitLocked(token *chan struct{}) chan struct{} {
	if *token == nil {
		*token = make(chan struct{}, 1)
	}
	select {
	case <-*token:
	default:
	}
	return *token
}

// deadlines are until when goroutines wait.
type deadlines struct{ read, write gate.Deadline }

// close ends the timers. A nil deadlines has none.
func (d *deadlines) close() {
	if d != nil {
		d.read.Close()
		d.write.Close()
	}
}

func (c *Conn) limitsLocked() *deadlines {
	if c.limits == nil {
		c.limits = new(deadlines)
	}
	return c.limits
}

// mayReadLocked returns why n bytes are not to be read, whatever there is. Nothing is never too late, as in package
// net.
func (c *Conn) mayReadLocked(n int) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case n > 0 && c.limits != nil && c.limits.read.Passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// mayWriteLocked is mayReadLocked for writing.
func (c *Conn) mayWriteLocked() error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.limits != nil && c.limits.write.Passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// armLocked sets the timer. One that is to end later is left to end: setting it for each segment
// costs more than looking in vain once in a while.
func (c *Conn) armLocked(now time.Time) {
	next := c.t.next()
	if next == 0 || c.due != 0 && c.due <= next {
		return
	}
	c.due = next
	d := max(next.since(c.t.cfg.at(now)), 0)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.expire)
		return
	}
	c.timer.Reset(d)
}

// expire is called by the timer.
func (c *Conn) expire() {
	c.mu.Lock()
	now := time.Now()
	c.due = 0
	if c.gone {
		c.mu.Unlock()
		return
	}
	c.t.expire(now)
	doubt := c.t.takeDoubt()
	c.unlock(now)
	if doubt {
		c.doubtPath()
	}
}

// doubtPath has the first hop asked whether it is still there.
func (c *Conn) doubtPath() {
	c.mu.Lock()
	path := c.path
	c.mu.Unlock()
	path.Doubt()
}

// shutdown ends the connection because the host does.
func (c *Conn) shutdown() {
	c.mu.Lock()
	c.closed = true
	c.t.abort()
	c.limits.close()
	c.unlock(time.Now())
}

// Closed reports whether Close has been called.
func (c *Conn) Closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
