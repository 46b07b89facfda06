package identity

import (
	"crypto/tls"
	"net"
	"sync"
)

// batchWrite is what gathers before it is written: seventeen records and their
// overhead, so that a write of 256 KiB with headers is one write to the network.
const batchWrite = 17 * (16<<10 + 64)

// A Conn is a TLS connection between two sides that know each other. Unlike a
// bare tls.Conn, which makes a system call for each record of 16 KiB, it writes
// all records of one Write together.
type Conn struct {
	*tls.Conn
	batch *batchConn
}

// Write encrypts p and writes it.
func (c *Conn) Write(p []byte) (int, error) {
	c.batch.hold()
	n, err := c.Conn.Write(p)
	if rerr := c.batch.release(); err == nil {
		err = rerr
	}
	return n, err
}

// A batchConn is the network below TLS. Between hold and release its writes
// gather; otherwise they go out at once, as the handshake's must.
type batchConn struct {
	net.Conn

	mu   sync.Mutex
	held int
	out  []byte
	err  error // of a write that lost what had gathered; no other may follow it
}

var batchPool = sync.Pool{New: func() any { return new([batchWrite]byte) }}

func (b *batchConn) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held++; b.out == nil {
		b.out = batchPool.Get().(*[batchWrite]byte)[:0]
	}
}

// release writes what has gathered.
func (b *batchConn) release() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.flushLocked()
	if b.held--; b.held == 0 {
		batchPool.Put((*[batchWrite]byte)(b.out[:batchWrite]))
		b.out = nil
	}
	return err
}

func (b *batchConn) flushLocked() error {
	if b.err == nil && len(b.out) > 0 {
		_, b.err = b.Conn.Write(b.out)
	}
	b.out = b.out[:0]
	return b.err
}

func (b *batchConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held > 0 && len(b.out)+len(p) > batchWrite {
		if err := b.flushLocked(); err != nil {
			return 0, err
		}
	}
	if b.err != nil {
		return 0, b.err
	}
	if b.held == 0 || len(p) > batchWrite {
		return b.Conn.Write(p)
	}
	b.out = append(b.out, p...)
	return len(p), nil
}
