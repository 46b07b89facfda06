package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"landline/frame"
)

// A peer speaks frames by hand, right or wrong.
type peer struct {
	t      testing.TB
	nc     net.Conn
	frames *frame.Reader
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	return &peer{t: t, nc: nc, frames: frame.NewReader(bufio.NewReader(nc))}
}

// peerOfServer returns a peer whose other end is a server, and what ServeConn
// will return.
func peerOfServer(t testing.TB, s *Server, guest Guest) (*peer, <-chan error) {
	near, far := socketPair(t)
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		served <- s.ServeConn(ctx, far, guest)
	}()
	t.Cleanup(func() {
		near.Close()
		cancel()
		<-done
	})
	return newPeer(t, near), served
}

// peerOfClient returns a peer whose other end is a client. The client's hello has
// been taken, and answered.
func peerOfClient(t testing.TB) (*peer, *Client) {
	near, far := socketPair(t)
	cl := NewClient(near, "test")
	t.Cleanup(func() {
		far.Close()
		cl.Close()
	})
	p := newPeer(t, far)
	p.expect(kindHello)
	p.send(`{"kind":"hello","version":1}`, "")
	return p, cl
}

// encode is a frame of a header as it stands, to which size is added for a body.
func encode(header, body string) []byte {
	if body != "" {
		header = header[:len(header)-1] + `,"size":` + strconv.Itoa(len(body)) + "}"
	}
	n := len(header)
	b := append([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, header...)
	return append(b, body...)
}

// send sends a frame. A peer that does not listen any more is seen when reading.
func (p *peer) send(header, body string) {
	_, _ = p.nc.Write(encode(header, body))
}

// next takes the next message and its body, leaving out pings.
func (p *peer) next() (m message, body []byte, err error) {
	p.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		h, err := p.frames.Next()
		if err != nil {
			return m, nil, err
		}
		if err := m.parse(h, p.frames.Len()); err != nil {
			return m, nil, err
		}
		if body, err = io.ReadAll(p.frames); err != nil {
			return m, nil, err
		}
		if m.kind != kindPing && m.kind != kindPong {
			return m, body, nil
		}
	}
}

// expect takes messages until one of that kind comes.
func (p *peer) expect(kind string) message {
	p.t.Helper()
	for {
		m, _, err := p.next()
		if err != nil {
			p.t.Fatalf("no %s: %v", kind, err)
		}
		if m.kind == kind {
			return m
		}
	}
}

// expectAny takes one message of any kind.
func (p *peer) expectAny() message {
	p.t.Helper()
	m, _, err := p.next()
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// goodbye takes messages until the connection ends, and returns the goodbye.
func (p *peer) goodbye() (reason, text string) {
	p.t.Helper()
	for {
		m, _, err := p.next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			p.t.Fatalf("no end after %q", reason)
		}
		if err != nil { // the end, or a reset where the server left something unread
			return reason, text
		}
		if m.kind == kindGoodbye {
			reason, text = m.reason, m.err
		}
	}
}
