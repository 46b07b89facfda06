package tcp

import (
	"net"
	"syscall"
	"time"
)

// Close ends the use of the connection. What has been written is still sent, in the background. If something has
// arrived that was not read, or SetLinger(0) was called, the peer gets a reset. The second
// time it returns net.ErrClosed.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	now := time.Now()
	if c.linger == 0 {
		c.t.abort()
	} else {
		c.t.closeBoth(c.t.tick(now))
	}
	c.limits.close()
	c.unlock(now)
	return nil
}

// CloseWrite says that nothing more will be written: the peer reads io.EOF after all that was. The
// error is ENOTCONN if the connection is over.
func (c *Conn) CloseWrite() error {
	return c.change(func(time.Time) error {
		if !c.opened() || c.t.state == closed || c.t.state == timeWait {
			return syscall.ENOTCONN
		}
		c.t.closeWrite()
		return nil
	})
}

// CloseRead says that nothing more will be read than what is there: what arrives is dropped. The
// error is ENOTCONN if the connection is over.
func (c *Conn) CloseRead() error {
	return c.change(func(time.Time) error {
		if !c.opened() || c.t.state == closed || c.t.state == timeWait {
			return syscall.ENOTCONN
		}
		c.t.closeRead()
		return nil
	})
}

// change does something to a connection that has not been closed.
func (c *Conn) change(do func(now time.Time) error) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	now := time.Now()
	err := do(now)
	c.unlock(now)
	return err
}

// SetLinger says what Close does with what has not been sent. If sec is 0, it is dropped and the peer gets
// a reset. Otherwise it is sent in the background.
func (c *Conn) SetLinger(sec int) error {
	return c.change(func(time.Time) error {
		c.linger = int32(max(min(sec, 1<<30), -1))
		return nil
	})
}

// SetNoDelay says whether small segments are sent at once (RFC 9293, Section 3.7.4).
func (c *Conn) SetNoDelay(on bool) error {
	return c.change(func(time.Time) error {
		c.t.setNoDelay(on)
		return nil
	})
}

// SetBuffers fixes how much the connection may keep that is to be sent, and that has arrived, in
// bytes: a power of two that is no less, from 4 KiB to 512 MiB. 0 and less leave one as it is. At first
// they grow with the speed of the connection and the length of the way.
func (c *Conn) SetBuffers(send, receive int) error {
	return c.change(func(time.Time) error {
		c.t.setBuffers(send, receive)
		return nil
	})
}

// SetUserTimeout limits how long what was sent may stay without acknowledgment before the
// connection is given up; 0 is the default (RFC 9293, Section 3.9.1.6). The connection's error is then
// ETIMEDOUT, or what was last heard of the way: EHOSTUNREACH and others, of ICMP or as the neighbor does not answer. A
// negative d is EINVAL.
func (c *Conn) SetUserTimeout(d time.Duration) error {
	return c.change(func(time.Time) error {
		if d < 0 {
			return syscall.EINVAL
		}
		c.t.setUserTimeout(d)
		return nil
	})
}

// SetTTL sets how many routers what is sent may pass, up to 255: the Time to Live of IPv4 and the Hop Limit of IPv6
// (RFC 9293, Section 3.9.2). 0 is what the link's routers advise, or 64.
func (c *Conn) SetTTL(ttl int) error {
	return c.change(func(time.Time) error {
		if ttl < 0 || ttl > 255 {
			return syscall.EINVAL
		}
		c.ttl = uint8(ttl)
		return nil
	})
}

// SetTOS sets the Diffserv field of what is sent: the upper six bits of IPv4's Type of Service and IPv6's Traffic Class.
// The lower two, which are for ECN, are taken for 0 (RFC 9293, Section 3.9.1.9).
func (c *Conn) SetTOS(tos int) error {
	return c.change(func(time.Time) error {
		if tos < 0 || tos > 255 {
			return syscall.EINVAL
		}
		c.tos = uint8(tos) &^ 3
		return nil
	})
}

// SetKeepAlive makes the connection ask a peer that is silent whether it is still there: after idle, then every
// interval, and give it up with ETIMEDOUT after count questions. idle 0 turns it off.
func (c *Conn) SetKeepAlive(idle, interval time.Duration, count int) error {
	return c.change(func(time.Time) error {
		if idle <= 0 {
			c.t.setKeepAlive(nil)
			return nil
		}
		k := keepAlive{idle: idle, interval: max(interval, time.Second), count: uint8(max(min(count, 255), 1))}
		c.t.setKeepAlive(c.layer.shared(k))
		return nil
	})
}

// isDraining reports whether the connection has been closed and the peer does not have all yet.
func (c *Conn) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed && c.drainingLocked()
}

func (c *Conn) drainingLocked() bool {
	return c.t.state != closed && c.t.state != timeWait && !c.t.finAcked()
}
