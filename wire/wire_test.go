package wire_test

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"landline/wire"
)

var (
	mac1 = wire.MAC{2, 0, 0, 0, 0, 1}
	mac2 = wire.MAC{2, 0, 0, 0, 0, 2}

	ip1 = netip.MustParseAddr("10.0.0.1")
	ip2 = netip.MustParseAddr("10.0.0.2")
	ll1 = netip.MustParseAddr("fe80::1")
	ll2 = netip.MustParseAddr("fe80::2")
	gl1 = netip.MustParseAddr("2001:db8::1")
	gl2 = netip.MustParseAddr("2001:db8::2")
)

// field is a few bytes of a header, and what they are.
type field struct{ hex, what string }

// packet puts fields together.
func packet(fields ...field) (b []byte) {
	for _, f := range fields {
		part, err := hex.DecodeString(strings.ReplaceAll(f.hex, " ", ""))
		if err != nil {
			panic(f.what + ": " + err.Error())
		}
		b = append(b, part...)
	}
	return b
}

// equal reports what differs from what it should be.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equalBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\ngot  %x\nwant %x", what, got, want)
	}
}

// parsed returns what parse makes of b, which must be good.
func parsed[V any, B ~[]byte](t *testing.T, b B, parse func(B) (V, error)) V {
	t.Helper()
	v, err := parse(b)
	if err != nil {
		t.Fatalf("%x: %v", []byte(b), err)
	}
	return v
}

// refused checks that parse finds the fault in b, and returns no view of it.
func refused[V ~[]byte, B ~[]byte](t *testing.T, what string, b B, parse func(B) (V, error), want wire.Fault) {
	t.Helper()
	v, err := parse(b)
	if err != error(want) || v != nil {
		t.Errorf("%s: got %v and %d bytes, want %v and none", what, err, len(v), want)
	}
}

// with returns a copy of b that is different from the given place on.
func with[B ~[]byte](b B, at int, change ...byte) B {
	b = slices.Clone(b)
	copy(b[at:], change)
	return b
}

func TestFaultsHaveNamesOfTheirOwn(t *testing.T) {
	seen := make(map[string]bool)
	for f := wire.Fault(0); f < wire.Faults; f++ {
		if s := f.String(); s == "" || seen[s] {
			t.Errorf("fault %d is called %q, as nothing or another is", uint8(f), s)
		}
		seen[f.String()] = true
	}
	equal(t, "a fault", wire.ErrTCPOption.Error(), "bad header: tcp option")
	equal(t, "the first", wire.ErrEthernetShort.String(), "ethernet short")
	equal(t, "one in the middle", wire.ErrNDPTarget.String(), "ndp target")
	equal(t, "a number that is none", wire.Fault(wire.Faults).String(), "unknown fault")
}

// All faces of a describer must say the same.
func TestDescribersAgree(t *testing.T) {
	type view interface {
		fmt.Stringer
		encoding.TextAppender
		slog.LogValuer
	}
	for _, v := range []view{
		wire.Ethernet(arpRequest), wire.ARP(arpRequest[18:]), wire.IPv4(ipv4UDP[:31]), wire.IPv6(ipv6Report),
		wire.UDP(ipv4UDP[20:31]), wire.TCP(tcpSYN), wire.ICMPv4(fragmentationNeeded), wire.ICMPv6(tooBig),
		wire.IGMP(igmpReport), mac1,
	} {
		text, err := v.AppendText([]byte("at 1s: "))
		if err != nil {
			t.Errorf("%v: %v", v, err)
		}
		equal(t, "AppendText", string(text), "at 1s: "+v.String())
		equal(t, "LogValue", v.LogValue().String(), v.String())
		equal(t, "fmt", fmt.Sprint(v), v.String())
	}
}

func TestNumbersHaveNames(t *testing.T) {
	for v, want := range map[fmt.Stringer]string{
		wire.TypeIPv4: "ip4", wire.TypeIPv6: "ip6", wire.TypeARP: "arp", wire.TypeVLAN: "vlan", wire.TypeQinQ: "vlan",
		wire.EtherType(0x88cc): "0x88cc",
		wire.ProtoHopByHop:     "hopbyhop", wire.ProtoICMP: "icmp", wire.ProtoIGMP: "igmp", wire.ProtoTCP: "tcp",
		wire.ProtoUDP: "udp", wire.ProtoRouting: "routing", wire.ProtoFragment: "fragment", wire.ProtoICMPv6: "icmp6",
		wire.ProtoNone: "none", wire.ProtoDestination: "destination", wire.Protocol(89): "proto 89",
	} {
		equal(t, want, v.String(), want)
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
