package link_test

import (
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
)

func TestImpairAllocatesNothing(t *testing.T) {
	for what, i := range map[string]link.Impairment{
		"perfect": {},
		"loss":    {Loss: 0.1, Duplicate: 0.1},
		"damage":  {Corrupt: 1},
		"delay":   {Delay: time.Millisecond, Jitter: time.Millisecond, Overtake: true, Reorder: 0.1},
		"rate":    {Rate: 1e9, Queue: 1e6},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake(ignore)
			d := link.Impair(fake, i, i)
			defer d.Close()
			d.Attach(link.Handler{Receive: ignore})
			frames := testFrames(0, 40)
			for i := range 20 {
				frames[i] = packetTo(addr4b, 17, 100*i%1400)
			}
			mustNotAllocate(t, what, func() {
				mustWrite(t, d, frames...)
				fake.arrive(frames...)
				time.Sleep(5 * time.Millisecond)
			})
		})
	}
}

func BenchmarkImpair(b *testing.B) {
	for _, c := range []struct {
		what string
		i    link.Impairment
	}{
		{"perfect", link.Impairment{}},
		{"loss", link.Impairment{Loss: 0.01}},
		{"damage", link.Impairment{Corrupt: 1}},
		{"rate", link.Impairment{Rate: 1 << 60, Queue: 64 << 20}},
	} {
		b.Run(c.what, func(b *testing.B) {
			d := link.Impair(newFake(ignore), c.i, link.Impairment{})
			defer d.Close()
			d.Attach(link.Handler{Receive: ignore})
			frames := testFrames(0, 32)
			for i := range frames {
				frames[i] = packetTo(addr4b, 17, 1472)
			}
			b.SetBytes(32 * 1514)
			b.ReportAllocs()
			for b.Loop() {
				d.Write(frames)
			}
		})
	}
}

// A frame into and out of a heap of ten thousand.
func BenchmarkImpairDelay(b *testing.B) {
	far := newFake(ignore)
	d := link.Impair(far, link.Impairment{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Overtake: true}, link.Impairment{})
	defer d.Close()
	room := make(chan struct{}, 1)
	d.Attach(link.Handler{Receive: ignore, Room: func() {
		select {
		case room <- struct{}{}:
		default:
		}
	}})
	frames := []link.Frame{testFrame(1514, 0)}
	b.SetBytes(1514)
	b.ReportAllocs()
	for b.Loop() {
		if n, _ := d.Write(frames); n == 0 {
			<-room
		}
	}
}
