package ip

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"landline/link"
	"landline/wire"
)

// sends sends a packet of the test's protocol.
func (l *lab) sends(src, dst netip.Addr, payload string, h Header) error {
	l.Helper()
	path, err := l.s.Path(src, dst, nil)
	if err != nil {
		return err
	}
	h.Protocol = testProto
	head := path.AppendHeader(nil, &h, len(payload))
	return path.Send([]link.Frame{{Head: head, Body: []byte(payload)}}, nil)
}

func TestPathsLeadWhereTheyShould(t *testing.T) {
	for _, c := range []struct {
		src, dst string
		want     string // source, interface, next hop; or an error
	}{
		{"", "10.0.0.2", "10.0.0.1 wall 10.0.0.2"},
		{"", "192.0.2.9", "10.0.0.1 wall 10.0.0.254"},
		{"", "198.51.100.7", "10.0.0.1 wall 10.0.0.253"},
		{"", "10.0.0.1", "10.0.0.1 lo -"},
		{"", "127.0.0.1", "127.0.0.1 lo -"},
		{"", "127.8.8.8", "127.0.0.1 lo -"}, // as on Linux
		{"", "0.0.0.0", "127.0.0.1 lo -"},
		{"", "10.0.0.255", "10.0.0.1 wall -"},
		{"", "255.255.255.255", "10.0.0.1 wall -"},
		{"", "224.0.0.251", "10.0.0.1 wall -"},
		{"10.0.0.1", "10.0.0.2", "10.0.0.1 wall 10.0.0.2"},
		{"10.0.0.9", "10.0.0.2", syscall.EADDRNOTAVAIL.Error()},
		{"0.0.0.0", "255.255.255.255", "0.0.0.0 wall -"},
		{"", "2001:db8::2", "2001:db8::1 wall 2001:db8::2"},
		{"", "2001:db8:9::9", syscall.ENETUNREACH.Error()},
		{"", "::1", "::1 lo -"},
		{"", "::", "::1 lo -"},
		{"", "ff02::fb%wall", "fe80::ff:fe00:1 wall -"},
		{"", "fe80::2%nowhere", syscall.ENETUNREACH.Error()},
		{"2001:db8::1", "10.0.0.2", syscall.ENETUNREACH.Error()},
		{"", "::ffff:10.0.0.2", "10.0.0.1 wall 10.0.0.2"},
	} {
		bubble(t, func(t *testing.T) {
			l := newLab(t, Config{}, InterfaceConfig{NoAutoconf: true})
			for _, r := range []Route{
				{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: addr("10.0.0.254")},
				{Dst: netip.MustParsePrefix("198.51.100.0/24"), Gateway: addr("10.0.0.253")},
			} {
				r.Interface = l.i.Index()
				if err := l.s.AddRoute(r); err != nil {
					t.Fatal(err)
				}
			}
			src := netip.Addr{}
			if c.src != "" {
				src = addr(c.src)
			}
			equal(t, c.src+" to "+c.dst, describePath(l.s.Path(src, addr(c.dst), nil)), c.want)
		})
	}
}

func describePath(p Path, err error) string {
	if err != nil {
		return err.Error()
	}
	next := "-"
	if p.next.IsValid() {
		next = p.next.String()
	}
	return p.Src().String() + " " + p.Interface().Name() + " " + next
}

func TestPathIsStaleAfterAChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		path, err := l.s.Path(netip.Addr{}, their4, nil)
		equal(t, "error", err, nil)
		equal(t, "at first", path.Stale(), false)
		l.s.AddRoute(Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: their4, Interface: l.i.Index()})
		equal(t, "with a route more", path.Stale(), true)
	})
}

// A host speaks to itself over the loopback, whatever the address, and nobody else hears it.
func TestHostSpeaksToItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		for a, from := range map[string]string{
			"127.0.0.1": "127.0.0.1", "127.1.2.3": "127.0.0.1", "10.0.0.1": "10.0.0.1", "::1": "::1", "2001:db8::1": "2001:db8::1",
		} {
			equal(t, "error", l.sends(netip.Addr{}, addr(a), "hi", Header{}), nil)
			l.received(from + " > " + a + ": hi")
		}
		l.wrote()
	})
}

func TestLongPacketIsCutAndJoined(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.knows(their4, their6)
		for _, c := range []struct{ ours, theirs netip.Addr }{{our4, their4}, {our6, their6}} {
			payload := strings.Repeat("0123456789", 300)
			equal(t, "error", l.sends(c.ours, c.theirs, payload, Header{}), nil)
			fragments := l.take()
			equal(t, "fragments", len(fragments), 3)
			for _, f := range fragments {
				if len(f) > 1514 {
					t.Errorf("a frame of %d bytes", len(f))
				}
			}
			// What we sent comes back, as if the other had sent it.
			for k := range fragments {
				l.receive(turned(fragments[len(fragments)-1-k]))
			}
			l.received(c.theirs.String() + " > " + c.ours.String() + ": " + payload)
		}
	})
}

// turned is a frame with source and destination exchanged, on both layers.
func turned(frame []byte) []byte {
	swap(frame[0:6], frame[6:12])
	if wire.Ethernet(frame).Type() == wire.TypeIPv4 {
		swap(frame[26:30], frame[30:34])
	} else {
		swap(frame[22:38], frame[38:54])
	}
	return frame
}

func swap(a, b []byte) {
	for k := range a {
		a[k], b[k] = b[k], a[k]
	}
}

func TestLongPacketThatMustNotBeCutIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.knows(their4)
		err := l.sends(our4, their4, strings.Repeat("x", 1481), Header{DontFragment: true})
		equal(t, "error", err, error(syscall.EMSGSIZE))
		l.wrote()
		equal(t, "a byte less", l.sends(our4, their4, strings.Repeat("x", 1480), Header{DontFragment: true}), nil)
	})
}

// Packets of one batch leave in their order, cut or not.
func TestCutPacketsKeepTheirPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.knows(their4)
		path, err := l.s.Path(our4, their4, nil)
		equal(t, "error", err, nil)
		var frames []link.Frame
		for _, n := range []int{10, 2000, 20} {
			head := path.AppendHeader(nil, &Header{Protocol: testProto}, n)
			frames = append(frames, link.Frame{Head: head, Body: make([]byte, n)})
		}
		equal(t, "error", path.Send(frames, nil), nil)
		l.wrote(
			"ip4 10.0.0.1 > 10.0.0.2 ttl 64 | proto 253 len 10",
			"ip4 10.0.0.1 > 10.0.0.2 ttl 64 frag 0 more | proto 253 fragment len 1480",
			"ip4 10.0.0.1 > 10.0.0.2 ttl 64 frag 1480 | proto 253 fragment len 520",
			"ip4 10.0.0.1 > 10.0.0.2 ttl 64 | proto 253 len 20",
		)
	})
}

func TestOpenChecksumIsCompletedBeforeACut(t *testing.T) {
	for _, n := range []int{0, 1, 7, 2000} {
		head := append(make([]byte, wire.EthernetLen), wire.AppendUDP(nil, 1, 2, n)...)
		body := make([]byte, n)
		for k := range body {
			body[k] = byte(k)
		}
		pseudo := wire.PseudoSum(our4, their4, wire.ProtoUDP, wire.UDPLen+n)
		wire.UDP(head[wire.EthernetLen:]).SetPartialChecksum(pseudo)
		f := link.Frame{Head: head, Body: body, Sum: link.SumPartial, SumStart: wire.EthernetLen, SumField: wire.EthernetLen + 6}
		complete(&f)
		equal(t, "checksum", wire.UDP(head[wire.EthernetLen:]).VerifyWith(body, pseudo), nil)
		equal(t, "state", f.Sum, link.SumGood)
	}
}

func TestFragmentsThatNeverBecomeWholeAreTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.knows(their4)
		l.receive(packetTo{dst: our4, src: their4, proto: testProto, payload: "01234567", more: true}.frame())
		l.dropped("when time is up", DropFragmentTimeout, func() { sleep(31) })
		l.wrote("ip4 10.0.0.1 > 10.0.0.2 ttl 64 | icmp time exceeded reassembly about 10.0.0.2 > 10.0.0.1 proto 253")
	})
}
