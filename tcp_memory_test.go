package landline_test

import (
	"runtime"
	"testing"

	"landline"
	"landline/link"
)

func BenchmarkTCPIdleMemory(b *testing.B) {
	left, right := neighbors(b, link.CableConfig{Checksums: true})
	l, err := right.Listen(b.Context(), "tcp", "10.0.0.2:80")
	if err != nil {
		b.Fatal(err)
	}
	const n = 10_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		ends := make([]*landline.TCPConn, 0, 2*n)
		before := heap()
		for range n {
			c, err := left.DialContext(b.Context(), "tcp", "10.0.0.2:80")
			if err != nil {
				b.Fatal(err)
			}
			d, _ := l.Accept()
			ends = append(ends, c.(*landline.TCPConn), d.(*landline.TCPConn))
		}
		b.ReportMetric(float64(heap()-before)/(2*n), "B/end")
		for _, e := range ends {
			e.SetLinger(0)
			e.Close()
		}
	}
}
