package landline_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

// What is over takes no memory: what connections kept is given back, whoever ended them.
func TestMemoryIsGivenBack(t *testing.T) {
	ends := map[string]func(c *landline.TCPConn){
		"in good order": func(c *landline.TCPConn) { c.Close() },
		"by a reset":    func(c *landline.TCPConn) { c.SetLinger(0); c.Close() },
	}
	for name, end := range ends {
		synctest.Test(t, func(t *testing.T) {
			a, b := neighbors(t, link.CableConfig{})
			for k := range 50 {
				ca, cb := connected(t, a, b)
				go func() { ca.Write(make([]byte, 100_000)); end(ca) }()
				if k%2 == 0 {
					io.Copy(io.Discard, cb)
				} else {
					time.Sleep(time.Second) // what came is never read
				}
				cb.Close()
			}
			time.Sleep(10 * time.Minute)
			for _, h := range []*landline.Host{a, b} {
				if n, m := len(h.Conns()), h.Stats().TCP.Memory; n != 0 || m != 0 {
					t.Errorf("%s: %d connections, %d bytes", name, n, m)
				}
			}
		})
	}
}

// A valve is a device that takes nothing while it is shut.
type valve struct {
	link.Device
	shut atomic.Bool
	h    link.Handler
}

func (v *valve) Attach(h link.Handler) { v.h = h; v.Device.Attach(h) }

func (v *valve) Write(f []link.Frame) (int, error) {
	if v.shut.Load() {
		return 0, nil
	}
	return v.Device.Write(f)
}

func (v *valve) open() { v.shut.Store(false); v.h.Room() }

// valved makes two hosts, with a valve before the first.
func valved(t *testing.T) (v *valve, a, b *landline.Host, far *link.Impaired) {
	x, y := link.NewCable(link.CableConfig{})
	v = &valve{Device: x}
	far = link.Impair(y, link.Impairment{}, link.Impairment{})
	a = newHost(t, v, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1})
	b = newHost(t, far, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, Seed: 2})
	return v, a, b, far
}

// A slow device is long about what it is given, from some time on.
type slow struct {
	link.Device
	from time.Time
	done chan struct{}
}

func (s *slow) Write(f []link.Frame) (int, error) {
	if time.Now().After(s.from) {
		<-s.done
	}
	return s.Device.Write(f)
}

// While the reset is sent that ends a connection without an answer, who reads hears why it has ended.
func TestTimeoutIsHeardWhileTheResetIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := link.NewCable(link.CableConfig{})
		s := &slow{x, time.Now().Add(2500 * time.Millisecond), make(chan struct{})}
		far := link.Impair(y, link.Impairment{}, link.Impairment{})
		a := newHost(t, s, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true})
		b := newHost(t, far, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, NoIPv6: true, Seed: 2})
		ca, _ := connected(t, a, b)
		ca.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 1})
		far.Set(link.Impairment{Loss: 1}, link.Impairment{Loss: 1})
		time.Sleep(3500 * time.Millisecond)
		if _, err := ca.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("Read: %v", err)
		}
		close(s.done)
	})
}

// While the device takes nothing, a reset must not look like the end of the stream.
func TestResetIsHeardWhileTheDeviceIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, a, b, _ := valved(t)
		ca, cb := connected(t, a, b)
		v.shut.Store(true)
		ca.Write([]byte("x"))
		done := make(chan error)
		go func() { _, err := ca.Read(make([]byte, 1)); done <- err }()
		synctest.Wait()
		cb.SetLinger(0)
		cb.Close()
		if err := <-done; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Read: %v", err)
		}
		if _, err := ca.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write after it: %v", err)
		}
		v.open()
		if n := len(a.Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestRefusalIsHeardWhileTheDeviceIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, a, _, far := valved(t)
		a.DialContext(t.Context(), "tcp", "10.0.0.2:9") // finds the neighbor
		far.Set(link.Impairment{Delay: 1500 * time.Millisecond}, link.Impairment{})
		time.AfterFunc(500*time.Millisecond, func() { v.shut.Store(true) })
		if _, err := a.DialContext(t.Context(), "tcp", "10.0.0.2:9"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v", err)
		}
		v.open()
	})
}

// Timers run while the device takes nothing.
func TestConnectionIsGivenUpWhileTheDeviceIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, a, b, _ := valved(t)
		ca, _ := connected(t, a, b)
		ca.SetUserTimeout(10 * time.Second)
		cc, _ := connected(t, a, b)
		v.shut.Store(true)
		ca.Write([]byte("x"))
		cc.Write([]byte("x"))
		start := time.Now()
		ca.SetReadDeadline(start.Add(time.Hour))
		if _, err := ca.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ca.Close()
		cc.Close()
		time.Sleep(time.Hour)
		if n := len(a.Conns()); n != 0 {
			t.Errorf("%d connections are left an hour after they were closed", n)
		}
		v.open()
	})
}

// A writer that is busy and a reader that waits hear, one of them at least, that the peer has reset.
func TestSomebodyHearsOfAReset(t *testing.T) {
	a, b := neighbors(t, link.CableConfig{})
	for range 100 {
		ca, cb := connected(t, a, b)
		errs := make(chan error, 2)
		go func() { _, err := ca.Read(make([]byte, 1)); errs <- err }()
		go func() {
			for buf := make([]byte, 64<<10); ; {
				if _, err := ca.Write(buf); err != nil {
					errs <- err
					return
				}
			}
		}()
		io.CopyN(io.Discard, cb, 200_000)
		cb.SetLinger(0)
		cb.Close()
		one, two := <-errs, <-errs
		if !errors.Is(one, syscall.ECONNRESET) && !errors.Is(two, syscall.ECONNRESET) {
			t.Fatalf("%v; %v", one, two)
		}
		ca.Close()
	}
}

func TestHostThatClosesEndsADial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _, far := valved(t)
		a.DialContext(t.Context(), "tcp", "10.0.0.2:9") // finds the neighbor
		far.Set(link.Impairment{Loss: 1}, link.Impairment{Loss: 1})
		done := make(chan error)
		go func() { _, err := a.DialContext(context.Background(), "tcp", "10.0.0.2:9"); done <- err }()
		synctest.Wait()
		a.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

// When memory is used up every connection still goes on, and no peer gives up a reader that pauses.
func TestConnectionsGoOnWithoutMemory(t *testing.T) {
	for _, cable := range []link.CableConfig{{Checksums: true}, {MTU: 9000, Checksums: true}, {Units: true}, {MTU: 65535, Checksums: true}} {
		synctest.Test(t, func(t *testing.T) {
			x, y := link.NewCable(cable)
			a := newHost(t, x, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1})
			b := newHost(t, y, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, Seed: 2, MemoryLimit: 64 << 10})
			ca, cb := connected(t, a, b) // which is promised a window before
			ca.Write(make([]byte, 1000))
			io.ReadFull(cb, make([]byte, 1000))
			for range 20 {
				ca, _ := connected(t, a, b)
				ca.SetWriteDeadline(time.Now().Add(time.Second))
				ca.Write(make([]byte, 1<<20))
			}
			if m := b.Stats().TCP.Memory; m > 2<<20 {
				t.Errorf("%+v: %d bytes of memory in use", cable, m)
			}
			wrote := make(chan error, 1)
			go func() {
				_, err := ca.Write(make([]byte, 1<<20))
				ca.CloseWrite()
				wrote <- err
			}()
			time.Sleep(20 * time.Minute)
			if n, err := io.Copy(io.Discard, cb); n != 1<<20 || err != nil {
				t.Errorf("%+v: %d bytes, %v", cable, n, err)
			}
			if err := <-wrote; err != nil {
				t.Errorf("%+v: %v", cable, err)
			}
		})
	}
}

// A service of the gateway itself does not take what is for others.
func TestGatewaysOwnServicesAreItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guest, l, g := gateway(t)
		ln, err := g.Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			p, err := l.Accept(t.Context())
			if err == nil && p.Dst().String() == "192.0.2.7:80" {
				p.Reject(syscall.EHOSTUNREACH)
			}
		}()
		if _, err := guest.DialContext(t.Context(), "tcp", "192.0.2.7:80"); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("%v", err)
		}
	})
}

// A router that was a gateway sends on again.
func TestRouterSendsOnAfterAGatewayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{})
		c, d := link.NewCable(link.CableConfig{})
		guest := newHost(t, a, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, Gateways: []netip.Addr{netip.MustParseAddr("10.0.0.1")}})
		g := newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, Seed: 2, Forwarding: true})
		if _, err := g.AddInterface(c, landline.InterfaceConfig{Addresses: prefixes("10.1.0.1/24"), Probes: -1}); err != nil {
			t.Fatal(err)
		}
		far := newHost(t, d, landline.Config{Addresses: prefixes("10.1.0.2/24"), Probes: -1, Seed: 3, Gateways: []netip.Addr{netip.MustParseAddr("10.1.0.1")}})
		ln, err := far.Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		l, err := g.ListenAny()
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan *landline.TCPConn, 1)
		go func() {
			p, _ := l.Accept(t.Context())
			c, _ := p.Accept()
			accepted <- c
		}()
		one, err := guest.DialContext(t.Context(), "tcp", "10.1.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		one.Write([]byte("a"))
		s := <-accepted
		if n, err := s.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("what was accepted does not go on: %v", err)
		}
		s.SetLinger(0)
		s.Close()
		one.Close()
		two, err := guest.DialContext(t.Context(), "tcp", "10.1.0.2:80")
		if err != nil {
			t.Fatalf("through the router: %v", err)
		}
		two.Close()
	})
}

func TestDialIsNeverConnectedToItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, landline.Config{})
		for range 29_000 { // more than there are ports
			c, err := h.DialContext(t.Context(), "tcp", "127.0.0.1:40000")
			if err == nil {
				t.Fatalf("%v is connected to %v", c.LocalAddr(), c.RemoteAddr())
			}
		}
	})
}

// A program that ends its host loses nothing that it wrote, if it asks for that.
func TestShutdownSendsWhatWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := link.NewCable(link.CableConfig{})
		slow := link.Impair(x, link.Impairment{Delay: 50 * time.Millisecond, Rate: 10_000_000, Loss: 0.01, Seed: 3}, link.Impairment{Delay: 50 * time.Millisecond})
		a := newHost(t, slow, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1})
		b := newHost(t, y, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, Seed: 2})
		ca, cb := connected(t, a, b)
		got := make(chan int64, 1)
		go func() {
			n, _ := io.Copy(io.Discard, cb)
			got <- n
		}()
		if _, err := ca.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		ca.Close()
		if err := a.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if n := <-got; n != 1<<20 {
			t.Errorf("%d bytes of %d", n, 1<<20)
		}
		if s := b.Stats().TCP; s.Received == 0 || s.Sent == 0 || s.Resent != 0 {
			t.Errorf("%+v", s)
		}
		if s := a.Stats().TCP; s.Resent == 0 || s.Sent < s.Resent {
			t.Errorf("%+v", s)
		}
	})
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, a, b, _ := valved(t)
		ca, _ := connected(t, a, b)
		v.shut.Store(true)
		ca.Write([]byte("x"))
		ca.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("it is not closed: %v", err)
		}
	})
}
