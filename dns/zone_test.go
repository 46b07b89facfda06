package dns

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func addr(s string) Record { return AddrRecord(netip.MustParseAddr(s)) }

func text(texts ...string) Record { return Record{Type: TypeTXT, Texts: texts} }

func service(priority, weight, port uint16, target Name) Record {
	return Record{Type: TypeSRV, Priority: priority, Weight: weight, Port: port, Target: target}
}

// office is a zone with some of everything.
func office(t testing.TB) *Zone {
	z := NewZone(ZoneConfig{
		Domain: name(t, "lan"), Server: name(t, "gateway.lan"), Recursion: true,
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("10.9.16.0/20"), netip.MustParsePrefix("fd00:0:0:5::/64"), netip.MustParsePrefix("fd00::4000:0/98")},
	})
	for s, records := range map[string][]Record{
		"gateway.lan":    {addr("10.0.0.1"), addr("fd00:0:0:5::1")},
		"desk.lan":       {addr("10.0.0.2"), addr("::ffff:10.0.0.3"), text("on the left", "4 legs")},
		"shed.lan":       {addr("fd00:0:0:5::77")},
		"far.lan":        {addr("192.0.2.1"), addr("10.9.17.3")},
		"_http._tcp.lan": {service(10, 5, 8080, name(t, "desk.lan")), service(20, 0, 80, name(t, "example.org")), text("v=1")},
		"_ftp._tcp.lan":  {service(0, 0, 0, "")},
		"a.b.c.lan":      {text()},
		"lan":            {text(strings.Repeat("x", 300))},
	} {
		if err := z.Set(name(t, s), records...); err != nil {
			t.Fatal(err)
		}
	}
	return z
}

// ask asks a zone, and reads the answer with somebody else's eyes.
func ask(t testing.TB, z *Zone, s string, kind Type, overTCP bool) (dnsmessage.Message, Verdict) {
	t.Helper()
	n := Name("\x00")
	if s != "." {
		n = name(t, s)
	}
	b, v := z.Answer([]byte("before"), AppendQuery(nil, 0x1234, n, kind), overTCP)
	b, ok := bytes.CutPrefix(b, []byte("before"))
	if !ok || v != Answered && len(b) != 0 {
		t.Fatalf("%s %s: %v, %q", s, kind, v, b)
	}
	if v != Answered {
		return dnsmessage.Message{}, v
	}
	return read(t, b), v
}

func read(t testing.TB, b []byte) (m dnsmessage.Message) {
	t.Helper()
	if _, err := ParseMessage(b); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	if err := m.Unpack(b); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return m
}

// texts describes records, one a string: "desk.lan. A 10.0.0.2".
func texts(records []dnsmessage.Resource) (s []string) {
	for _, r := range records {
		line := r.Header.Name.String() + " " + strings.TrimPrefix(r.Header.Type.String(), "Type") + " "
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			line += netip.AddrFrom4(b.A).String()
		case *dnsmessage.AAAAResource:
			line += netip.AddrFrom16(b.AAAA).String()
		case *dnsmessage.PTRResource:
			line += b.PTR.String()
		case *dnsmessage.NSResource:
			line += b.NS.String()
		case *dnsmessage.SRVResource:
			line += b.Target.String()
		case *dnsmessage.TXTResource:
			line += strings.Join(b.TXT, "|")
		case *dnsmessage.SOAResource:
			line += b.NS.String() + " " + b.MBox.String()
		case *dnsmessage.OPTResource:
			continue
		}
		s = append(s, line)
	}
	return s
}

func TestZoneAnswers(t *testing.T) {
	z := office(t)
	const (
		ok   = dnsmessage.RCodeSuccess
		gone = dnsmessage.RCodeNameError
		r4   = "0.0.10.in-addr.arpa"
		r6   = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"
		host = "0.0.0.0.0.0.0.0.0.0.0.0.0."

		zeros = ".0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"
	)
	start := func(apex string) []string { return []string{apex + ". SOA gateway.lan. hostmaster.lan."} }
	for _, c := range []struct {
		name      string
		kind      Type
		code      dnsmessage.RCode
		answers   []string
		authority []string
		more      []string
	}{
		{"desk.lan", TypeA, ok, []string{"desk.lan. A 10.0.0.2", "desk.lan. A 10.0.0.3"}, nil, nil},
		{"desk.lan", TypeTXT, ok, []string{"desk.lan. TXT on the left|4 legs"}, nil, nil},
		{"gateway.lan", TypeAAAA, ok, []string{"gateway.lan. AAAA fd00:0:0:5::1"}, nil, nil},
		{"desk.lan", TypeANY, ok, []string{"desk.lan. A 10.0.0.2", "desk.lan. A 10.0.0.3", "desk.lan. TXT on the left|4 legs"}, nil, nil},
		{"a.b.c.lan", TypeTXT, ok, []string{"a.b.c.lan. TXT "}, nil, nil},
		{"_http._tcp.lan", TypeSRV, ok, []string{"_http._tcp.lan. SRV desk.lan.", "_http._tcp.lan. SRV example.org."}, nil, []string{"desk.lan. A 10.0.0.2", "desk.lan. A 10.0.0.3"}},
		{"_http._tcp.lan", TypeTXT, ok, []string{"_http._tcp.lan. TXT v=1"}, nil, nil},
		{"_ftp._tcp.lan", TypeSRV, ok, []string{"_ftp._tcp.lan. SRV ."}, nil, nil},
		{"lan", TypeSOA, ok, start("lan"), nil, nil},
		{"lan", TypeNS, ok, []string{"lan. NS gateway.lan."}, nil, nil},
		{"lan", TypeTXT, ok, []string{"lan. TXT " + strings.Repeat("x", 255) + "|" + strings.Repeat("x", 45)}, nil, nil},

		// There, but not of this type.
		{"desk.lan", TypeAAAA, ok, nil, start("lan"), nil},
		{"shed.lan", TypeA, ok, nil, start("lan"), nil},
		{"shed.lan", 65, ok, nil, start("lan"), nil},
		{"lan", TypeA, ok, nil, start("lan"), nil},
		{"_tcp.lan", TypeSRV, ok, nil, start("lan"), nil},
		{"c.lan", TypeTXT, ok, nil, start("lan"), nil},
		{"desk.lan", TypeSOA, ok, nil, start("lan"), nil},

		// Not there.
		{"nobody.lan", TypeA, gone, nil, start("lan"), nil},
		{"x.desk.lan", TypeA, gone, nil, start("lan"), nil},
		{"d.b.c.lan", TypeTXT, gone, nil, start("lan"), nil},

		// Who has an address.
		{"2." + r4, TypePTR, ok, []string{"2." + r4 + ". PTR desk.lan."}, nil, nil},
		{"3.17.9.10.in-addr.arpa", TypePTR, ok, []string{"3.17.9.10.in-addr.arpa. PTR far.lan."}, nil, nil},
		{"7.7.0." + host + r6, TypePTR, ok, []string{"7.7.0." + host + r6 + ". PTR shed.lan."}, nil, nil},
		{"7.7.0." + host + r6, TypeA, ok, nil, start(r6), nil},
		{"9." + r4, TypePTR, gone, nil, start(r4), nil},
		{"2." + r4, TypeA, ok, nil, start(r4), nil},
		{r4, TypeSOA, ok, start(r4), nil, nil},
		{r4, TypeNS, ok, []string{r4 + ". NS gateway.lan."}, nil, nil},
		{r4, TypePTR, ok, nil, start(r4), nil},
		{"17.9.10.in-addr.arpa", TypePTR, ok, nil, start("17.9.10.in-addr.arpa"), nil}, // the network has no name of its own
		{"1.31.9.10.in-addr.arpa", TypePTR, gone, nil, start("31.9.10.in-addr.arpa"), nil},
		{"31.9.10.in-addr.arpa", TypePTR, ok, nil, start("31.9.10.in-addr.arpa"), nil},
		{"1.0.0.0.0.0.0.4" + zeros + ".d.f.ip6.arpa", TypePTR, gone, nil, start("4" + zeros + ".d.f.ip6.arpa"), nil},
		{"0." + host + r6, TypePTR, ok, nil, start(r6), nil},
		{"1." + host + r6, TypePTR, gone, nil, start(r6), nil},
	} {
		m, v := ask(t, z, c.name, c.kind, false)
		if v != Answered || m.RCode != c.code || !m.Response || !m.Authoritative || m.Truncated || !m.RecursionDesired || !m.RecursionAvailable || m.ID != 0x1234 {
			t.Errorf("%s %s: %v, %+v", c.name, c.kind, v, m.Header)
		}
		if got := texts(m.Answers); !slices.Equal(got, c.answers) {
			t.Errorf("%s %s: answers %q, want %q", c.name, c.kind, got, c.answers)
		}
		if got := texts(m.Authorities); !slices.Equal(got, c.authority) {
			t.Errorf("%s %s: authority %q, want %q", c.name, c.kind, got, c.authority)
		}
		if got := texts(m.Additionals); !slices.Equal(got, c.more) {
			t.Errorf("%s %s: additional %q, want %q", c.name, c.kind, got, c.more)
		}
	}
}

func TestZoneLeavesToOthersWhatIsTheirs(t *testing.T) {
	z := office(t)
	for _, s := range []string{
		".", "example.org", "desk", "lan.org", "xlan", "org.lan.org", "2.0.1.10.in-addr.arpa", "10.in-addr.arpa", "9.10.in-addr.arpa",
		"in-addr.arpa", "ip6.arpa", "15.9.10.in-addr.arpa", "32.9.10.in-addr.arpa", "02.0.0.10.in-addr.arpa", "256.0.0.10.in-addr.arpa",
		"x.0.0.10.in-addr.arpa", "+2.0.0.10.in-addr.arpa", "1.2.0.0.10.in-addr.arpa", "0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
		"6.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "10.5.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "g.5.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
		strings.Repeat("0.", 17) + "5.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
	} {
		if _, v := ask(t, z, s, TypePTR, false); v != Elsewhere {
			t.Errorf("%s: %v", s, v)
		}
	}
}

func TestNamesOfAddresses(t *testing.T) {
	for a, want := range map[string]string{
		"10.0.200.5": "5.200.0.10.in-addr.arpa.", "::ffff:10.0.200.5": "5.200.0.10.in-addr.arpa.",
		"2001:db8::567:89ab": "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
	} {
		n := ReverseName(netip.MustParseAddr(a))
		if n.String() != want || n != name(t, want) {
			t.Errorf("%s: %s", a, n)
		}
		if p, ok := n.reverse(); !ok || !p.IsSingleIP() || p.Addr() != netip.MustParseAddr(a).Unmap() {
			t.Errorf("%s is that of %s", n, p)
		}
	}
}

func TestNamesComeAndGo(t *testing.T) {
	z := office(t)
	serial := func() uint32 {
		m, _ := ask(t, z, "lan", TypeSOA, false)
		return m.Answers[0].Body.(*dnsmessage.SOAResource).Serial
	}
	code := func(s string) dnsmessage.RCode { m, _ := ask(t, z, s, TypeTXT, false); return m.RCode }
	before := serial()
	set := func(s string, records ...Record) {
		t.Helper()
		if err := z.Set(name(t, s), records...); err != nil {
			t.Error(err)
		}
	}
	set("new.desk.lan", addr("10.0.0.2"))
	m, _ := ask(t, z, "2.0.0.10.in-addr.arpa", TypePTR, false)
	if got := texts(m.Answers); len(got) != 2 || !strings.HasSuffix(got[0], " desk.lan.") || !strings.HasSuffix(got[1], " new.desk.lan.") {
		t.Errorf("two names of an address: %q", got)
	}
	set("desk.lan") // but what is below stays
	if code("desk.lan") != dnsmessage.RCodeSuccess || code("new.desk.lan") != dnsmessage.RCodeSuccess {
		t.Error("gone with what is above it")
	}
	set("new.desk.lan", addr("10.0.0.4"), addr("10.0.0.4"))
	if m, _ := ask(t, z, "2.0.0.10.in-addr.arpa", TypePTR, false); m.RCode != dnsmessage.RCodeNameError {
		t.Errorf("an address that nobody has any more: %+v", m)
	}
	if m, _ := ask(t, z, "4.0.0.10.in-addr.arpa", TypePTR, false); len(m.Answers) != 1 {
		t.Errorf("%+v", m)
	}
	set("new.desk.lan")
	set("new.desk.lan")
	for _, s := range []string{"desk.lan", "new.desk.lan"} {
		if code(s) != dnsmessage.RCodeNameError {
			t.Errorf("%s is still there", s)
		}
	}
	if after := serial(); after <= before {
		t.Errorf("serial %d, then %d", before, after)
	}
	set("a.b.c.lan")
	if len(z.below) != 2 || len(z.owners) != 5 { // "lan." and "_tcp.lan."
		t.Errorf("left: %v, %v", z.below, z.owners)
	}
}

// A zone keeps copies, and is there before it has names.
func TestZoneIsItsOwn(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	long := name(t, strings.Repeat("a.", 126)+"b")
	z := NewZone(ZoneConfig{Domain: long, Networks: networks})
	networks[0] = netip.MustParsePrefix("10.1.0.0/24")
	m, _ := ask(t, z, long.String(), TypeA, true)
	if soa := m.Authorities[0].Body.(*dnsmessage.SOAResource); m.RCode != 0 || soa.NS.String() != long.String() || soa.MBox != soa.NS {
		t.Errorf("%+v", m)
	}
	records := []Record{addr("10.0.0.1")}
	z.Set(long, records...)
	records[0] = addr("10.0.0.2")
	if m, _ := ask(t, z, "1.0.0.10.in-addr.arpa", TypePTR, true); len(m.Answers) != 1 {
		t.Errorf("%+v", m)
	}
	if m, _ := ask(t, z, long.String(), TypeA, true); texts(m.Answers)[0] != long.String()+" A 10.0.0.1" {
		t.Errorf("%+v", m)
	}
	no := text()
	if got := string(no.appendData(nil)); got != "\x00" {
		t.Errorf("no text is %q", got)
	}
	no = service(1, 2, 3, "")
	if got := string(no.appendData(nil)); got != "\x00\x01\x00\x02\x00\x03\x00" {
		t.Errorf("no service is %q", got)
	}
}

func TestZoneRefusesWhatItCannotAnswer(t *testing.T) {
	z := office(t)
	if err := z.Set(name(t, "desk.org"), addr("10.0.0.2")); err != ErrOutside {
		t.Errorf("%v", err)
	}
	texts := slices.Repeat([]Record{text(strings.Repeat("x", 1000))}, 33)
	if err := z.Set(name(t, "desk.lan"), texts...); err != ErrRecords {
		t.Errorf("%v", err)
	}
	if m, _ := ask(t, z, "desk.lan", TypeA, false); len(m.Answers) != 2 {
		t.Errorf("an error has changed something: %+v", m)
	}
	if err := z.Set(name(t, "desk.lan"), texts[:31]...); err != nil {
		t.Error(err)
	}
	if m, _ := ask(t, z, "desk.lan", TypeTXT, true); len(m.Answers) != 31 || m.Truncated {
		t.Errorf("%d answers over TCP, %+v", len(m.Answers), m.Header)
	}
	defer func() {
		if recover() == nil {
			t.Error("a zone without a domain")
		}
	}()
	NewZone(ZoneConfig{})
}

// Names that others know of at the time are answered as those that were set.
func TestZoneAsksWhoKnowsMore(t *testing.T) {
	desk, shed, lan := name(t, "desk.lan"), name(t, "shed.lan"), name(t, "lan")
	six := netip.MustParseAddr("fd00::9")
	z := NewZone(ZoneConfig{
		Domain: lan, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")},
		Addresses: func(n Name) ([]netip.Addr, bool) {
			switch n {
			case desk:
				t.Error("what was set is asked for")
			case shed:
				return []netip.Addr{netip.MustParseAddr("10.0.0.9"), six}, true
			}
			return nil, n == "\x04bare"+lan
		},
		Names: func(a netip.Addr) []Name {
			if a == six {
				return []Name{shed}
			}
			return nil
		},
	})
	text := Record{Type: TypeTXT, Texts: []string{"red"}}
	if err := errors.Join(z.Set(desk, addr("10.0.0.1"), addr("fd00::9")), z.Set(shed, text), z.Set("\x04_tcp"+lan, service(0, 0, 1, shed))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		kind Type
		code dnsmessage.RCode
		want []string
	}{
		{"desk.lan", TypeA, 0, []string{"desk.lan. A 10.0.0.1"}},
		{"shed.lan", TypeA, 0, []string{"shed.lan. A 10.0.0.9"}},
		{"shed.lan", TypeAAAA, 0, []string{"shed.lan. AAAA fd00::9"}},
		{"shed.lan", TypeTXT, 0, []string{"shed.lan. TXT red"}},
		{"bare.lan", TypeA, 0, nil},
		{"lan", TypeA, 0, nil},
		{"nobody.lan", TypeA, dnsmessage.RCodeNameError, nil},
		{ReverseName(six).String(), TypePTR, 0, []string{ReverseName(six).String() + " PTR desk.lan.", ReverseName(six).String() + " PTR shed.lan."}},
		{"9.0.0.10.in-addr.arpa", TypePTR, dnsmessage.RCodeNameError, nil},
		{"0." + ReverseName(six).ancestor(20).String(), TypePTR, 0, nil}, // who knows what is below it
	} {
		m, _ := ask(t, z, c.name, c.kind, false)
		if got := texts(m.Answers); m.RCode != c.code || !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %v %q", c.name, c.kind, m.RCode, got)
		}
	}
	if m, _ := ask(t, z, "_tcp.lan", TypeSRV, false); len(texts(m.Additionals)) != 2 {
		t.Errorf("%q", texts(m.Additionals))
	}
}

// Times to live are never zero: of what is there, and of what is not.
func TestAnswersMayBeRemembered(t *testing.T) {
	for _, c := range []struct {
		config         ZoneConfig
		there, nothing uint32
	}{{ZoneConfig{}, 60, 10}, {ZoneConfig{TTL: 300, NegativeTTL: 5}, 300, 5}} {
		c.config.Domain = name(t, "lan")
		z := NewZone(c.config)
		z.Set(name(t, "desk.lan"), addr("10.0.0.1"))
		m, _ := ask(t, z, "desk.lan", TypeA, false)
		if got := m.Answers[0].Header.TTL; got != c.there {
			t.Errorf("%d s", got)
		}
		z.Set(name(t, "desk.lan"), Record{Type: TypeA, TTL: 7, Addr: netip.MustParseAddr("10.0.0.1")})
		if m, _ = ask(t, z, "desk.lan", TypeA, false); m.Answers[0].Header.TTL != 7 {
			t.Errorf("%+v", m.Answers)
		}
		m, _ = ask(t, z, "shed.lan", TypeA, false)
		soa := m.Authorities[0]
		if got := soa.Body.(*dnsmessage.SOAResource); soa.Header.TTL != c.nothing || got.MinTTL != c.nothing || got.NS.String() != "ns.lan." {
			t.Errorf("%+v", soa)
		}
		if m.RecursionAvailable {
			t.Error("recursion, without being told so")
		}
	}
}

// The question comes back as it was asked, so that who has put capitals into it knows that it is its own.
func TestCaseOfTheQuestionIsKept(t *testing.T) {
	query := AppendQuery(nil, 7, name(t, "desk.lan"), TypeA)
	copy(query[headerLen:], "\x04DeSk\x03LaN\x00")
	b, _ := office(t).Answer(nil, query, false)
	m := read(t, b)
	if got := m.Questions[0].Name.String(); got != "DeSk.LaN." || m.Answers[0].Header.Name.String() != "DeSk.LaN." {
		t.Errorf("%s, %+v", got, m.Answers[0])
	}
	copy(query[headerLen:], "\x04NoNe\x03LaN\x00")
	b, _ = office(t).Answer(nil, query, false)
	if m = read(t, b); m.RCode != dnsmessage.RCodeNameError || m.Authorities[0].Header.Name.String() != "lan." {
		t.Errorf("%+v", m)
	}
}

// Names are written once, and then pointed to.
func TestNamesAreCompressed(t *testing.T) {
	z := office(t)
	b, _ := z.Answer(nil, AppendQuery(nil, 0, name(t, "nobody.lan"), TypeA), false)
	want := "\x06nobody\x03lan\x00\x00\x01\x00\x01" + // asked for
		"\xc0\x13\x00\x06\x00\x01\x00\x00\x00\x0a\x00\x2b" + // lan. SOA, 43 bytes
		"\x07gateway\xc0\x13" + "\x0ahostmaster\xc0\x13"
	if !bytes.HasPrefix(b[headerLen:], []byte(want)) {
		t.Errorf("%q", b[headerLen:])
	}
	z.Set(name(t, "new.desk.lan"), addr("10.0.0.2"))
	b, _ = z.Answer(nil, AppendQuery(nil, 0, name(t, "2.0.0.10.in-addr.arpa"), TypePTR), false)
	if bytes.Count(b, []byte("desk")) != 1 {
		t.Errorf("%q", b)
	}
	b, _ = z.Answer(nil, AppendQuery(nil, 0, name(t, "_http._tcp.lan"), TypeSRV), false)
	if d := texts(read(t, b).Answers); len(d) != 2 || !bytes.Contains(b, []byte("\x04desk\x03lan\x00")) || bytes.Count(b, []byte("desk")) != 2 {
		t.Errorf("the target of a service is compressed, which RFC 2782 forbids, or is not pointed to: %q", b)
	}
}

// There is room for more names than are pointed to, and behind what can be pointed to.
func TestLongAnswersAreReadable(t *testing.T) {
	z := office(t)
	for _, label := range []string{"h", strings.Repeat("h", 40)} {
		var services []Record
		for i := range 120 {
			target := name(t, label+"."+label+strconv.Itoa(i)+"."+label+".lan")
			services = append(services, service(0, 0, 1, target))
			if err := z.Set(target, addr("10.0.0.5"), addr("fd00:0:0:5::5")); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Set(name(t, "_x._tcp.lan"), services...); err != nil {
			t.Fatal(err)
		}
		m, _ := ask(t, z, "_x._tcp.lan", TypeSRV, true)
		if len(m.Answers) != 120 || len(m.Additionals) != 2*120+1 || m.Truncated {
			t.Errorf("%d answers, %d more", len(m.Answers), len(m.Additionals))
		}
		for i, r := range m.Additionals[:2*120] {
			if want := m.Answers[i/2].Body.(*dnsmessage.SRVResource).Target; r.Header.Name != want {
				t.Fatalf("%s, want %s", r.Header.Name, want)
			}
		}
	}
	m, _ := ask(t, z, "5.0.0.10.in-addr.arpa", TypePTR, false)
	if len(m.Answers) != 16 {
		t.Errorf("%d of 240 names of an address", len(m.Answers))
	}
}

// plain makes a query without the extension.
func plain(q []byte) []byte {
	q = slices.Clone(q[:len(q)-optionsLen])
	q[11] = 0
	return q
}

func TestLongAnswersAreCutByUDP(t *testing.T) {
	z := office(t)
	many := name(t, "many.lan")
	var records []Record
	for i := range 100 {
		records = append(records, AddrRecord(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})))
	}
	ptr, long := name(t, "_long._tcp.lan"), name(t, strings.Repeat("long.", 40)+"lan")
	if err := errors.Join(z.Set(many, records...), z.Set(long, records[:60]...), z.Set(ptr, service(0, 0, 1, long))); err != nil {
		t.Fatal(err)
	}
	edns := func(size uint16) []byte {
		q := AppendQuery(nil, 1, many, TypeA)
		binary.BigEndian.PutUint16(q[len(q)-8:], size)
		return q
	}
	for _, c := range []struct {
		what    string
		query   []byte
		tcp     bool
		max     int
		answers int // 0 if it is cut
	}{
		{"without extension", plain(edns(0)), false, 512, 0},
		{"too little", edns(100), false, 512, 0},
		{"512", edns(512), false, 512, 0},
		{"1,232", edns(1232), false, 1232, 0},
		{"more than goes", edns(65535), false, 1232, 0},
		{"over TCP", edns(512), true, 65535, 100},
		{"over TCP, without extension", plain(edns(0)), true, 65535, 100},
	} {
		b, _ := z.Answer(nil, c.query, c.tcp)
		m := read(t, b)
		if len(b) > c.max || m.Truncated != (c.answers == 0) || len(m.Answers) != c.answers || len(m.Questions) != 1 || m.RCode != 0 {
			t.Errorf("%s: %d bytes, %d answers, %+v", c.what, len(b), len(m.Answers), m.Header)
		}
	}
	for n, want := range map[int]int{74: 12 + 14 + 74*16 + 11, 75: 12 + 14 + 11} {
		z.Set(many, records[:n]...)
		const before = 1000
		if b, _ := z.Answer(make([]byte, before), edns(1232), false); len(b)-before != want || read(t, b[before:]).Truncated != (n == 75) {
			t.Errorf("%d bytes of %d answers", len(b)-before, n)
		}
	}
	z.Set(many, text(strings.Repeat("x", 200)))
	q := edns(0)
	q[23] = byte(TypeTXT)
	if b, _ := z.Answer(nil, q, false); len(b) < 200 || read(t, b).Truncated {
		t.Errorf("what fits 512 bytes is cut, as if that could be too much for somebody: %x", b)
	}
	// What is only additional may be left out.
	b, _ := z.Answer(nil, plain(AppendQuery(nil, 1, ptr, TypeSRV)), false)
	if m := read(t, b); m.Truncated || len(m.Answers) != 1 || len(m.Additionals) != 3 || len(b) > 512 {
		t.Errorf("%d bytes, %d more, %+v", len(b), len(m.Additionals), m.Header)
	}
}

func TestExtension(t *testing.T) {
	z := office(t)
	q := AppendQuery(nil, 1, name(t, "desk.lan"), TypeA)
	opt := len(q) - optionsLen
	ttl := opt + 5
	for _, c := range []struct {
		what   string
		change func(q []byte) []byte
		code   dnsmessage.RCode
		ext    bool
	}{
		{"none", plain, 0, false},
		{"some", slices.Clone[[]byte], 0, true},
		{"with options", func(q []byte) []byte { q = slices.Clone(q); q[len(q)-1] = 4; return append(q, 0, 10, 0, 0) }, 0, true},
		{"of another version", func(q []byte) []byte { q = slices.Clone(q); q[ttl+1] = 1; return q }, 16, true},
		{"two", func(q []byte) []byte { b := append(slices.Clone(q), q[opt:]...); b[11] = 2; return b }, dnsmessage.RCodeFormatError, true},
		{"two of another version", func(q []byte) []byte {
			b := append(slices.Clone(q), q[opt:]...)
			b[11], b[ttl+1+optionsLen] = 2, 1
			return b
		}, dnsmessage.RCodeFormatError, true},
		{"behind an authority", func(q []byte) []byte {
			b := slices.Insert(slices.Clone(q), opt, record(nil, []byte{pointer, headerLen}, TypeNS, "\x00")...)
			b[9] = 1
			return b
		}, 0, true},
		{"in the wrong section", func(q []byte) []byte { b := slices.Clone(q); b[9], b[11] = 1, 0; return b }, 0, false},
		{"of a name", func(q []byte) []byte { b := slices.Insert(slices.Clone(q), opt, 1, 'x'); return b }, dnsmessage.RCodeFormatError, true},
	} {
		b, v := z.Answer(nil, c.change(q), false)
		m := read(t, b)
		code, ext := m.RCode, false
		for _, r := range m.Additionals {
			if r.Header.Type == dnsmessage.TypeOPT {
				ext = true
				code |= dnsmessage.RCode(r.Header.TTL >> 24 << 4)
				if r.Header.Class != MaxUDP || r.Header.TTL>>16&0xff != 0 || r.Header.Name.String() != "." {
					t.Errorf("%s: %+v", c.what, r.Header)
				}
			}
		}
		if v != Answered || code != c.code || ext != c.ext {
			t.Errorf("%s: %v, code %d, extension %v", c.what, v, code, ext)
		}
	}
	q[ttl+2] = 0x80
	b, _ := z.Answer(nil, q, false)
	if m := read(t, b); !m.Additionals[0].Header.DNSSECAllowed() {
		t.Error("the bit that asks for signatures is not copied")
	}
}

func TestBadQuestionsAreAnsweredSo(t *testing.T) {
	z := office(t)
	good := AppendQuery(nil, 0x4321, name(t, "desk.lan"), TypeA)
	with := func(change func(q []byte) []byte) []byte { return change(slices.Clone(good)) }
	for _, c := range []struct {
		what  string
		query []byte
		want  Verdict
		code  dnsmessage.RCode
	}{
		{"an answer", with(func(q []byte) []byte { q[2] |= 0x80; return q }), Ignored, 0},
		{"too short", good[:11], Ignored, 0},
		{"nothing", nil, Ignored, 0},
		{"a header alone", good[:12], Answered, dnsmessage.RCodeFormatError},
		{"cut off", good[:len(good)-1], Answered, dnsmessage.RCodeFormatError},
		{"no question", plain(append(slices.Clone(good[:12:12]), good[len(good)-11:]...)), Answered, dnsmessage.RCodeFormatError},
		{"two questions", with(func(q []byte) []byte { q[5] = 2; return slices.Insert(q, 12, q[12:26]...) }), Answered, dnsmessage.RCodeFormatError},
		{"a pointer as name", with(func(q []byte) []byte { q[12] = 0xc0; q[13] = 12; return slices.Delete(q, 14, 22) }), Answered, dnsmessage.RCodeFormatError},
		{"an update", with(func(q []byte) []byte { q[2] = 5 << 3; return q }), Answered, dnsmessage.RCodeNotImplemented},
		{"an update that is cut off", with(func(q []byte) []byte { q[2] = 5 << 3; return q[:20] }), Answered, dnsmessage.RCodeFormatError},
		{"of another class", with(func(q []byte) []byte { q[25] = 3; return q }), Answered, dnsmessage.RCodeRefused},
		{"of any class", with(func(q []byte) []byte { q[25] = 255; return q }), Answered, dnsmessage.RCodeSuccess},
		{"the whole zone", with(func(q []byte) []byte { q[23] = 252; return q }), Answered, dnsmessage.RCodeRefused},
		{"the extension", with(func(q []byte) []byte { q[23] = 41; return q }), Answered, dnsmessage.RCodeRefused},
	} {
		b, v := z.Answer(nil, c.query, false)
		if v != c.want {
			t.Errorf("%s: %v", c.what, v)
			continue
		}
		if v == Answered {
			if m := read(t, b); m.RCode != c.code || m.ID != 0x4321 || !m.Response || m.OpCode != dnsmessage.OpCode(c.query[2]>>3&0xf) {
				t.Errorf("%s: %+v", c.what, m.Header)
			}
		} else if b != nil {
			t.Errorf("%s: %x", c.what, b)
		}
	}
}

// Go's own resolver, over a stream, is content with what it is told.
func TestResolverOfGoIsContent(t *testing.T) {
	z := office(t)
	var running sync.WaitGroup
	defer running.Wait()
	r := net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		running.Go(func() { serve(z, far) })
		return near, nil
	}}
	ctx := t.Context()
	addrs, err := r.LookupHost(ctx, "desk.lan.")
	if slices.Sort(addrs); !slices.Equal(addrs, []string{"10.0.0.2", "10.0.0.3"}) || err != nil {
		t.Errorf("%v, %v", addrs, err)
	}
	if addrs, err := r.LookupHost(ctx, "gateway.lan."); len(addrs) != 2 || err != nil {
		t.Errorf("%v, %v", addrs, err)
	}
	if names, err := r.LookupAddr(ctx, "fd00:0:0:5::77"); !slices.Equal(names, []string{"shed.lan."}) || err != nil {
		t.Errorf("%v, %v", names, err)
	}
	if txt, err := r.LookupTXT(ctx, "lan."); !slices.Equal(txt, []string{strings.Repeat("x", 300)}) || err != nil {
		t.Errorf("%v, %v", txt, err)
	}
	if _, srv, err := r.LookupSRV(ctx, "http", "tcp", "lan."); len(srv) != 2 || *srv[0] != (net.SRV{Target: "desk.lan.", Port: 8080, Priority: 10, Weight: 5}) || err != nil {
		t.Errorf("%v, %v", srv, err)
	}
	var missing *net.DNSError
	if _, err := r.LookupHost(ctx, "nobody.lan."); !errors.As(err, &missing) || !missing.IsNotFound {
		t.Errorf("%v", err)
	}
}

// serve answers questions on a stream, each after its length.
func serve(z *Zone, c net.Conn) {
	defer c.Close()
	b := make([]byte, 65535)
	for {
		if _, err := io.ReadFull(c, b[:2]); err != nil {
			return
		}
		n := binary.BigEndian.Uint16(b)
		if _, err := io.ReadFull(c, b[:n]); err != nil {
			return
		}
		answer, _ := z.Answer(make([]byte, 2), b[:n], true)
		binary.BigEndian.PutUint16(answer, uint16(len(answer)-2))
		c.Write(answer)
	}
}

func TestZoneIsUsedByMany(t *testing.T) {
	z := office(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 200 {
				z.Set(name(t, "x.lan"), addr("10.0.0.9"))
				m, _ := ask(t, z, "desk.lan", TypeA, false)
				if len(m.Answers) != 2 {
					t.Errorf("%d, %d: %+v", i, j, m)
				}
			}
		})
	}
	all.Wait()
}

func TestAnswerAllocatesLittle(t *testing.T) {
	z := office(t)
	query := AppendQuery(nil, 1, name(t, "desk.lan"), TypeA)
	buf := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() { z.Answer(buf, query, false) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAnswer(b *testing.B) {
	z := office(b)
	query := AppendQuery(nil, 1, name(b, "desk.lan"), TypeA)
	buf := make([]byte, 0, 2000)
	b.ReportAllocs()
	for b.Loop() {
		z.Answer(buf, query, false)
	}
}

// Whatever is asked, the answer is a message that others can read, is not too long, and repeats the question.
func FuzzZone(f *testing.F) {
	z := office(f)
	for _, s := range []string{"desk.lan", "nobody.lan", "2.0.0.10.in-addr.arpa", "_http._tcp.lan", "lan", "example.org"} {
		for _, kind := range []Type{TypeA, TypePTR, TypeANY, TypeSRV, TypeSOA} {
			f.Add(AppendQuery(nil, 7, name(f, s), kind), false)
			f.Add(plain(AppendQuery(nil, 7, name(f, s), kind)), true)
		}
	}
	f.Fuzz(func(t *testing.T, q []byte, overTCP bool) {
		b, v := z.Answer(nil, q, overTCP)
		if v != Answered {
			if b != nil {
				t.Fatalf("%v with %x", v, b)
			}
			return
		}
		answer, err := ParseMessage(b)
		if err != nil || !overTCP && len(b) > MaxUDP || answer.ID() != Message(q).ID() || answer.flags()&flagResponse == 0 {
			t.Fatalf("%x, %v", b, err)
		}
		var m dnsmessage.Message
		if m.Unpack(q) != nil { // who asks so does not read the answer either: it has dots in labels, say
			return
		}
		m = read(t, b)
		if len(m.Questions) == 1 && !bytes.Equal(b[headerLen:skipName(b, headerLen)+4], q[headerLen:skipName(q, headerLen)+4]) {
			t.Fatalf("another question: %x", b)
		}
		if m.RCode == dnsmessage.RCodeSuccess && len(m.Questions) != 1 {
			t.Fatalf("an answer to nothing: %+v", m)
		}
	})
}
