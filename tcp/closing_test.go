package tcp_test

import (
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/ip"
	"landline/link"
	"landline/tcp"
	"landline/wire"
)

// onePort takes all ephemeral ports of a but one.
func onePort(t *testing.T, a *machine) (free uint16) {
	t.Helper()
	free = ip.EphemeralPort(0)
	for k := range uint64(ip.EphemeralPorts) {
		if p := ip.EphemeralPort(k); p != free {
			a.listen(t, tcp.ListenConfig{Local: netip.AddrPortFrom(netip.IPv4Unspecified(), p), Backlog: 1})
		}
	}
	return free
}

func states(m *machine) (all []string) {
	for _, i := range m.Conns() {
		all = append(all, i.State)
	}
	return all
}

// Where timestamps tell new segments from old ones, a port in TIME-WAIT is taken for the next connection after a
// second; otherwise after two lifetimes of a segment.
func TestDialTakesAPortOutOfTimeWait(t *testing.T) {
	for _, c := range []struct {
		ways  tcp.Ways
		after time.Duration
	}{
		{tcp.Ways{}, time.Second},
		{tcp.Ways{NoTimestamps: true}, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := machinesLike(t, link.CableConfig{}, tcp.Config{Ways: c.ways}, tcp.Config{})
			l := b.listen(t, tcp.ListenConfig{})
			port := onePort(t, a)
			for range 3 {
				ca := a.dial(t, tcp.DialConfig{})
				if ca.Local().Port() != port {
					t.Fatalf("from %v", ca.Local())
				}
				if _, err := a.Dial(ctx, tcp.DialConfig{Remote: local}); err != syscall.EADDRNOTAVAIL {
					t.Errorf("two connections have the same ends: %v", err)
				}
				cb, err := l.Accept(ctx)
				if err != nil {
					t.Fatal(err)
				}
				write(ca, "some")
				ca.Close()
				if got, err := io.ReadAll(reader{cb}); err != nil || string(got) != "some" {
					t.Errorf("%q, %v", got, err)
				}
				cb.Close()
				synctest.Wait()
				time.Sleep(c.after - time.Millisecond)
				if _, err := a.Dial(ctx, tcp.DialConfig{Remote: local}); err != syscall.EADDRNOTAVAIL {
					t.Errorf("%v: %v before its time", c.ways, err)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
}

// reader makes io.ReadAll see a Conn as what it reads from alone.
type reader struct{ c *tcp.Conn }

func (r reader) Read(b []byte) (int, error) { return r.c.Read(b) }

// Who closed first waits, and who closed last is done.
func TestOnlyWhoClosesFirstWaits(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		ca, cb := connected(t, a, b)
		ca.CloseWrite()
		carries(t, cb, ca) // the other direction goes on
		if err := read(cb); err != io.EOF {
			t.Errorf("behind the end: %v", err)
		}
		cb.CloseWrite()
		if err := read(ca); err != io.EOF {
			t.Errorf("behind the end: %v", err)
		}
		synctest.Wait()
		if s := states(a); len(s) != 1 || s[0] != "TIME-WAIT" {
			t.Errorf("who closed first: %v", s)
		}
		if s := states(b); len(s) != 0 {
			t.Errorf("who closed last: %v", s)
		}
		time.Sleep(time.Minute + time.Millisecond)
		if s := states(a); len(s) != 0 {
			t.Errorf("a minute later: %v", s)
		}
	})
}

// Both close before they hear of the other: both are in CLOSING, and both wait.
func TestBothCloseAtOnce(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		ca, cb := connected(t, a, b)
		held := make(chan struct{})
		a.wire.watch(func(s wire.TCP) bool {
			if s.Flags().Has(wire.FlagFIN) {
				<-held
			}
			return true
		})
		done := make(chan error)
		go func() { done <- ca.Close() }()
		synctest.Wait()
		cb.Close()
		if s := states(a); len(s) != 1 || s[0] != "CLOSING" {
			t.Errorf("%v", s)
		}
		close(held)
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if sa, sb := states(a), states(b); len(sa) != 1 || len(sb) != 1 || sa[0] != "TIME-WAIT" || sb[0] != "TIME-WAIT" {
			t.Errorf("%v and %v", sa, sb)
		}
	})
}

// Two that dial each other from fixed ports get one connection (RFC 9293, Section 3.5, Figure 7).
func TestBothOpenAtOnce(t *testing.T) {
	for _, c := range []link.CableConfig{{Checksums: true}, {Units: true}} {
		synctest.Test(t, func(t *testing.T) {
			left, right := link.NewCable(c)
			far := link.Impairment{Delay: 50 * time.Millisecond}
			a := newMachine(t, link.Impair(left, far, far), "10.0.0.1/24", tcp.Config{})
			b := newMachine(t, right, "10.0.0.2/24", tcp.Config{})
			here, there := netip.MustParseAddrPort("10.0.0.1:1111"), netip.MustParseAddrPort("10.0.0.2:2222")
			type end struct {
				c   *tcp.Conn
				err error
			}
			ends := make(chan end)
			go func() {
				c, err := b.Dial(ctx, tcp.DialConfig{Local: there, Remote: here})
				ends <- end{c, err}
			}()
			ca, err := a.Dial(ctx, tcp.DialConfig{Local: here, Remote: there})
			e := <-ends
			if err := errors.Join(err, e.err); err != nil {
				t.Fatal(err)
			}
			carries(t, ca, e.c)
			carries(t, e.c, ca)
			for _, m := range []*machine{a, b} {
				if s := states(m); len(s) != 1 || s[0] != "ESTABLISHED" {
					t.Errorf("%v", s)
				}
			}
			if i := ca.Info(); !i.Timestamps || !i.SACK || !i.Scaling {
				t.Errorf("%+v", i)
			}
		})
	}
}
