//go:build unix

package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// answering starts a server on this machine that does f with each connection, and returns its address.
func answering(t *testing.T, f func(c *net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				f(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return ln.Addr().String()
}

func dialPort(t *testing.T, l *line, address string) *Port {
	t.Helper()
	p, err := l.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestPortsDirectionsEndOneByOne(t *testing.T) {
	l := newLine(t)
	late := answering(t, func(c *net.TCPConn) { // answers when it has heard all
		all, _ := io.ReadAll(c)
		fmt.Fprintf(c, "%d bytes", len(all))
	})
	p := dialPort(t, l, late)
	for range 10 {
		if _, err := p.Write(make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
	}
	p.CloseWrite()
	if got, err := io.ReadAll(p); err != nil || string(got) != "1000000 bytes" {
		t.Errorf("it says %q, %v", got, err)
	}
	heard := make(chan string, 1)
	early := answering(t, func(c *net.TCPConn) { // has said all before it hears anything
		io.WriteString(c, "all")
		c.CloseWrite()
		rest, _ := io.ReadAll(c)
		heard <- string(rest)
	})
	p = dialPort(t, l, early)
	if got, err := io.ReadAll(p); err != nil || string(got) != "all" {
		t.Errorf("it says %q, %v", got, err)
	}
	io.WriteString(p, "afterwards")
	p.Close()
	if got := <-heard; got != "afterwards" {
		t.Errorf("it heard %q", got)
	}
}

func echo(c *net.TCPConn) { io.Copy(c, c) }

func TestHundredPortsAtOnce(t *testing.T) {
	l := newLine(t)
	address := answering(t, echo)
	ports := make([]*Port, 100)
	for i := range ports {
		ports[i] = dialPort(t, l, address)
	}
	var all sync.WaitGroup
	for i, p := range ports {
		all.Go(func() {
			sent := bytes.Repeat([]byte(fmt.Sprintf("%03d", i)), 50_000)
			go func() {
				p.Write(sent)
				p.CloseWrite()
			}()
			if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("port %d: %d bytes came back, %v", i, len(got), err)
			}
		})
	}
	all.Wait()
}

// Credit is each stream's own: who does not read holds up itself, at the far end too.
func TestPortThatIsNotReadHoldsUpItselfAlone(t *testing.T) {
	l := newLine(t)
	var written atomic.Int64
	gushing := answering(t, func(c *net.TCPConn) {
		c.SetWriteBuffer(64 << 10)
		for b := make([]byte, 64<<10); ; {
			n, err := c.Write(b)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	stuck := dialPort(t, l, gushing)
	p := dialPort(t, l, answering(t, echo))
	for range 200 {
		sent := make([]byte, 100_000)
		go p.Write(sent)
		if _, err := io.ReadFull(p, sent); err != nil {
			t.Fatal(err)
		}
	}
	// The window here, what waits there to be sent, and what the system keeps for both ends.
	if n := written.Load(); n > 16<<20 {
		t.Errorf("%d bytes are on their way to nobody", n)
	}
	if n, err := io.CopyN(io.Discard, stuck, 20<<20); err != nil {
		t.Errorf("after %d bytes: %v", n, err)
	}
}

func TestPortThatBreaksHasNotEnded(t *testing.T) {
	l := newLine(t)
	p := dialPort(t, l, answering(t, func(c *net.TCPConn) {
		io.WriteString(c, "a part")
		io.ReadFull(c, make([]byte, 4))
		c.SetLinger(0)
	}))
	got := make([]byte, 6)
	if _, err := io.ReadFull(p, got); err != nil {
		t.Fatal(err)
	}
	io.WriteString(p, "more")
	if rest, err := io.ReadAll(p); err == nil || len(rest) > 0 {
		t.Errorf("it ended well, with %q", rest)
	} else if _, ok := errors.AsType[*BrokenError](err); !ok {
		t.Errorf("it broke with %v", err)
	}
	// The other way.
	broken := make(chan error, 1)
	p = dialPort(t, l, answering(t, func(c *net.TCPConn) {
		_, err := io.ReadAll(c)
		broken <- err
	}))
	io.WriteString(p, "a part")
	p.Abort()
	if err := <-broken; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the far end read to %v", err)
	}
}

func TestPortsBreakWithTheirLine(t *testing.T) {
	s := &Server{Home: t.TempDir()}
	near, far := socketPair(t)
	l := &line{server: s}
	l.serve(t, far)
	l.Client = NewClient(near, "test")
	broken := make(chan error, 1)
	p := dialPort(t, l, answering(t, func(c *net.TCPConn) {
		_, err := io.ReadAll(c)
		broken <- err
	}))
	ln, err := l.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	near.Close()
	if _, err := p.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the port ended with %v", err)
	}
	if err := <-broken; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the far end read to %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("somebody came")
	}
	if _, err := l.Dial(t.Context(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("a port over a line that is gone")
	}
	l.Close()
}

func TestWhyThereIsNoPortIsToldApart(t *testing.T) {
	gone := answering(t, echo)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().String()
	ln.Close()
	l := newLine(t)
	if _, err := l.Dial(t.Context(), "tcp", closed); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused: %v", err)
	}
	if _, err := l.Dial(t.Context(), "unix", l.home+"/none"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no socket: %v", err)
	}
	if _, err := l.Dial(t.Context(), "udp", gone); err == nil || !strings.Contains(err.Error(), "not for ports") {
		t.Errorf("a network that is none: %v", err)
	}
	for _, g := range []Guest{{NoPorts: true}, {Command: "true"}} {
		near, far := socketPair(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.server.ServeConn(t.Context(), far, g)
		}()
		cl := NewClient(near, "test")
		if _, err := cl.Dial(t.Context(), "tcp", gone); !errors.Is(err, ErrPortDenied) {
			t.Errorf("%+v: %v", g, err)
		}
		if _, err := cl.Listen(t.Context(), "127.0.0.1:0"); !errors.Is(err, ErrPortDenied) {
			t.Errorf("%+v: %v", g, err)
		}
		cl.Close()
		<-done
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Dial(ctx, "tcp", gone); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	l.Close()
	for cause, want := range map[string]error{
		causeUnreachable: syscall.EHOSTUNREACH, causeTimeout: syscall.ETIMEDOUT, causeRefused: syscall.ECONNREFUSED,
	} {
		if err := portError(&message{cause: cause}, portAddr{}); !errors.Is(err, want) {
			t.Errorf("%s is %v", cause, err)
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](portError(&message{cause: causeUnknown}, portAddr{"tcp", "a:1"})); !ok || !dns.IsNotFound || dns.Name != "a" {
		t.Errorf("unknown is %+v", dns)
	}
}

func TestServersReasonsAreCauses(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, c := range []struct {
		err   error
		cause string
	}{
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), causeRefused},
		{dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), causeUnreachable},
		{dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), causeUnreachable},
		{dial(os.ErrDeadlineExceeded), causeTimeout},
		{dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), causeTimeout},
		{dial(&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}), causeUnknown},
		{dial(&net.AddrError{Err: "missing port", Addr: "x"}), ""},
	} {
		if e := portRefusal(c.err); e.cause != c.cause || e.reason != Refused || e.err == "" {
			t.Errorf("%v is %+v", c.err, e)
		}
	}
}

func TestListenBringsConnectionsFromThere(t *testing.T) {
	l := newLine(t)
	ln, err := l.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			accepted <- c
		}
	}()
	dial := func() (net.Conn, net.Conn) {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		far := <-accepted
		t.Cleanup(func() { far.Close() })
		if far.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("it comes from %v, not %v", far.RemoteAddr(), c.LocalAddr())
		}
		return c, far
	}
	c, far := dial()
	io.WriteString(c, "there")
	c.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(far); err != nil || string(got) != "there" {
		t.Errorf("%q came, %v", got, err)
	}
	io.WriteString(far, "and back")
	far.Close()
	if got, err := io.ReadAll(c); err != nil || string(got) != "and back" {
		t.Errorf("%q came back, %v", got, err)
	}
	// Who has been accepted stays when the listener is closed.
	c, far = dial()
	ln.Close()
	<-accepted
	for { // until the server has heard of it
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	io.WriteString(far, "still here")
	far.Close()
	if got, err := io.ReadAll(c); err != nil || string(got) != "still here" {
		t.Errorf("%q came back, %v", got, err)
	}
	if _, err := l.Listen(t.Context(), "127.0.0.1:bogus"); err == nil {
		t.Error("it listens on a port that is none")
	}
}

// Who has hung up does not wait for a far end that says nothing.
func TestPortThatIsClosedIsOverThoughTheFarEndIsSilent(t *testing.T) {
	l := newLine(t)
	silent := make(chan struct{})
	heard := make(chan string, 1)
	p := dialPort(t, l, answering(t, func(c *net.TCPConn) {
		all, _ := io.ReadAll(c)
		heard <- string(all)
		<-silent
	}))
	io.WriteString(p, "last words")
	p.Close()
	if got := <-heard; got != "last words" {
		t.Errorf("it heard %q", got)
	}
	<-p.over
	close(silent)
}

// More ports than a connection may have are refused, and commands are not.
func TestTooManyPortsAreRefusedAndCommandsRun(t *testing.T) {
	l := newLine(t)
	socket := l.home + "/s"
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var kept []net.Conn
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			kept = append(kept, c)
		}
	})
	for i := range maxCarried {
		if _, err := l.Dial(t.Context(), "unix", socket); err != nil {
			t.Fatalf("port %d: %v", i, err)
		}
	}
	if _, err := l.Dial(t.Context(), "unix", socket); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("one more: %v", err)
	}
	if r, _, _ := l.run(t, sh("exit 3")); r.Code != 3 {
		t.Errorf("a command: %+v", r)
	}
	l.Close()
	ln.Close()
	all.Wait()
	for _, c := range kept {
		c.Close()
	}
}
