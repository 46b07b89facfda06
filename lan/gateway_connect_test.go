package lan_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"landline/lan"
)

// A program of the computer reaches machines by their names, and hears why it does not.
func TestProgramsOfTheComputerReachMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forbidden := errors.New("not that port")
		s := newSite(t, lan.GatewayConfig{Allow: func(a lan.Ask) error {
			if a.Kind == lan.KindForward && a.Dst.Port() == 25 {
				return forbidden
			}
			return nil
		}})
		l, err := s.guest("shed", 3).Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(c, io.LimitReader(c, 5))
			c.Close()
		}()
		near, far := net.Pipe()
		done := make(chan error)
		go func() {
			done <- s.gateway.Connect(t.Context(), "SHED.lan:80", func() (net.Conn, error) { return far, nil })
		}()
		near.Write([]byte("hello"))
		if b, err := io.ReadAll(near); string(b) != "hello" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		last := s.events[len(s.events)-1]
		s.mu.Unlock()
		if last.Kind != lan.KindForward || last.Verdict != lan.Ended || last.Sent != 5 || last.Received != 5 {
			t.Errorf("what was told last is %+v", last)
		}
		_, noName := errors.AsType[*net.DNSError](s.connect(t, "desk:80"))
		if !noName {
			t.Error("there is a machine that is not there")
		}
		for to, want := range map[string]error{"shed:81": syscall.ECONNREFUSED, "10.77.0.99:80": syscall.EHOSTUNREACH, "shed:25": forbidden} {
			if err := s.connect(t, to); !errors.Is(err, want) {
				t.Errorf("%s: %v, not %v", to, err, want)
			}
		}
	})
}

// connect returns why there is no connection to a machine.
func (s *site) connect(t *testing.T, to string) error {
	return s.gateway.Connect(t.Context(), to, func() (net.Conn, error) {
		t.Errorf("%s answers", to)
		return nil, context.Canceled
	})
}

// Opening what a forward begins at may take long, as the computer's address can be a name: nobody else waits for it, and it is
// over with the gateway.
func TestForwardThatOpensSlowlyHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		s := newSite(t, lan.GatewayConfig{Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
			<-slow
			return net.Listen(network, address)
		}})
		opened := make(chan error)
		go func() {
			_, err := s.gateway.Forward(lan.Forward{Proto: "tcp", Local: "127.0.0.1:0", To: "shed:80"})
			opened <- err
		}()
		synctest.Wait()
		if all := s.gateway.Forwards(); len(all) != 0 {
			t.Errorf("%+v", all)
		}
		if err := s.gateway.Close(); err != nil {
			t.Error(err)
		}
		close(slow)
		if err := <-opened; !errors.Is(err, net.ErrClosed) {
			t.Errorf("opened when the gateway was closed: %v", err)
		}
	})
}
