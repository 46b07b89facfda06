package interop

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"landline/dns"
)

// dig, which tells what it does not like, is content with a zone.
func TestDigReadsAZone(t *testing.T) {
	dig := need(t, "dig")["dig"]
	port := serveZone(t, digZone(t))
	ask := func(args ...string) string {
		return run(t, dig, append([]string{"-p", port, "@127.0.0.1", "+tries=1", "+time=20", "+nocookie"}, args...)...)
	}
	for _, c := range []struct {
		args string
		want []string // lines, or parts of them
	}{
		{"desk.lan A +short", []string{"10.0.0.2\n"}},
		{"DeSK.lAn A", []string{"DeSK.lAn.\t\t60\tIN\tA\t10.0.0.2", "flags: qr aa rd ra;"}},
		{"desk.lan AAAA +short", []string{"fd00::2\n"}},
		{"-x 10.0.0.2 +short", []string{"desk.lan.\n"}},
		{"-x fd00::2 +short", []string{"desk.lan.\n"}},
		{"desk.lan TXT +short", []string{`"on the left" "4 legs"`}},
		{"_http._tcp.lan SRV", []string{"IN\tSRV\t10 5 8080 desk.lan.", ";; ADDITIONAL SECTION:\ndesk.lan.\t\t60\tIN\tA\t10.0.0.2"}},
		{"desk.lan MX", []string{"status: NOERROR", "ANSWER: 0, AUTHORITY: 1", "lan.\t\t\t10\tIN\tSOA\tns.lan. hostmaster.lan. "}},
		{"_tcp.lan A", []string{"status: NOERROR", "ANSWER: 0, AUTHORITY: 1"}},
		{"nobody.lan A", []string{"status: NXDOMAIN", "ANSWER: 0, AUTHORITY: 1"}},
		{"-x 10.0.0.3", []string{"status: NXDOMAIN", "0.0.10.in-addr.arpa.\t10\tIN\tSOA"}},
		{"lan SOA +short", []string{"ns.lan. hostmaster.lan. "}},
		{"desk.lan ANY +notcp", []string{"ANSWER: 3, AUTHORITY: 0"}},
		{"desk.lan A +tcp", []string{"10.0.0.2", "(TCP)"}},
		{"many.lan A +short", []string{"10.1.0.99"}},
		{"many.lan A +bufsize=512 +ignore", []string{"flags: qr aa tc rd ra;", "ANSWER: 0,"}},
		{"many.lan A +noedns", []string{";; Truncated, retrying in TCP mode.", "ANSWER: 100,"}},
		{"desk.lan A +dnssec", []string{"EDNS: version: 0, flags: do; udp: 1232"}},
		{"desk.lan A +edns=1 +noednsnegotiation", []string{"status: BADVERS", "EDNS: version: 0"}},
		{"desk.lan A +ednsopt=65001:0102", []string{"status: NOERROR"}},
		{"desk.lan A +opcode=NOTIFY", []string{"status: NOTIMP"}},
		{"version.bind CH TXT", []string{"status: REFUSED"}},
		{"example.org A", []string{"status: SERVFAIL"}}, // as it is not passed on here
	} {
		got := ask(strings.Fields(c.args)...)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("dig %s: %q is missing in\n%s", c.args, want, got)
			}
		}
		for _, bad := range []string{"WARNING", "bad packet", "malformed", "mismatch", "extra bytes"} {
			if strings.Contains(got, bad) {
				t.Errorf("dig %s complains:\n%s", c.args, got)
			}
		}
	}
}

func digZone(t *testing.T) *dns.Zone {
	name := func(s string) dns.Name {
		n, err := dns.ParseName(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	z := dns.NewZone(dns.ZoneConfig{
		Domain: name("lan"), Recursion: true,
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")},
	})
	var many []dns.Record
	for i := range 100 {
		many = append(many, dns.AddrRecord(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})))
	}
	for s, records := range map[string][]dns.Record{
		"desk.lan": {
			dns.AddrRecord(netip.MustParseAddr("10.0.0.2")), dns.AddrRecord(netip.MustParseAddr("fd00::2")),
			{Type: dns.TypeTXT, Texts: []string{"on the left", "4 legs"}},
		},
		"_http._tcp.lan": {{Type: dns.TypeSRV, Priority: 10, Weight: 5, Port: 8080, Target: name("desk.lan")}},
		"many.lan":       many,
	} {
		if err := z.Set(name(s), records...); err != nil {
			t.Fatal(err)
		}
	}
	return z
}

// serveZone answers questions about a zone at a port of the loopback, by UDP and TCP. All others it fails.
func serveZone(t *testing.T, z *dns.Zone) (port string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		c.Close()
		running.Wait()
	})
	answer := func(b []byte, overTCP bool) []byte {
		a, verdict := z.Answer(nil, b, overTCP)
		if verdict == dns.Elsewhere {
			return dns.AppendAnswer(nil, b, dns.ServFail)
		}
		return a
	}
	running.Go(func() {
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			c.WriteToUDPAddrPort(answer(b[:n], false), from)
		}
	})
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serveZoneStream(c, answer) })
		}
	})
	return strconv.Itoa(int(at.Port()))
}

// serveZoneStream answers the questions of a connection, each after its length.
func serveZoneStream(c net.Conn, answer func(b []byte, overTCP bool) []byte) {
	defer c.Close()
	var size [2]byte
	for {
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		a := answer(b, true)
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
	}
}
