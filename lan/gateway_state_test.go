package lan_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/dns"
	"landline/lan"
)

// A gateway that is killed knows its leases when it starts again: the machines keep their addresses and names, though
// others come first.
func TestLeasesOutliveTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		s := newSite(t, lan.GatewayConfig{State: state})
		port, err := s.lan.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		mac := port.Info().MAC
		a := s.host(port, landline.Config{DHCP: true, Hostname: "shed", Seed: 1})
		if err := a.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		had := own(a, "dhcp")
		// It is killed: what it would write when it is closed goes to another place than what the next reads.
		kept, err := os.ReadFile(filepath.Join(state, "leases"))
		if err != nil {
			t.Fatal(err)
		}
		again := t.TempDir()
		if err := os.WriteFile(filepath.Join(again, "leases"), append(kept, "lease 10.77.0.9 cut"...), 0o600); err != nil {
			t.Fatal(err)
		}
		port.Unplug() // without a word
		a.Close()
		s.gateway.Close()
		s.gateway = s.start(lan.GatewayConfig{State: again, ResolvConf: s.resolv, DialContext: s.near.DialContext})
		if got := s.gateway.Leases(); len(got) != 1 || got[0].Addr != had || got[0].Name != "shed" || got[0].MAC != mac {
			t.Fatalf("%+v", got)
		}
		b := s.guest("shed", 2)
		if own(b, "dhcp") == had {
			t.Error("another machine has the address")
		}
		if port, err = s.lan.NewPort(lan.PortConfig{MAC: mac}); err != nil {
			t.Fatal(err)
		}
		a = s.host(port, landline.Config{DHCP: true, Hostname: "shed", Seed: 3})
		if err := a.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := own(a, "dhcp"); got != had {
			t.Errorf("%v, and before the gateway was killed %v", got, had)
		}
		if got := look4(t.Context(), b, "shed.lan"); got != had.String() {
			t.Errorf("the name is that of %s", got)
		}
	})
}

func TestLeasesThatCannotBeKeptAreNotGiven(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSwitch(t, lan.Config{})
	port, err := s.NewPort(lan.PortConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if g, err := lan.NewGateway(port, lan.GatewayConfig{State: file}); err == nil {
		g.Close()
		t.Error("the state is no folder, and nobody says so")
	}
	if len(s.Ports()) != 0 {
		t.Error("the port is still there")
	}
}

func TestGatewaysThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		cfg  lan.GatewayConfig
		want string
	}{
		{lan.GatewayConfig{Domain: "a..b"}, "not a domain name"},
		{lan.GatewayConfig{Records: map[string][]dns.Record{"a..b": {{Type: dns.TypeTXT}}}}, "not a domain name"},
		{lan.GatewayConfig{CheckSources: true}, "not at that switch"},
		{lan.GatewayConfig{Addresses: addrs("10.0.0.1/31")}, "not a network of IPv4"},
		{lan.GatewayConfig{Addresses: addrs("fd00::1/64")}, "no subnet"},
		{lan.GatewayConfig{Addresses: addrs("10.0.0.1/24", "224.0.0.1/24")}, "not one that a machine can have"},
	} {
		s := newSwitch(t, lan.Config{})
		port, err := s.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := lan.NewGateway(port, c.cfg)
		if err == nil {
			g.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestGatewayThatClosesEndsWhatGoesThroughIt(t *testing.T) {
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
		go guest.DialContext(t.Context(), "tcp", "192.0.2.99:80")
		u, _ := guest.DialContext(t.Context(), "udp", worldAddr+":80")
		u.Write([]byte("hello"))
		time.Sleep(time.Millisecond)
		if err := s.gateway.Close(); err != nil {
			t.Error(err)
		}
		for _, c := range []net.Conn{c, far} {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("it goes on")
			}
		}
		if err := s.gateway.Close(); err == nil {
			t.Error("closed twice")
		}
		guest.Close()
	})
}
