package landline_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"landline"
	"landline/link"
)

// Who listens where hears whom, and what both ends call each other, is as with the sockets of the system.
func TestTCPAddressesAreThoseOfTheSystem(t *testing.T) {
	ours := worldOf(newHost(t, nil, landline.Config{}))
	for _, c := range []struct{ network, address string }{
		{"tcp", ":0"}, {"tcp", ""}, {"tcp", "0.0.0.0:0"}, {"tcp", "[::]:0"}, {"tcp4", ":0"}, {"tcp6", ":0"},
		{"tcp4", "0.0.0.0:0"}, {"tcp6", "[::]:0"}, {"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", "127.1.2.3:0"},
	} {
		want, got := meetings(t, system(), c.network, c.address), meetings(t, ours, c.network, c.address)
		for k := range got {
			if got[k] != want[k] {
				t.Errorf("%s %q: we have\n\t%s\nthe system\n\t%s", c.network, c.address, got[k], want[k])
			}
		}
	}
}

// meetings dials a listener by all its names, and tells what came of it.
func meetings(t *testing.T, w world, network, address string) (told []string) {
	l, err := w.listenTCP(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	tell := func(format string, args ...any) {
		told = append(told, ports.ReplaceAllString(fmt.Sprintf(format, args...), ":PORT"))
	}
	tell("listens at %T %s %v", l.Addr(), l.Addr().Network(), l.Addr())
	for _, host := range []string{"127.0.0.1", "::1", "127.1.2.3", "", "0.0.0.0", "::", "::ffff:127.0.0.1"} {
		for _, network := range []string{"tcp", "tcp4", "tcp6"} {
			tell("%s %q: %s", network, host, meet(t, w, l, network, net.JoinHostPort(host, port)))
		}
	}
	return told
}

func meet(t *testing.T, w world, l net.Listener, network, address string) string {
	c, err := w.dial(t.Context(), network, address)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	if c.LocalAddr().String() != s.RemoteAddr().String() || c.RemoteAddr().String() != s.LocalAddr().String() {
		return fmt.Sprintf("%v-%v and %v-%v", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
	}
	return fmt.Sprintf("%T %s %v to %v", c.RemoteAddr(), c.RemoteAddr().Network(), c.LocalAddr(), c.RemoteAddr())
}

func TestTCPLinkLocalAddressesHaveZones(t *testing.T) {
	left, right := neighbors(t, link.CableConfig{})
	l := must(right.Listen(t.Context(), "tcp", netip.AddrPortFrom(linkLocal(t, right).WithZone("cable1"), 80).String()))
	defer l.Close()
	if want := netip.AddrPortFrom(linkLocal(t, right).WithZone("cable1"), 80).String(); l.Addr().String() != want {
		t.Errorf("listens at %v, not %v", l.Addr(), want)
	}
	to := netip.AddrPortFrom(linkLocal(t, right).WithZone("cable0"), 80).String()
	c := must(left.DialContext(t.Context(), "tcp", to))
	defer c.Close()
	s := must(l.Accept())
	defer s.Close()
	if got := c.RemoteAddr().String(); got != to {
		t.Errorf("connected to %s, not %s", got, to)
	}
	if got, want := c.LocalAddr().(*net.TCPAddr).Zone, "cable0"; got != want {
		t.Errorf("from zone %q, not %q", got, want)
	}
	if got := s.RemoteAddr().(*net.TCPAddr); got.Zone != "cable1" || !got.IP.Equal(linkLocal(t, left).AsSlice()) {
		t.Errorf("accepted from %v", got)
	}
	exchangeStreams(t, c.(*landline.TCPConn), s.(*landline.TCPConn), 100_000)
}

// If one address of a name refuses, the next is tried.
func TestTCPDialTriesAllAddressesOfAName(t *testing.T) {
	h := newHost(t, nil, landline.Config{Hostname: "shed"})
	a, b := link.NewCable(link.CableConfig{})
	b.Attach(link.Handler{Receive: func([]link.Frame) {}})
	must(h.AddInterface(a, landline.InterfaceConfig{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Probes: -1}))
	for _, address := range []string{"10.0.0.1:80", "[fd00::1]:81"} {
		l := must(h.Listen(t.Context(), "tcp", address))
		_, port, _ := net.SplitHostPort(address)
		c, err := h.DialContext(t.Context(), "tcp", "shed:"+port)
		if err != nil || c.RemoteAddr().String() != address {
			t.Errorf("%v, %v", c, err)
			continue
		}
		c.Close()
		l.Close()
	}
	_, err := h.DialContext(t.Context(), "tcp", "shed:82")
	if op, ok := err.(*net.OpError); !ok || op.Addr == nil {
		t.Errorf("all refuse: %v", err)
	}
}
