package udp_test

import (
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"landline/ip"
	"landline/link"
	"landline/udp"
)

// pair returns two hosts on a cable.
func pair(t testing.TB, c link.CableConfig) (a, b *udp.Layer) {
	ends := [2]link.Device{}
	x, y := link.NewCable(c)
	ends[0], ends[1] = x, y
	var layers [2]*udp.Layer
	for k, addr := range []string{"10.0.0.1/24", "10.0.0.2/24"} {
		s := ip.NewStack(ip.Config{})
		layers[k] = udp.New(s, 0)
		_, err := s.Attach(ends[k], ip.InterfaceConfig{Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { layers[k].Close(); s.Close() })
	}
	return layers[0], layers[1]
}

func open(t testing.TB, l *udp.Layer, local, remote string) *udp.Socket {
	c := udp.Config{Local: netip.MustParseAddrPort(local)}
	if remote != "" {
		c.Remote = netip.MustParseAddrPort(remote)
	}
	s, err := l.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// BenchmarkSend is what a datagram of 1,400 bytes costs from Write to Read, with at most 256 under way.
func BenchmarkSend(b *testing.B) {
	for _, c := range []struct {
		name string
		link.CableConfig
	}{{"open checksums", link.CableConfig{}}, {"checksums", link.CableConfig{Checksums: true}}} {
		b.Run(c.name, func(b *testing.B) {
			here, there := pair(b, c.CableConfig)
			rx := open(b, there, "10.0.0.2:9", "")
			tx := open(b, here, "0.0.0.0:0", "10.0.0.2:9")
			var got atomic.Int64
			go func() {
				buf := make([]byte, 2048)
				for {
					if _, _, _, _, err := rx.ReadFrom(buf); err != nil {
						return
					}
					got.Add(1)
				}
			}()
			buf := make([]byte, 1400)
			b.SetBytes(1400)
			b.ReportAllocs()
			sent := int64(0)
			for b.Loop() {
				for sent-got.Load() >= 256 {
					runtime.Gosched()
				}
				if err := tx.WriteTo(buf, netip.AddrPort{}); err != nil {
					b.Fatal(err)
				}
				sent++
			}
			rx.Close()
		})
	}
}
