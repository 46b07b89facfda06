package load

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// What a connection's first byte asks for.
const (
	wantSink   = 's' // everything to be read, and how many bytes that were to be told
	wantSource = 'g' // bytes without end
	wantEcho   = 'e' // every byte back
	wantOne    = 'o' // this byte back, and the end: whoever serves closes first
	wantHold   = 'h' // this byte back, and nothing more
)

// chunk is how much is read and written at once.
const chunk = 64 << 10

// Serve does what connections ask for, until l is closed.
func Serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c)
	}
}

func serve(c net.Conn) {
	want := make([]byte, 1)
	if _, err := io.ReadFull(c, want); err != nil {
		c.Close()
		return
	}
	if want[0] == wantHold {
		held.keep(c)
		c.Write(want)
		return
	}
	defer c.Close()
	switch want[0] {
	case wantSink:
		sink(c)
	case wantSource:
		for buf, err := make([]byte, chunk), error(nil); err == nil; {
			_, err = c.Write(buf)
		}
	case wantEcho:
		for err := error(nil); err == nil; _, err = io.ReadFull(c, want) {
			c.Write(want)
		}
	case wantOne:
		c.Write(want)
	}
}

func sink(c net.Conn) {
	buf := make([]byte, chunk)
	total := uint64(0)
	for {
		n, err := c.Read(buf)
		total += uint64(n)
		if err == io.EOF {
			c.Write(binary.BigEndian.AppendUint64(nil, total))
		}
		if err != nil {
			return
		}
	}
}

// held are the connections that somebody wants to stay.
var held holder

type holder struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (h *holder) keep(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, c)
}

// ask opens a connection and says what for.
func ask(p *Pair, want byte) (net.Conn, error) {
	c, err := p.Dial()
	if err != nil {
		return nil, err
	}
	if _, err := c.Write([]byte{want}); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
