package lan_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/lan"
	"landline/link"
)

// Two machines plug in, and have addresses, and find each other by names that are made unique, and so does who asks for the
// name of an address.
func TestGatewayGivesAddressesAndNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		a, b := s.guest("shed", 1), s.guest("Shed", 2)
		for _, c := range []struct{ name, want string }{
			{"shed", own(a, "dhcp").String()}, {"shed-2.LAN", own(b, "dhcp").String()}, {"gateway", "10.77.0.1"},
			{"nobody.lan", "lookup nobody.lan: no such host"},
		} {
			if got := look(t.Context(), a, c.name); !strings.Contains(got, c.want) {
				t.Errorf("%s is %s, want %s", c.name, got, c.want)
			}
		}
		if r, err := a.Ping(t.Context(), "shed-2", landline.PingConfig{}); err != nil || r.From != own(b, "dhcp") {
			t.Errorf("%+v, %v", r, err)
		}
		if got := s.gateway.Leases(); len(got) != 2 || got[0].Name != "shed" || got[1].Name != "shed-2" {
			t.Errorf("%+v", got)
		}
		if got := s.told(lan.KindLease); len(got) != 2 || got[0].Verdict != lan.Allowed || got[0].Name != "shed" {
			t.Errorf("%+v", got)
		}
		a.Close()
		if got := s.told(lan.KindLease); len(got) != 3 || got[2].Verdict != lan.Ended {
			t.Errorf("%+v", got)
		}
		if got := look(t.Context(), b, "shed.lan"); !strings.Contains(got, "no such host") {
			t.Errorf("after it has left: %s", got)
		}
	})
}

func TestGatewayAnswersOnceTheFarSideHas(t *testing.T) {
	for _, addr := range []string{worldAddr, "2001:db8::7"} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, lan.GatewayConfig{Addresses: addrs("10.77.0.1/24", "fd77::1/64")})
			guest := s.guest("shed", 1)
			time.Sleep(10 * time.Second) // until it has an IPv6 address
			l, err := s.world.Listen(t.Context(), "tcp", ":80")
			if err != nil {
				t.Fatal(err)
			}
			s.wire.Set(link.Impairment{Delay: time.Second}, link.Impairment{Delay: time.Second})
			start := time.Now()
			c, err := guest.DialContext(t.Context(), "tcp", net.JoinHostPort(addr, "80"))
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took < 2*time.Second {
				t.Errorf("open after %v, and the far side has not answered", took)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			// Each way ends by itself.
			c.Write([]byte("hello"))
			c.(*landline.TCPConn).CloseWrite()
			if b, err := io.ReadAll(far); string(b) != "hello" || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			go func() {
				far.Write(make([]byte, 300_000))
				far.Close()
			}()
			if n, err := io.Copy(io.Discard, c); n != 300_000 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			c.Close()
			time.Sleep(10 * time.Second)
			e := s.told(lan.KindTCP)
			if len(e) != 2 || e[0].Verdict != lan.Allowed || e[1].Verdict != lan.Ended || e[1].Sent != 5 || e[1].Received != 300_000 {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestGatewayTellsErrorsOfConnectionsApart(t *testing.T) {
	for to, c := range map[string]struct {
		want syscall.Errno
		why  error // that is told to who watches
	}{
		"192.0.2.7:81":   {syscall.ECONNREFUSED, syscall.ECONNREFUSED}, // nobody listens
		"192.0.2.99:80":  {syscall.EHOSTUNREACH, syscall.EHOSTUNREACH}, // there is no such machine
		"10.77.0.1:80":   {syscall.ECONNREFUSED, lan.ErrOwnAddress},
		"10.77.0.200:80": {syscall.EHOSTUNREACH, lan.ErrSameLAN},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, lan.GatewayConfig{})
			guest := s.guest("shed", 1)
			if to == "10.77.0.200:80" { // a machine that takes its neighbors for far away
				guest = s.narrow()
			}
			if _, err := guest.DialContext(t.Context(), "tcp", to); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", to, err, c.want)
			}
			e := s.told(lan.KindTCP) // the last may be of a SYN that is sent again
			if !slices.ContainsFunc(e, func(e lan.Event) bool { return errors.Is(e.Err, c.why) }) {
				t.Errorf("%s: %+v, want %v", to, e, c.why)
			}
		})
	}
}

func TestGatewayCarriesResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		guest := s.guest("shed", 1)
		l, err := s.world.Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		c, err := guest.DialContext(t.Context(), "tcp", worldAddr+":80")
		if err != nil {
			t.Fatal(err)
		}
		far, _ := l.Accept()
		far.(*landline.TCPConn).SetLinger(0)
		far.Close()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v", err)
		}
	})
}

// A thousand connections that nobody answers hold up nobody.
func TestBlackHoleDoesNotDelayOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *site
		s = newSite(t, lan.GatewayConfig{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "198.51.100.") {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return s.near.DialContext(ctx, network, address)
		}})
		guest := s.guest("shed", 1)
		if _, err := s.world.Listen(t.Context(), "tcp", ":80"); err != nil {
			t.Fatal(err)
		}
		const holes = 1000
		errs := make(chan error, holes)
		for k := range holes {
			go func() {
				_, err := guest.DialContext(t.Context(), "tcp", net.JoinHostPort("198.51.100."+string(rune('0'+k%10)), "80"))
				errs <- err
			}()
		}
		time.Sleep(time.Second)
		start := time.Now()
		c, err := guest.DialContext(t.Context(), "tcp", worldAddr+":80")
		if err != nil || time.Since(start) > 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		c.Close()
		for range holes {
			if err := <-errs; !errors.Is(err, syscall.EHOSTUNREACH) && !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("a black hole: %v", err)
			}
		}
	})
}

func TestGatewayCarriesDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		guest := s.guest("shed", 1)
		far, err := s.world.ListenUDP("udp", &net.UDPAddr{Port: 80})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			b := make([]byte, 9000)
			for {
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
		b := make([]byte, 9000)
		for _, size := range []int{0, 5, 8000} {
			c.Write(make([]byte, size))
			if n, err := c.Read(b); n != size || err != nil {
				t.Errorf("%d of %d bytes, %v", n, size, err)
			}
			time.Sleep(50 * time.Second)
		}
		if e := s.told(lan.KindUDP); len(e) != 1 {
			t.Errorf("while it is used: %+v", e)
		}
		time.Sleep(11 * time.Minute)
		if e := s.told(lan.KindUDP); len(e) != 2 || e[1].Verdict != lan.Ended || e[1].Sent != 8005 || e[1].Received != 8005 || e[1].Err != nil {
			t.Errorf("when it has been idle: %+v", e)
		}

		nobody, err := guest.DialContext(t.Context(), "udp", worldAddr+":81")
		if err != nil {
			t.Fatal(err)
		}
		defer nobody.Close()
		nobody.Write([]byte("hello"))
		if _, err := nobody.Read(b); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody is there, and %v", err)
		}
	})
}

// Who only sends keeps its flow too.
func TestFlowsLastWhileTheyAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		guest := s.guest("shed", 1)
		far, err := s.world.ListenUDP("udp", &net.UDPAddr{Port: 80})
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		c, err := guest.DialContext(t.Context(), "udp", worldAddr+":80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 5 {
			c.Write([]byte("hello"))
			time.Sleep(50 * time.Second)
		}
		if e := s.told(lan.KindUDP); len(e) != 1 {
			t.Errorf("%+v", e)
		}
	})
}

// A flow that nobody answers is kept for two minutes, or four if the last datagram came late in them.
func TestFlowsThatNobodyAnswersEndSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		guest := s.guest("shed", 1)
		for _, port := range []string{"80", "53"} {
			c, err := guest.DialContext(t.Context(), "udp", "192.0.2.99:"+port)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte("hello"))
		}
		for _, step := range []struct {
			wait time.Duration
			told int
		}{{15 * time.Second, 2}, {30 * time.Second, 3}, {70 * time.Second, 3}, {130 * time.Second, 4}} {
			time.Sleep(step.wait)
			if e := s.told(lan.KindUDP); len(e) != step.told {
				t.Errorf("after %v more: %+v", step.wait, e)
			}
		}
	})
}

// No machine takes all flows: there is always one left for another.
func TestFlowsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{MaxFlows: 6})
		if _, err := s.world.Listen(t.Context(), "tcp", ":80"); err != nil {
			t.Fatal(err)
		}
		var got []int
		for k := range 3 {
			guest, udp, tcp := s.guest("", uint64(k+1)), 0, 0
			for port := range 6 {
				before := len(s.told(lan.KindUDP))
				c, err := guest.DialContext(t.Context(), "udp", net.JoinHostPort("198.51.100.1", string(rune('1'+port))))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.Write([]byte("hello"))
				if e := s.told(lan.KindUDP)[before:]; len(e) == 1 && e[0].Verdict == lan.Allowed {
					udp++
				} else if len(e) != 1 || !errors.Is(e[0].Err, lan.ErrManyFlows) {
					t.Errorf("%+v", e)
				}
				if c, err := guest.DialContext(t.Context(), "tcp", worldAddr+":80"); err == nil {
					defer c.Close()
					tcp++
				}
			}
			if got = append(got, udp); tcp != udp {
				t.Errorf("%d connections, and %d flows", tcp, udp)
			}
		}
		if !slices.Equal(got, []int{3, 2, 1}) {
			t.Errorf("machines have %v", got)
		}
	})
}

// One function decides on all that the gateway does.
func TestOneFunctionDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := errors.New("not here")
		s := newSite(t, lan.GatewayConfig{Allow: func(a lan.Ask) error {
			switch {
			case a.Kind == lan.KindLease && a.Name == "thief", a.Name == "secret.example":
				return no
			case a.Dst.Port() == 25, a.Kind == lan.KindEcho:
				return no
			}
			return nil
		}})
		guest := s.guest("shed", 1)
		port, _ := s.lan.NewPort(lan.PortConfig{})
		thief := s.host(port, landline.Config{DHCP: true, Hostname: "thief", Seed: 2})
		time.Sleep(10 * time.Second)
		if a := own(thief, "dhcp"); a.IsValid() {
			t.Errorf("the thief has %v", a)
		}
		if got := look(t.Context(), guest, "secret.example"); !strings.Contains(got, "refused") {
			t.Errorf("%s", got)
		}
		if _, err := guest.DialContext(t.Context(), "tcp", worldAddr+":25"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v", err)
		}
		if _, err := guest.Ping(t.Context(), worldAddr, landline.PingConfig{}); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("%v", err)
		}
		for _, k := range []lan.Kind{lan.KindLease, lan.KindLookup, lan.KindTCP, lan.KindEcho} {
			e := s.told(k)
			if last := e[len(e)-1]; last.Verdict != lan.Refused || !errors.Is(last.Err, no) {
				t.Errorf("%s: %+v", k, last)
			}
		}
	})
}
