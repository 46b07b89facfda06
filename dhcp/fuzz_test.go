package dhcp_test

import (
	"bytes"
	"strings"
	"testing"

	"landline/dhcp"
)

// touch calls every reader.
func touch(m dhcp.Message) {
	m.Op()
	m.XID()
	m.Secs()
	m.Broadcast()
	m.CIAddr()
	m.YIAddr()
	m.GIAddr()
	m.CHAddr()
	m.Type()
	m.RequestedAddr()
	m.ServerID()
	m.LeaseTime()
	m.T1()
	m.T2()
	m.MaskBits()
	m.MaxLen()
	m.Parameters()
	m.ClientID()
	m.VendorClass()
}

// checkNames checks that what comes from strangers cannot do harm where it goes.
func checkNames(t *testing.T, m dhcp.Message) {
	t.Helper()
	search, _ := m.AppendSearch(nil)
	for _, name := range append(search, m.HostName(), m.Domain()) {
		if len(name) > 253 || strings.ContainsFunc(name, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r)
		}) {
			t.Fatalf("name %q", name)
		}
	}
	if strings.Contains(m.HostName(), ".") || len(m.HostName()) > 63 {
		t.Fatalf("host name %q", m.HostName())
	}
	for _, text := range []string{m.String(), m.Text()} {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("text %q", text)
		}
	}
}

// rebuilt writes all options of m once more, each in one go.
func rebuilt(m dhcp.Message) dhcp.Message {
	mac, _ := m.CHAddr()
	b := dhcp.AppendHeader(nil, &dhcp.Header{
		Op: m.Op(), XID: m.XID(), Secs: m.Secs(), Broadcast: m.Broadcast(),
		CIAddr: m.CIAddr(), YIAddr: m.YIAddr(), GIAddr: m.GIAddr(), CHAddr: mac,
	})
	for c := range dhcp.Code(255) {
		if v := m.Option(c); v != nil && c != 52 {
			b = dhcp.AppendOption(b, c, v)
		}
	}
	return dhcp.AppendEnd(b, 0)
}

func FuzzMessage(f *testing.F) {
	for _, b := range [][]byte{discover, ack, bare(), with(bare(52, 1, 3, 255), 44, 12, 1, 'a', 255)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		m, err := dhcp.ParseMessage(b)
		if _, ok := err.(dhcp.Fault); err != nil && !ok {
			t.Fatalf("%v is no fault", err)
		}
		if err != nil {
			return
		}
		touch(m)
		checkNames(t, m)
		again := parsed(t, rebuilt(m))
		for c := range dhcp.Code(255) {
			if v := again.Option(c); c != 52 && (!bytes.Equal(v, m.Option(c)) || (v == nil) != (m.Option(c) == nil)) {
				t.Fatalf("option %d rebuilt as %x, was %x", c, v, m.Option(c))
			}
		}
		if !bytes.Equal(b, before) {
			t.Fatalf("changed to %x", b)
		}
	})
}
