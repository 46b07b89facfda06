package landline_test

import (
	"context"
	"io"
	"net"
	"testing"

	"landline/link"
)

var cables = []struct {
	name string
	link.CableConfig
}{
	{"1500", link.CableConfig{Checksums: true}},
	{"1500-sums-open", link.CableConfig{}},
	{"units", link.CableConfig{Units: true}},
}

func BenchmarkTCPStream(b *testing.B) {
	for _, c := range cables {
		b.Run(c.name, func(b *testing.B) {
			left, right := neighbors(b, c.CableConfig)
			ca, cb := connected(b, left, right)
			buf := make([]byte, 64<<10)
			done := make(chan error)
			go func() {
				_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{cb}, make([]byte, 64<<10))
				done <- err
			}()
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ca.Write(buf); err != nil {
					b.Fatal(err)
				}
			}
			ca.CloseWrite()
			<-done
		})
	}
}

func BenchmarkTCPRoundTrip(b *testing.B) {
	left, right := neighbors(b, link.CableConfig{Checksums: true})
	ca, cb := connected(b, left, right)
	go io.Copy(struct{ io.Writer }{cb}, struct{ io.Reader }{cb})
	buf := make([]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		ca.Write(buf)
		if _, err := io.ReadFull(ca, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTCPDial(b *testing.B) {
	left, right := neighbors(b, link.CableConfig{Checksums: true})
	l, err := right.Listen(context.Background(), "tcp", "10.0.0.2:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		buf := make([]byte, 1)
		for pb.Next() {
			c, err := left.DialContext(context.Background(), "tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			c.Write(buf)
			io.ReadFull(c, buf)
			c.(interface{ SetLinger(int) error }).SetLinger(0)
			c.Close()
		}
	})
	var _ net.Listener = l
}
