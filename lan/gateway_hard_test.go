package lan_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/dhcp"
	"landline/dns"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

// A machine that makes up clients leaves addresses for those at other ports, and they for it.
func TestAddressesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{Addresses: addrs("10.77.0.1/27")}) // 30 addresses, one of them the gateway's
		c := newCrowd(t, s)
		took := 0
		for k := range 40 {
			if offer := c.ask(k, dhcp.Discover, "", netip.Addr{}); offer != nil {
				c.given[k] = c.ask(k, dhcp.Request, "", offer.YIAddr()).YIAddr()
				took++
			}
		}
		if took != 15 {
			t.Errorf("one port has %d addresses", took)
		}
		if e := s.told(lan.KindLease); !errors.Is(e[len(e)-1].Err, lan.ErrManyLeases) {
			t.Errorf("%+v", e[len(e)-1])
		}
		s.guest("shed", 1)
		if a := c.ask(3, dhcp.Request, "", c.given[3]); a == nil || a.Type() != dhcp.ACK {
			t.Errorf("who has one already: %v", a)
		}
	})
}

// everyFrame is what machines send to a gateway, whose hardware address is to.
func everyFrame(to, from wire.MAC) (all [][]byte) {
	add := func(t wire.EtherType, packet []byte) {
		for _, dst := range []wire.MAC{to, wire.Broadcast} {
			all = append(all, append(wire.AppendEthernet(nil, dst, from, t), packet...))
		}
	}
	four := func(proto wire.Protocol, dst string, payload []byte) {
		h := &wire.IPv4Header{TTL: 64, Protocol: proto, Src: netip.MustParseAddr("10.77.0.99"), Dst: netip.MustParseAddr(dst)}
		add(wire.TypeIPv4, append(wire.AppendIPv4(nil, h, len(payload)), payload...))
	}
	six := func(proto wire.Protocol, dst string, payload []byte) {
		h := &wire.IPv6Header{HopLimit: 255, NextHeader: proto, Src: netip.MustParseAddr("fd77::99"), Dst: netip.MustParseAddr(dst)}
		add(wire.TypeIPv6, append(wire.AppendIPv6(nil, h, len(payload)), payload...))
	}
	udp := func(port uint16, data []byte) []byte {
		return append(wire.AppendUDP(nil, 68, port, len(data)), data...)
	}
	name, _ := dns.ParseName("shed.lan")
	for _, k := range []dhcp.Type{dhcp.Discover, dhcp.Request, dhcp.Decline, dhcp.Release, dhcp.Inform} {
		m := dhcp.AppendType(dhcp.AppendHeader(nil, &dhcp.Header{Op: dhcp.OpRequest, CHAddr: from}), k)
		m = dhcp.AppendAddrs(m, dhcp.OptRequestedAddr, netip.MustParseAddr("10.77.0.50"))
		four(wire.ProtoUDP, "255.255.255.255", udp(67, append(m, 255)))
	}
	four(wire.ProtoUDP, "10.77.0.1", udp(53, dns.AppendQuery(nil, 7, name, dns.TypeA)))
	six(wire.ProtoUDP, "fd77::1", udp(53, dns.AppendQuery(nil, 7, name, dns.TypeAAAA)))
	four(wire.ProtoUDP, "192.0.2.9", udp(80, []byte("hello")))
	six(wire.ProtoUDP, "2001:db8::9", udp(80, []byte("hello")))
	syn := wire.AppendTCP(nil, &wire.TCPHeader{SrcPort: 1, DstPort: 80, Flags: wire.FlagSYN, Window: 500}, nil)
	four(wire.ProtoTCP, "192.0.2.9", syn)
	four(wire.ProtoTCP, "10.77.0.1", syn)
	six(wire.ProtoTCP, "2001:db8::9", syn)
	ping := wire.AppendICMPv4(nil, wire.ICMPv4Echo, 0, wire.EchoRest(1, 2), []byte("hello"))
	four(wire.ProtoICMP, "192.0.2.9", ping)
	four(wire.ProtoICMP, "10.77.0.1", ping)
	six(wire.ProtoICMPv6, "2001:db8::9", wire.AppendICMPv6(nil, wire.ICMPv6Echo, 0, 7, []byte("hello")))
	six(wire.ProtoICMPv6, "ff02::1:ff00:1", solicit("fd77::1"))
	six(wire.ProtoICMPv6, "ff02::1", advert("fd77::99"))
	six(wire.ProtoICMPv6, "ff02::2", wire.AppendRouterSolicit(nil))
	add(wire.TypeARP, arp(from, "10.77.0.99"))
	return all
}

// spoil changes a frame in up to four places behind its addresses, or cuts it.
func spoil(random *rand.Rand, b []byte) []byte {
	for range 1 + random.IntN(4) {
		at := 12 + random.IntN(len(b)-12)
		switch random.IntN(4) {
		case 0:
			b[at] ^= 1 << random.IntN(8)
		case 1:
			b[at] = byte(random.Uint32())
		case 2:
			b[at] = 0xff
		case 3:
			b = b[:max(at, wire.EthernetLen)]
		}
		if len(b) == wire.EthernetLen {
			break
		}
	}
	return b
}

// A million frames of every kind, each with something wrong, do the gateway no harm, and neither those who talk beside: what
// they send each other arrives as it is, and names are found. In the end nothing is kept.
func TestSpoiltFramesHarmNobody(t *testing.T) {
	frames := 1_000_000
	if raceEnabled {
		frames = 100_000
	}
	for _, checked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, lan.GatewayConfig{
				Addresses: addrs("10.77.0.1/24", "fd77::1/64"), CheckSources: checked,
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					if network == "tcp" {
						return nil, syscall.ECONNREFUSED
					}
					near, far := net.Pipe()
					go io.Copy(io.Discard, far)
					return near, nil
				},
			})
			a, b := s.guest("shed", 1), s.guest("desk", 2)
			bad, port := join(t, s.lan, lan.PortConfig{Flood: -1})
			var gateway wire.MAC
			for _, p := range s.lan.Ports() {
				if p.Info().Name == "gateway" {
					gateway = p.Info().MAC
				}
			}
			kinds, random := everyFrame(gateway, bad.mac), rand.New(rand.NewPCG(1, 2))
			l, err := a.Listen(t.Context(), "tcp", ":80")
			if err != nil {
				t.Fatal(err)
			}
			c, err := b.DialContext(t.Context(), "tcp", "shed.lan:80")
			if err != nil {
				t.Fatal(err)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			sent, got, most := make([]byte, 4096), make([]byte, 4096), 0
			batch := make([]link.Frame, 100)
			for k := 0; k < frames/2; k += len(batch) {
				for i := range batch {
					f := kinds[random.IntN(len(kinds))]
					batch[i] = link.Frame{Head: spoil(random, bytes.Clone(f))}
				}
				bad.send(batch...)
				if k/len(batch)%50 != 0 {
					continue
				}
				bad.numbers()
				for i := range sent {
					sent[i] = byte(random.Uint32())
				}
				go c.Write(sent)
				if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, sent) {
					t.Fatalf("after %d: %v", k, err)
				}
				if text := look4(t.Context(), b, "shed.lan"); text != own(a, "dhcp").String() {
					t.Fatalf("after %d: shed.lan is %s", k, text)
				}
				most = max(most, runtime.NumGoroutine())
			}
			if in := port.Stats().In; in != uint64(frames/2) || most > 30_000 {
				t.Errorf("%d frames, and %d goroutines", in, most)
			}
			s.guest("late", 3)
			port.Close()
			time.Sleep(3 * time.Hour)
			if leases := s.gateway.Leases(); len(leases) != 3 {
				t.Errorf("%d leases", len(leases))
			}
			if n := runtime.NumGoroutine(); n > 100 {
				t.Errorf("%d goroutines in the end", n)
			}
		})
	}
}
