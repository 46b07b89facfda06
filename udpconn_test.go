package landline_test

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

	"landline"
	"landline/ip"
	"landline/link"
)

// exchange sends a datagram from c and returns what the other end reads.
func exchange(t *testing.T, c net.Conn, s net.PacketConn, payload string) (string, net.Addr) {
	t.Helper()
	if _, err := c.Write([]byte(payload)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 65535)
	s.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, from, err := s.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), from
}

func TestDatagramsGoThereAndBack(t *testing.T) {
	left, right := neighbors(t, link.CableConfig{})
	for _, to := range []string{"10.0.0.2:7", "[fd00::2]:8"} {
		s := must(right.ListenPacket(t.Context(), "udp", to))
		c := must(left.DialContext(t.Context(), "udp", to))
		for _, n := range []int{0, 1, 1472, 1473, 65507} {
			want := strings.Repeat("x", n)
			got, from := exchange(t, c, s, want)
			if got != want || from.String() != c.LocalAddr().String() {
				t.Errorf("%s: %d bytes from %v, not %d from %v", to, len(got), from, n, c.LocalAddr())
			}
			if _, err := s.WriteTo([]byte("back"), from); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 2) // the rest is lost
			if n, err := c.Read(b); n != 2 || err != nil || string(b) != "ba" {
				t.Errorf("%s: answer %q, %v", to, b[:n], err)
			}
		}
		s.Close()
		c.Close()
	}
}

// As in package net: a wildcard of network "udp" hears both families.
func TestWildcardsHearTheirFamilies(t *testing.T) {
	h := newHost(t, nil, landline.Config{})
	for _, c := range []struct {
		network, address, local string
		v4, v6                  bool
	}{
		{"udp", ":700", "[::]:700", true, true},
		{"udp", "", "", true, true},
		{"udp", "0.0.0.0:700", "[::]:700", true, true},
		{"udp", "[::]:700", "[::]:700", true, true},
		{"udp4", ":700", "0.0.0.0:700", true, false},
		{"udp6", ":700", "[::]:700", false, true},
	} {
		s := must(h.ListenPacket(t.Context(), c.network, c.address))
		if got := s.LocalAddr().String(); c.local != "" && got != c.local {
			t.Errorf("%s %s: listens at %s, not %s", c.network, c.address, got, c.local)
		}
		_, port, _ := net.SplitHostPort(s.LocalAddr().String())
		for host, want := range map[string]bool{"127.0.0.1": c.v4, "::1": c.v6} {
			d := must(h.DialContext(t.Context(), "udp", net.JoinHostPort(host, port)))
			must(d.Write([]byte("x")))
			s.SetReadDeadline(time.Now().Add(10 * time.Second))
			d.SetReadDeadline(time.Now().Add(10 * time.Second))
			var err error
			if want {
				_, _, err = s.ReadFrom(make([]byte, 1))
			} else if _, err = d.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNREFUSED) {
				err = nil
			}
			if err != nil {
				t.Errorf("%s %s: hears %s, or not: %v", c.network, c.address, host, err)
			}
			d.Close()
		}
		s.Close()
	}
}

func TestPortsHaveNames(t *testing.T) {
	h := newHost(t, nil, landline.Config{})
	c := must(h.DialContext(t.Context(), "udp", "127.0.0.1:domain"))
	defer c.Close()
	if got := c.RemoteAddr().String(); got != "127.0.0.1:53" {
		t.Error(got)
	}
}

func TestNoHostIsThisHost(t *testing.T) {
	h := newHost(t, nil, landline.Config{})
	for network, want := range map[string]string{"udp": "127.0.0.1:9", "udp4": "127.0.0.1:9", "udp6": "[::1]:9"} {
		c := must(h.DialContext(t.Context(), network, ":9"))
		if got := c.RemoteAddr().String(); got != want {
			t.Errorf("%s: %s, not %s", network, got, want)
		}
		c.Close()
	}
}

func TestPortsCanBeReserved(t *testing.T) {
	h := newHost(t, nil, landline.Config{ReservedPorts: 1024})
	if _, err := h.ListenPacket(t.Context(), "udp", ":1023"); !errors.Is(err, syscall.EACCES) {
		t.Errorf("a reserved port: %v", err)
	}
	must(h.ListenPacket(t.Context(), "udp", ":1024")).Close()
}

func TestBroadcastNeedsLeave(t *testing.T) {
	left, right := neighbors(t, link.CableConfig{})
	hears := must(right.ListenPacket(t.Context(), "udp4", ":700"))
	defer hears.Close()
	c := must(left.ListenUDP("udp4", nil))
	defer c.Close()
	for _, to := range []string{"10.0.0.255:700", "255.255.255.255:700"} {
		_, err := c.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort(to))
		if !errors.Is(err, syscall.EACCES) || !strings.HasSuffix(err.Error(), "->"+to+": sendto: permission denied") {
			t.Errorf("to %s without leave: %v", to, err)
		}
		if err := c.SetBroadcast(true); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort(to)); err != nil {
			t.Errorf("to %s with leave: %v", to, err)
		}
		if n, _, err := hears.ReadFrom(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("to %s: %d bytes, %v", to, n, err)
		}
		c.SetBroadcast(false)
	}
}

func TestGroupsHearWhoJoined(t *testing.T) {
	left, right := neighbors(t, link.CableConfig{})
	for _, group := range []string{"224.0.0.251:5353", "[ff02::fb]:5353"} {
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(group))
		one := must(right.ListenMulticastUDP("udp", "", to))
		two := must(right.ListenMulticastUDP("udp", "cable1", to))
		c := must(left.DialContext(t.Context(), "udp", group))
		must(c.Write([]byte("x")))
		for _, s := range []*landline.UDPConn{one, two} {
			s.SetReadDeadline(time.Now().Add(5 * time.Second))
			if n, err := s.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Errorf("%s: %d bytes, %v", group, n, err)
			}
			s.Close()
		}
		before := right.Stats().Drops[ip.DropNoGroup]
		must(c.Write([]byte("x")))
		if got := right.Stats().Drops[ip.DropNoGroup] - before; got != 1 {
			t.Errorf("%s: nobody is there any more, and %d datagrams were dropped for it", group, got)
		}
		c.Close()
	}
	s := must(right.ListenUDP("udp", nil))
	defer s.Close()
	if err := s.JoinGroup("", netip.MustParseAddr("10.0.0.1")); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a group that is none: %v", err)
	}
	if err := s.JoinGroup("nowhere", netip.MustParseAddr("224.0.0.1")); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("an interface that is none: %v", err)
	}
	if err := s.LeaveGroup("", netip.MustParseAddr("224.0.0.9")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("a group that was not joined: %v", err)
	}
}

// The neighbor is asked for, does not answer, and the socket hears of it.
func TestSilentNeighborIsUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := neighbors(t, link.CableConfig{Seed: 1})
		for _, to := range []string{"10.0.0.9:7", "[fd00::9]:7"} {
			c := must(left.DialContext(t.Context(), "udp", to))
			start := time.Now()
			must(c.Write([]byte("x")))
			_, err := c.Read(make([]byte, 1))
			if !errors.Is(err, syscall.EHOSTUNREACH) || !strings.HasSuffix(err.Error(), "->"+to+": read: no route to host") {
				t.Errorf("%v", err)
			}
			if took := time.Since(start); took != 3*time.Second {
				t.Errorf("%s: three questions took %v", to, took)
			}
			c.Close()
		}
	})
}

func TestNoRouteIsUnreachable(t *testing.T) {
	left, _ := neighbors(t, link.CableConfig{})
	_, err := left.DialContext(t.Context(), "udp", "192.0.2.1:7")
	if err == nil || err.Error() != "dial udp 192.0.2.1:7: connect: network is unreachable" || !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("%v", err)
	}
	s := must(left.ListenUDP("udp", nil))
	defer s.Close()
	_, err = s.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:7")))
	if !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("%v", err)
	}
}

func TestClosingTheHostWakesItsSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := neighbors(t, link.CableConfig{Seed: 1})
		s := must(left.ListenUDP("udp", nil))
		failed := make(chan error)
		go func() {
			_, err := s.Read(make([]byte, 1))
			failed <- err
		}()
		synctest.Wait()
		left.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v", err)
		}
		if err := left.Close(); err != net.ErrClosed {
			t.Errorf("the second Close: %v", err)
		}
		if _, err := left.ListenUDP("udp", nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("listen: %v", err)
		}
		if _, err := left.DialContext(t.Context(), "udp", "10.0.0.2:7"); err == nil {
			t.Error("a closed host dials")
		}
	})
}

// A deadline may be moved while somebody waits for it.
func TestDeadlineMovesUnderReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := must(newHost(t, nil, landline.Config{}).ListenUDP("udp", nil))
		start := time.Now()
		s.SetReadDeadline(start.Add(time.Hour))
		time.AfterFunc(time.Minute, func() { s.SetReadDeadline(start.Add(2 * time.Minute)) })
		_, err := s.Read(make([]byte, 1))
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != 2*time.Minute {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestUDPAllocatesNothingPerDatagram(t *testing.T) {
	left, right := neighbors(t, link.CableConfig{})
	for _, at := range []string{"10.0.0.2:700", "[fd00::2]:700"} {
		s := must(right.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at))))
		conn := must(left.DialContext(t.Context(), "udp", at))
		c, b := conn.(*landline.UDPConn), make([]byte, 1400)
		for name, answer := range map[string]func(){
			"addresses": func() {
				n, from, err := s.ReadFromUDPAddrPort(b)
				if n != len(b) || err != nil {
					t.Fatal(n, err)
				}
				must(s.WriteToUDPAddrPort(b, from))
			},
			"both addresses": func() {
				n, from, to, err := s.ReadFromTo(b)
				if n != len(b) || err != nil {
					t.Fatal(n, err)
				}
				must(s.WriteToFrom(b, from, to))
			},
			"an address that is kept": func() {
				must(s.Read(b))
				must(s.WriteTo(b, c.LocalAddr()))
			},
		} {
			n := testing.AllocsPerRun(200, func() {
				must(c.Write(b))
				answer()
				must(c.Read(b))
			})
			if n != 0 {
				t.Errorf("%s, %s: %v allocations for two datagrams", at, name, n)
			}
		}
		s.Close()
		c.Close()
	}
}

func BenchmarkUDP(b *testing.B) {
	left, right := neighbors(b, link.CableConfig{Checksums: true})
	s := must(right.ListenUDP("udp", &net.UDPAddr{Port: 700}))
	defer s.Close()
	c := must(left.DialContext(b.Context(), "udp", "10.0.0.2:700"))
	defer c.Close()
	p := make([]byte, 1400)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		must(c.Write(p))
		must(s.Read(p))
	}
}

// A host with two addresses in a network answers from the one that was asked: the other end is
// connected to that, and would not hear the other.
func TestAnswersComeFromTheAddressThatWasAsked(t *testing.T) {
	a, b := link.NewCable(link.CableConfig{})
	left := newHost(t, a, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1})
	right := newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.2/24", "10.0.0.3/24"), Probes: -1})
	s := must(right.ListenUDP("udp", &net.UDPAddr{Port: 700}))
	defer s.Close()
	for _, asked := range []string{"10.0.0.3", "10.0.0.2", "10.0.0.3"} {
		c := must(left.DialContext(t.Context(), "udp", asked+":700"))
		must(c.Write([]byte("x")))
		p := make([]byte, 1)
		_, from, to, err := s.ReadFromTo(p)
		if err != nil || to.String() != asked {
			t.Fatalf("sent to %s, arrived at %v, %v", asked, to, err)
		}
		must(s.WriteToFrom(p, from, to))
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(p); err != nil {
			t.Errorf("asked at %s: %v", asked, err)
		}
		c.Close()
	}
	_, err := s.WriteToFrom([]byte("x"), netip.MustParseAddrPort("10.0.0.1:9"), netip.MustParseAddr("10.0.0.9"))
	if !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("from an address that is not ours: %v", err)
	}
}

func TestLinkLocalAddressesHaveZones(t *testing.T) {
	left, right := neighbors(t, link.CableConfig{})
	s := must(right.ListenUDP("udp6", &net.UDPAddr{Port: 700}))
	defer s.Close()
	to := linkLocal(t, right).WithZone("cable0")
	c := must(left.DialContext(t.Context(), "udp", netip.AddrPortFrom(to, 700).String()))
	defer c.Close()
	if got, want := c.RemoteAddr().String(), netip.AddrPortFrom(to, 700).String(); got != want {
		t.Errorf("connected to %s, not %s", got, want)
	}
	must(c.Write([]byte("x")))
	b := make([]byte, 1)
	_, from, err := s.ReadFromUDPAddrPort(b)
	if err != nil || from.Addr() != linkLocal(t, left).WithZone("cable1") {
		t.Fatalf("from %v, %v", from, err)
	}
	must(s.WriteToUDPAddrPort(b, from)) // it leads back
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(b); err != nil {
		t.Error(err)
	}
}

func linkLocal(t *testing.T, h *landline.Host) netip.Addr {
	for _, a := range h.Addresses() {
		if a.Origin == "link local" {
			return a.Prefix.Addr()
		}
	}
	t.Fatal("no link-local address")
	return netip.Addr{}
}
