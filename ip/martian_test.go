package ip

import (
	"net/netip"
	"testing"
)

func TestMartianSources(t *testing.T) {
	for _, c := range []struct {
		src, dst string
		want     bool
	}{
		{"10.0.0.1", "10.0.0.2", false},
		{"192.0.2.1", "198.51.100.1", false}, // documentation: a laboratory
		{"169.254.0.1", "10.0.0.2", false},
		{"127.0.0.1", "10.0.0.2", true},
		{"127.255.255.254", "127.0.0.1", true},
		{"224.0.0.1", "10.0.0.2", true},
		{"239.255.255.255", "10.0.0.2", true},
		{"240.0.0.1", "10.0.0.2", true},
		{"255.255.255.255", "10.0.0.2", true},
		{"0.0.0.1", "10.0.0.2", true},
		{"0.0.0.1", "255.255.255.255", true},
		{"0.0.0.0", "10.0.0.2", true},
		{"0.0.0.0", "255.255.255.255", false}, // DHCP
		{"0.0.0.0", "224.0.0.22", false},      // IGMP
		{"0.0.0.0", "239.1.1.1", true},
		{"1.0.0.0", "10.0.0.2", false},
		{"223.255.255.255", "10.0.0.2", false},

		{"2001:db8::1", "2001:db8::2", false},
		{"fe80::1", "2001:db8::2", false},
		{"::1", "2001:db8::2", true},
		{"::", "2001:db8::2", true},
		{"::", "ff02::1:ff00:1", false}, // duplicate address detection
		{"::", "ff02::16", false},       // MLD
		{"ff02::1", "2001:db8::2", true},
		{"::ffff:10.0.0.1", "2001:db8::2", true},
		{"64:ff9b::1", "2001:db8::2", false},
	} {
		if got := martianSource(netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst)); got != c.want {
			t.Errorf("from %s to %s: %v, want %v", c.src, c.dst, got, c.want)
		}
	}
}

func TestMartianDestinations(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.1": false, "255.255.255.255": false, "224.0.0.1": false, "239.1.1.1": false, "1.0.0.0": false,
		"0.0.0.0": true, "0.1.2.3": true, "127.0.0.1": true, "240.0.0.1": true, "255.255.255.254": true,
		"2001:db8::1": false, "fe80::1": false, "ff02::1": false, "ff05::2": false, "ff0f::1": false, "64:ff9b::1": false,
		"::": true, "::1": true, "::ffff:10.0.0.1": true, "ff00::1": true, "ff01::1": true, "ff10::1": true, "ff11::1": true,
	} {
		if got := martianDestination(netip.MustParseAddr(text)); got != want {
			t.Errorf("to %s: %v, want %v", text, got, want)
		}
	}
}

func TestWhatRoutersDoNotForward(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.1": false, "239.1.1.1": false, "2001:db8::1": false, "fd00::1": false, "ff05::2": false,
		"169.254.1.1": true, "255.255.255.255": true, "0.0.0.0": true, "224.0.0.251": true, "127.0.0.1": true,
		"fe80::1": true, "::": true, "::1": true, "ff02::1": true, "ff01::1": true,
	} {
		if got := staysOnLink(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s stays on the link: %v, want %v", text, got, want)
		}
	}
}

func BenchmarkMartian(b *testing.B) {
	a := addrList("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2")
	b.ReportAllocs()
	for b.Loop() {
		if martianSource(a[0], a[1]) || martianDestination(a[1]) || martianSource(a[2], a[3]) || martianDestination(a[3]) {
			b.Fatal("a martian")
		}
	}
}
