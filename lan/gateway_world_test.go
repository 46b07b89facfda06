package lan_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/lan"
	"landline/wire"
)

// Here the world is the computer's loopback, by its sockets.

// loopbackSite makes a gateway that offers the loopback, and a machine at 10.77.0.2.
func loopbackSite(t *testing.T, cfg lan.GatewayConfig) (*lan.Gateway, *landline.Host) {
	t.Helper()
	s := newSwitch(t, lan.Config{})
	port := func() *lan.Port {
		p, err := s.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	cfg.Loopback, cfg.Addresses = true, addrs("10.77.0.1/24", "fd77::1/64")
	g, err := lan.NewGateway(port(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	h, err := landline.NewHost(port(), landline.Config{
		Addresses: addrs("10.77.0.2/24", "fd77::2/64"), Probes: -1,
		Gateways: []netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("fd77::1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return g, h
}

// at returns an address of the gateway, with the port of one of the computer.
func at(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return "10.77.0.1:" + port
}

func TestConnectionsToTheComputer(t *testing.T) {
	_, h := loopbackSite(t, lan.GatewayConfig{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b, err := io.ReadAll(c) // until the machine has ended its way
				if err != nil {
					t.Error(err)
				}
				c.Write(b)
			}()
		}
	}()
	var all sync.WaitGroup
	for k := range 20 {
		all.Go(func() {
			data := make([]byte, 1<<20)
			random := rand.NewChaCha8([32]byte{byte(k)})
			random.Read(data)
			c, err := h.DialContext(t.Context(), "tcp", at(l.Addr()))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			go func() {
				c.Write(data)
				c.(*landline.TCPConn).CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if sha256.Sum256(got) != sha256.Sum256(data) || err != nil {
				t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
			}
		})
	}
	all.Wait()

	l.Close()
	if _, err := h.DialContext(t.Context(), "tcp", at(l.Addr())); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody is there: %v", err)
	}
}

func TestDatagramsToTheComputer(t *testing.T) {
	_, h := loopbackSite(t, lan.GatewayConfig{})
	far, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 65536)
		for {
			n, from, err := far.ReadFrom(b)
			if err != nil {
				return
			}
			far.WriteTo(bytes.ToUpper(b[:n]), from)
		}
	}()
	c, err := h.DialContext(t.Context(), "udp", at(far.LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 65536)
	for _, text := range []string{"hello", strings.Repeat("x", 20_000)} {
		c.Write([]byte(text))
		if n, err := c.Read(b); string(b[:n]) != strings.ToUpper(text) || err != nil {
			t.Errorf("%d bytes of %d, %v", n, len(text), err)
		}
	}
	far.Close()
	c.Write([]byte("hello"))
	if _, err := c.Read(b); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody is there: %v", err)
	}
}

// All that a machine sends from one port comes from one port of the computer, whoever it is for, and what comes from a machine of
// another is not mixed up with it. Nobody gets in who was not asked.
func TestDatagramsHaveOneMapping(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no two sockets can have one port")
	}
	_, h := loopbackSite(t, lan.GatewayConfig{})
	var far []*net.UDPConn
	for range 3 {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		far = append(far, c)
	}
	var seen []netip.AddrPort // for two sockets, at two of the world's
	b := make([]byte, 100)
	for range 2 {
		near, err := h.ListenPacket(t.Context(), "udp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		near.SetDeadline(time.Now().Add(20 * time.Second))
		for k, c := range far[:2] {
			to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at(c.LocalAddr())))
			near.WriteTo([]byte{'0' + byte(k)}, to)
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil || n != 1 || b[0] != '0'+byte(k) {
				t.Fatalf("%q, %v", b[:n], err)
			}
			seen = append(seen, from)
			far[2].WriteToUDPAddrPort([]byte("unasked"), from)
			c.WriteToUDPAddrPort([]byte("back"), from)
			if n, back, err := near.ReadFrom(b); string(b[:n]) != "back" || back.String() != to.String() {
				t.Errorf("%q from %v, %v", b[:n], back, err)
			}
		}
	}
	if seen[0] != seen[1] || seen[2] != seen[3] || seen[0] == seen[2] {
		t.Errorf("seen as %v", seen)
	}
}

// A place gets no port that another has, and takes nobody's away.
func TestMappingsShareNoPort(t *testing.T) {
	if n, err := lan.DialTaken(t.Context(), "127.0.0.1:9"); !errors.Is(err, syscall.EADDRINUSE) || n != 1<<16-1 {
		t.Errorf("%d ports, %v", n, err)
	}
}

// Pings go through a socket for pings, or for all of ICMP where that is what the system allows. What stands for the
// world is the loopback.
func TestPingsToTheComputer(t *testing.T) {
	for _, c := range []struct{ network, loopback, world string }{
		{"ip4:icmp", "127.0.0.1", "192.0.2.7"}, {"ip6:ipv6-icmp", "::1", "2001:db8::7"},
	} {
		probe, err := lan.DialWorld(t.Context(), c.network, c.loopback)
		if err != nil {
			t.Skipf("this system allows no pings: %v", err)
		}
		probe.Close()
		_, h := loopbackSite(t, lan.GatewayConfig{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if network != c.network || address != c.world {
					t.Errorf("%s to %s", network, address)
				}
				return lan.DialWorld(ctx, c.network, c.loopback)
			},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		for seq, size := range []int{-1, 56, 1400, 9000} {
			r, err := h.Ping(ctx, c.world, landline.PingConfig{Size: size, Seq: uint16(seq)})
			if err != nil || r.From.String() != c.world || r.Size != max(0, size) || r.Seq != uint16(seq) {
				t.Errorf("%d bytes: %+v, %v", size, r, err)
			}
		}
		cancel()
	}
}

// A socket that is for all of ICMP hears the answers to everybody. Two machines that chose the same identifier for their pings, as
// those with the same seed do, each get their own.
func TestPingsOfTwoMachinesAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := make(chan net.Conn, 2)
		s := newSite(t, lan.GatewayConfig{DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			sockets <- far
			return near, nil
		}})
		var errs [2]chan error
		var world [2]net.Conn
		var asked [2]wire.ICMPv4
		for k, name := range []string{"desk", "shed"} {
			h := s.guest(name, 7)
			errs[k] = make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := h.Ping(ctx, worldAddr, landline.PingConfig{})
				errs[k] <- err
			}()
			world[k] = <-sockets
			b := make([]byte, 100)
			n, _ := world[k].Read(b)
			asked[k], _ = wire.ParseICMPv4(b[:n])
		}
		q := asked[0]
		answer := wire.AppendICMPv4(nil, wire.ICMPv4EchoReply, 0, wire.EchoRest(q.ID(), q.Seq()), q.Payload())
		for _, c := range world {
			c.Write(answer)
		}
		if err := <-errs[0]; err != nil {
			t.Errorf("who was answered: %v", err)
		}
		if err := <-errs[1]; !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("who was not: %v", err)
		}
	})
}

// The gateway is a hop on the way, and nobody answers for a machine that does not: a dead address stays dead.
func TestPingsThatGoNowhere(t *testing.T) {
	_, h := loopbackSite(t, lan.GatewayConfig{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go io.Copy(io.Discard, far)
			return near, nil
		},
	})
	for _, c := range []struct{ to, gateway string }{{"192.0.2.7", "10.77.0.1"}, {"2001:db8::7", "fd77::1"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		r, err := h.Ping(ctx, c.to, landline.PingConfig{TTL: 1})
		cancel()
		if !errors.Is(err, syscall.EHOSTUNREACH) || r.From.String() != c.gateway {
			t.Errorf("with one hop: %v from %v", err, r.From)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err = h.Ping(ctx, c.to, landline.PingConfig{TTL: 2})
		cancel()
		if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who does not answer: %v", err)
		}
	}
}

// Where the system allows no socket for pings, the machine is told that there is no way.
func TestPingsThatAreNotAllowed(t *testing.T) {
	_, h := loopbackSite(t, lan.GatewayConfig{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.EPERM },
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := h.Ping(ctx, "192.0.2.7", landline.PingConfig{Seq: 7}); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("%v", err)
	}
}

func TestForwardsComeAndGo(t *testing.T) {
	g, h := loopbackSite(t, lan.GatewayConfig{})
	l, err := h.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	u, err := h.ListenPacket(t.Context(), "udp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 2000)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			u.WriteTo(b[:n], from)
		}
	}()
	for _, proto := range []string{"tcp", "udp"} {
		f := lan.Forward{Proto: proto, Local: "127.0.0.1:0", To: "10.77.0.2:80"}
		a, err := g.Forward(f)
		if err != nil {
			t.Fatal(err)
		}
		other, err := g.Forward(f)
		if err != nil || other.String() == a.String() {
			t.Errorf("another free port is %v, %v", other, err)
		} else if err := g.Unforward(proto, other.String()); err != nil {
			t.Error(err)
		}
		f.Local = a.String()
		if _, err := g.Forward(f); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("twice: %v", err)
		}
		if all := g.Forwards(); len(all) != 1 || all[0] != f {
			t.Errorf("%v", all)
		}
		c, err := net.Dial(proto, a.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		c.Write([]byte("hello"))
		b := make([]byte, 5)
		if _, err := io.ReadFull(c, b); string(b) != "hello" || err != nil {
			t.Errorf("%s: %q, %v", proto, b, err)
		}
		if err := g.Unforward(proto, f.Local); err != nil {
			t.Error(err)
		}
		if err := g.Unforward(proto, f.Local); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("ended twice: %v", err)
		}
		c.Write([]byte("hello"))
		if _, err := c.Read(b); err == nil {
			t.Errorf("%s: it goes on", proto)
		}
	}
	for _, f := range []lan.Forward{{Proto: "tcp", Local: "127.0.0.1:0", To: "desk"}, {Proto: "sctp", Local: "127.0.0.1:0", To: "desk:80"}} {
		if _, err := g.Forward(f); err == nil {
			t.Errorf("%+v", f)
		}
	}
}

func TestDatagramsAreReadByTheirDeadline(t *testing.T) {
	g, _ := loopbackSite(t, lan.GatewayConfig{})
	far, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	c, err := net.Dial("udp", far.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	hear := func(b []byte) { t.Errorf("heard %q", b) }
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if err := lan.ReadDatagram(g, c, hear); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("when it has passed: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	for _, text := range []string{"", "hello"} { // one of no bytes is one too
		far.WriteTo([]byte(text), c.LocalAddr())
		heard := 0
		err := lan.ReadDatagram(g, c, func(b []byte) {
			heard++
			if string(b) != text {
				t.Errorf("heard %q", b)
			}
		})
		if heard != 1 || err != nil {
			t.Errorf("%q: heard %d, %v", text, heard, err)
		}
	}
	c.Close()
	if err := lan.ReadDatagram(g, c, hear); !errors.Is(err, net.ErrClosed) {
		t.Errorf("when it is closed: %v", err)
	}
}
