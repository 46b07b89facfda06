package ip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// addresses makes a list of addresses from text such as "10.0.0.1/24 fe80::1/64!deprecated@2":
// after ! a state, after @ the index of an interface other than 1. The length is 32
// or 64 by default.
func addresses(text string) (all []address) {
	for word := range strings.FieldsSeq(text) {
		a := address{state: addrPreferred, index: 1}
		word, index, other := strings.Cut(word, "@")
		if other {
			fmt.Sscan(index, &a.index)
		}
		word, state, _ := strings.Cut(word, "!")
		for s := addrTentative; s <= addrDuplicated; s++ {
			if s.String() == state {
				a.state = s
			}
		}
		ip, length, ok := strings.Cut(word, "/")
		a.addr = netip.MustParseAddr(ip)
		n := a.addr.BitLen()
		if n == 128 {
			n = 64
		}
		if ok {
			fmt.Sscan(length, &n)
		}
		a.prefix = netip.PrefixFrom(a.addr, n)
		all = append(all, a)
	}
	return all
}

// The first ones are the examples of RFC 6724, Section 10.1, without temporary and home addresses.
func TestSourceSelection(t *testing.T) {
	for _, c := range []struct{ why, dst, from, want string }{
		{"scope of a global destination", "2001:db8:1::1", "2001:db8:3::1 fe80::1", "2001:db8:3::1"},
		{"scope of a site's group", "ff05::1", "2001:db8:3::1 fe80::1", "2001:db8:3::1"},
		{"the destination itself, though deprecated", "2001:db8:1::1", "2001:db8:1::1!deprecated 2001:db8:2::1", "2001:db8:1::1"},
		{"scope before deprecation", "fe80::1", "fe80::2!deprecated 2001:db8:1::1", "fe80::2"},
		{"longest prefix", "2001:db8:1::1", "2001:db8:1::2 2001:db8:3::2", "2001:db8:1::2"},
		{"label of 6to4", "2002:c633:6401::1", "2002:c633:6401::d5e3:7953:13eb:22e8 2001:db8:1::2", "2002:c633:6401:0:d5e3:7953:13eb:22e8"},

		{"scope of a group on the link", "ff02::1", "2001:db8:3::1 fe80::1", "fe80::1"},
		{"the least scope that is enough", "fe80::9", "fec0::1 2001:db8::1", "fec0::1"},
		{"the greatest scope, if none is enough", "2001:db8::9", "fe80::1 fec0::1", "fec0::1"},
		{"not deprecated", "2001:db8:1::1", "2001:db8:1::2!deprecated 2001:db8:3::2", "2001:db8:3::2"},
		{"deprecated before none", "2001:db8:1::1", "2001:db8:1::2!deprecated", "2001:db8:1::2"},
		{"never tentative or duplicated", "2001:db8:1::1", "2001:db8:1::1!tentative 2001:db8:1::2!duplicated", "none"},
		{"the outgoing interface before the prefix", "2001:db8:1::1", "2001:db8:1::2@2 2001:db8:3::2", "2001:db8:3::2"},
		{"another interface before none", "2001:db8:1::1", "2001:db8:1::2@2", "2001:db8:1::2"},
		{"label of unique local before the prefix", "fd00:1::1", "2001:db8::1 fd00:ffff::1", "fd00:ffff::1"},
		{"bits behind the prefix do not count", "2001:db8::a:1", "2001:db8::b:1 2001:db8::a:2", "2001:db8::b:1"},
		{"the first of equals", "2001:db8:1::1", "2001:db8:1::2 2001:db8:1::3", "2001:db8:1::2"},
		{"of the family", "10.0.0.1", "2001:db8:1::2 fe80::1", "none"},
		{"of the other family", "2001:db8::1", "10.0.0.1", "none"},
		{"a zone does not matter", "fe80::1%eth0", "2001:db8::1 fe80::1", "fe80::1"},

		{"IPv4: the subnet of the destination", "10.0.2.9", "10.0.1.5/24 10.0.2.5/24", "10.0.2.5"},
		{"IPv4: bits behind the prefix do not count", "10.0.2.9", "10.0.1.5/16 10.0.2.8/16", "10.0.1.5"},
		{"IPv4: scope", "198.51.100.1", "169.254.1.1/16 10.0.0.1/24", "10.0.0.1"},
		{"IPv4: scope of a group on the link", "224.0.0.251", "10.0.0.1/24 169.254.1.1/16", "169.254.1.1"},
		{"IPv4: scope of an organization's group", "239.192.0.1", "169.254.1.1/16 10.0.0.1/24", "10.0.0.1"},
		{"loopback stays at home", "10.0.0.1", "127.0.0.1/8", "none"},
		{"loopback to loopback", "127.0.0.5", "127.0.0.1/8", "127.0.0.1"},
		{"loopback stays at home, IPv6", "2001:db8::1", "::1/128", "none"},
		{"none of none", "10.0.0.1", "", "none"},
	} {
		from := addresses(c.from)
		for range 2 {
			got := "none"
			if a := selectSource(netip.MustParseAddr(c.dst), 1, from); a != nil {
				got = a.addr.String()
			}
			if got != c.want {
				t.Errorf("%s: to %s from %s: %s, want %s", c.why, c.dst, c.from, got, c.want)
			}
			if c.why == "the first of equals" || strings.Contains(c.why, "do not count") {
				break // here the order matters
			}
			slices.Reverse(from)
		}
	}
}

func TestSourceSelectionAllocatesNothing(t *testing.T) {
	from := addresses("fe80::1 2001:db8:3::1 fd00::1 10.0.0.1/24")
	dst := netip.MustParseAddr("2001:db8:1::1")
	allocatesNothing(t, "selectSource", func() { selectSource(dst, 1, from) })
}

// The first ones are the examples of RFC 6724, Section 10.2, without home addresses.
func TestDestinationOrder(t *testing.T) {
	for _, c := range []struct{ why, dsts, from, want string }{
		{"matching scope", "2001:db8:1::1 198.51.100.121", "2001:db8:1::2 fe80::1 169.254.13.78/16", "2001:db8:1::1 198.51.100.121"},
		{"matching scope, IPv4", "2001:db8:1::1 198.51.100.121", "fe80::1 198.51.100.117/24", "198.51.100.121 2001:db8:1::1"},
		{"precedence", "2001:db8:1::1 10.1.2.3", "2001:db8:1::2 fe80::1 10.1.2.4/24", "2001:db8:1::1 10.1.2.3"},
		{"smaller scope", "2001:db8:1::1 fe80::1", "2001:db8:1::2 fe80::2", "fe80::1 2001:db8:1::1"},
		{"not from a deprecated address", "2001:db8:1::1 fe80::1", "2001:db8:1::2 fe80::2!deprecated", "2001:db8:1::1 fe80::1"},
		{"longest prefix", "2001:db8:1::1 2001:db8:3ffe::1", "2001:db8:1::2 2001:db8:3f44::2 fe80::2", "2001:db8:1::1 2001:db8:3ffe::1"},
		{"matching label", "2002:c633:6401::1 2001:db8:1::1", "2002:c633:6401::2 fe80::2", "2002:c633:6401::1 2001:db8:1::1"},
		{"precedence of 6to4", "2002:c633:6401::1 2001:db8:1::1", "2002:c633:6401::2 2001:db8:1::2 fe80::2", "2001:db8:1::1 2002:c633:6401::1"},

		{"without a source last", "2001:db8::1 10.0.0.1", "10.0.0.2/24", "10.0.0.1 2001:db8::1"},
		{"IPv4 before unique local", "fd00::1 10.0.0.1", "fd00::2 10.0.0.2/24", "10.0.0.1 fd00::1"},
		{"loopback first", "2001:db8::1 ::1", "2001:db8::2 ::1/128", "::1 2001:db8::1"},
	} {
		from := addresses(c.from)
		want := addrList(strings.Fields(c.want)...)
		dsts := addrList(strings.Fields(c.dsts)...)
		for range 2 {
			got := slices.Clone(dsts)
			sortDestinations(got, func(a netip.Addr) *address { return selectSource(a, 1, from) })
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", c.why, got, want)
			}
			slices.Reverse(dsts)
		}
	}
}

func TestIPv4DestinationsKeepTheirNameServersOrder(t *testing.T) {
	from := addresses("10.0.0.2/24")
	for _, order := range [][]string{{"10.0.0.1", "198.51.100.1"}, {"198.51.100.1", "10.0.0.1"}} {
		dsts := addrList(order...)
		sortDestinations(dsts, func(a netip.Addr) *address { return selectSource(a, 1, from) })
		if !slices.Equal(dsts, addrList(order...)) {
			t.Errorf("%v became %v", order, dsts)
		}
	}
}

func TestScopes(t *testing.T) {
	for text, want := range map[string]scope{
		"127.0.0.1": scopeLink, "169.254.0.1": scopeLink, "169.253.0.1": scopeGlobal, "10.0.0.1": scopeGlobal, "8.8.8.8": scopeGlobal,
		"224.0.0.1": scopeLink, "224.0.1.1": scopeGlobal, "239.255.1.1": scopeRealm, "239.192.0.1": scopeOrganization,
		"239.195.0.1": scopeOrganization, "239.196.0.1": scopeGlobal, "232.1.1.1": scopeGlobal,
		"::1": scopeLink, "fe80::1": scopeLink, "febf::1": scopeLink, "fec0::1": scopeSite, "fd00::1": scopeGlobal,
		"2001:db8::1": scopeGlobal, "ff01::1": scopeInterface, "ff02::1": scopeLink, "ff15::1": scopeSite,
		"ff38::1": scopeOrganization, "ff0e::1": scopeGlobal, "::": scopeGlobal,
	} {
		if got := scopeOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("scope of %s: %#x, want %#x", text, uint8(got), uint8(want))
		}
	}
}

func TestDefaultPolicyTable(t *testing.T) {
	for text, want := range map[string]policy{
		"::1": {50, 0}, "2600::1": {40, 1}, "fe80::1": {40, 1}, "10.0.0.1": {35, 4}, "::ffff:10.0.0.1": {35, 4},
		"2002::1": {30, 2}, "2001::1": {5, 5}, "2001:0:1::1": {5, 5}, "2001:db8::1": {40, 1}, "fc00::1": {3, 13}, "fd00::1": {3, 13},
		"fe00::1": {40, 1}, "::2": {1, 3}, "::10.0.0.1": {1, 3}, "::1:0:0": {40, 1}, "fec0::1": {1, 11}, "3ffe::1": {1, 12},
	} {
		if got := policyOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("policy of %s: %v, want %v", text, got, want)
		}
	}
}

func BenchmarkSelectSource(b *testing.B) {
	from := addresses("fe80::1 2001:db8:3::1 fd00::1 10.0.0.1/24")
	for _, dst := range addrList("2001:db8:1::1", "10.0.0.9") {
		b.Run(dst.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				selectSource(dst, 1, from)
			}
		})
	}
}
