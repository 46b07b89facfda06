package lan_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/dns"
	"landline/lan"
)

// ask asks the gateway, by UDP or TCP.
func ask(t *testing.T, h *landline.Host, network, text string, typ dns.Type) dns.Message {
	t.Helper()
	name, err := dns.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := h.DialContext(ctx, network, "10.77.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	q := dns.AppendQuery(nil, 0x4711, name, typ)
	if network == "tcp" {
		q = append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...)
	}
	c.Write(q)
	b := make([]byte, 65536)
	n := 0
	if network == "udp" {
		n, err = c.Read(b)
	} else if _, err = io.ReadFull(c, b[:2]); err == nil {
		n, err = io.ReadFull(c, b[:binary.BigEndian.Uint16(b)])
	}
	if err != nil {
		t.Fatalf("%s by %s: %v", text, network, err)
	}
	m, err := dns.ParseMessage(b[:n])
	if err != nil || m.ID() != 0x4711 {
		t.Fatalf("%s by %s: %v", text, network, err)
	}
	return m
}

// count returns how many records an answer has.
func records(m dns.Message) (n int) {
	for r := m.Answers(); r.Next(); {
		n++
	}
	return n
}

func TestNamesOfTheLAN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{Addresses: addrs("10.77.0.1/24", "fd77::1/64"), Domain: "Home.Arpa"})
		guest := s.guest("shed", 1)
		time.Sleep(10 * time.Second)
		six := own(guest, "slaac")
		if !netip.MustParsePrefix("fd77::/64").Contains(six) {
			t.Fatalf("no address by the gateway's advertisement: %v", guest.Addresses())
		}
		for _, network := range []string{"udp", "tcp"} {
			for _, c := range []struct {
				name    string
				t       dns.Type
				code    dns.RCode
				records int
			}{
				{"shed.home.arpa", dns.TypeA, dns.Success, 1},
				{"shed.home.arpa", dns.TypeAAAA, dns.Success, 1},
				{"shed.home.arpa", 16, dns.Success, 0}, // there is the name, and no TXT
				{"gateway.home.arpa", dns.TypeAAAA, dns.Success, 1},
				{"home.arpa", dns.TypeA, dns.Success, 0},
				{"desk.home.arpa", dns.TypeA, dns.NXDomain, 0},
				{"a.shed.home.arpa", dns.TypeA, dns.NXDomain, 0},
				{"1.0.77.10.in-addr.arpa", dns.TypePTR, dns.Success, 1},
				{"2.0.77.10.in-addr.arpa", dns.TypePTR, dns.Success, 1},
				{"2.0.77.10.in-addr.arpa", dns.TypeA, dns.Success, 0},
				{"9.0.77.10.in-addr.arpa", dns.TypePTR, dns.NXDomain, 0},
				{"0.77.10.in-addr.arpa", dns.TypePTR, dns.Success, 0}, // which nobody else is asked about
				{"0.77.10.in-addr.arpa", dns.TypeNS, dns.Success, 1},
				{"home.arpa", dns.TypeSOA, dns.Success, 1},
				{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa", dns.TypePTR, dns.Success, 1},
			} {
				m := ask(t, guest, network, c.name, c.t)
				if m.RCode() != c.code || records(m) != c.records {
					t.Errorf("%s %v by %s: %v with %d records", c.name, c.t, network, m.RCode(), records(m))
				}
			}
		}
		name, _ := dns.ParseName("shed.home.arpa")
		if got := ask(t, guest, "udp", "SHED.Home.Arpa", dns.TypeAAAA).Addrs(name, dns.TypeAAAA); len(got) != 1 || got[0] != six {
			t.Errorf("AAAA is %v, want %v", got, six)
		}
	})
}

// Services and texts are those of the configuration, also for a machine that has a lease; what is not there is told apart.
func TestRecordsOfTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shed, _ := dns.ParseName("shed.lan")
		s := newSite(t, lan.GatewayConfig{Records: map[string][]dns.Record{
			"_http._tcp": {{Type: dns.TypeSRV, Port: 80, Target: shed}, {Type: dns.TypeSRV, Port: 8080, Priority: 1, Target: shed}},
			"shed":       {{Type: dns.TypeTXT, Texts: []string{"red"}}},
			"":           {{Type: dns.TypeTXT, Texts: []string{"all"}}},
			"printer":    {dns.AddrRecord(netip.MustParseAddr("10.77.0.200"))},
		}})
		guest := s.guest("shed", 1)
		for _, network := range []string{"udp", "tcp"} {
			for _, c := range []struct {
				name    string
				t       dns.Type
				code    dns.RCode
				records int
			}{
				{"_http._tcp.lan", dns.TypeSRV, dns.Success, 2},
				{"_HTTP._tcp.LAN", dns.TypeSRV, dns.Success, 2},
				{"_http._tcp.lan", dns.TypeTXT, dns.Success, 0},
				{"_tcp.lan", dns.TypeSRV, dns.Success, 0},
				{"_udp.lan", dns.TypeSRV, dns.NXDomain, 0},
				{"shed.lan", dns.TypeTXT, dns.Success, 1},
				{"shed.lan", dns.TypeA, dns.Success, 1},
				{"lan", dns.TypeTXT, dns.Success, 1},
				{"printer.lan", dns.TypeA, dns.Success, 1},
				{"200.0.77.10.in-addr.arpa", dns.TypePTR, dns.Success, 1},
			} {
				if m := ask(t, guest, network, c.name, c.t); m.RCode() != c.code || records(m) != c.records {
					t.Errorf("%s %v by %s: %v with %d records", c.name, c.t, network, m.RCode(), records(m))
				}
			}
		}
		s.guest("printer", 2)
		if got := look4(t.Context(), guest, "printer.lan"); got != "10.77.0.200" {
			t.Errorf("another machine took the name: %s", got)
		}
		if got := look4(t.Context(), guest, "printer-2.lan"); got != "10.77.0.3" {
			t.Errorf("that is called otherwise: %s", got)
		}
		if _, srv, err := guest.Resolver().LookupSRV(t.Context(), "http", "tcp", "lan"); err != nil || len(srv) != 2 || srv[0].Target != "shed.lan." || srv[0].Port != 80 {
			t.Errorf("%+v, %v", srv, err)
		}
	})
}

// All other names are asked of the computer's servers as they are now, records of all types.
func TestOtherNamesAreAskedOfTheWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		s.serveWorld(func(name string, typ dns.Type) (dns.RCode, []dns.Record) {
			switch {
			case name == "one.example." && typ == dns.TypeA:
				return dns.Success, []dns.Record{{Type: typ, TTL: 300, Addr: netip.MustParseAddr("203.0.113.1")}}
			case name == "one.example." && typ == dns.TypePTR: // stands for any other type
				return dns.Success, []dns.Record{{Type: typ, TTL: 300, Target: "\x01a\x00"}}
			case name == "one.example.":
				return dns.Success, nil
			case name == "many.example.":
				return dns.Success, make([]dns.Record, 200)
			case name == "some.example.":
				return dns.Success, make([]dns.Record, 50)
			case name == "broken.example.":
				return dns.ServFail, nil
			}
			return dns.NXDomain, nil
		})
		guest := s.guest("shed", 1)
		check := func(network, name string, typ dns.Type, code dns.RCode, n int, truncated bool) {
			t.Helper()
			m := ask(t, guest, network, name, typ)
			if m.RCode() != code || records(m) != n || m.Truncated() != truncated {
				t.Errorf("%s by %s: %v with %d records, truncated: %v", name, network, m.RCode(), records(m), m.Truncated())
			}
		}
		for _, network := range []string{"udp", "tcp"} {
			check(network, "one.example", dns.TypeA, dns.Success, 1, false)
			check(network, "one.example", dns.TypePTR, dns.Success, 1, false)
			check(network, "one.example", dns.TypeAAAA, dns.Success, 0, false)
			check(network, "none.example", dns.TypeA, dns.NXDomain, 0, false)
			check(network, "broken.example", dns.TypeA, dns.ServFail, 0, false)
		}
		check("udp", "many.example", dns.TypeA, dns.Success, 0, true)
		check("tcp", "many.example", dns.TypeA, dns.Success, 200, false)

		// Who does not say how much it takes gets 512 bytes at most.
		check("udp", "some.example", dns.TypeA, dns.Success, 50, false)
		c, err := guest.DialContext(t.Context(), "udp", "10.77.0.1:53")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		name, _ := dns.ParseName("some.example")
		q := dns.AppendQuery(nil, 7, name, dns.TypeA)
		q[11] = 0
		c.Write(q[:len(q)-11])
		b := make([]byte, 2000)
		n, err := c.Read(b)
		if err != nil || n > 512 || !dns.Message(b[:n]).Truncated() {
			t.Errorf("%d bytes, %v", n, err)
		}

		s.resolvers("192.0.2.99", worldAddr) // the first is not there
		check("udp", "one.example", dns.TypeA, dns.Success, 1, false)
		s.resolvers("192.0.2.99")
		check("udp", "one.example", dns.TypeA, dns.ServFail, 0, false)
	})
}

// A question that nobody answers delays none that somebody does.
func TestQuestionsWaitForNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		guest := s.guest("shed", 1)
		c, err := guest.DialContext(t.Context(), "udp", "10.77.0.1:53")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for k := range 100 {
			name, _ := dns.ParseName("a" + strings.Repeat("b", k%60) + ".example")
			c.Write(dns.AppendQuery(nil, uint16(k), name, dns.TypeA))
		}
		start := time.Now()
		if got := look(t.Context(), guest, "gateway.lan"); got != "10.77.0.1" || time.Since(start) > time.Second {
			t.Errorf("%s after %v", got, time.Since(start))
		}
	})
}

// A machine that asks for names without end, or keeps connections for that, leaves room for the questions of others.
func TestLookupsAreShared(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, lan.GatewayConfig{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}})
			greedy, other := s.guest("greedy", 1), s.guest("other", 2)
			name, _ := dns.ParseName("slow.example")
			for k := range 1100 {
				c, err := greedy.DialContext(t.Context(), network, "10.77.0.1:53")
				if err != nil {
					break // it is told that there are too many
				}
				defer c.Close()
				if network == "udp" {
					c.Write(dns.AppendQuery(nil, uint16(k), name, dns.TypeA))
				}
			}
			start := time.Now()
			if got := look(t.Context(), other, "gateway.lan"); got != "10.77.0.1" || time.Since(start) > time.Second {
				t.Errorf("%s: %s after %v", network, got, time.Since(start))
			}
		})
	}
}

// A computer that has taken the gateway for its name server, as it may by a TAP, does not make the gateway ask itself.
func TestGatewayDoesNotAskItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan string, 100)
		s := newSite(t, lan.GatewayConfig{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			asked <- address
			return nil, syscall.ECONNREFUSED
		}})
		guest := s.guest("shed", 1)
		s.resolvers("10.77.0.1", worldAddr)
		look(t.Context(), guest, "far.example")
		s.resolvers("10.77.0.1")
		if got := look(t.Context(), guest, "far.example"); !strings.Contains(got, "misbehaving") {
			t.Errorf("without any other name server: %s", got)
		}
		close(asked)
		others := 0
		for address := range asked {
			if address != worldAddr+":53" {
				t.Errorf("%s was asked", address)
			}
			others++
		}
		if others == 0 {
			t.Error("nobody was asked")
		}
	})
}
