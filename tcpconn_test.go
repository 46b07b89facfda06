package landline_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

// connected returns two ends of a connection from a to b.
func connected(t testing.TB, a, b *landline.Host) (ca, cb *landline.TCPConn) {
	t.Helper()
	ca, cb, err := ends(a, b, "10.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ca.Close(); cb.Close() })
	return ca, cb
}

// ends returns both ends of a connection from a to an address of b.
func ends(a, b *landline.Host, address string) (ca, cb *landline.TCPConn, err error) {
	l, err := b.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	c, err := a.DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	d, err := l.Accept()
	if err != nil {
		return nil, nil, err
	}
	return c.(*landline.TCPConn), d.(*landline.TCPConn), nil
}

func TestTCPCarriesAStreamBothWays(t *testing.T) {
	for _, cable := range []link.CableConfig{{}, {Checksums: true}, {Units: true}, {MTU: 1280, Checksums: true}, {MTU: 65535, Checksums: true}} {
		synctest.Test(t, func(t *testing.T) {
			a, b := neighbors(t, cable)
			ca, cb := connected(t, a, b)
			const size = 3 << 20
			sent := make(chan [2][32]byte, 2)
			for k, c := range []*landline.TCPConn{ca, cb} {
				go func() {
					data := bytes.Repeat([]byte{byte(k), 1, 2, 3, 4, 5, 6}, size/7)
					if _, err := c.Write(data); err != nil {
						t.Error(err)
					}
					c.CloseWrite()
					sent <- [2][32]byte{sha256.Sum256(data)}
				}()
			}
			sums := map[[32]byte]bool{}
			for _, c := range []*landline.TCPConn{ca, cb} {
				data, err := io.ReadAll(c)
				if err != nil {
					t.Error(err)
				}
				sums[sha256.Sum256(data)] = true
			}
			for range 2 {
				if s := <-sent; !sums[s[0]] {
					t.Errorf("%+v: something else arrived", cable)
				}
			}
			ca.Close()
			cb.Close()
			a.Close()
			b.Close()
		})
	}
}

// lateContext ends when it is asked for the n-th time.
type lateContext struct {
	context.Context
	left int
}

func (c *lateContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Whenever the context ends, there is a connection or an error.
func TestTCPDialEndsWithItsContextAtAnyTime(t *testing.T) {
	h := newHost(t, nil, landline.Config{})
	l := must(h.Listen(t.Context(), "tcp", "127.0.0.1:0"))
	defer l.Close()
	for n := range 20 {
		c, err := h.DialContext(&lateContext{t.Context(), n}, "tcp", l.Addr().String())
		switch {
		case err == nil && c == nil:
			t.Errorf("asked %d times: neither a connection nor an error", n)
		case err == nil:
			c.Close()
		case !errors.Is(err, context.Canceled):
			t.Errorf("asked %d times: %v", n, err)
		}
	}
}

func TestTCPRefusesWhereNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := neighbors(t, link.CableConfig{})
		_, err := a.DialContext(context.Background(), "tcp", "10.0.0.2:81")
		var op *net.OpError
		if !errors.As(err, &op) || err.Error() != "dial tcp 10.0.0.2:81: connect: connection refused" {
			t.Errorf("%v", err)
		}
		b.Close()
		start := time.Now()
		_, err = a.DialContext(context.Background(), "tcp", "10.0.0.2:81")
		t.Log(err, time.Since(start))
		a.Close()
	})
}

// A client may use a port again at once if it was the server that closed first, and is in TIME-WAIT.
func TestTCPConnectionFollowsOneInTimeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := neighbors(t, link.CableConfig{})
		l, err := b.Listen(context.Background(), "tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		client := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 50000}
		for range 3 {
			c, err := a.DialTCP(context.Background(), "tcp", client, l.Addr().(*net.TCPAddr))
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(time.Minute))
			io.WriteString(c, "?")
			d, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			d.SetDeadline(time.Now().Add(time.Minute))
			if _, err := io.ReadFull(d, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			d.Close()
			if _, err := io.ReadAll(c); err != nil {
				t.Fatal(err)
			}
			c.Close()
			time.Sleep(time.Millisecond) // the next SYN is later, as it has to be (RFC 6191, Section 2)
		}
		l.Close()
		a.Close()
		b.Close()
	})
}

func TestTTLAndTOSAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := neighbors(t, link.CableConfig{})
		c, _ := connected(t, a, b)
		for _, set := range []func(int) error{c.SetTTL, c.SetTOS} {
			if err := set(64); err != nil {
				t.Error(err)
			}
			if err := set(256); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("256: %v", err)
			}
		}
		c.Close()
		if err := errors.Join(c.SetTTL(1), c.SetTOS(1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// As in package net, a connection asks its peer by itself, every 15 seconds, and gives it up when it has not answered 9
// times. Unlike RFC 9293, Section 3.8.4 (MUST-25, MUST-28), because that is what programs written for package net expect.
func TestSilentPeersAreAskedForAsByPackageNet(t *testing.T) {
	for keep, want := range map[bool]time.Duration{true: 15*time.Second + 9*15*time.Second, false: 1000 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			end, other := link.NewCable(link.CableConfig{})
			wire := link.Impair(end, link.Impairment{}, link.Impairment{})
			a := newHost(t, wire, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1})
			b := newHost(t, other, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, Seed: 2})
			c, _ := connected(t, a, b)
			if !keep {
				c.SetKeepAlive(false)
			}
			wire.Set(link.Impairment{Loss: 1}, link.Impairment{Loss: 1})
			began := time.Now()
			c.SetReadDeadline(began.Add(1000 * time.Hour))
			_, err := c.Read(make([]byte, 1))
			if d := time.Since(began).Round(time.Second); d != want || errors.Is(err, syscall.ETIMEDOUT) != keep {
				t.Errorf("asked for: %v: %v after %v", keep, err, d)
			}
		})
	}
}

// As in ss: who listens, how many wait there, and by which interface a link-local address is reached.
func TestConnsListListenersAndZones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := neighbors(t, link.CableConfig{})
		time.Sleep(3 * time.Second) // until the link-local addresses may be used
		l := must(b.ListenTCP("tcp", &net.TCPAddr{Port: 700}))
		defer l.Close()
		var local netip.Addr
		for _, own := range b.Addresses() {
			if own.Prefix.Addr().IsLinkLocalUnicast() {
				local = own.Prefix.Addr()
			}
		}
		c := must(a.DialContext(t.Context(), "tcp", net.JoinHostPort(local.WithZone(a.Interfaces()[1].Name).String(), "700")))
		synctest.Wait()
		list := func(h *landline.Host) string {
			var all []string
			for _, i := range h.Conns() {
				zones := i.Local.Addr().Zone() + " " + i.Remote.Addr().Zone()
				all = append(all, i.State+" "+strings.ReplaceAll(zones, h.Interfaces()[1].Name, "zone"))
			}
			return strings.Join(all, ", ")
		}
		if got := b.Conns()[0]; got.Local.String() != "[::]:700" || got.Remote.IsValid() || got.Unread != 1 || got.ReceiveBuffer != 4096 {
			t.Errorf("%+v", got)
		}
		if got := list(b); got != "LISTEN  , ESTABLISHED zone zone" {
			t.Errorf("at the listener %q", got)
		}
		c.Close()
		must(l.AcceptTCP()).Close()
		synctest.Wait()
		if got := list(a); got != "TIME-WAIT zone zone" {
			t.Errorf("after the end %q", got)
		}
	})
}

// As on Linux, where package net does not mind a buffer of less than nothing, and TCP_USER_TIMEOUT does.
func TestWhatIsLessThanNothingIsRefusedAsOnLinux(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := neighbors(t, link.CableConfig{})
		c, _ := connected(t, a, b)
		before := c.Info()
		if err := errors.Join(c.SetReadBuffer(-5), c.SetWriteBuffer(-5), c.SetReadBuffer(0)); err != nil {
			t.Error(err)
		}
		if after := c.Info(); after.ReceiveBuffer != before.ReceiveBuffer || after.SendBuffer != before.SendBuffer {
			t.Errorf("%+v", after)
		}
		c.SetReadBuffer(1 << 40)
		if got := c.Info().ReceiveBuffer; got != 512<<20 {
			t.Errorf("%d bytes", got)
		}
		if err := c.SetUserTimeout(-1); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%v", err)
		}
	})
}
