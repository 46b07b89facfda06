package link_test

import (
	"fmt"
	"testing"

	"landline/link"
)

// benchmarkCable writes frames of a size in batches of so many.
func benchmarkCable(b *testing.B, answer bool) {
	for _, c := range []struct{ size, batch int }{{64, 1}, {64, 32}, {1514, 1}, {1514, 32}, {64 << 10, 1}, {64 << 10, 16}} {
		b.Run(fmt.Sprintf("bytes=%d/batch=%d", c.size, c.batch), func(b *testing.B) {
			left, right := newCable(b, link.CableConfig{Units: true})
			frames := make([]link.Frame, c.batch)
			for i := range frames {
				frames[i] = benchFrame(c.size)
			}
			got := 0
			left.Attach(link.Handler{Receive: func(f []link.Frame) { got += len(f) }})
			right.Attach(link.Handler{Receive: func(f []link.Frame) {
				got += len(f)
				if answer {
					right.Write(f)
				}
			}})
			b.SetBytes(int64(c.size * c.batch))
			b.ReportAllocs()
			for b.Loop() {
				left.Write(frames)
			}
			b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

// benchFrame makes a frame, or a unit if it is over 1,514 bytes.
func benchFrame(size int) link.Frame {
	f := testFrame(min(size, 66), 0)
	if f.Body = make([]byte, size-len(f.Head)); size > 1514 {
		f.Sum, f.SumStart, f.SumField, f.SegSize = link.SumPartial, 34, 50, 1448
	}
	return f
}

func BenchmarkCableOneWay(b *testing.B)   { benchmarkCable(b, false) }
func BenchmarkCableAnswered(b *testing.B) { benchmarkCable(b, true) }

// The way through the queue: the other end is always busy.
func BenchmarkCableQueued(b *testing.B) {
	for _, size := range []int{64, 1514, 64 << 10} {
		b.Run(fmt.Sprintf("bytes=%d/batch=1", size), func(b *testing.B) {
			left, right := newCable(b, link.CableConfig{Units: true})
			frames := []link.Frame{benchFrame(size)}
			done := make(chan bool)
			right.Attach(link.Handler{Receive: func([]link.Frame) {
				if b.Loop() {
					left.Write(frames)
				} else {
					close(done)
				}
			}})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			left.Write(frames)
			<-done
		})
	}
}

// Several goroutines at one end.
func BenchmarkCableCrowd(b *testing.B) {
	left, right := newCable(b, link.CableConfig{})
	right.Attach(link.Handler{Receive: ignore})
	b.SetBytes(1514)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		frames := []link.Frame{benchFrame(1514)}
		for pb.Next() {
			left.Write(frames)
		}
	})
	s := left.Stats()
	b.ReportMetric(float64(s.Queued)/float64(s.Frames), "queued")
}
