package dns

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func name(t testing.TB, s string) Name {
	t.Helper()
	n, err := ParseName(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return n
}

// record appends a record of class IN.
func record(b []byte, owner []byte, t Type, data string) []byte {
	b = append(b, owner...)
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = append(b, 0, 1, 0, 0, 0, 60)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// answer makes a response to a question, with records that are there already.
func answer(t testing.TB, id uint16, q Name, qt Type, flags uint16, records ...[]byte) []byte {
	b := AppendQuery(nil, id, q, qt)
	b = b[:len(b)-11]
	binary.BigEndian.PutUint16(b[2:], flagResponse|flags)
	binary.BigEndian.PutUint16(b[6:], uint16(len(records)))
	binary.BigEndian.PutUint16(b[10:], 0)
	for _, r := range records {
		b = append(b, r...)
	}
	if _, err := ParseMessage(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNamesAreComparedWithoutCase(t *testing.T) {
	for _, same := range []string{"desk.lan", "Desk.LAN", "desk.lan."} {
		if got := name(t, same); got != "\x04desk\x03lan\x00" || got.String() != "desk.lan." {
			t.Errorf("%s: %q, %s", same, string(got), got)
		}
	}
}

func TestRefusesWhatIsNoName(t *testing.T) {
	for _, s := range []string{"", ".", "..", "a..b", ".a", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "b"} {
		if n, err := ParseName(s); err != ErrName {
			t.Errorf("%q: %q, %v", s, string(n), err)
		}
	}
	for _, s := range []string{strings.Repeat("a", 63), strings.Repeat("a.", 126) + "b", "_x.b c"} {
		if _, err := ParseName(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestNamesAreEscaped(t *testing.T) {
	if got := Name("\x05a.b\\\x07\x00").String(); got != `a\.b\\\007.` {
		t.Errorf("%s", got)
	}
	if got := Name("\x00").String(); got != "." {
		t.Errorf("the root is %q", got)
	}
}

func TestQueryOnTheWire(t *testing.T) {
	got := AppendQuery(nil, 0x1234, name(t, "desk.lan"), TypeAAAA)
	want := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" + // header: recursion desired, 1 question, 1 additional
		"\x04desk\x03lan\x00\x00\x1c\x00\x01" + // AAAA IN
		"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00" // OPT, 1232 bytes
	if string(got) != want {
		t.Errorf("%q", got)
	}
	m, err := ParseMessage(got)
	if err != nil || m.IsResponse() || m.ID() != 0x1234 || !m.IsAbout(name(t, "desk.lan"), TypeAAAA) {
		t.Errorf("%v, %v", m, err)
	}
	if m.IsAbout(name(t, "desk.lan"), TypeA) || m.IsAbout(name(t, "shed.lan"), TypeAAAA) {
		t.Error("the question is taken for another")
	}
}

func TestAnswersLeadThroughAliases(t *testing.T) {
	q := name(t, "www.lan")
	self := []byte{pointer, headerLen}
	desk := []byte(name(t, "desk.lan"))
	alias := record(nil, self, TypeCNAME, string(desk))
	one := record(nil, desk, TypeA, "\x0a\x00\x00\x01")
	two := record(nil, []byte("\x04DESK\xc0\x10"), TypeA, "\x0a\x00\x00\x02") // compressed, and in capitals
	short := record(nil, desk, TypeA, "\x0a\x00\x00")
	strange := record(nil, []byte(name(t, "evil.lan")), TypeA, "\x0a\x00\x00\x66")
	want := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	for _, records := range [][][]byte{
		{alias, one, two}, {one, two, alias}, {one, alias, two}, {short, alias, strange, one, two},
	} {
		m := Message(answer(t, 1, q, TypeA, 0, records...))
		if got := m.Addrs(q, TypeA); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	}
	if got := Message(answer(t, 1, q, TypeA, 0, strange)).Addrs(q, TypeA); got != nil {
		t.Errorf("the address of another name: %v", got)
	}
}

func TestAliasesThatGoInCirclesEnd(t *testing.T) {
	a, b := name(t, "a.lan"), name(t, "b.lan")
	m := Message(answer(t, 1, a, TypeA, 0, record(nil, []byte(b), TypeCNAME, string(a)), record(nil, []byte(a), TypeCNAME, string(b))))
	if got := m.Addrs(a, TypeA); got != nil {
		t.Errorf("%v", got)
	}
}

func TestIPv6Addresses(t *testing.T) {
	q := name(t, "desk.lan")
	addr := netip.MustParseAddr("fd00::1")
	x := addr.As16()
	m := Message(answer(t, 1, q, TypeAAAA, flagTruncated|uint16(Refused), record(nil, []byte{pointer, headerLen}, TypeAAAA, string(x[:]))))
	if got := m.Addrs(q, TypeAAAA); !slices.Equal(got, []netip.Addr{addr}) {
		t.Errorf("%v", got)
	}
	if !m.Truncated() || m.RCode() != Refused || !m.IsResponse() {
		t.Errorf("flags %#x", m.flags())
	}
}

func TestRefusesMessagesThatAreCut(t *testing.T) {
	q := name(t, "desk.lan")
	whole := answer(t, 1, q, TypeA, 0, record(nil, []byte{pointer, headerLen}, TypeA, "\x0a\x00\x00\x01"))
	for n := range whole {
		if _, err := ParseMessage(whole[:n]); err != ErrMessage {
			t.Errorf("the first %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestPointersMustLeadBack(t *testing.T) {
	q := name(t, "desk.lan")
	for _, to := range []byte{headerLen + 14, headerLen + 20, 0xff} { // to itself, and onward
		m := answer(t, 1, q, TypeA, 0, record(nil, []byte{pointer, to}, TypeA, "\x0a\x00\x00\x01"))
		r := Message(m).Answers()
		if r.Next(); r.Name() != "" {
			t.Errorf("a pointer to byte %d is the name %q", to, string(r.Name()))
		}
	}
}

func TestCodesHaveWords(t *testing.T) {
	seen := map[string]bool{}
	for c := range RCode(16) {
		seen[c.String()] = true
	}
	if len(seen) != 16 {
		t.Errorf("16 codes have %d texts", len(seen))
	}
	for typ, want := range map[Type]string{TypeA: "A", TypeAAAA: "AAAA", TypeCNAME: "CNAME", 65: "TYPE65"} {
		if typ.String() != want {
			t.Errorf("%s, want %s", typ, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	q := name(f, "desk.lan")
	f.Add(AppendQuery(nil, 7, q, TypeA))
	f.Add(answer(f, 7, q, TypeA, 0,
		record(nil, []byte{pointer, headerLen}, TypeCNAME, "\x01a\xc0\x11"), record(nil, []byte("\x01a\xc0\x11"), TypeA, "\x0a\x00\x00\x01")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		for r := m.Answers(); r.Next(); {
			if n := r.Name(); len(n) > maxName || n != "" && !strings.HasSuffix(string(n), "\x00") {
				t.Fatalf("name %q", string(n))
			}
			_ = r.Target().String()
			_ = r.Addr()
		}
		if n := len(m.Addrs(q, TypeA)); n > MaxAddrs {
			t.Fatalf("%d addresses", n)
		}
		_ = m.IsAbout(q, TypeA)
	})
}
