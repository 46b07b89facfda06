package interop

import (
	"io"
	"net"
	"net/netip"
	"time"

	"landline"
)

// connect opens a connection between our host and the kernel, from either end.
func (r *rig) connect(h *landline.Host, p pair, fromUs bool) (ours *landline.TCPConn, theirs *net.TCPConn) {
	r.Helper()
	if fromUs {
		l := r.kernelListens(p)
		defer l.Close()
		ours := r.dial(h, l.Addr().(*net.TCPAddr).AddrPort())
		c, err := l.Accept()
		if err != nil {
			r.Fatal(err)
		}
		return r.closing(ours, c.(*net.TCPConn))
	}
	l := r.listen(h, p.ours, 0)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		r.Fatal(err)
	}
	if ours, err = l.AcceptTCP(); err != nil {
		r.Fatal(err)
	}
	return r.closing(ours, c.(*net.TCPConn))
}

// kernelListens makes the kernel listen at a port that is free.
func (r *rig) kernelListens(p pair) net.Listener {
	r.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(p.theirs, 0).String())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { l.Close() })
	return l
}

func (r *rig) closing(ours *landline.TCPConn, theirs *net.TCPConn) (*landline.TCPConn, *net.TCPConn) {
	r.Cleanup(func() {
		ours.Close()
		theirs.Close()
	})
	return ours, theirs
}

// delivered waits until the kernel has acknowledged all that we wrote.
func (r *rig) delivered(c *landline.TCPConn) {
	r.Helper()
	r.eventually("the kernel has it", func() bool {
		i := c.Info()
		return i.Unsent == 0 && i.InFlight == 0
	})
}

// swap sends n bytes both ways at once, holds that they arrive, and their ends, and closes the connection.
func (r *rig) swap(what string, ours, theirs half, n int64) {
	r.Helper()
	r.swapOpen(what, ours, theirs, n)
	ours.Close()
	theirs.Close()
}

// swapOpen is swap without its end.
func (r *rig) swapOpen(what string, ours, theirs half, n int64) {
	r.Helper()
	want := hashOfStream(n)
	type result struct {
		hash string
		err  error
	}
	results := make(chan result, 4)
	for _, c := range []half{ours, theirs} {
		c.SetDeadline(time.Now().Add(2 * patience))
		go func() {
			_, err := io.Copy(c, newStream(n))
			if err == nil {
				err = c.CloseWrite()
			}
			results <- result{want, err}
		}()
		go func() {
			hash, err := hashOf(c)
			results <- result{hash, err}
		}()
	}
	for range 4 {
		if got := <-results; got.err != nil || got.hash != want {
			r.Errorf("%s: %s, %v, want %s", what, got.hash, got.err, want)
		}
	}
}
