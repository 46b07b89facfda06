package udp_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/ip"
	"landline/link"
	"landline/udp"
)

// bubble runs a test in virtual time on two hosts, whose addresses are proved.
func bubble(t *testing.T, f func(t *testing.T, a, b *udp.Layer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableConfig{})
		time.Sleep(5 * time.Second)
		f(t, a, b)
	})
}

func port(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// reads waits for a datagram.
func reads(t *testing.T, s *udp.Socket, want string) netip.AddrPort {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(time.Second))
	b := make([]byte, 65536)
	n, _, from, _, err := s.ReadFrom(b)
	if err != nil || string(b[:n]) != want {
		t.Fatalf("read %d bytes, %v; want %d", n, err, len(want))
	}
	return from
}

func isErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func TestDatagramOfEachSizeArrives(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		rx := open(t, b, "10.0.0.2:7", "")
		tx := open(t, a, "0.0.0.0:0", "10.0.0.2:7")
		for _, n := range []int{0, 1, 2, 1471, 1472, 1473, 9000, udp.MaxPayload} {
			isErr(t, "write", tx.WriteTo([]byte(strings.Repeat("u", n)), netip.AddrPort{}), nil)
			if from := reads(t, rx, strings.Repeat("u", n)); from != tx.Local() {
				t.Errorf("from %v, want %v", from, tx.Local())
			}
		}
		isErr(t, "a byte more", tx.WriteTo(make([]byte, udp.MaxPayload+1), netip.AddrPort{}), syscall.EMSGSIZE)
	})
}

func TestConnectedSocketHearsOfAClosedPort(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		tx := open(t, a, "0.0.0.0:0", "10.0.0.2:9")
		isErr(t, "write", tx.WriteTo([]byte("x"), netip.AddrPort{}), nil)
		_, _, _, _, err := tx.ReadFrom(make([]byte, 10))
		isErr(t, "read", err, syscall.ECONNREFUSED)
		free := open(t, a, "0.0.0.0:0", "")
		isErr(t, "write", free.WriteTo([]byte("x"), port("10.0.0.2:9")), nil)
		free.SetReadDeadline(time.Now().Add(time.Minute))
		_, _, _, _, err = free.ReadFrom(make([]byte, 10))
		isErr(t, "read of a socket that is not connected", err, os.ErrDeadlineExceeded)
	})
}

func TestUnreachableNeighborIsToldToTheSocket(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		tx := open(t, a, "0.0.0.0:0", "10.0.0.77:9")
		isErr(t, "write", tx.WriteTo([]byte("x"), netip.AddrPort{}), nil)
		_, _, _, _, err := tx.ReadFrom(make([]byte, 10))
		isErr(t, "read", err, syscall.EHOSTUNREACH)
	})
}

func TestMostExactSocketGetsTheDatagram(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		tx := open(t, a, "10.0.0.1:5", "")
		shared := func(local, remote string) *udp.Socket {
			c := udp.Config{Local: port(local), ReuseAddr: true}
			if remote != "" {
				c.Remote = port(remote)
			}
			s, err := b.Open(c)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		any := shared("0.0.0.0:7", "")
		one := shared("10.0.0.2:7", "")
		connected := shared("10.0.0.2:7", "10.0.0.1:5")
		send := func() { isErr(t, "write", tx.WriteTo([]byte("x"), port("10.0.0.2:7")), nil) }
		send()
		reads(t, connected, "x")
		connected.Close()
		send()
		reads(t, one, "x")
		one.Close()
		send()
		reads(t, any, "x")
	})
}

func TestBroadcastNeedsLeave(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		rx := open(t, b, "0.0.0.0:7", "")
		tx := open(t, a, "0.0.0.0:0", "")
		for _, to := range []string{"10.0.0.255:7", "255.255.255.255:7"} {
			isErr(t, "without leave", tx.WriteTo([]byte("all"), port(to)), syscall.EACCES)
			tx.SetBroadcast(true)
			isErr(t, "with leave", tx.WriteTo([]byte("all"), port(to)), nil)
			reads(t, rx, "all")
			tx.SetBroadcast(false)
		}
	})
}

func TestGroupIsHeardByThoseWhoJoined(t *testing.T) {
	for _, group := range []string{"224.0.0.251", "ff02::fb"} {
		bubble(t, func(t *testing.T, a, b *udp.Layer) {
			local := "0.0.0.0:5353"
			if strings.Contains(group, ":") {
				local = "[::]:5353"
			}
			to := netip.AddrPortFrom(netip.MustParseAddr(group), 5353)
			first, second, tx := open(t, b, local, ""), open(t, a, local, ""), open(t, a, strings.Replace(local, "5353", "0", 1), "")
			i := b.Stack().Interfaces()[1]
			isErr(t, "join", first.Join(i, to.Addr()), nil)
			isErr(t, "join again", first.Join(i, to.Addr()), syscall.EADDRINUSE)
			isErr(t, "join what is no group", first.Join(i, netip.MustParseAddr("10.0.0.9")), syscall.EINVAL)
			isErr(t, "join on the sender", second.Join(a.Stack().Interfaces()[1], to.Addr()), nil)
			isErr(t, "write", tx.WriteTo([]byte("mdns"), to), nil)
			reads(t, first, "mdns")
			reads(t, second, "mdns") // a host hears itself
			isErr(t, "leave", first.Leave(i, to.Addr()), nil)
			isErr(t, "leave again", first.Leave(i, to.Addr()), syscall.EADDRNOTAVAIL)
			isErr(t, "write", tx.WriteTo([]byte("mdns"), to), nil)
			first.SetReadDeadline(time.Now().Add(time.Second))
			_, _, _, _, err := first.ReadFrom(make([]byte, 10))
			isErr(t, "read after leaving", err, os.ErrDeadlineExceeded)
		})
	}
}

func TestTooManyGroupsAreToldToTheSocket(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		s, i := open(t, b, "0.0.0.0:7", ""), b.Stack().Interfaces()[1]
		var err error
		for k := range 1025 {
			if err = s.Join(i, netip.AddrFrom4([4]byte{239, 1, byte(k >> 8), byte(k)})); err != nil {
				break
			}
		}
		isErr(t, "one too many", err, syscall.ENOBUFS)
	})
}

func TestSlowReaderLosesAndItIsCounted(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		rx := open(t, b, "10.0.0.2:7", "")
		rx.SetReadBuffer(10000)
		tx := open(t, a, "0.0.0.0:0", "10.0.0.2:7")
		for range 100 {
			isErr(t, "write", tx.WriteTo(make([]byte, 1000), netip.AddrPort{}), nil)
		}
		kept := 0
		for rx.SetReadDeadline(time.Now().Add(time.Second)); ; kept++ {
			if _, _, _, _, err := rx.ReadFrom(make([]byte, 2000)); err != nil {
				break
			}
		}
		dropped := b.Stack().Stats().Drops[ip.DropSocketFull]
		if kept < 5 || kept > 10 || uint64(kept)+dropped != 100 {
			t.Errorf("%d kept, %d dropped and counted", kept, dropped)
		}
	})
}

func TestLongDatagramIsCutForAShortBuffer(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		rx, tx := open(t, b, "10.0.0.2:7", ""), open(t, a, "0.0.0.0:0", "10.0.0.2:7")
		isErr(t, "write", tx.WriteTo([]byte("0123456789"), netip.AddrPort{}), nil)
		isErr(t, "write", tx.WriteTo([]byte("next"), netip.AddrPort{}), nil)
		n, size, _, to, err := rx.ReadFrom(make([]byte, 4))
		if n != 4 || size != 10 || to != netip.MustParseAddr("10.0.0.2") || err != nil {
			t.Errorf("%d of %d bytes to %v, %v", n, size, to, err)
		}
		reads(t, rx, "next")
	})
}

func TestAddressesAndErrorsOfWrite(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		free, tx := open(t, a, "0.0.0.0:0", ""), open(t, a, "0.0.0.0:0", "10.0.0.2:7")
		isErr(t, "no address", free.WriteTo(nil, netip.AddrPort{}), syscall.EDESTADDRREQ)
		isErr(t, "an address too many", tx.WriteTo(nil, port("10.0.0.2:7")), syscall.EISCONN)
		isErr(t, "port 0", free.WriteTo(nil, port("10.0.0.2:0")), syscall.EINVAL)
		isErr(t, "no route", free.WriteTo(nil, port("192.0.2.1:7")), syscall.ENETUNREACH)
		_, err := a.Open(udp.Config{Local: port("10.0.0.9:7")})
		isErr(t, "another's address", err, syscall.EADDRNOTAVAIL)
		_, err = a.Open(udp.Config{Local: free.Local()})
		isErr(t, "a port that is taken", err, syscall.EADDRINUSE)
	})
}

func TestCloseWakesWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T, a, b *udp.Layer) {
		s := open(t, a, "0.0.0.0:9", "")
		done := make(chan error)
		go func() {
			_, _, _, _, err := s.ReadFrom(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		isErr(t, "close", s.Close(), nil)
		isErr(t, "read", <-done, net.ErrClosed)
		isErr(t, "write", s.WriteTo(nil, port("10.0.0.2:7")), net.ErrClosed)
		isErr(t, "close again", s.Close(), net.ErrClosed)
		open(t, a, "0.0.0.0:9", "").Close() // the port is free again
	})
}

func TestSteadyDatagramsAllocateNothing(t *testing.T) {
	a, b := pair(t, link.CableConfig{})
	rx, tx := open(t, b, "10.0.0.2:7", ""), open(t, a, "0.0.0.0:0", "10.0.0.2:7")
	buf := make([]byte, 1400)
	n := testing.AllocsPerRun(1000, func() {
		if err := tx.WriteTo(buf, netip.AddrPort{}); err != nil {
			t.Fatal(err)
		}
		if _, _, _, _, err := rx.ReadFrom(buf); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 && !raceDetector {
		t.Errorf("%v allocations a datagram", n)
	}
}
