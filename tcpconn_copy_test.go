package landline_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

// noise returns n bytes that are not repeated.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// What a socket brings is sent, and what arrives is written to a socket, whole and in order, whatever pieces it comes in, and however
// small the rings are.
func TestTCPCopiesFromAndToSockets(t *testing.T) {
	data := noise(3<<20 + 1)
	for _, c := range []struct {
		name   string
		cable  link.CableConfig
		buffer int
		piece  int
	}{
		{"segments", link.CableConfig{Checksums: true}, 0, 64 << 10},
		{"units", link.CableConfig{Units: true}, 0, 256 << 10},
		{"small pieces", link.CableConfig{Units: true}, 0, 777},
		{"a ring that is smaller than a segment", link.CableConfig{MTU: 65535}, 4 << 10, 64 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := neighbors(t, c.cable)
			ca, cb := connected(t, a, b)
			if err := errors.Join(ca.SetWriteBuffer(c.buffer), cb.SetReadBuffer(c.buffer)); err != nil {
				t.Fatal(err)
			}
			source, in := sockets(t)
			out, sink := sockets(t)
			go func() {
				for rest := data; len(rest) > 0; {
					n, err := source.Write(rest[:min(c.piece, len(rest))])
					if err != nil {
						t.Error(err)
						break
					}
					rest = rest[n:]
				}
				source.CloseWrite()
			}()
			go func() {
				if n, err := ca.ReadFrom(in); n != int64(len(data)) || err != nil {
					t.Errorf("sent %d bytes: %v", n, err)
				}
				ca.CloseWrite()
			}()
			go func() {
				if n, err := io.Copy(out, cb); n != int64(len(data)) || err != nil {
					t.Errorf("wrote %d bytes: %v", n, err)
				}
				out.CloseWrite()
			}()
			got, err := io.ReadAll(sink)
			if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
				t.Errorf("%d bytes arrived of %d, or others: %v", len(got), len(data), err)
			}
		})
	}
}

// sockets returns both ends of a connection of the system.
func sockets(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// Copying tells of errors of both sides, and of none when all has been copied.
func TestTCPCopyErrors(t *testing.T) {
	a, b := neighbors(t, link.CableConfig{})
	t.Run("the socket is reset", func(t *testing.T) {
		ca, _ := connected(t, a, b)
		source, in := sockets(t)
		source.SetLinger(0)
		source.Close()
		_, err := ca.ReadFrom(in)
		var o *net.OpError
		if !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &o) || o.Op != "readfrom" {
			t.Errorf("%v", err)
		}
	})
	t.Run("the socket is late", func(t *testing.T) {
		ca, _ := connected(t, a, b)
		_, in := sockets(t)
		in.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := ca.ReadFrom(in); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("the connection is closed", func(t *testing.T) {
		ca, _ := connected(t, a, b)
		source, in := sockets(t)
		ca.Close()
		source.Write([]byte("x"))
		if _, err := ca.ReadFrom(in); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	t.Run("nobody takes it", func(t *testing.T) {
		ca, cb := connected(t, a, b)
		ca.Write([]byte("abc"))
		r, w := io.Pipe()
		r.Close()
		if n, err := cb.WriteTo(w); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
			t.Error(n, err)
		}
		rest := make([]byte, 3)
		if _, err := io.ReadFull(cb, rest); err != nil || string(rest) != "abc" {
			t.Errorf("left behind: %q, %v", rest, err)
		}
	})
}

// A slowWriter takes its time, and looks whether what it was given stays as it was.
type slowWriter struct {
	t       *testing.T
	at      chan struct{} // when it begins
	pass    chan struct{} // when it may end
	written bytes.Buffer
}

func (w *slowWriter) Write(b []byte) (int, error) {
	before := bytes.Clone(b)
	w.at <- struct{}{}
	<-w.pass
	if !bytes.Equal(b, before) {
		w.t.Error("what is being written has changed")
	}
	return w.written.Write(b)
}

// While a piece of what arrived is being written, others who read wait, more arrives, and the connection may end.
func TestTCPWriteToBesideOthers(t *testing.T) {
	for _, c := range []struct {
		name      string
		meanwhile func(ca, cb *landline.TCPConn)
		want      string // what is written in all
		err       error
	}{
		{"nothing", func(ca, cb *landline.TCPConn) { ca.CloseWrite() }, "abc", nil},
		{"more comes", func(ca, cb *landline.TCPConn) { ca.Write(make([]byte, 100<<10)); ca.CloseWrite() }, "", nil},
		{"closed", func(ca, cb *landline.TCPConn) { cb.Close() }, "abc", net.ErrClosed},
		{"not read", func(ca, cb *landline.TCPConn) { cb.CloseRead(); ca.CloseWrite() }, "abc", nil},
		{"reset", func(ca, cb *landline.TCPConn) { ca.SetLinger(0); ca.Close() }, "abc", syscall.ECONNRESET},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := neighbors(t, link.CableConfig{})
			ca, cb := connected(t, a, b)
			ca.Write([]byte("abc"))
			synctest.Wait()
			w := &slowWriter{t: t, at: make(chan struct{}), pass: make(chan struct{})}
			over := make(chan error)
			go func() {
				_, err := cb.WriteTo(w)
				over <- err
			}()
			<-w.at
			others := make(chan int, 1)
			go func() {
				n, _ := cb.Read(make([]byte, 1))
				others <- n
			}()
			synctest.Wait()
			select {
			case n := <-others:
				t.Errorf("%s: somebody read %d of the same bytes", c.name, n)
			default:
			}
			c.meanwhile(ca, cb)
			synctest.Wait()
			w.pass <- struct{}{}
			go func() {
				for range w.at {
					w.pass <- struct{}{}
				}
			}()
			if err := <-over; !errors.Is(err, c.err) {
				t.Errorf("%s: %v, want %v", c.name, err, c.err)
			}
			close(w.at)
			if got := w.written.String(); c.want != "" && got != c.want {
				t.Errorf("%s: %q was written", c.name, got)
			}
			if n := <-others; c.want == "" && w.written.Len()+n != 3+100<<10 {
				t.Errorf("%s: %d bytes were written, and %d read", c.name, w.written.Len(), n)
			}
			ca.Close()
			cb.Close()
			a.Close()
			b.Close()
		})
	}
}
