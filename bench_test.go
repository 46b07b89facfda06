package landline_test

import (
	"net/netip"
	"testing"

	"landline"
	"landline/link"
)

// BenchmarkPing is an echo request to a host on the same cable, and its reply.
func BenchmarkPing(b *testing.B) {
	x, y := link.NewCable(link.CableConfig{Checksums: true})
	var hosts [2]*landline.Host
	for k, end := range []link.Device{x, y} {
		addr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + k)}), 24)
		h, err := landline.NewHost(end, landline.Config{Addresses: []netip.Prefix{addr}})
		if err != nil {
			b.Fatal(err)
		}
		defer h.Close()
		hosts[k] = h
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hosts[0].Ping(b.Context(), "10.0.0.2", landline.PingConfig{}); err != nil {
			b.Fatal(err)
		}
	}
}
