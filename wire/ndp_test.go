package wire_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"landline/wire"
)

var routerAdvert = packet(
	field{"86 00", "router advertisement, code (RFC 4861, Section 4.2)"},
	field{"34 a5", "checksum from fe80::1 to ff02::1"},
	field{"40", "hop limit 64"},
	field{"c0", "managed, other configuration"},
	field{"07 08", "router lifetime 1800 s"},
	field{"00 00 75 30", "reachable time 30,000 ms"},
	field{"00 00 03 e8", "retransmission timer 1000 ms"},

	field{"01 01", "source link-layer address, 8 bytes (Section 4.6.1)"},
	field{"02 00 00 00 00 01", "address"},

	field{"05 01 00 00", "MTU, 8 bytes, reserved (Section 4.6.4)"},
	field{"00 00 05 dc", "1500"},

	field{"03 04", "prefix information, 32 bytes (Section 4.6.2)"},
	field{"40", "64 bits"},
	field{"c0", "on link, autonomous"},
	field{"00 01 51 80", "valid for 86,400 s"},
	field{"00 00 38 40", "preferred for 14,400 s"},
	field{"00 00 00 00", "reserved"},
	field{"2001 0db8 0001 0000 0000 0000 0000 0000", "prefix"},

	field{"19 03 00 00", "RDNSS, 24 bytes, reserved (RFC 8106, Section 5.1)"},
	field{"00 00 02 58", "lifetime 600 s"},
	field{"2001 0db8 0001 0000 0000 0000 0000 0035", "server"},

	field{"1f 03 00 00", "DNSSL, 24 bytes, reserved (RFC 8106, Section 5.2)"},
	field{"00 00 02 58", "lifetime 600 s"},
	field{"03 6c 61 6e 00", "lan"},
	field{"04 68 6f 6d 65 04 61 72 70 61 00", "home.arpa"},
)

var (
	lanPrefix = wire.PrefixInfo{
		Prefix: netip.MustParsePrefix("2001:db8:1::/64"), OnLink: true, Autonomous: true, Valid: 86400, Preferred: 14400,
	}
	lanDNS = addr("2001:db8:1::35")
)

func TestReadsRouterAdvert(t *testing.T) {
	m := parsed(t, routerAdvert, wire.ParseICMPv6)
	equal(t, "checksum", m.Verify(wire.PseudoSum(ll1, addr("ff02::1"), wire.ProtoICMPv6, len(m))), nil)
	ra := parsed(t, m, wire.ParseRouterAdvert)
	equal(t, "hop limit", ra.HopLimit(), 64)
	equal(t, "managed", ra.Managed(), true)
	equal(t, "other configuration", ra.OtherConfig(), true)
	equal(t, "lifetime", ra.Lifetime(), 1800)
	equal(t, "reachable time", ra.ReachableTime(), 30000)
	equal(t, "retransmission timer", ra.RetransTimer(), 1000)

	var types []wire.NDPOptionType
	for o := ra.Options(); o.Next(); {
		types = append(types, o.Type())
		switch o.Type() {
		case wire.NDPSourceLinkAddr:
			a, _ := o.LinkAddr()
			equal(t, "hardware address", a, mac1)
		case wire.NDPMTU:
			n, _ := o.MTU()
			equal(t, "MTU", n, 1500)
		case wire.NDPPrefix:
			p, _ := o.Prefix()
			equal(t, "prefix", p, lanPrefix)
		case wire.NDPRDNSS:
			servers, _ := o.AppendServers(nil)
			equal(t, "servers", slices.Equal(servers, []netip.Addr{lanDNS}), true)
			life, _ := o.DNSLifetime()
			equal(t, "lifetime of the servers", life, 600)
		case wire.NDPDNSSL:
			domains, _ := o.AppendDomains(nil)
			equal(t, "domains", strings.Join(domains, " "), "lan home.arpa")
			life, _ := o.DNSLifetime()
			equal(t, "lifetime of the domains", life, 600)
		}
	}
	equal(t, "options", slices.Equal(types, []wire.NDPOptionType{1, 5, 3, 25, 31}), true)
	equal(t, "text", m.String(), "icmp6 router advert hop 64 lifetime 1800 managed other <source 02:00:00:00:00:01, mtu 1500,"+
		" prefix 2001:db8:1::/64 onlink auto valid 86400 preferred 14400, dns 2001:db8:1::35, search lan home.arpa>")
}

func TestWritesRouterAdvert(t *testing.T) {
	b := wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{
		HopLimit: 64, Managed: true, OtherConfig: true, Lifetime: 1800, ReachableTime: 30000, RetransTimer: 1000,
	})
	b = wire.AppendLinkAddr(b, wire.NDPSourceLinkAddr, mac1)
	b = wire.AppendMTU(b, 1500)
	b = wire.AppendPrefix(b, lanPrefix)
	b = wire.AppendRDNSS(b, 600, lanDNS)
	b, err := wire.AppendDNSSL(b, 600, "lan", "home.arpa.")
	if err != nil {
		t.Fatal(err)
	}
	wire.ICMPv6(b).FillChecksum(wire.PseudoSum(ll1, addr("ff02::1"), wire.ProtoICMPv6, len(b)))
	equalBytes(t, "built", b, routerAdvert)
}

// neighborSolicit begins like this, and so do advertisement and redirect.
var neighborSolicit = packet(
	field{"87 00", "neighbor solicitation, code (RFC 4861, Section 4.3)"},
	field{"7a 97", "checksum from fe80::1 to ff02::1:ff00:2"},
	field{"00 00 00 00", "reserved"},
	field{"fe80 0000 0000 0000 0000 0000 0000 0002", "target"},
	field{"01 01 02 00 00 00 00 01", "source link-layer address"},
)

var neighborAdvert = packet(
	field{"88 00", "neighbor advertisement, code (RFC 4861, Section 4.4)"},
	field{"18 1a", "checksum from fe80::2 to fe80::1"},
	field{"60 00 00 00", "solicited, override"},
	field{"fe80 0000 0000 0000 0000 0000 0000 0002", "target"},
	field{"02 01 02 00 00 00 00 02", "target link-layer address"},
)

var redirect = packet(
	field{"89 00", "redirect, code (RFC 4861, Section 4.5)"},
	field{"49 47", "checksum from fe80::1 to fe80::3"},
	field{"00 00 00 00", "reserved"},
	field{"fe80 0000 0000 0000 0000 0000 0000 0002", "target"},
	field{"2001 0db8 0000 0000 0000 0000 0000 0009", "destination"},
	field{"02 01 02 00 00 00 00 02", "target link-layer address"},
)

var routerSolicit = packet(
	field{"85 00", "router solicitation, code (RFC 4861, Section 4.1)"},
	field{"7a 2c", "checksum from fe80::1 to ff02::2"},
	field{"00 00 00 00", "reserved"},
	field{"01 01 02 00 00 00 00 01", "source link-layer address"},
)

func TestReadsNeighborDiscovery(t *testing.T) {
	ns := parsed(t, wire.ICMPv6(neighborSolicit), wire.ParseNeighborSolicit)
	equal(t, "target asked for", ns.Target(), ll2)
	na := parsed(t, wire.ICMPv6(neighborAdvert), wire.ParseNeighborAdvert)
	equal(t, "target told of", na.Target(), ll2)
	equal(t, "flags", na.Flags(), wire.NeighborSolicited|wire.NeighborOverride)
	r := parsed(t, wire.ICMPv6(redirect), wire.ParseRedirect)
	equal(t, "better hop", r.Target(), ll2)
	equal(t, "destination", r.Dst(), addr("2001:db8::9"))
	rs := parsed(t, wire.ICMPv6(routerSolicit), wire.ParseRouterSolicit)
	for what, o := range map[string]wire.NDPOptions{
		"source of solicit": ns.Options(), "target of advert": na.Options(),
		"target of redirect": r.Options(), "source of router solicit": rs.Options(),
	} {
		equal(t, what, o.Next(), true)
		m, ok := o.LinkAddr()
		equal(t, what, ok, true)
		equal(t, what, m == mac1, strings.HasPrefix(what, "source"))
		equal(t, what+": type", o.Type() == wire.NDPSourceLinkAddr, strings.HasPrefix(what, "source"))
		equal(t, what+" and another", o.Next(), false)
	}
}

func TestWritesAndDescribesNeighborDiscovery(t *testing.T) {
	for _, c := range []struct {
		built, want []byte
		dst         netip.Addr
		src         netip.Addr
		mac         wire.MAC
		option      wire.NDPOptionType
		text        string
	}{
		{wire.AppendNeighborSolicit(nil, ll2), neighborSolicit, wire.SolicitedNode(ll2), ll1, mac1, wire.NDPSourceLinkAddr,
			"icmp6 neighbor solicit fe80::2 <source 02:00:00:00:00:01>"},
		{wire.AppendNeighborAdvert(nil, wire.NeighborSolicited|wire.NeighborOverride, ll2), neighborAdvert, ll1, ll2, mac2,
			wire.NDPTargetLinkAddr, "icmp6 neighbor advert fe80::2 solicited override <target 02:00:00:00:00:02>"},
		{wire.AppendRedirect(nil, ll2, addr("2001:db8::9")), redirect, addr("fe80::3"), ll1, mac2, wire.NDPTargetLinkAddr,
			"icmp6 redirect 2001:db8::9 via fe80::2 <target 02:00:00:00:00:02>"},
		{wire.AppendRouterSolicit(nil), routerSolicit, addr("ff02::2"), ll1, mac1, wire.NDPSourceLinkAddr,
			"icmp6 router solicit <source 02:00:00:00:00:01>"},
	} {
		b := wire.AppendLinkAddr(c.built, c.option, c.mac)
		m := wire.ICMPv6(b)
		m.FillChecksum(wire.PseudoSum(c.src, c.dst, wire.ProtoICMPv6, len(b)))
		equalBytes(t, "built", b, c.want)
		equal(t, "text", m.String(), c.text)
	}
}

func TestRefusesBadNeighborDiscovery(t *testing.T) {
	type parser func(what string, m wire.ICMPv6, want wire.Fault)
	check := map[string]struct {
		message   []byte
		length    int // without options
		hasTarget bool
		refused   parser
	}{
		"router solicit": {routerSolicit, 8, false, func(what string, m wire.ICMPv6, want wire.Fault) {
			refused(t, what, m, wire.ParseRouterSolicit, want)
		}},
		"router advert": {routerAdvert, 16, false, func(what string, m wire.ICMPv6, want wire.Fault) {
			refused(t, what, m, wire.ParseRouterAdvert, want)
		}},
		"neighbor solicit": {neighborSolicit, 24, true, func(what string, m wire.ICMPv6, want wire.Fault) {
			refused(t, what, m, wire.ParseNeighborSolicit, want)
		}},
		"neighbor advert": {neighborAdvert, 24, true, func(what string, m wire.ICMPv6, want wire.Fault) {
			refused(t, what, m, wire.ParseNeighborAdvert, want)
		}},
		"redirect": {redirect, 40, true, func(what string, m wire.ICMPv6, want wire.Fault) {
			refused(t, what, m, wire.ParseRedirect, want)
		}},
	}
	for what, c := range check {
		if c.length > 8 {
			c.refused(what+" cut", c.message[:c.length-1], wire.ErrNDPShort)
		}
		c.refused(what+" code", with(c.message, 1, 1), wire.ErrNDPCode)
		c.refused(what+" option of length 0", with(c.message, c.length+1, 0), wire.ErrNDPOption)
		c.refused(what+" option over the end", with(c.message, c.length+1, 40), wire.ErrNDPOption)
		c.refused(what+" option without end", append(bytes.Clone(c.message), 1), wire.ErrNDPOption)
		if c.hasTarget {
			c.refused(what+" target", with(c.message, 8, 0xff), wire.ErrNDPTarget)
		}
	}
	equal(t, "text", wire.ICMPv6(with(neighborSolicit, 8, 0xff)).String(), "icmp6 neighbor solicit bad ndp target len 32")
}

// options returns a walk that stands on the first option of an advertisement.
func options(t *testing.T, option ...byte) wire.NDPOptions {
	t.Helper()
	m := wire.ICMPv6(append(wire.AppendRouterAdvert(nil, new(wire.RouterAdvertHeader)), option...))
	o := parsed(t, m, wire.ParseRouterAdvert).Options()
	equal(t, "an option", o.Next(), true)
	return o
}

func TestOptionsOfAnotherKindOrLengthAreNotRead(t *testing.T) {
	prefix := wire.AppendPrefix(nil, lanPrefix)
	for what, b := range map[string][]byte{
		"unknown":                     {200, 1, 0, 0, 0, 0, 0, 0},
		"hardware address of 14":      append([]byte{1, 2}, make([]byte, 14)...),
		"MTU of 16":                   append([]byte{5, 2}, make([]byte, 14)...),
		"prefix of 8":                 {3, 1, 64, 0, 0, 0, 0, 0},
		"prefix of more than 128 bit": with(prefix, 2, 129),
		"half a server":               append([]byte{25, 2}, make([]byte, 14)...),
		"a label without end":         {31, 2, 0, 0, 0, 0, 0, 0, 9, 'a', 'b', 'c', 0, 0, 0, 0},
		"a name without end":          {31, 2, 0, 0, 0, 0, 0, 0, 7, 'a', 'b', 'c', 'd', 'e', 'f', 'g'},
		"a compressed name":           {31, 2, 0, 0, 0, 0, 0, 0, 0xc0, 8, 0, 0, 0, 0, 0, 0},
	} {
		o := options(t, b...)
		_, mac := o.LinkAddr()
		_, mtu := o.MTU()
		_, info := o.Prefix()
		servers, dns := o.AppendServers(nil)
		domains, search := o.AppendDomains(nil)
		if mac || mtu || info || dns || search || servers != nil || len(domains) != 0 {
			t.Errorf("%s: read as %v %v %v %v %v", what, mac, mtu, info, servers, domains)
		}
		m := wire.ICMPv6(append(wire.AppendRouterAdvert(nil, new(wire.RouterAdvertHeader)), b...))
		want := fmt.Sprintf("icmp6 router advert hop 0 lifetime 0 <option %d len %d>", b[0], len(b)-2)
		equal(t, what+": text", m.String(), want)
	}
}

func TestPrefixIsMasked(t *testing.T) {
	o := options(t, with(wire.AppendPrefix(nil, lanPrefix), 31, 0x77)...)
	p, ok := o.Prefix()
	equal(t, "read", ok, true)
	equal(t, "prefix", p, lanPrefix)
}

func TestRedirectedPacketIsCutToEights(t *testing.T) {
	packet := bytes.Repeat([]byte{7}, 3000)
	b := wire.AppendRedirected(nil, packet[:47])
	equalBytes(t, "option", b, append([]byte{4, 6, 0, 0, 0, 0, 0, 0}, packet[:40]...))
	b = wire.AppendRedirected(nil, packet)
	equal(t, "length field", int(b[1])*8, len(b))
}

func TestDomainsThatFitAreTakenBack(t *testing.T) {
	long := strings.Repeat("abcdefg.", 31) + "abcde" // 255 bytes on the wire
	for _, domains := range [][]string{{"lan"}, {"a", "b.c", "d"}, {strings.Repeat("x", 63)}, {long}, nil} {
		b, err := wire.AppendDNSSL(nil, 1, domains...)
		if err != nil {
			t.Fatalf("%q: %v", domains, err)
		}
		o := options(t, b...)
		got, ok := o.AppendDomains(nil)
		if !ok || !slices.Equal(got, domains) {
			t.Errorf("%q became %q", domains, got)
		}
	}
}

// 255 bytes are the most, with the zero at the end (RFC 1035, Section 2.3.4).
func TestRefusesTooLongDomainFromTheWire(t *testing.T) {
	label := []byte("\x07abcdefg")
	b := append([]byte{31, 33, 0, 0, 0, 0, 0, 0}, bytes.Repeat(label, 31)...)
	longest := append(slices.Clone(b), "\x05abcde\x00\x00"...)
	o := options(t, longest...)
	_, ok := o.AppendDomains(nil)
	equal(t, "255 bytes", ok, true)
	o = options(t, append(b, "\x06abcdef\x00"...)...)
	_, ok = o.AppendDomains(nil)
	equal(t, "256 bytes", ok, false)
}

func TestRefusesDomainsThatDoNotFit(t *testing.T) {
	long := strings.Repeat("abcdefg.", 31) + "abcdef"
	for _, domains := range [][]string{
		{""}, {"."}, {"a..b"}, {".a"}, {"a.."}, {strings.Repeat("x", 64)}, {long}, {"lan", ""},
		slices.Repeat([]string{"abcdefg"}, 2032/9+1),
	} {
		b, err := wire.AppendDNSSL([]byte("before"), 1, domains...)
		if err != wire.ErrDomain || string(b) != "before" {
			t.Errorf("%q: %v, %q", domains, err, b)
		}
	}
	if _, err := wire.AppendDNSSL(nil, 1, slices.Repeat([]string{"abcdefg"}, 2032/9)...); err != nil {
		t.Errorf("all that has room: %v", err)
	}
}

func TestNamesFromTheWireAreEscaped(t *testing.T) {
	b, err := wire.AppendDNSSL(wire.AppendRouterAdvert(nil, new(wire.RouterAdvertHeader)), 1, "a\x1b[2J b\\")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "text", wire.ICMPv6(b).String(), `icmp6 router advert hop 0 lifetime 0 <search a\027[2J\032b\092>`)
}
