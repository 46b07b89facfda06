package landline_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

// What package net gives of TCP, method by method and in the order in which a program would see it, is what
// we give. Where we do not, the case says why.
func TestTCPErrorsAreThoseOfTheSystem(t *testing.T) {
	ours := worldOf(newHost(t, nil, landline.Config{}))
	for _, c := range tcpErrorCases {
		t.Run(c.name, func(t *testing.T) {
			want, got := c.do(t, system()), c.do(t, ours)
			if len(got) != len(want) {
				t.Fatalf("we met %d errors, the system %d", len(got), len(want))
			}
			for k := range got {
				want, got := describe(want[k]), describe(got[k])
				if but, ok := c.but[k]; ok {
					want = but
				}
				if got != want {
					t.Errorf("step %d: we give\n\t%s\nthe system\n\t%s", k, got, want)
				}
			}
		})
	}
}

// A tcpErrorCase does something in a world, and returns the errors of all steps.
type tcpErrorCase struct {
	name string
	do   func(t *testing.T, w world) []error
	but  map[int]string // what we give at a step where we differ from the system on purpose
}

// A stream is what net.TCPConn and ours have in common.
type stream interface {
	net.Conn
	io.ReaderFrom
	io.WriterTo
	CloseRead() error
	CloseWrite() error
	SetLinger(int) error
	SetNoDelay(bool) error
	SetKeepAlive(bool) error
	SetKeepAlivePeriod(time.Duration) error
	SetKeepAliveConfig(net.KeepAliveConfig) error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

var (
	_ stream = (*net.TCPConn)(nil)
	_ stream = (*landline.TCPConn)(nil)
)

// streams returns both ends of a connection over the loopback: the one that dialed, and the one that was
// accepted.
func (w world) streams(t *testing.T) (c, s stream) {
	t.Helper()
	l := w.listener(t, "127.0.0.1:0")
	c = w.stream(t, l.Addr().String())
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return c, a.(stream)
}

func (w world) listener(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := w.listenTCP(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (w world) stream(t *testing.T, address string) stream {
	t.Helper()
	c, err := w.dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(stream)
}

// freeTCP returns an address at which nobody listens.
func (w world) freeTCP(t *testing.T) string {
	l := w.listener(t, "127.0.0.1:0")
	l.Close()
	return l.Addr().String()
}

func reset(c stream) {
	c.SetLinger(0)
	c.Close()
}

func write(c io.Writer) error       { return second(c.Write([]byte("x"))) }
func readNothing(c net.Conn) error  { return second(c.Read(nil)) }
func writeNothing(c net.Conn) error { return second(c.Write(nil)) }

// writeUntilError writes until it cannot any more: the peer's reset is on its way.
func writeUntilError(c io.Writer) error {
	for {
		if err := write(c); err != nil {
			return err
		}
	}
}

// all are the errors of every method of an end that is over in one way or another.
func all(c stream) []error {
	return []error{
		read(c), write(c), readNothing(c), writeNothing(c),
		second(c.ReadFrom(strings.NewReader("x"))), second(c.WriteTo(io.Discard)),
		c.CloseRead(), c.CloseWrite(),
		c.SetDeadline(time.Time{}), c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}),
		c.SetLinger(1), c.SetNoDelay(true), c.SetKeepAlive(true), c.SetKeepAlivePeriod(time.Second),
		c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}), c.SetReadBuffer(1 << 16), c.SetWriteBuffer(1 << 16),
		c.Close(),
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error)  { return 0, f }
func (f failing) Write([]byte) (int, error) { return 0, f }

var errOfOthers = failing{errors.New("no more paper")}

func one(err error) []error { return []error{err} }

func soon(f func()) { time.AfterFunc(10*time.Millisecond, f) }

var tcpErrorCases = []tcpErrorCase{
	{name: "refused", do: func(t *testing.T, w world) []error {
		free := w.freeTCP(t)
		return []error{
			second(w.dial(t.Context(), "tcp", free)),
			second(w.dial(t.Context(), "tcp4", free)),
			second(w.dialTCP(t.Context(), "tcp", nil, tcpAddrOf(free))),
		}
	}},
	{name: "refused over IPv6", do: func(t *testing.T, w world) []error {
		l := w.listener(t, "[::1]:0")
		l.Close()
		return one(second(w.dial(t.Context(), "tcp6", l.Addr().String())))
	}},
	{name: "reset, seen by read", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		reset(s)
		return append([]error{read(c), read(c), write(c), write(c)}, all(c)...)
	}},
	{name: "reset while reading", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		soon(func() { reset(s) })
		return []error{read(c), read(c), write(c)}
	}},
	{name: "reset, seen by write", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		reset(s)
		return []error{writeUntilError(c), write(c), read(c), read(c), write(c)}
	}},
	{name: "reset while writing", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		soon(func() { reset(s) })
		_, err := c.Write(make([]byte, 64<<20))
		return []error{err, write(c), read(c)}
	}},
	{name: "reset behind data", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		must(s.Write([]byte("x")))
		reset(s)
		return []error{read(c), read(c), read(c), write(c)}
	}},
	{name: "reset behind the end", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		s.CloseWrite()
		err := read(c)
		reset(s)
		return []error{err, read(c), writeUntilError(c), write(c), read(c)}
	}},
	{name: "closed with data unread", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		must(c.Write([]byte("x")))
		must(s.Write([]byte("x")))
		must(io.ReadFull(c, make([]byte, 1))) // ours has come, too
		s.Close()
		return []error{read(c), read(c), write(c)}
	}},
	{name: "the peer has closed", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		s.Close()
		return []error{read(c), read(c), writeUntilError(c), write(c), read(c), c.CloseWrite(), c.Close()}
	}},
	{name: "the peer's listener has closed", do: func(t *testing.T, w world) []error {
		l := w.listener(t, "127.0.0.1:0")
		c := w.stream(t, l.Addr().String())
		l.Close() // nobody has accepted it
		return []error{read(c), read(c), write(c)}
	}},
	{name: "closed for writing", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		return []error{
			c.CloseWrite(), write(c), writeNothing(c), second(c.ReadFrom(strings.NewReader("x"))), c.CloseWrite(),
			read(s), write(s), read(c),
			s.CloseWrite(), write(s), read(c), read(c), write(c), c.Close(), s.Close(),
		}
	}},
	{name: "closed for writing when all is over", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		errs := []error{c.CloseWrite(), read(s), s.CloseWrite(), read(c)}
		return append(append(errs, all(c)...), all(s)...)
	}},
	{name: "closed for reading", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		return []error{c.CloseRead(), read(c), readNothing(c), second(c.WriteTo(io.Discard)), c.CloseRead(), write(c), read(s)}
	}},
	{name: "closed for reading with something unread", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		must(s.Write([]byte("x")))
		return []error{c.CloseRead(), read(c), read(c), write(s), read(c)}
	}, but: map[int]string{
		4: `"EOF" is "EOF"`, // Linux gives what comes after the end of reading to a reader all the same
	}},
	{name: "closed for reading while reading", do: func(t *testing.T, w world) []error {
		c, _ := w.streams(t)
		soon(func() { c.CloseRead() })
		return one(read(c))
	}},
	{name: "closed, every method", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		return append(append(append(one(c.Close()), all(c)...), s.Close()), all(s)...)
	}},
	{name: "closed while reading", do: func(t *testing.T, w world) []error {
		c, _ := w.streams(t)
		soon(func() { c.Close() })
		return []error{read(c), read(c)}
	}},
	{name: "closed while writing", do: func(t *testing.T, w world) []error {
		c, _ := w.streams(t)
		soon(func() { c.Close() })
		_, err := c.Write(make([]byte, 64<<20))
		return []error{err, write(c)}
	}},
	{name: "closed with a reset while reading", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		soon(func() { reset(c) })
		return []error{read(c), read(c), read(s)}
	}},

	{name: "deadline for reading", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		errs := []error{c.SetReadDeadline(time.Unix(1, 0)), read(c), readNothing(c), second(c.WriteTo(io.Discard)), write(c)}
		errs = append(errs, c.SetReadDeadline(time.Now().Add(5*time.Millisecond)), read(c), read(c))
		must(s.Write([]byte("xyz")))
		errs = append(errs, read(c), c.SetReadDeadline(time.Time{}), read(c))
		return append(errs, c.SetReadDeadline(time.Now().Add(time.Hour)), read(c))
	}},
	{name: "deadline for writing", do: func(t *testing.T, w world) []error {
		c, _ := w.streams(t)
		errs := []error{c.SetWriteDeadline(time.Unix(1, 0)), write(c), writeNothing(c), second(c.ReadFrom(strings.NewReader("x")))}
		errs = append(errs, c.SetWriteDeadline(time.Now().Add(20*time.Millisecond)), second(c.Write(make([]byte, 64<<20))), write(c))
		return append(errs, c.SetWriteDeadline(time.Time{}), c.CloseWrite())
	}},
	{name: "deadline for both", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		errs := []error{c.SetDeadline(time.Unix(1, 0)), read(c), write(c), c.SetDeadline(time.Time{}), write(c), read(s)}
		s.CloseWrite()
		return append(errs, read(c), c.SetDeadline(time.Unix(1, 0)), read(c), c.CloseWrite(), write(c), c.Close(), read(c))
	}},
	{name: "deadline that moves into the past while reading", do: func(t *testing.T, w world) []error {
		c, _ := w.streams(t)
		soon(func() { c.SetDeadline(time.Unix(1, 0)) })
		return one(read(c))
	}},

	{name: "nothing to read or write", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		errs := []error{readNothing(c), writeNothing(c)}
		must(s.Write([]byte("x")))
		s.CloseWrite()
		errs = append(errs, readNothing(c), read(c), readNothing(c), read(c), readNothing(c))
		reset(s)
		return append(errs, writeUntilError(c), writeNothing(c), readNothing(c))
	}},
	{name: "copies", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		errs := []error{
			second(c.ReadFrom(strings.NewReader("x"))), second(c.ReadFrom(errOfOthers)),
			second(s.WriteTo(errOfOthers)), second(c.ReadFrom(strings.NewReader(""))),
		}
		c.CloseWrite()
		errs = append(errs, second(s.WriteTo(io.Discard)), second(s.WriteTo(io.Discard)))
		reset(s)
		return append(errs, second(c.WriteTo(io.Discard)), second(c.WriteTo(io.Discard)), second(c.ReadFrom(strings.NewReader("x"))))
	}},
	{name: "copies of what is over", do: func(t *testing.T, w world) []error {
		c, s := w.streams(t)
		reset(s)
		_, err := c.ReadFrom(zeros{})
		return []error{err, second(c.ReadFrom(zeros{}))}
	}},

	{name: "accept", do: func(t *testing.T, w world) []error {
		l := w.listener(t, "127.0.0.1:0").(tcpListener)
		errs := []error{l.SetDeadline(time.Unix(1, 0)), second(l.Accept())}
		errs = append(errs, l.SetDeadline(time.Now().Add(5*time.Millisecond)), second(l.Accept()), second(l.Accept()))
		errs = append(errs, l.SetDeadline(time.Time{}))
		c := w.stream(t, l.Addr().String())
		s, err := l.Accept()
		s.Close()
		errs = append(errs, err, read(c))
		return append(errs, l.Close(), second(l.Accept()), l.Close(), l.SetDeadline(time.Time{}))
	}},
	{name: "accept, with one waiting behind the deadline", do: func(t *testing.T, w world) []error {
		l := w.listener(t, "127.0.0.1:0").(tcpListener)
		w.stream(t, l.Addr().String())
		return []error{l.SetDeadline(time.Unix(1, 0)), second(l.Accept())}
	}},
	{name: "accept, closed meanwhile", do: func(t *testing.T, w world) []error {
		l := w.listener(t, "127.0.0.1:0")
		soon(func() { l.Close() })
		return one(second(l.Accept()))
	}},

	{name: "address in use", do: func(t *testing.T, w world) []error {
		l := w.listener(t, "127.0.0.1:0")
		_, port, _ := net.SplitHostPort(l.Addr().String())
		any := w.listener(t, ":0")
		_, anyPort, _ := net.SplitHostPort(any.Addr().String())
		return []error{
			second(w.listenTCP(t.Context(), "tcp", l.Addr().String())),
			second(w.listenTCP(t.Context(), "tcp", ":"+port)),
			second(w.listenTCP(t.Context(), "tcp4", "0.0.0.0:"+port)),
			second(w.listenTCP(t.Context(), "tcp", "127.0.0.1:"+anyPort)),
			second(w.listenTCP(t.Context(), "tcp6", "[::1]:"+anyPort)),
			second(w.dialTCP(t.Context(), "tcp", tcpAddrOf(l.Addr().String()), tcpAddrOf("127.0.0.1:"+anyPort))),
		}
	}},
	{name: "address in use by a connection of the same ends", do: func(t *testing.T, w world) []error {
		l := w.listener(t, "127.0.0.1:0")
		c := w.stream(t, l.Addr().String())
		return one(second(w.dialTCP(t.Context(), "tcp", c.LocalAddr().(*net.TCPAddr), tcpAddrOf(l.Addr().String()))))
	}},
	{name: "address in use by a connection that was accepted", do: func(t *testing.T, w world) []error {
		l := w.listener(t, "127.0.0.1:0")
		w.stream(t, l.Addr().String())
		s := must(l.Accept())
		defer s.Close()
		l.Close()
		again, err := w.listenTCP(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			again.Close()
		}
		return one(err)
	}},
	{name: "not our address", do: func(t *testing.T, w world) []error {
		foreign := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 77)}
		return []error{
			second(w.listenTCP(t.Context(), "tcp", "198.51.100.77:0")),
			second(w.listenTCP(t.Context(), "tcp", "198.51.100.77:4444")),
			second(w.dialTCP(t.Context(), "tcp", foreign, tcpAddrOf(w.freeTCP(t)))),
		}
	}},
	{name: "unknown networks", do: func(t *testing.T, w world) []error {
		return []error{
			second(w.dial(t.Context(), "carrier-pigeon", "127.0.0.1:1")),
			second(w.dial(t.Context(), "tcp5", "127.0.0.1:1")),
			second(w.dial(t.Context(), "", "127.0.0.1:1")),
			second(w.dialTCP(t.Context(), "udp", nil, tcpAddrOf("127.0.0.1:1"))),
			second(w.listenTCP(t.Context(), "tcp5", "127.0.0.1:1")),
			second(w.listenTCP(t.Context(), "carrier-pigeon", "127.0.0.1:1")),
		}
	}},
	{name: "addresses that are none", do: func(t *testing.T, w world) (errs []error) {
		for _, a := range badAddresses {
			errs = append(errs, second(w.dial(t.Context(), "tcp", a)))
			if a != "" { // to listen at nothing is to listen anywhere
				errs = append(errs, second(w.listenTCP(t.Context(), "tcp", a)))
			}
		}
		return append(errs, second(w.dialTCP(t.Context(), "tcp", nil, nil)))
	}},
	{name: "the wrong family", do: func(t *testing.T, w world) []error {
		four, six := tcpAddrOf("127.0.0.1:4444"), tcpAddrOf("[::1]:4444")
		return []error{
			second(w.dial(t.Context(), "tcp4", "[::1]:4444")),
			second(w.dial(t.Context(), "tcp6", "127.0.0.1:4444")),
			second(w.listenTCP(t.Context(), "tcp4", "[::1]:4444")),
			second(w.listenTCP(t.Context(), "tcp6", "127.0.0.1:4444")),
			second(w.dialTCP(t.Context(), "tcp4", nil, six)),
			second(w.dialTCP(t.Context(), "tcp6", nil, four)),
			second(w.dialTCP(t.Context(), "tcp", four, six)),
			second(w.dialTCP(t.Context(), "tcp", six, four)),
		}
	}},
	{name: "port 0", do: func(t *testing.T, w world) []error {
		return one(second(w.dial(t.Context(), "tcp", "127.0.0.1:0")))
	}},
	{name: "groups", do: func(t *testing.T, w world) []error {
		return []error{second(w.dial(t.Context(), "tcp", "255.255.255.255:80"))}
	}},
	{name: "refused by this host itself", do: func(t *testing.T, w world) []error {
		_, port, _ := net.SplitHostPort(w.freeTCP(t))
		return []error{
			second(w.dial(t.Context(), "tcp", "0.0.0.0:"+port)),
			second(w.dial(t.Context(), "tcp4", ":"+port)),
			second(w.dial(t.Context(), "tcp6", "[::]:"+port)),
		}
	}},
	{name: "dial, canceled", do: func(t *testing.T, w world) []error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return []error{
			second(w.dial(ctx, "tcp", "127.0.0.1:4444")),
			second(w.dialTCP(ctx, "tcp", nil, tcpAddrOf("127.0.0.1:4444"))),
		}
	}},
	{name: "dial, too late", do: func(t *testing.T, w world) []error {
		ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
		defer cancel()
		return []error{
			second(w.dial(ctx, "tcp", "127.0.0.1:4444")),
			second(w.dialTCP(ctx, "tcp", nil, tcpAddrOf("127.0.0.1:4444"))),
		}
	}},
	{name: "dial, canceled meanwhile", do: func(t *testing.T, w world) []error {
		w, silent := w.silent(t)
		ctx, cancel := context.WithCancel(t.Context())
		soon(cancel)
		return one(nowhere(second(w.dial(ctx, "tcp", silent))))
	}},
	{name: "dial, too late meanwhile", do: func(t *testing.T, w world) []error {
		w, silent := w.silent(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		return one(nowhere(second(w.dial(ctx, "tcp", silent))))
	}, but: map[int]string{
		// Two timers race in package net, and each has its error. Ours is both.
		0: `"dial tcp 127.0.0.1:PORT: i/o timeout" *net.OpError is "i/o timeout" is "context deadline exceeded" timeout=true temporary=true op=dial net=tcp source=false addr=true`,
	}},
	{name: "dial in a zone that there is not", do: func(t *testing.T, w world) []error {
		return one(second(w.dial(t.Context(), "tcp", "[fe80::1%nowhere9]:4444")))
	}},
}

var badAddresses = []string{
	"", "127.0.0.1", "127.0.0.1:no-such-service", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80:90", "::1:80", "[::1]", "[::1", "[::1]80", "127.0.0.1:+",
}

type tcpListener interface {
	net.Listener
	SetDeadline(time.Time) error
}

// zeros is a source without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func tcpAddrOf(s string) *net.TCPAddr {
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		panic(err)
	}
	return a
}

// nowhere makes the places where nobody answers the same.
func nowhere(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		e.Addr = tcpAddrOf("127.0.0.1:4444")
	}
	return err
}

// silent returns a place where nobody answers a SYN, and the world that it is in.
func (w world) silent(t *testing.T) (world, string) {
	if !w.system {
		a, b := link.NewCable(link.CableConfig{})
		b.Attach(link.Handler{Receive: func([]link.Frame) {}})
		h := newHost(t, a, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true})
		return worldOf(h), "10.0.0.2:4444"
	}
	// A listener whose backlog is full drops SYNs.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
	w.stream(t, address)
	return w, address
}

// What a loopback does not show: these errors of the kernel are as all that connect and bind return are, but for
// the number.
func TestTCPErrorsOfNetworks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := neighbors(t, link.CableConfig{Seed: 1})
		for _, c := range []struct {
			address string
			errno   syscall.Errno
		}{
			{"192.0.2.1:80", syscall.ENETUNREACH}, // no route
			{"[2001:db8::1]:80", syscall.ENETUNREACH},
			{"10.0.0.99:80", syscall.EHOSTUNREACH}, // no neighbor
			{"[fd00::99]:80", syscall.EHOSTUNREACH},
			{"224.0.0.1:80", syscall.ENETUNREACH}, // a group
			{"[ff02::1]:80", syscall.ENETUNREACH},
			{"10.0.0.255:80", syscall.ENETUNREACH},
		} {
			_, err := left.DialContext(t.Context(), "tcp", c.address)
			expect(t, err, &net.OpError{Op: "dial", Net: "tcp", Addr: tcpAddrOf(c.address), Err: os.NewSyscallError("connect", c.errno)})
		}
	})
}

func TestTCPPortsCanBeReserved(t *testing.T) {
	h := newHost(t, nil, landline.Config{ReservedPorts: 1024})
	low, eighty := tcpAddrOf("127.0.0.1:1023"), tcpAddrOf("127.0.0.1:80")
	refused := os.NewSyscallError("bind", syscall.EACCES)
	_, err := h.Listen(t.Context(), "tcp", low.String())
	expect(t, err, &net.OpError{Op: "listen", Net: "tcp", Addr: low, Err: refused})
	_, err = h.DialTCP(t.Context(), "tcp", low, eighty)
	expect(t, err, &net.OpError{Op: "dial", Net: "tcp", Source: low, Addr: eighty, Err: refused})
}

func expect(t *testing.T, err, want error) {
	t.Helper()
	if got, want := describe(err), describe(want); got != want {
		t.Errorf("we give\n\t%s\nthe system\n\t%s", got, want)
	}
}
