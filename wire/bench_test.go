package wire_test

import (
	"fmt"
	"testing"

	"landline/wire"
)

// Sizes are a header, a small packet, a full segment and a unit of segmentation
// offload.
var benchSizes = []int{20, 64, 512, 1460, 64 << 10}

func benchmarkSizes(b *testing.B, run func(data []byte) wire.Sum) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			data := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				sink.sum = run(data)
			}
		})
	}
}

func BenchmarkChecksum(b *testing.B) {
	benchmarkSizes(b, func(data []byte) wire.Sum { return wire.Sum(wire.Checksum(data)) })
}

func BenchmarkCopySum(b *testing.B) {
	dst := make([]byte, 64<<10)
	benchmarkSizes(b, func(data []byte) wire.Sum { return wire.CopySum(dst, data) })
}

// What CopySum must not be slower than.
func BenchmarkCopyThenChecksum(b *testing.B) {
	dst := make([]byte, 64<<10)
	benchmarkSizes(b, func(data []byte) wire.Sum {
		copy(dst, data)
		return wire.Sum(wire.Checksum(dst[:len(data)]))
	})
}

func BenchmarkUpdateChecksum(b *testing.B) {
	h := wire.IPv4(with(ipv4UDP, 0))
	for b.Loop() {
		h[8] = 64
		h.DecrementTTL()
	}
}

func BenchmarkPseudoSum(b *testing.B) {
	for b.Loop() {
		sink.sum = wire.PseudoSum(ip1, ip2, wire.ProtoTCP, 1480)
	}
}

// A segment's way in: all headers, both checksums, options.
func BenchmarkReadTCP(b *testing.B) {
	for _, size := range []int{0, 1448} {
		b.Run(fmt.Sprintf("payload=%d", size), func(b *testing.B) {
			frame := buildTCP(make([]byte, 0, 2048), make([]byte, size), 7)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			var o wire.TCPOptions
			for b.Loop() {
				e, _ := wire.ParseEthernet(frame)
				h, _ := wire.ParseIPv4(e.Payload())
				t, _ := wire.ParseTCP(h.Payload())
				if h.Verify() != nil || t.Verify(h.PseudoSum()) != nil || t.ReadOptions(&o) != nil {
					b.Fatal("a bad segment")
				}
			}
		})
	}
}

// Its way out, with the payload copied.
func BenchmarkBuildTCP(b *testing.B) {
	for _, size := range []int{0, 1448} {
		b.Run(fmt.Sprintf("payload=%d", size), func(b *testing.B) {
			buf, payload := make([]byte, 0, 2048), make([]byte, size)
			b.SetBytes(int64(len(buildTCP(buf, payload, 7))))
			b.ReportAllocs()
			for b.Loop() {
				buildTCP(buf, payload, 7)
			}
		})
	}
}

func BenchmarkReadOptions(b *testing.B) {
	for name, segment := range map[string]wire.TCP{"SYN": tcpSYN, "SACK": tcpACK} {
		b.Run(name, func(b *testing.B) {
			var o wire.TCPOptions
			for b.Loop() {
				sink.err = segment.ReadOptions(&o)
			}
		})
	}
}

func BenchmarkDescribe(b *testing.B) {
	buf := make([]byte, 0, 1024)
	frame := buildTCP(make([]byte, 0, 2048), nil, 7)
	b.ReportAllocs()
	for b.Loop() {
		_, sink.err = wire.Ethernet(frame).AppendText(buf)
	}
}
