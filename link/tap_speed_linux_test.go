package link_test

import (
	"net"
	"net/netip"
	"testing"

	"landline/link"
	"landline/wire"
)

// quietTAP is newTAPRig with a Receive of one's own.
func quietTAP(t testing.TB, receive func([]link.Frame)) *tapRig {
	t.Helper()
	enterNamespace(t)
	tap, err := link.OpenTAP(link.TAPConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tap.Close() })
	r := &tapRig{TAP: tap, t: t}
	tap.Attach(link.Handler{Receive: receive})
	r.address()
	return r
}

func TestTAPAllocatesNothing(t *testing.T) {
	answered := make(chan bool, 1)
	r := quietTAP(t, func(frames []link.Frame) {
		for i := range frames {
			if is(wire.ProtoICMP)(frames[i].Head) {
				answered <- true
			}
		}
	})
	ping := link.Frame{Head: packetFrame(r.us, r.kernel, wire.ProtoICMP,
		wire.AppendICMPv4(nil, wire.ICMPv4Echo, 0, 0, pattern(1000)), nil).Head}
	wire.ICMPv4(ping.Head[34:]).FillChecksum()
	ping.Head, ping.Body = ping.Head[:42], ping.Head[42:]
	frame := tcpFrame(r.us, r.kernel, &wire.TCPHeader{}, nil, pattern(60_000))
	frame.SegSize = 1448
	frame.Head[0] ^= 4 // to another machine: dropped by the kernel
	batch := []link.Frame{frame, ping}
	mustNotAllocate(t, "writing and reading", func() {
		mustWrite(t, r, batch...)
		<-answered
	})
}

// The kernel drops what is for another machine, so this is the way there alone.
func BenchmarkTAPWrite(b *testing.B) {
	r := quietTAP(b, ignore)
	other := r.kernel
	other.mac[5] ^= 1
	small := udpFrame(r.us, other, 9, 7000, pattern(22))
	full := tcpFrame(r.us, other, &wire.TCPHeader{}, nil, pattern(1460))
	unit := tcpFrame(r.us, other, &wire.TCPHeader{}, nil, pattern(60_000))
	unit.SegSize = 1460
	for name, frame := range map[string]link.Frame{"bytes=64": small, "bytes=1514": full, "bytes=60054": unit} {
		b.Run(name, func(b *testing.B) {
			batch := make([]link.Frame, 16)
			for i := range batch {
				batch[i] = frame
			}
			b.SetBytes(int64(16 * frame.Len()))
			b.ReportAllocs()
			for b.Loop() {
				r.Write(batch)
			}
			b.ReportMetric(float64(16*b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

// The kernel's own work to send is most of this.
func BenchmarkTAPRead(b *testing.B) {
	got := make(chan int, 1000)
	r := quietTAP(b, func(frames []link.Frame) {
		n := 0
		for i := range frames {
			if is(wire.ProtoUDP)(frames[i].Head) {
				n++
			}
		}
		got <- n
	})
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.kernel.ip, 7000)))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	data, to := pattern(1472), netip.AddrPortFrom(r.us.ip, 9)
	b.SetBytes(1514)
	b.ReportAllocs()
	waiting := 0
	for b.Loop() {
		for waiting >= 200 { // its queue has room for 500 or so, and drops in silence
			waiting -= <-got
		}
		conn.WriteToUDPAddrPort(data, to)
		waiting++
	}
	for waiting > 0 {
		waiting -= <-got
	}
}
