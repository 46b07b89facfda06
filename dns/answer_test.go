package dns

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAnswersCarryWhatWasAsked(t *testing.T) {
	q := Message(AppendQuery(nil, 0x1234, name(t, "desk.lan"), TypeA))
	q[headerLen+1] = 'D' // resolvers mix the case, and want it back
	b := AppendAnswer(nil, q, Success, Record{Type: TypeA, TTL: 60, Addr: netip.MustParseAddr("10.0.0.9")})
	m, err := ParseMessage(b)
	if err != nil || m.ID() != 0x1234 || !m.IsResponse() || m.IsQuery() || m.RCode() != Success || m[headerLen+1] != 'D' {
		t.Fatalf("%q, %v", b, err)
	}
	got, typ, ok := m.Question()
	if got != name(t, "desk.lan") || typ != TypeA || !ok {
		t.Errorf("%v %v %v", got, typ, ok)
	}
	if a := m.Addrs(got, TypeA); len(a) != 1 || a[0].String() != "10.0.0.9" {
		t.Errorf("%v", a)
	}
	if q.Room() != MaxUDP || m.Room() != MaxUDP {
		t.Errorf("room for %d, and %d", q.Room(), m.Room())
	}
	short := Truncate(m)
	if _, err := ParseMessage(short); err != nil || !short.Truncated() || short.Answers().left != 0 || short.Room() != MaxUDP {
		t.Errorf("%q, %v", short, err)
	}
}

func TestAnswerToNoQuestionHasNone(t *testing.T) {
	q := Message("\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	if _, _, ok := q.Question(); ok {
		t.Error("a question out of nothing")
	}
	m, err := ParseMessage(AppendAnswer(nil, q, FormError))
	if err != nil || m.RCode() != FormError || len(m) != headerLen {
		t.Errorf("%q, %v", m, err)
	}
}

func TestNamesInDomains(t *testing.T) {
	lan := name(t, "lan")
	for text, label := range map[string]string{"desk.lan": "desk", "a.desk.lan": "", "lan": "", "desk.wlan": "", "wlan": "", "desk.lan.net": ""} {
		if got := name(t, text).Under(lan); got != label {
			t.Errorf("%s: %q", text, got)
		}
	}
	for text, in := range map[string]bool{"desk.lan": true, "a.desk.lan": true, "lan": true, "wlan": false, "net": false} {
		if name(t, text).within(lan) != in {
			t.Errorf("%s in lan: %v", text, !in)
		}
	}
	if Name("\x05d\x03lan\x00").within(lan) {
		t.Error("the end of a label is taken for a domain")
	}
}

// addrOf returns the address that is asked for by a name.
func addrOf(n Name) netip.Addr {
	if p, ok := n.reverse(); ok && p.IsSingleIP() {
		return p.Addr()
	}
	return netip.Addr{}
}

func TestReverseNames(t *testing.T) {
	six := strings.Repeat("0.", 30)
	for text, want := range map[string]string{
		"9.0.0.10.in-addr.arpa":                                    "10.0.0.9",
		"1." + six + "0.ip6.arpa":                                  "::1",
		"8.7.6.5." + strings.Repeat("0.", 24) + "d.0.d.f.ip6.arpa": "fd0d::5678",
		"0.0.10.in-addr.arpa":                                      "invalid IP", "300.0.0.10.in-addr.arpa": "invalid IP", "a.b.c.d.in-addr.arpa": "invalid IP",
		"1." + six + "ip6.arpa": "invalid IP", "g." + six + "0.ip6.arpa": "invalid IP", "10." + six + "ip6.arpa": "invalid IP", "desk.lan": "invalid IP",
	} {
		if got := addrOf(name(t, text)).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(AppendQuery(nil, 7, name(f, "desk.lan"), TypeA))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		n, _, _ := m.Question()
		_ = addrOf(n)
		_ = n.Under("\x03lan\x00")
		for _, a := range []Message{AppendAnswer(nil, m, NXDomain), Truncate(m)} {
			if _, err := ParseMessage(a); err != nil {
				t.Fatalf("%q", a)
			}
		}
	})
}
