package lan_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/lan"
)

// A roaming is the sockets of a computer that changes its network: those that were opened before are of no use.
type roaming struct {
	s       *site
	network atomic.Int32
	dials   atomic.Int32
}

// A roamingConn is one of them.
type roamingConn struct {
	net.Conn
	r       *roaming
	network int32
}

func (r *roaming) dial(ctx context.Context, network, address string) (net.Conn, error) {
	r.dials.Add(1)
	c, err := r.s.near.DialContext(ctx, network, address)
	return &roamingConn{c, r, r.network.Load()}, err
}

func (c *roamingConn) Write(b []byte) (int, error) {
	if now := c.r.network.Load(); c.network != now || now < 0 {
		return 0, &net.OpError{Op: "write", Net: "udp", Err: os.NewSyscallError("write", syscall.EINVAL)} // as Linux says
	}
	return c.Conn.Write(b)
}

// A flow of datagrams goes on when the computer has another network, and nothing is lost by that. A computer without any is told
// from one with another.
func TestFlowsGoOnOverAnotherNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r roaming
		r.s = newSite(t, lan.GatewayConfig{DialContext: r.dial})
		guest := r.s.guest("shed", 1)
		far, err := r.s.world.ListenUDP("udp", &net.UDPAddr{Port: 80})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for b := make([]byte, 100); ; {
				n, from, err := far.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				far.WriteToUDPAddrPort(b[:n], from)
			}
		}()
		c, err := guest.DialContext(t.Context(), "udp", worldAddr+":80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b := make([]byte, 100)
		for _, network := range []int32{1, 1, 2, 2, 3} {
			r.network.Store(network)
			c.SetDeadline(time.Now().Add(10 * time.Second))
			c.Write([]byte("hello"))
			if n, err := c.Read(b); n != 5 || err != nil {
				t.Errorf("on network %d: %d bytes, %v", network, n, err)
			}
		}
		if n := r.dials.Load(); n != 3 {
			t.Errorf("%d sockets", n)
		}
		r.network.Store(-1) // none at all
		c.Write([]byte("hello"))
		if _, err := c.Read(b); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("without a network: %v", err)
		}
		if e := r.s.told(lan.KindUDP); len(e) != 1 {
			t.Errorf("%+v", e)
		}
	})
}
