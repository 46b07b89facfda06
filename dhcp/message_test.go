package dhcp_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"landline/dhcp"
)

var discover = packet(
	field{"01 01 06 00", "request, Ethernet, 6 bytes, no hops (RFC 2131, Section 2)"},
	field{"00 00 00 2a", "xid 42"},
	field{"00 04 80 00", "4 seconds, broadcast"},
	zeros(16, "addresses"),
	field{"02 00 00 00 00 01 00000000000000000000", "client's hardware address"},
	zeros(64, "server name"),
	zeros(128, "boot file"),
	field{"63 82 53 63", "cookie (Section 3)"},
	field{"35 01 01", "discover (RFC 2132, Section 9.6)"},
	field{"3d 07 01 02 00 00 00 00 01", "client identifier (Section 9.14)"},
	field{"32 04 0a 00 00 09", "requested address (Section 9.1)"},
	field{"39 02 05 dc", "maximum size 1500 (Section 9.10)"},
	field{"3c 03 61 62 63", "vendor class (Section 9.13)"},
	field{"0c 03 42 6f 78", "host name (Section 3.14)"},
	field{"37 03 01 03 06", "parameters (Section 9.8)"},
	field{"ff", "end"},
	zeros(22, "filled up to 300 bytes"),
)

var ack = packet(
	field{"02 01 06 00 00 00 00 2a 00 00 00 00", "reply, xid 42"},
	field{"00 00 00 00 0a 00 00 09", "client's and your address"},
	field{"00 00 00 00 0a 01 00 01", "next server's and relay's address"},
	field{"02 00 00 00 00 01 00000000000000000000", "client's hardware address"},
	zeros(192, "server name and boot file"),
	field{"63 82 53 63", "cookie"},
	field{"35 01 05", "acknowledgement"},
	field{"01 04 ff ff ff 00", "subnet mask (RFC 2132, Section 3.3)"},
	field{"00", "padding (Section 3.1)"},
	field{"03 08 0a 00 00 01 0a 00 00 02", "routers (Section 3.5)"},
	field{"06 04 0a 00 00 35", "name servers (Section 3.8)"},
	field{"0f 03 4c 61 6e", "domain (Section 3.17)"},
	field{"1a 02 05 78", "MTU (Section 5.1)"},
	field{"1c 04 0a 00 00 ff", "broadcast address (Section 5.3)"},
	field{"2a 04 0a 00 00 7b", "time server (Section 8.3)"},
	field{"33 04 00 00 0e 10", "lease time (Section 9.2)"},
	field{"36 04 0a 00 00 01", "server (Section 9.7)"},
	field{"38 05 68 69 1b 5b 30", "text with an escape code (Section 9.9)"},
	field{"3a 04 00 00 07 08", "T1 (Section 9.11)"},
	field{"3b 04 00 00 0c 4e", "T2 (Section 9.12)"},
	field{"77 0c", "search list (RFC 3397, Section 2)"},
	field{"03 6c 61 6e 00", "lan"},
	field{"04 48 6f 6d 65 c0 00", "Home, then what begins at byte 0"},
	field{"79 0d", "routes (RFC 3442)"},
	field{"00 0a 00 00 02", "everything by 10.0.0.2"},
	field{"11 c0 a8 80 00 00 00 00", "192.168.128.0/17 on the link"},
	field{"ff", "end"},
)

func TestReadsDiscover(t *testing.T) {
	m := parsed(t, discover)
	mac, ok := m.CHAddr()
	equal(t, "hardware address", mac, mac1)
	equal(t, "Ethernet", ok, true)
	equal(t, "operation", m.Op(), dhcp.OpRequest)
	equal(t, "type", m.Type(), dhcp.Discover)
	equal(t, "xid", m.XID(), 42)
	equal(t, "seconds", m.Secs(), 4)
	equal(t, "broadcast", m.Broadcast(), true)
	equal(t, "requested address", m.RequestedAddr(), addr("10.0.0.9"))
	equal(t, "server", m.ServerID(), netip.Addr{})
	equal(t, "maximum", m.MaxLen(), 1472)
	equal(t, "vendor class", string(m.VendorClass()), "abc")
	equal(t, "name", m.HostName(), "box")
	equalBytes(t, "identifier", m.ClientID(), []byte{1, 2, 0, 0, 0, 0, 1})
	equalBytes(t, "parameters", m.Parameters(), []byte{1, 3, 6})
	equal(t, "text", m.String(), "dhcp discover 02:00:00:00:00:01 xid 42 secs 4 broadcast <id 01020000000001, "+
		"requested 10.0.0.9, max 1500, vendor abc, name Box, asks 1 3 6>")
}

func TestWritesDiscover(t *testing.T) {
	b := dhcp.AppendHeader([]byte("before"), &dhcp.Header{Op: dhcp.OpRequest, XID: 42, Secs: 4, Broadcast: true, CHAddr: mac1})
	b = dhcp.AppendType(b, dhcp.Discover)
	b = dhcp.AppendOption(b, dhcp.OptClientID, []byte{1, 2, 0, 0, 0, 0, 1})
	b = dhcp.AppendAddrs(b, dhcp.OptRequestedAddr, addr("10.0.0.9"))
	b = dhcp.AppendUint16(b, dhcp.OptMaxSize, 1500)
	b = dhcp.AppendOption(b, dhcp.OptVendorClass, "abc")
	b = dhcp.AppendOption(b, dhcp.OptHostName, "Box")
	b = dhcp.AppendOption(b, dhcp.OptParameters, []byte{1, 3, 6})
	b = dhcp.AppendEnd(b, len("before"))
	equalBytes(t, "built", b, append([]byte("before"), discover...))
}

func TestReadsACK(t *testing.T) {
	m := parsed(t, ack)
	equal(t, "operation", m.Op(), dhcp.OpReply)
	equal(t, "type", m.Type(), dhcp.ACK)
	equal(t, "client's address", m.CIAddr(), addr("0.0.0.0"))
	equal(t, "your address", m.YIAddr(), addr("10.0.0.9"))
	equal(t, "relay", m.GIAddr(), addr("10.1.0.1"))
	equal(t, "mask", m.MaskBits(), 24)
	equalSlices(t, "routers", m.AppendAddrs(nil, dhcp.OptRouters), addrs("10.0.0.1", "10.0.0.2"))
	equalSlices(t, "name servers", m.AppendAddrs(addrs("::1"), dhcp.OptDNS), addrs("::1", "10.0.0.53"))
	equalSlices(t, "time servers", m.AppendAddrs(nil, dhcp.OptNTP), addrs("10.0.0.123"))
	equal(t, "domain", m.Domain(), "lan")
	equal(t, "MTU", m.MTU(), 1400)
	equal(t, "broadcast address", m.Addr(dhcp.OptBroadcast), addr("10.0.0.255"))
	equal(t, "server", m.ServerID(), addr("10.0.0.1"))
	equal(t, "text", m.Text(), `hi\027[0`)
	lease, ok := m.LeaseTime()
	equal(t, "lease", lease, time.Hour)
	equal(t, "lease is there", ok, true)
	t1, _ := m.T1()
	equal(t, "T1", t1, 30*time.Minute)
	t2, _ := m.T2()
	equal(t, "T2", t2, 3150*time.Second)
	search, _ := m.AppendSearch([]string{"x"})
	equalSlices(t, "search", search, []string{"x", "lan", "home.lan"})
	routes, _ := m.AppendRoutes(nil)
	equalSlices(t, "routes", routes, []dhcp.Route{
		{Dst: prefix("0.0.0.0/0"), Via: addr("10.0.0.2")}, {Dst: prefix("192.168.128.0/17"), Via: addr("0.0.0.0")},
	})
	equal(t, "description", m.String(), "dhcp ack 02:00:00:00:00:01 xid 42 gets 10.0.0.9 relay 10.1.0.1 <mask /24, "+
		`routers 10.0.0.1 10.0.0.2, dns 10.0.0.53, domain Lan, mtu 1400, broadcast 10.0.0.255, ntp 10.0.0.123, lease 3600, `+
		`server 10.0.0.1, text hi\027[0, t1 1800, t2 3150, search lan home.lan, `+
		"routes 0.0.0.0/0 via 10.0.0.2 192.168.128.0/17 via 0.0.0.0>")
}

func TestWritesACK(t *testing.T) {
	b := dhcp.AppendHeader(nil, &dhcp.Header{
		Op: dhcp.OpReply, XID: 42, YIAddr: addr("10.0.0.9"), GIAddr: addr("10.1.0.1"), CHAddr: mac1,
	})
	b = dhcp.AppendType(b, dhcp.ACK)
	b = append(dhcp.AppendMask(b, 24), 0)
	b = dhcp.AppendAddrs(b, dhcp.OptRouters, addr("10.0.0.1"), addr("10.0.0.2"))
	b = dhcp.AppendAddrs(b, dhcp.OptDNS, addr("10.0.0.53"))
	b = dhcp.AppendOption(b, dhcp.OptDomain, "Lan")
	b = dhcp.AppendUint16(b, dhcp.OptMTU, 1400)
	b = dhcp.AppendAddrs(b, dhcp.OptBroadcast, addr("10.0.0.255"))
	b = dhcp.AppendAddrs(b, dhcp.OptNTP, addr("10.0.0.123"))
	b = dhcp.AppendSeconds(b, dhcp.OptLeaseTime, time.Hour)
	b = dhcp.AppendAddrs(b, dhcp.OptServerID, addr("10.0.0.1"))
	b = dhcp.AppendOption(b, dhcp.OptText, "hi\x1b[0")
	b = dhcp.AppendSeconds(b, dhcp.OptT1, 30*time.Minute+time.Second/2)
	b = dhcp.AppendSeconds(b, dhcp.OptT2, 3150*time.Second)
	at := len(b)
	equalBytes(t, "built", b, ack[:at])

	b = dhcp.AppendSearch(b[:at], "lan", "Home.lan.", "", "a..b", strings.Repeat("x", 64))
	b = dhcp.AppendRoutes(b, dhcp.Route{Dst: prefix("0.0.0.0/0"), Via: addr("10.0.0.2")},
		dhcp.Route{Dst: prefix("192.168.128.5/17"), Via: addr("0.0.0.0")})
	equalBytes(t, "lists", b[at:], packet(
		field{"77 0f 03 6c 61 6e 00 04 48 6f 6d 65 03 6c 61 6e 00", "no pointers are written"},
		field{"79 0d 00 0a 00 00 02 11 c0 a8 80 00 00 00 00", "routes"},
	))
	equal(t, "a search list without a good domain", len(dhcp.AppendSearch(nil, "a..b")), 0)
}

func TestRefusesMalformedMessages(t *testing.T) {
	for _, c := range []struct {
		what string
		b    []byte
		want dhcp.Fault
	}{
		{"nothing", nil, dhcp.ErrShort},
		{"a byte less than the options need", discover[:239], dhcp.ErrShort},
		{"operation 0", with(discover, 0, 0), dhcp.ErrOp},
		{"operation 3", with(discover, 0, 3), dhcp.ErrOp},
		{"a hardware address of 17 bytes", with(discover, 2, 17), dhcp.ErrHardwareLen},
		{"another cookie", with(discover, 239, 0x64), dhcp.ErrCookie},
		{"an option without length", bare(53), dhcp.ErrOption},
		{"an option cut short", bare(53, 2, 1), dhcp.ErrOption},
		{"a good one and one cut short", bare(53, 1, 1, 0, 12, 1), dhcp.ErrOption},
		{"overload without a value", bare(52, 0, 255), dhcp.ErrOverload},
		{"overload of two bytes", bare(52, 2, 1, 1, 255), dhcp.ErrOverload},
		{"overload of nothing", bare(52, 1, 0, 255), dhcp.ErrOverload},
		{"overload of more than there is", bare(52, 1, 4, 255), dhcp.ErrOverload},
		{"a bad option in file", with(bare(52, 1, 1, 255), 108+126, 12, 1), dhcp.ErrOption},
		{"a bad option in sname", with(bare(52, 1, 2, 255), 44+62, 12, 1), dhcp.ErrOption},
	} {
		m, err := dhcp.ParseMessage(c.b)
		if err != error(c.want) || m != nil {
			t.Errorf("%s: got %v and %d bytes, want %v and none", c.what, err, len(m), c.want)
		}
	}
}

func TestTakesOddMessages(t *testing.T) {
	for _, c := range []struct {
		what string
		b    []byte
	}{
		{"no options", bare()},
		{"no end", bare(53, 1, 5)},
		{"anything behind the end", bare(53, 1, 5, 255, 12, 200)},
		{"a field that is not overloaded and looks bad", with(bare(52, 1, 2, 255), 108+126, 12, 1)},
		{"overload told of elsewhere", with(with(bare(52, 1, 1, 255), 108, 52, 1, 3), 44+62, 12, 1)},
		{"a hardware address of another kind", with(discover, 1, 32, 16)},
	} {
		if _, err := dhcp.ParseMessage(c.b); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	_, ok := parsed(t, with(discover, 1, 32, 16)).CHAddr()
	equal(t, "another kind is Ethernet", ok, false)
}

// "The options in the 'options' field MUST be interpreted first", then file, then
// sname (RFC 2131, Section 4.1); pieces are put together in that order.
func TestReadsOverloadedFieldsInOrder(t *testing.T) {
	b := bare(12, 1, 'a', 52, 1, 3, 12, 1, 'b', 255)
	b = with(b, 108, 0, 12, 1, 'c', 255, 12, 1, 'x')
	b = with(b, 44, 12, 1, 'd', 53, 1, 2, 255)
	m := parsed(t, b)
	equal(t, "name", m.HostName(), "abcd")
	equal(t, "type", m.Type(), dhcp.Offer)
	equal(t, "the first piece is not written over", m[240+2+1], 52)
	equal(t, "text", m.String(), "dhcp offer 02:00:00:00:00:01 xid 0 <name abcd>")

	b[240+5] = 1
	equal(t, "name with file alone", parsed(t, b).HostName(), "abc")
	b[240+5] = 2
	equal(t, "name with sname alone", parsed(t, b).HostName(), "abd")
}

func TestLongOptionsComeInPieces(t *testing.T) {
	for _, n := range []int{0, 1, 254, 255, 256, 510, 511, 1000} {
		value := bytes.Repeat([]byte{'v'}, n)
		b := dhcp.AppendOption(bare(), dhcp.OptVendorClass, value)
		pieces := max((n+254)/255, 1)
		equal(t, "length", len(b), 240+n+2*pieces)
		m := parsed(t, dhcp.AppendEnd(b, 0))
		equalBytes(t, "value", m.VendorClass(), value)
		equal(t, "is there", m.VendorClass() != nil, true)
	}
	var routes []dhcp.Route
	for i := range 100 {
		routes = append(routes, dhcp.Route{Dst: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i)}), 16), Via: addr("10.0.0.1")})
	}
	got, _ := parsed(t, dhcp.AppendRoutes(bare(), routes...)).AppendRoutes(nil)
	equalSlices(t, "routes", got, routes)
}

func TestWhatIsMalformedIsNotThere(t *testing.T) {
	none := []netip.Addr{}
	m := parsed(t, bare(53, 2, 5, 5, 50, 3, 1, 2, 3, 51, 5, 0, 0, 0, 0, 1, 26, 1, 1, 57, 1, 1, 61, 1, 7, 1, 3, 255, 255, 255,
		3, 5, 10, 0, 0, 1, 9, 15, 2, 'a', '!', 12, 2, 'b', '\n'))
	equal(t, "type", m.Type(), 0)
	equal(t, "requested address", m.RequestedAddr(), netip.Addr{})
	_, ok := m.LeaseTime()
	equal(t, "lease time", ok, false)
	equal(t, "MTU", m.MTU(), 0)
	equal(t, "maximum", m.MaxLen(), 548)
	equal(t, "identifier", m.ClientID() == nil, true)
	equal(t, "mask", m.MaskBits(), 0)
	equalSlices(t, "routers", m.AppendAddrs(none, dhcp.OptRouters), none)
	equal(t, "domain", m.Domain(), "")
	equal(t, "name", m.HostName(), "")

	m = parsed(t, bare(1, 4, 255, 0, 255, 0, 26, 2, 2, 0x3f, 3, 12, 224, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 57, 2, 0, 1))
	equal(t, "a mask with a hole", m.MaskBits(), 0)
	equal(t, "an MTU below 576", m.MTU(), 0)
	equal(t, "a maximum below 576", m.MaxLen(), 548)
	equalSlices(t, "routers that are machines", m.AppendAddrs(nil, dhcp.OptRouters), addrs("10.0.0.1"))
	for bits := range 33 {
		equal(t, "mask", parsed(t, dhcp.AppendMask(bare(), bits)).MaskBits(), bits)
	}
}

func TestListsHaveBounds(t *testing.T) {
	many := slices.Repeat(addrs("10.0.0.1"), 500)
	m := parsed(t, dhcp.AppendAddrs(bare(), dhcp.OptDNS, many...))
	equal(t, "addresses", len(m.AppendAddrs(many[:3], dhcp.OptDNS)), 3+16)

	m = parsed(t, dhcp.AppendSearch(bare(), slices.Repeat([]string{"lan"}, 100)...))
	domains, _ := m.AppendSearch(nil)
	equal(t, "domains", len(domains), 32)

	m = parsed(t, dhcp.AppendRoutes(bare(), slices.Repeat([]dhcp.Route{{Dst: prefix("0.0.0.0/0"), Via: addr("10.0.0.1")}}, 200)...))
	routes, _ := m.AppendRoutes(nil)
	equal(t, "routes", len(routes), 128)
}

func TestSecondsOnTheWire(t *testing.T) {
	for _, c := range []struct{ d, want time.Duration }{
		{0, 0}, {-time.Second, 0}, {1999 * time.Millisecond, time.Second},
		{0xfffffffe * time.Second, 0xfffffffe * time.Second},
		{0xffffffff * time.Second, 0xfffffffe * time.Second}, // would mean forever
		{dhcp.Forever - 1, 0xfffffffe * time.Second},
		{dhcp.Forever, dhcp.Forever},
	} {
		got, ok := parsed(t, dhcp.AppendSeconds(bare(), dhcp.OptT1, c.d)).T1()
		equal(t, c.d.String(), got, c.want)
		equal(t, c.d.String(), ok, true)
	}
}

func TestHostNamesOfStrangersAreLabels(t *testing.T) {
	for name, want := range map[string]string{
		"box": "box", "BOX-7": "box-7", "box.example.org": "box", "Anna's": "", "my box": "my-box", "a_b": "a-b",
		"box\x00": "box", "box\x00\x00": "box", "": "", "\x00": "", ".": "", "-": "", "-box-": "box", "b\x00x": "",
		"b\xc3\xbcro": "", "a;rm": "", "10": "10",
		strings.Repeat("a", 63): strings.Repeat("a", 63), strings.Repeat("a", 64): "",
	} {
		equal(t, name, parsed(t, dhcp.AppendOption(bare(), dhcp.OptHostName, name)).HostName(), want)
	}
}

func TestDomainsOfStrangersAreDomains(t *testing.T) {
	for name, want := range map[string]string{
		"lan": "lan", "Home.ARPA.": "home.arpa", "_x.lan": "_x.lan", "lan\x00": "lan", "": "", ".": "", "a..b": "", ".a": "",
		"a b": "", "-a.b": "", "a-.b": "", "a.b;": "", strings.Repeat("a.", 126) + "a": strings.Repeat("a.", 126) + "a",
		strings.Repeat("a.", 127) + "a": "", strings.Repeat("a", 64): "",
	} {
		equal(t, name, parsed(t, dhcp.AppendOption(bare(), dhcp.OptDomain, name)).Domain(), want)
	}
}

func TestReadsSearchLists(t *testing.T) {
	for _, c := range []struct {
		what, hex string
		want      string
	}{
		{"pointers to pointers", "01 61 00  01 62 c0 00  01 63 c0 03  01 64 00", "a b.a c.b.a d"},
		{"a pointer into a name", "01 61 01 62 00  01 63 c0 02", "a.b c.b"},
		{"a pointer alone", "01 61 00 c0 00", "a a"},
		{"a pointer to itself", "01 61 00 c0 03", ""},
		{"a pointer into its own name", "01 61 c0 00", ""},
		{"a pointer forward", "01 61 c0 04 01 62 00", ""},
		{"a pointer cut short", "01 61 00 c0", ""},
		{"a label cut short", "01 61 00 02 62", ""},
		{"no end", "01 61 00 01 62", ""},
		{"a name that is empty", "01 61 00 00", ""},
		{"a reserved kind of label", "40 61 00", ""},
		{"a bad character", "01 61 00 01 0a 00", ""},
	} {
		m := parsed(t, dhcp.AppendOption(bare(), dhcp.OptSearch, packet(field{strings.ReplaceAll(c.hex, " ", ""), c.what})))
		got, ok := m.AppendSearch(nil)
		equal(t, c.what, strings.Join(got, " "), c.want)
		equal(t, c.what, ok, c.want != "")
	}
}

func TestReadsRoutes(t *testing.T) {
	for _, c := range []struct{ what, hex, want string }{
		{"each length", "00 0a000001  08 0a 0a000001  09 0aff 0a000001  19 0a0000ff 0a000001  20 0a000007 0a000001",
			"0.0.0.0/0 10.0.0.0/8 10.128.0.0/9 10.0.0.128/25 10.0.0.7/32"},
		{"33 bits", "21 0a00000000 0a000001", ""},
		{"a router cut short", "00 0a0000", ""},
		{"one good, one cut short", "00 0a000001 08", ""},
		{"a router that is a group", "00 e0000001", ""},
		{"nothing", "", ""},
	} {
		m := parsed(t, dhcp.AppendOption(bare(), dhcp.OptRoutes, packet(field{c.hex, c.what})))
		routes, ok := m.AppendRoutes(nil)
		var got []string
		for _, r := range routes {
			got = append(got, r.Dst.String())
		}
		equal(t, c.what, strings.Join(got, " "), c.want)
		equal(t, c.what, ok, c.want != "")
	}
}

func TestFaultsHaveNamesOfTheirOwn(t *testing.T) {
	seen := make(map[string]bool)
	for f := dhcp.Fault(0); f < dhcp.Faults; f++ {
		if s := f.String(); s == "" || seen[s] {
			t.Errorf("fault %d is called %q, as nothing or another is", uint8(f), s)
		}
		seen[f.String()] = true
	}
	equal(t, "a fault", dhcp.ErrOverload.Error(), "bad dhcp message: overload")
	equal(t, "a number that is none", dhcp.Fault(dhcp.Faults).String(), "unknown fault")
}

func TestNumbersHaveNames(t *testing.T) {
	equal(t, "type", dhcp.Inform.String(), "inform")
	equal(t, "type", dhcp.Type(0).String(), "bootp")
	equal(t, "type", dhcp.Type(9).String(), "type 9")
	equal(t, "option", dhcp.OptRoutes.String(), "routes")
	equal(t, "option", dhcp.Code(43).String(), "option 43")
	equal(t, "option", dhcp.Code(200).String(), "option 200")
	equal(t, "state", dhcp.Rebinding.String(), "rebinding")
	equal(t, "state", dhcp.State(99).String(), "unknown state")
	equal(t, "event", dhcp.Released.String(), "released")
	equal(t, "event", dhcp.Event(99).String(), "unknown event")
}

func TestDescribersAgree(t *testing.T) {
	m := parsed(t, discover)
	text, err := m.AppendText([]byte("at 1s: "))
	equal(t, "error", err, nil)
	equal(t, "AppendText", string(text), "at 1s: "+m.String())
	equal(t, "LogValue", m.LogValue().String(), m.String())
	odd := parsed(t, bare(53, 1, 2, 43, 2, 0, 0, 51, 1, 0, 58, 4, 255, 255, 255, 255, 3, 3, 1, 1, 1, 119, 1, 1, 12, 3, 'a', '\n', ' '))
	equal(t, "odd", odd.String(), "dhcp offer 02:00:00:00:00:01 xid 0 <option 43 len 2, lease len 1, t1 forever, routers len 3, "+
		`search len 1, name a\010 >`)
}

func TestParsingAllocatesNothing(t *testing.T) {
	to := make([]netip.Addr, 0, 16)
	routes := make([]dhcp.Route, 0, 16)
	for _, b := range [][]byte{discover, ack} {
		noAllocs(t, "parse", func() {
			m, _ := dhcp.ParseMessage(b)
			m.Type()
			m.XID()
			m.CHAddr()
			m.ServerID()
			m.RequestedAddr()
			m.LeaseTime()
			m.MaskBits()
			m.MaxLen()
			m.ClientID()
			m.Parameters()
			m.MTU()
			m.AppendAddrs(to, dhcp.OptRouters)
			m.AppendRoutes(routes)
		})
	}
	noAllocs(t, "refuse", func() { dhcp.ParseMessage(ack[:300]) })
}

func TestBuildingAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1500)
	id := []byte{1, 2, 3}
	routes := []dhcp.Route{{Dst: prefix("0.0.0.0/0"), Via: addr("10.0.0.2")}}
	router := addr("10.0.0.1")
	long := bytes.Repeat(id, 100)
	noAllocs(t, "build", func() {
		b := dhcp.AppendHeader(buf, &dhcp.Header{Op: dhcp.OpReply, YIAddr: router, CHAddr: mac1})
		b = dhcp.AppendType(b, dhcp.ACK)
		b = dhcp.AppendMask(b, 24)
		b = dhcp.AppendAddrs(b, dhcp.OptRouters, router)
		b = dhcp.AppendSeconds(b, dhcp.OptLeaseTime, time.Hour)
		b = dhcp.AppendUint16(b, dhcp.OptMTU, 1500)
		b = dhcp.AppendOption(b, dhcp.OptClientID, id)
		b = dhcp.AppendOption(b, dhcp.OptVendorClass, long)
		b = dhcp.AppendOption(b, dhcp.OptHostName, "box")
		b = dhcp.AppendSearch(b, "lan", "home.arpa")
		b = dhcp.AppendRoutes(b, routes...)
		dhcp.AppendEnd(b, 0)
	})
}
