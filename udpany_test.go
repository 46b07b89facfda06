package landline_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"landline"
	"landline/ip"
	"landline/link"
)

// udpGateway makes a host, and one that takes datagrams for all the world.
func udpGateway(t *testing.T) (guest, g *landline.Host, c *landline.UDPAnyConn) {
	a, b := link.NewCable(link.CableConfig{Checksums: true})
	guest = newHost(t, a, landline.Config{
		Addresses: prefixes("10.0.0.2/24", "fd00::2/64"), Probes: -1,
		Gateways: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
	})
	g = newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Probes: -1, Seed: 2})
	c, err := g.ListenUDPAny()
	if err != nil {
		t.Fatal(err)
	}
	return guest, g, c
}

func TestGatewayAnswersDatagramsInTheNameOfOthers(t *testing.T) {
	for _, to := range []string{"192.0.2.7:80", "[2001:db8::7]:80", "10.0.0.1:81"} {
		synctest.Test(t, func(t *testing.T) {
			guest, g, any := udpGateway(t)
			// A socket for all addresses is not one for those of others.
			s := must(g.ListenUDP("udp", &net.UDPAddr{Port: 80}))
			defer s.Close()
			go func() {
				b := make([]byte, 2000)
				n, from, at, err := any.ReadFromTo(b)
				if err != nil || at.String() != to {
					t.Errorf("%v from %v to %v", err, from, at)
				}
				if err := any.WriteFromTo(b[:n], at, from); err != nil {
					t.Error(err)
				}
			}()
			c := must(guest.DialContext(t.Context(), "udp", to))
			defer c.Close()
			must(c.Write([]byte("hello")))
			b := make([]byte, 10)
			if n, err := c.Read(b); string(b[:n]) != "hello" || err != nil {
				t.Errorf("%q, %v", b[:n], err)
			}
		})
	}
}

func TestGatewayRefusesDatagrams(t *testing.T) {
	for _, to := range []string{"192.0.2.7:80", "[2001:db8::7]:80"} {
		for _, want := range []syscall.Errno{syscall.ECONNREFUSED, syscall.EHOSTUNREACH} {
			synctest.Test(t, func(t *testing.T) {
				guest, _, any := udpGateway(t)
				go func() {
					n, from, at, _ := any.ReadFromTo(make([]byte, 2000))
					any.Refuse(from, at, n, want)
				}()
				c := must(guest.DialContext(t.Context(), "udp", to))
				defer c.Close()
				must(c.Write([]byte("hello")))
				if _, err := c.Read(make([]byte, 10)); !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
			})
		}
	}
}

func TestGatewayOfDatagramsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, g, any := udpGateway(t)
		if _, err := g.ListenUDPAny(); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("the second is %v", err)
		}
		go func() {
			synctest.Wait()
			any.Close()
		}()
		if _, _, _, err := any.ReadFromTo(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
		if err := any.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed again: %v", err)
		}
		must(g.ListenUDPAny())
		g.Close()
	})
}

func TestGatewayAnswersPingsInTheNameOfOthers(t *testing.T) {
	for _, to := range []string{"192.0.2.7", "2001:db8::7"} {
		synctest.Test(t, func(t *testing.T) {
			guest, g, _ := udpGateway(t)
			answers := true
			g.TakeEchoes(func(e ip.ForeignEcho) {
				e.Data = slices.Clone(e.Data)
				if answers {
					go g.AnswerEcho(e)
				} else {
					go g.RefuseEcho(e)
				}
			})
			r, err := guest.Ping(t.Context(), to, landline.PingConfig{})
			if err != nil || r.From.String() != to {
				t.Errorf("%+v, %v", r, err)
			}
			answers = false
			if _, err := guest.Ping(t.Context(), to, landline.PingConfig{}); !errors.Is(err, syscall.EHOSTUNREACH) {
				t.Errorf("%v", err)
			}
		})
	}
}
