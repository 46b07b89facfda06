package main

import (
	"net/netip"
	"slices"
	"testing"

	"landline/wire"
)

func TestVendorsOfHardwareAddresses(t *testing.T) {
	for mac, want := range map[wire.MAC]string{
		{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}: "QEMU", // which has the local bit too
		{0x08, 0x00, 0x27, 1, 2, 3}:          "VirtualBox",
		{0x00, 0x0c, 0x29, 1, 2, 3}:          "VMware",
		{0x02, 0x42, 0xac, 0x11, 0, 2}:       "Docker",
		{0x66, 0x22, 0x3b, 0x85, 0x89, 0x38}: "locally administered",
		{0x00, 0x01, 0x02, 3, 4, 5}:          "",
	} {
		if got := vendorOf(mac); got != want {
			t.Errorf("%s: %q, not %q", mac, got, want)
		}
	}
}

func TestAddressesAreListedByTheirUse(t *testing.T) {
	var all []netip.Addr
	for _, s := range []string{"fe80::1", "fd00::2", "169.254.0.9", "10.0.0.7", "10.0.0.1"} {
		all = append(all, netip.MustParseAddr(s))
	}
	slices.SortFunc(all, byUse)
	want := []string{"10.0.0.1", "10.0.0.7", "fd00::2", "169.254.0.9", "fe80::1"}
	for i := range all {
		if all[i].String() != want[i] {
			t.Fatalf("%v, not %v", all, want)
		}
	}
}
