package wire_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"testing"

	"landline/wire"
)

var zero4 = netip.IPv4Unspecified()

func TestReadsHardwareAddresses(t *testing.T) {
	want := wire.MAC{0x00, 0x1b, 0x63, 0xaf, 0xFE, 0x9a}
	for _, s := range []string{"00:1b:63:af:fe:9a", "00-1B-63-AF-FE-9A", "00:1B:63:af:FE:9a"} {
		m, err := wire.ParseMAC(s)
		if err != nil || m != want {
			t.Errorf("%s: %v, %v", s, m, err)
		}
	}
	equal(t, "text", want.String(), "00:1b:63:af:fe:9a")
}

func TestRefusesWhatIsNoHardwareAddress(t *testing.T) {
	for _, s := range []string{
		"", "00:1b:63:af:fe", "00:1b:63:af:fe:9", "00:1b:63:af:fe:9a:", "00:1b:63:af:fe:9g", "00:1b-63:af:fe:9a",
		"001b.63af.fe9a..", "00.1b.63.af.fe.9a", "0 :1b:63:af:fe:9a", "0@:1b:63:af:fe:9a", "0`:1b:63:af:fe:9a",
		"0/:1b:63:af:fe:9a", "0::1b:63:af:fe:9a", "00:1b:63:af:fe:\x19a", "00:1b:63:af:fe:9é",
	} {
		m, err := wire.ParseMAC(s)
		var bad wire.MACError
		if !errors.As(err, &bad) || string(bad) != s || m != (wire.MAC{}) {
			t.Errorf("%q: %v, %v", s, m, err)
		}
	}
	equal(t, "text", wire.MACError("x\x1b").Error(), `hardware address "x\x1b" is not six pairs of hexadecimal digits`)
}

func TestHardwareAddressGoesThroughJSON(t *testing.T) {
	text, err := json.Marshal(mac1)
	if err != nil || string(text) != `"02:00:00:00:00:01"` {
		t.Fatalf("%s, %v", text, err)
	}
	var m wire.MAC
	if err := json.Unmarshal(text, &m); err != nil || m != mac1 {
		t.Errorf("%v, %v", m, err)
	}
	if err := json.Unmarshal([]byte(`"02:00"`), &m); err == nil {
		t.Error("took half an address")
	}
}

func TestPartsOfHardwareAddress(t *testing.T) {
	vendors := wire.MAC{0x00, 0x1b, 0x63, 0xaf, 0xfe, 0x9a}
	equal(t, "vendor part", vendors.OUI(), [3]byte{0x00, 0x1b, 0x63})
	for _, c := range []struct {
		mac          wire.MAC
		local, group bool
	}{
		{vendors, false, false},
		{mac1, true, false},
		{wire.MAC{0x01, 0x00, 0x5e, 0, 0, 1}, false, true},
		{wire.MAC{0x33, 0x33, 0, 0, 0, 1}, true, true},
		{wire.Broadcast, true, true},
		{wire.MAC{0xfc, 0xff, 0xff, 0xff, 0xff, 0xff}, false, false},
	} {
		equal(t, c.mac.String()+" local", c.mac.IsLocal(), c.local)
		equal(t, c.mac.String()+" group", c.mac.IsGroup(), c.group)
	}
}

// The local bit is inverted: a vendor's 0 becomes 1 (RFC 4291, Appendix A).
func TestInterfaceIDOfHardwareAddress(t *testing.T) {
	vendors := wire.MAC{0x00, 0x1b, 0x63, 0xaf, 0xfe, 0x9a}
	equal(t, "vendor's", vendors.InterfaceID(), [8]byte{0x02, 0x1b, 0x63, 0xff, 0xfe, 0xaf, 0xfe, 0x9a})
	equal(t, "local", mac1.InterfaceID(), [8]byte{0x00, 0x00, 0x00, 0xff, 0xfe, 0x00, 0x00, 0x01})
}

func TestMulticastHardwareAddresses(t *testing.T) {
	for group, want := range map[string]string{
		"224.0.0.251":       "01:00:5e:00:00:fb",
		"239.255.255.250":   "01:00:5e:7f:ff:fa", // the high bit of the last 24 is lost
		"ff02::1":           "33:33:00:00:00:01",
		"ff02::1:ff12:3456": "33:33:ff:12:34:56",
	} {
		equal(t, group, wire.MulticastMAC(netip.MustParseAddr(group)).String(), want)
	}
}

func TestSolicitedNodeAddress(t *testing.T) {
	got := wire.SolicitedNode(netip.MustParseAddr("2001:db8::12:3456:789a"))
	equal(t, "group", got, netip.MustParseAddr("ff02::1:ff56:789a"))
}
