package lan_test

import (
	"net/netip"
	"slices"
	"testing"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

// ethernet makes a frame of a packet, which is copied.
func ethernet(from wire.MAC, t wire.EtherType, packet []byte) link.Frame {
	return link.Frame{Head: append(wire.AppendEthernet(nil, wire.Broadcast, from, t), packet...)}
}

func ipv4(src string) []byte {
	return wire.AppendIPv4(nil, &wire.IPv4Header{TTL: 1, Protocol: wire.ProtoUDP, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr("10.0.0.9")}, 0)
}

func ipv6(src string, p wire.Protocol, payload []byte) []byte {
	h := &wire.IPv6Header{NextHeader: p, HopLimit: 255, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr("ff02::1")}
	return append(wire.AppendIPv6(nil, h, len(payload)), payload...)
}

func arp(mac wire.MAC, ip string) []byte {
	return wire.AppendARP(nil, wire.ARPReply, mac, netip.MustParseAddr(ip), wire.MAC{}, netip.MustParseAddr("10.0.0.9"))
}

func advert(target string) []byte {
	return wire.AppendNeighborAdvert(nil, wire.NeighborOverride, netip.MustParseAddr(target))
}

func tag(f link.Frame, tags int) link.Frame {
	for range tags {
		f.Head = slices.Insert(slices.Clone(f.Head), 12, 0x81, 0, 0, 0)
	}
	return f
}

func TestSourcesAreChecked(t *testing.T) {
	mine, other := wire.MAC{2, 1}, wire.MAC{2, 2}
	all := &lan.Sources{MACs: []wire.MAC{mine}, Prefixes: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("fd00::/64"), netip.MustParsePrefix("fe80::1/128"),
	}}
	onlyMAC, onlyIP := &lan.Sources{MACs: all.MACs}, &lan.Sources{Prefixes: all.Prefixes}
	const mac, ip = "source mac", "source ip"
	cut := ethernet(mine, wire.TypeIPv4, ipv4("10.0.0.1")[:19])
	split := ethernet(mine, wire.TypeIPv4, wire.AppendIPv4(nil, &wire.IPv4Header{TTL: 1, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.9")}, 100))
	split.Body = make([]byte, 100)
	for _, c := range []struct {
		what              string
		frame             link.Frame
		all, macOnly, ips string // why it is dropped by each of the three
	}{
		{"its own", frame(wire.Broadcast, mine, 0), "", "", ""},
		{"another address", frame(wire.Broadcast, other, 0), mac, mac, ""},
		{"IPv4", ethernet(mine, wire.TypeIPv4, ipv4("10.0.0.1")), "", "", ""},
		{"IPv4, in two pieces", split, "", "", ""},
		{"IPv4, of another", ethernet(mine, wire.TypeIPv4, ipv4("10.0.0.2")), ip, "", ip},
		{"IPv4, without address", ethernet(mine, wire.TypeIPv4, ipv4("0.0.0.0")), "", "", ""},
		{"IPv4, cut off", cut, ip, "", ip},
		{"IPv4, tagged", tag(ethernet(mine, wire.TypeIPv4, ipv4("10.0.0.1")), 2), "", "", ""},
		{"IPv4, of another, tagged", tag(ethernet(mine, wire.TypeIPv4, ipv4("10.0.0.2")), 2), ip, "", ip},
		{"more tags than can be read", tag(ethernet(mine, wire.TypeIPv4, ipv4("10.0.0.1")), 3), ip, "", ip},
		{"ARP", ethernet(mine, wire.TypeARP, arp(mine, "10.0.0.1")), "", "", ""},
		{"ARP, of another machine", ethernet(mine, wire.TypeARP, arp(other, "10.0.0.1")), mac, mac, ""},
		{"ARP, of another address", ethernet(mine, wire.TypeARP, arp(mine, "10.0.0.2")), ip, "", ip},
		{"ARP, a probe", ethernet(mine, wire.TypeARP, arp(mine, "0.0.0.0")), "", "", ""},
		{"ARP, cut off", ethernet(mine, wire.TypeARP, arp(mine, "10.0.0.1")[:20]), ip, ip, ip},
		{"IPv6", ethernet(mine, wire.TypeIPv6, ipv6("fd00::77", wire.ProtoUDP, nil)), "", "", ""},
		{"IPv6, of another", ethernet(mine, wire.TypeIPv6, ipv6("fd00:1::77", wire.ProtoUDP, nil)), ip, "", ip},
		{"IPv6, link-local", ethernet(mine, wire.TypeIPv6, ipv6("fe80::1", wire.ProtoUDP, nil)), "", "", ""},
		{"IPv6, link-local of another", ethernet(mine, wire.TypeIPv6, ipv6("fe80::2", wire.ProtoUDP, nil)), ip, "", ip},
		{"IPv6, without address", ethernet(mine, wire.TypeIPv6, ipv6("::", wire.ProtoICMPv6, nil)), "", "", ""},
		{"IPv6, cut off", ethernet(mine, wire.TypeIPv6, ipv6("fd00::77", wire.ProtoUDP, nil)[:39]), ip, "", ip},
		{"neighbor", ethernet(mine, wire.TypeIPv6, ipv6("fd00::77", wire.ProtoICMPv6, advert("fd00::77"))), "", "", ""},
		{"neighbor, of another", ethernet(mine, wire.TypeIPv6, ipv6("fd00::77", wire.ProtoICMPv6, advert("fe80::2"))), ip, "", ip},
		{"neighbor, cut off", ethernet(mine, wire.TypeIPv6, ipv6("fd00::77", wire.ProtoICMPv6, advert("fd00::77")[:20])), ip, "", ip},
	} {
		for sources, want := range map[*lan.Sources]string{all: c.all, onlyMAC: c.macOnly, onlyIP: c.ips, nil: ""} {
			s := newSwitch(t, lan.Config{})
			var d raw
			p, err := s.Plug(&d, lan.PortConfig{Sources: sources})
			if err != nil {
				t.Fatal(err)
			}
			m, _ := join(t, s, lan.PortConfig{})
			d.handler.Receive([]link.Frame{c.frame})
			dropped := map[string]uint64{}
			if want != "" {
				dropped[want] = 1
			}
			if drops(t, p, dropped); len(m.heard) == 1 != (want == "") || t.Failed() {
				t.Fatalf("%s, %+v: %d frames arrived", c.what, sources, len(m.heard))
			}
			if n := p.Stats().Addresses; want != "" && n != 0 {
				t.Errorf("%s: learnt from", c.what)
			}
		}
	}
}

func TestSourcesAreReplacedAtOnce(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, port := join(t, s, lan.PortConfig{})
	b, _ := join(t, s, lan.PortConfig{})
	list := &lan.Sources{MACs: []wire.MAC{{2, 9}}}
	for i, sources := range []*lan.Sources{nil, list, {MACs: []wire.MAC{a.mac}}, {Prefixes: []netip.Prefix{}}, nil} {
		port.SetSources(sources)
		if i == 1 {
			list.MACs[0] = a.mac // it was copied
		}
		a.send(ethernet(a.mac, wire.TypeIPv4, ipv4("10.0.0.1")))
		if got, want := len(b.numbers()), []int{1, 0, 1, 0, 1}[i]; got != want {
			t.Errorf("step %d: %d frames", i, got)
		}
	}
}
