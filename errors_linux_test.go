package landline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"landline"
)

// Programs test errors with errors.Is, Timeout and, against good advice, by their text. So each is
// what the system's own sockets give.
func TestErrorsAreThoseOfTheSystem(t *testing.T) {
	ours := worldOf(newHost(t, nil, landline.Config{}))
	for _, c := range errorCases {
		t.Run(c.name, func(t *testing.T) {
			want, got := describe(c.do(t, system())), describe(c.do(t, ours))
			if got != want {
				t.Errorf("we give\n\t%s\nthe system\n\t%s", got, want)
			}
		})
	}
}

// describe says all that a program could ask of an error, without what differs each time.
func describe(err error) string {
	if err == nil {
		return "no error"
	}
	text := ports.ReplaceAllString(err.Error(), ":PORT")
	var b strings.Builder
	fmt.Fprintf(&b, "%q", text)
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch e.(type) {
		case *net.OpError, *os.SyscallError, *net.AddrError, *net.DNSError, syscall.Errno, net.UnknownNetworkError:
			fmt.Fprintf(&b, " %v", reflect.TypeOf(e)) // others are nobody's to name
		}
	}
	for _, sentinel := range []error{
		net.ErrClosed, net.ErrWriteToConnected, os.ErrDeadlineExceeded, os.ErrPermission, io.EOF,
		context.Canceled, context.DeadlineExceeded,
		syscall.ECONNREFUSED, syscall.EADDRINUSE, syscall.EADDRNOTAVAIL, syscall.EMSGSIZE, syscall.ENETUNREACH,
		syscall.EDESTADDRREQ, syscall.EACCES, syscall.EINVAL,
		syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ENOTCONN, syscall.EHOSTUNREACH, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, sentinel) {
			fmt.Fprintf(&b, " is %q", sentinel)
		}
	}
	if e, ok := errors.AsType[net.Error](err); ok {
		fmt.Fprintf(&b, " timeout=%v temporary=%v", e.Timeout(), e.Temporary()) //lint:ignore SA1019 programs ask all the same
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		fmt.Fprintf(&b, " op=%s net=%s source=%v addr=%v", e.Op, e.Net, e.Source != nil, e.Addr != nil)
	}
	return b.String()
}

var errorCases = []struct {
	name string
	do   func(t *testing.T, w world) error
}{
	{"refused, seen by read", func(t *testing.T, w world) error {
		c := w.connect(t, w.freePort(t))
		must(c.Write([]byte("x")))
		_, err := c.Read(make([]byte, 1))
		return err
	}},
	{"refused, seen by write", func(t *testing.T, w world) error {
		c := w.connect(t, w.freePort(t))
		must(c.Write([]byte("x")))
		_, err := c.Write([]byte("x"))
		return err
	}},
	{"refused over IPv6", func(t *testing.T, w world) error {
		free := w.open(t, "udp6", "[::1]:0")
		free.Close()
		c := must(w.dial(t.Context(), "udp6", free.LocalAddr().String()))
		defer c.Close()
		must(c.Write([]byte("x")))
		_, err := c.Read(make([]byte, 1))
		return err
	}},
	{"read, closed", func(t *testing.T, w world) error {
		c := w.connect(t, "127.0.0.1:4444")
		c.Close()
		_, err := c.Read(make([]byte, 1))
		return err
	}},
	{"write, closed", func(t *testing.T, w world) error {
		c := w.connect(t, "127.0.0.1:4444")
		c.Close()
		_, err := c.Write([]byte("x"))
		return err
	}},
	{"close, closed", func(t *testing.T, w world) error {
		c := w.connect(t, "127.0.0.1:4444")
		c.Close()
		return c.Close()
	}},
	{"set deadline, closed", func(t *testing.T, w world) error {
		c := w.connect(t, "127.0.0.1:4444")
		c.Close()
		return c.SetDeadline(time.Now())
	}},
	{"set read buffer, closed", func(t *testing.T, w world) error {
		c := w.open(t, "udp", "127.0.0.1:0")
		c.Close()
		return c.(interface{ SetReadBuffer(int) error }).SetReadBuffer(1 << 16)
	}},
	{"read from, closed", func(t *testing.T, w world) error {
		c := w.open(t, "udp", "127.0.0.1:0")
		c.Close()
		_, _, err := c.ReadFrom(make([]byte, 1))
		return err
	}},
	{"closed while reading", func(t *testing.T, w world) error {
		c := w.open(t, "udp", "127.0.0.1:0")
		time.AfterFunc(10*time.Millisecond, func() { c.Close() })
		_, _, err := c.ReadFrom(make([]byte, 1))
		return err
	}},
	{"read, deadline", func(t *testing.T, w world) error {
		c := w.connect(t, "127.0.0.1:4444")
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		return err
	}},
	{"read from, deadline in the past", func(t *testing.T, w world) error {
		c := w.open(t, "udp", "127.0.0.1:0")
		c.SetDeadline(time.Unix(1, 0))
		_, _, err := c.ReadFrom(make([]byte, 1))
		return err
	}},
	{"write, deadline in the past", func(t *testing.T, w world) error {
		c := w.connect(t, "127.0.0.1:4444")
		c.SetDeadline(time.Unix(1, 0))
		_, err := c.Write([]byte("x"))
		return err
	}},
	{"address in use", func(t *testing.T, w world) error {
		c := w.open(t, "udp", "127.0.0.1:0")
		return second(w.listen(t.Context(), "udp", c.LocalAddr().String()))
	}},
	{"address in use by a wildcard", func(t *testing.T, w world) error {
		_, port, _ := net.SplitHostPort(w.open(t, "udp", ":0").LocalAddr().String())
		return second(w.listen(t.Context(), "udp4", "127.0.0.1:"+port))
	}},
	{"not our address", func(t *testing.T, w world) error {
		return second(w.listen(t.Context(), "udp", "192.0.2.77:0"))
	}},
	{"message too long", func(t *testing.T, w world) error {
		_, err := w.connect(t, "127.0.0.1:4444").Write(make([]byte, 65508))
		return err
	}},
	{"message to an address too long", func(t *testing.T, w world) error {
		return second(w.open(t, "udp", "127.0.0.1:0").WriteTo(make([]byte, 65508), loopback(4444)))
	}},
	{"write without an address", func(t *testing.T, w world) error {
		return second(w.open(t, "udp", "127.0.0.1:0").(net.Conn).Write([]byte("x")))
	}},
	{"write to an address, connected", func(t *testing.T, w world) error {
		return second(w.connect(t, "127.0.0.1:4444").(net.PacketConn).WriteTo([]byte("x"), loopback(4444)))
	}},
	{"write to an AddrPort, connected", func(t *testing.T, w world) error {
		c := w.connect(t, "127.0.0.1:4444").(addrPortWriter)
		return second(c.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("127.0.0.1:4444")))
	}},
	{"write to no address", func(t *testing.T, w world) error {
		return second(w.open(t, "udp", "127.0.0.1:0").WriteTo([]byte("x"), (*net.UDPAddr)(nil)))
	}},
	{"write to no AddrPort", func(t *testing.T, w world) error {
		return second(w.open(t, "udp", "127.0.0.1:0").(addrPortWriter).WriteToUDPAddrPort([]byte("x"), netip.AddrPort{}))
	}},
	{"write to a strange address", func(t *testing.T, w world) error {
		return second(w.open(t, "udp", "127.0.0.1:0").WriteTo([]byte("x"), &net.TCPAddr{Port: 4444}))
	}},
	{"write from IPv4 to IPv6", func(t *testing.T, w world) error {
		return second(w.open(t, "udp4", "127.0.0.1:0").WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv6loopback, Port: 4444}))
	}},
	{"write from IPv4 to an IPv6 AddrPort", func(t *testing.T, w world) error {
		c := w.open(t, "udp4", "127.0.0.1:0").(addrPortWriter)
		return second(c.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("[::1]:4444")))
	}},
	{"write from IPv6 to IPv4", func(t *testing.T, w world) error {
		return second(w.open(t, "udp6", "[::]:0").WriteTo([]byte("x"), loopback(4444)))
	}},
	{"write to port 0", func(t *testing.T, w world) error {
		return second(w.open(t, "udp", "127.0.0.1:0").WriteTo([]byte("x"), loopback(0)))
	}},
	{"dial an unknown network", func(t *testing.T, w world) error {
		return second(w.dial(t.Context(), "carrier-pigeon", "127.0.0.1:1"))
	}},
	{"listen on an unknown network", func(t *testing.T, w world) error {
		return second(w.listen(t.Context(), "carrier-pigeon", "127.0.0.1:1"))
	}},
	{"dial nothing", func(t *testing.T, w world) error {
		return second(w.dial(t.Context(), "udp", ""))
	}},
	{"dial without a port", func(t *testing.T, w world) error {
		return second(w.dial(t.Context(), "udp", "127.0.0.1"))
	}},
	{"listen without a port", func(t *testing.T, w world) error {
		return second(w.listen(t.Context(), "udp", "127.0.0.1"))
	}},
	{"dial a service that there is not", func(t *testing.T, w world) error {
		return second(w.dial(t.Context(), "udp", "127.0.0.1:no-such-service"))
	}},
	{"dial a port that is too great", func(t *testing.T, w world) error {
		return second(w.dial(t.Context(), "udp", "127.0.0.1:65536"))
	}},
	{"dial with brackets missing", func(t *testing.T, w world) error {
		return second(w.dial(t.Context(), "udp", "::1:4444"))
	}},
	{"dial IPv6 on an IPv4 network", func(t *testing.T, w world) error {
		return second(w.dial(t.Context(), "udp4", "[::1]:4444"))
	}},
	{"dial an IPv4 address on an IPv6 network", func(t *testing.T, w world) error {
		return second(w.dialUDP("udp6", nil, loopback(4444)))
	}},
	{"dial from IPv4 to IPv6", func(t *testing.T, w world) error {
		return second(w.dialUDP("udp", loopback(4444), &net.UDPAddr{IP: net.IPv6loopback, Port: 4444}))
	}},
	{"listen on IPv4 on an IPv6 network", func(t *testing.T, w world) error {
		return second(w.listen(t.Context(), "udp6", "127.0.0.1:4444"))
	}},
	{"dial, canceled", func(t *testing.T, w world) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return second(w.dial(ctx, "udp", "127.0.0.1:4444"))
	}},
	{"dial, too late", func(t *testing.T, w world) error {
		ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
		defer cancel()
		return second(w.dial(ctx, "udp", "127.0.0.1:4444"))
	}},
	{"dial in a zone that there is not", func(t *testing.T, w world) error {
		return second(w.dial(t.Context(), "udp", "[fe80::1%nowhere9]:4444"))
	}},
}

type addrPortWriter interface {
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
}

func loopback(port int) *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

func (w world) open(t *testing.T, network, address string) net.PacketConn {
	t.Helper()
	c, err := w.listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (w world) connect(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := w.dial(t.Context(), "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// freePort returns an address at which nobody listens.
func (w world) freePort(t *testing.T) string {
	c := w.open(t, "udp", "127.0.0.1:0")
	c.Close()
	return c.LocalAddr().String()
}
