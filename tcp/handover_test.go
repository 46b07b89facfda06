package tcp

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
)

// handed returns a connection whose writer has been left to send what there is, and whose turn on the processor never comes:
// he waits for room, and does not know that he has been woken. full is what he cannot write.
func handed(t *testing.T) (a *Layer, c, peer *Conn, full []byte) {
	t.Helper()
	left, right := link.NewCable(link.CableConfig{Units: true})
	a = newSimHost(t, left, "10.0.0.1/24", 1, func(*config) {})
	b := newSimHost(t, right, "10.0.0.2/24", 2, func(*config) {})
	l, err := b.Listen(ListenConfig{Local: netip.MustParseAddrPort("10.0.0.2:9")})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = a.Dial(context.Background(), DialConfig{Remote: l.Local()}); err == nil {
		peer, err = l.Accept(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	full = make([]byte, chunk)
	for {
		_, wait, err := c.tryWrite(full)
		if err != nil {
			t.Fatal(err)
		}
		if wait.token != nil {
			break
		}
	}
	for !c.handed {
		if n, _, err := peer.tryRead(full, waiting{}); n == 0 || err != nil {
			t.Fatalf("all was read: %v", err)
		}
	}
	return a, c, peer, full
}

// What ends a connection is sent at once, and not left to who waits for room.
func TestResetIsNotHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c, peer, full := handed(t)
		c.SetLinger(0)
		c.Close()
		if n := a.Stats().Resets; n != 1 {
			t.Errorf("%d resets when Close has returned", n)
		}
		if i := peer.Info(); i.State != "CLOSED" {
			t.Errorf("the peer is in %v", i.State)
		}
		if _, _, err := c.tryWrite(full); err != net.ErrClosed {
			t.Errorf("who waited hears of %v", err)
		}
		if n := a.waiting.Load(); n != 0 {
			t.Errorf("%d wait for room", n)
		}
	})
}

// Who gives up waiting at that moment sends what he has been left to send all the same, and until then the timers run.
func TestWhatWasHandedOverIsSentByWhoGivesUp(t *testing.T) {
	ends := map[error]func(c *Conn){
		os.ErrDeadlineExceeded: func(c *Conn) { c.SetWriteDeadline(time.Unix(1, 0)) },
		net.ErrClosed:          func(c *Conn) { c.Close() },
		syscall.EPIPE:          func(c *Conn) { c.CloseWrite() },
	}
	for want, end := range ends {
		synctest.Test(t, func(t *testing.T) {
			a, c, peer, full := handed(t)
			if c.t.retransmit == 0 || c.due == 0 {
				t.Error("no timer runs")
			}
			end(c)
			before := c.Info()
			if _, _, err := c.tryWrite(full); err != want {
				t.Errorf("%v, want %v", err, want)
			}
			if after := c.Info(); before.Unsent < handLeast || before.Unsent-after.Unsent < handLeast {
				t.Errorf("%v: %d bytes to send before, %d after", want, before.Unsent, after.Unsent)
			}
			if n := a.waiting.Load(); n != 0 {
				t.Errorf("%d wait for room", n)
			}
			peer.Close()
			c.Close()
		})
	}
}
