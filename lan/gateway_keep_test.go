package lan_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/lan"
)

// listens makes a gateway's forwards begin at the socket of what is the computer here.
func (s *site) listens(cfg *lan.GatewayConfig) {
	cfg.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		return s.near.Listen(ctx, network, address)
	}
	cfg.ListenPacket = func(ctx context.Context, network, address string) (net.PacketConn, error) {
		return s.near.ListenPacket(ctx, network, address)
	}
}

// Who comes by a forward that keeps addresses is seen by the machine as what it is, by TCP and UDP, IPv4 and IPv6; by another one
// as the gateway.
func TestForwardsKeepTheClientsAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *site
		cfg := lan.GatewayConfig{Addresses: addrs("10.77.0.1/24", "fd77::1/64")}
		s = newSite(t, cfg)
		s.gateway.Close()
		s.listens(&cfg)
		cfg.DialContext, cfg.ResolvConf = s.near.DialContext, s.resolv
		s.gateway = s.start(cfg)
		guest := s.guest("shed", 1)
		time.Sleep(10 * time.Second)
		guest.Ping(t.Context(), "fd77::1", landline.PingConfig{}) // the gateway knows its IPv6 address now
		serveSeen(t, guest)
		for _, c := range []struct{ at, gateway string }{
			{"192.0.2.1", "10.77.0.1"}, {"[2001:db8::1]", "10.77.0.1"},
		} {
			for _, proto := range []string{"tcp", "udp"} {
				for _, keep := range []bool{false, true} {
					f := lan.Forward{Proto: proto, Local: c.at + ":80", To: "shed:80", KeepClient: keep}
					if _, err := s.gateway.Forward(f); err != nil {
						t.Fatal(err)
					}
					conn, err := s.world.DialContext(t.Context(), proto, f.Local)
					if err != nil {
						t.Fatal(err)
					}
					conn.SetDeadline(time.Now().Add(10 * time.Second))
					for range 2 { // the second finds what the first has made
						conn.Write([]byte("hello"))
						b := make([]byte, 100)
						n, err := conn.Read(b)
						saw, _ := netip.ParseAddrPort(string(b[:n]))
						if own := conn.LocalAddr().String(); err != nil || keep && saw.String() != own || !keep && saw.Addr().String() != c.gateway {
							t.Errorf("%+v: the machine saw %q, and that is %s, %v", f, b[:n], own, err)
						}
					}
					conn.Close()
					if err := s.gateway.Unforward(proto, f.Local); err != nil {
						t.Error(err)
					}
				}
			}
		}
		for _, e := range s.told(lan.KindForward) {
			if e.Verdict == lan.Ended && (e.Sent != 10 || e.Received == 0) {
				t.Errorf("%+v", e)
			}
		}
	})
}

// serveSeen tells all who come to port 80, by TCP and UDP, who they are.
func serveSeen(t *testing.T, h *landline.Host) {
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
			go func() {
				defer c.Close()
				for b := make([]byte, 5); ; {
					if _, err := io.ReadFull(c, b); err != nil {
						return
					}
					c.Write([]byte(c.RemoteAddr().String()))
				}
			}()
		}
	}()
	u, err := h.ListenPacket(t.Context(), "udp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for b := make([]byte, 100); ; {
			_, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			u.WriteTo([]byte(from.String()), from)
		}
	}()
}

// An address that cannot be kept is not: a client on the loopback is seen as the gateway, and one whom the machine could not answer
// is refused.
func TestAddressesThatCannotBeKept(t *testing.T) {
	g, h := loopbackSite(t, lan.GatewayConfig{})
	serveSeen(t, h)
	for _, proto := range []string{"tcp", "udp"} {
		at, err := g.Forward(lan.Forward{Proto: proto, Local: "127.0.0.1:0", To: "10.77.0.2:80", KeepClient: true})
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial(proto, at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		c.Write([]byte("hello"))
		b := make([]byte, 100)
		n, err := c.Read(b)
		if saw, _ := netip.ParseAddrPort(string(b[:n])); saw.Addr().String() != "10.77.0.1" || err != nil {
			t.Errorf("%s: %q, %v", proto, b[:n], err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		cfg := lan.GatewayConfig{}
		s := newSite(t, cfg)
		s.gateway.Close()
		s.listens(&cfg)
		cfg.DialContext, cfg.ResolvConf = s.near.DialContext, s.resolv
		s.gateway = s.start(cfg)
		serveSeen(t, s.guest("shed", 1))
		if _, err := s.gateway.Forward(lan.Forward{Proto: "tcp", Local: "[2001:db8::1]:80", To: "shed:80", KeepClient: true}); err != nil {
			t.Fatal(err)
		}
		c, err := s.world.DialContext(t.Context(), "tcp", "[2001:db8::1]:80") // and the LAN has no IPv6

		if err == nil { // or the reset came before who dials was awake
			_, err = c.Read(make([]byte, 1))
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v", err)
		}
		if e := s.told(lan.KindForward); len(e) != 1 || !errors.Is(e[0].Err, lan.ErrNotKept) {
			t.Errorf("%+v", e)
		}
	})
}
