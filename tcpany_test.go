package landline_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

// gateway makes a host, and one that takes connections for all the world.
func gateway(t *testing.T) (guest *landline.Host, l *landline.TCPAnyListener, g *landline.Host) {
	a, b := link.NewCable(link.CableConfig{Checksums: true})
	guest = newHost(t, a, landline.Config{
		Addresses: prefixes("10.0.0.2/24", "fd00::2/64"), Probes: -1,
		Gateways: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
	})
	g = newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Probes: -1, Seed: 2})
	l, err := g.ListenAny()
	if err != nil {
		t.Fatal(err)
	}
	return guest, l, g
}

func TestGatewayAnswersForOthersWhenItLikes(t *testing.T) {
	for _, to := range []string{"192.0.2.7:80", "[2001:db8::7]:80", "10.0.0.1:81"} {
		synctest.Test(t, func(t *testing.T) {
			guest, l, _ := gateway(t)
			go func() {
				p, err := l.Accept(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if p.Dst().String() != to {
					t.Errorf("for %v, want %s", p.Dst(), to)
				}
				time.Sleep(5 * time.Second) // SYN comes three times
				c, err := p.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				if c.LocalAddr().String() != to {
					t.Errorf("from %v", c.LocalAddr())
				}
				io.Copy(c, c)
				c.Close()
			}()
			start := time.Now()
			c, err := guest.DialContext(t.Context(), "tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			if time.Since(start) < 5*time.Second {
				t.Error("it was open before the gateway said so")
			}
			go func() {
				c.Write(make([]byte, 100_000))
				c.(*landline.TCPConn).CloseWrite()
			}()
			if n, err := io.Copy(io.Discard, c); n != 100_000 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			c.Close()
		})
	}
}

func TestGatewayTellsRefusedFromUnreachable(t *testing.T) {
	for _, to := range []string{"192.0.2.7:80", "[2001:db8::7]:80"} {
		for _, want := range []syscall.Errno{syscall.ECONNREFUSED, syscall.EHOSTUNREACH} {
			synctest.Test(t, func(t *testing.T) {
				guest, l, _ := gateway(t)
				done := make(chan struct{})
				defer func() { <-done }()
				go func() {
					defer close(done)
					p, err := l.Accept(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					p.Reject(want)
					if _, err := p.Accept(); !errors.Is(err, syscall.ECONNABORTED) {
						t.Errorf("accepted what was rejected: %v", err)
					}
				}()
				if _, err := guest.DialContext(t.Context(), "tcp", to); !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
			})
		}
	}
}

func TestGatewayHearsThatAPeerIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guest, l, g := gateway(t)
		ctx, cancel := context.WithCancel(t.Context())
		go guest.DialContext(ctx, "tcp", "192.0.2.7:80")
		p, err := l.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		// The peer says so only when it is asked.
		c, err := p.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v", err)
		}
		c.Close()

		go guest.DialContext(t.Context(), "tcp", "192.0.2.7:81")
		p, err = l.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		<-p.Gone()
		if _, err := g.ListenAny(); err != nil {
			t.Errorf("after Close: %v", err)
		}
		guest.Close()
	})
}

// What is for nobody gets a reset in the name of who it was for: a connection that was open before the gateway
// began anew does not hang.
func TestGatewayResetsWhatItDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{})
		guest := newHost(t, a, landline.Config{
			Addresses: prefixes("10.0.0.2/24"), Probes: -1, Gateways: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
		})
		end := link.Impair(b, link.Impairment{}, link.Impairment{})
		first := newHost(t, end, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, Seed: 2})
		l, err := first.ListenAny()
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan *landline.TCPConn, 1)
		go func() {
			p, _ := l.Accept(t.Context())
			c, _ := p.Accept()
			accepted <- c
		}()
		c, err := guest.DialContext(t.Context(), "tcp", "192.0.2.7:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s := <-accepted
		end.Set(link.Impairment{Loss: 1}, link.Impairment{}) // it ends without a word
		s.SetLinger(0)
		s.Close()
		end.Set(link.Impairment{}, link.Impairment{})
		c.Write([]byte("hello"))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v", err)
		}
	})
}

// A gateway connects to a machine in the name of another one, and gets what the machine answers to that.
func TestGatewayDialsForOthers(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"192.0.2.7:4711", "10.0.0.2:80"}, {"[2001:db8::7]:4711", "[fd00::2]:80"},
	} {
		synctest.Test(t, func(t *testing.T) {
			guest, _, g := gateway(t)
			l, err := guest.Listen(t.Context(), "tcp", ":80")
			if err != nil {
				t.Fatal(err)
			}
			from, to := netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.to)
			conn, err := g.DialTCPAs(t.Context(), from, to)
			if err != nil {
				t.Fatal(err)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if got := far.RemoteAddr().String(); got != c.from {
				t.Errorf("the machine sees %s", got)
			}
			far.Write([]byte("hello"))
			if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
				t.Error(err)
			}
			if _, err := g.DialTCPAs(t.Context(), from, to); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("twice: %v", err)
			}
			far.Close()
			conn.Close()
			if _, err := g.DialTCPAs(t.Context(), from, netip.AddrPortFrom(to.Addr(), 81)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("where nobody listens: %v", err)
			}
		})
	}
}
