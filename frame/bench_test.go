package frame_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"landline/frame"
)

// dataFrame builds the header of a data frame, as most frames are.
func dataFrame(h *frame.Builder) *frame.Builder {
	return h.Reset().Str("kind", "data").Int("call", 17).Int("stream", 1).Int("at", 123_456_789_012)
}

// takeData reads a data frame's header and body into buf.
func takeData(r *frame.Reader, buf []byte) error {
	h, err := r.Next()
	if err != nil {
		return err
	}
	if _, err := h.Get("kind").Bytes(32); err != nil {
		return err
	}
	for _, name := range [...]string{"call", "stream", "at"} {
		if _, err := h.Get(name).Int(0, 1<<53-1); err != nil {
			return err
		}
	}
	_, err = io.ReadFull(r, buf[:r.Len()])
	return err
}

func TestDataFramesAllocateNothing(t *testing.T) {
	var h frame.Builder
	body := make([]byte, 64<<10)
	one, err := frame.Append(nil, dataFrame(&h), body)
	if err != nil {
		t.Fatal(err)
	}
	r := frame.NewReader(&loop{data: one})
	w := frame.NewWriter(io.Discard)
	dst := make([]byte, 0, 2*len(one))
	for _, tt := range []struct {
		what string
		do   func() error
	}{
		{"reading", func() error { return takeData(r, body) }},
		{"writing", func() error { return w.Frame(dataFrame(&h), body) }},
		{"appending", func() error { _, err := frame.Append(dst, dataFrame(&h), body); return err }},
	} {
		n := testing.AllocsPerRun(100, func() {
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a frame", tt.what, n)
		}
	}
}

func benchmarkBodies(b *testing.B, run func(b *testing.B, body []byte)) {
	for _, size := range []int{0, 1 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			var h frame.Builder
			body := make([]byte, size)
			one, err := frame.Append(nil, dataFrame(&h), body)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(one)))
			b.ReportAllocs()
			run(b, body)
		})
	}
}

func BenchmarkReader(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte) {
		var h frame.Builder
		one, _ := frame.Append(nil, dataFrame(&h), body)
		r := frame.NewReader(&loop{data: one})
		for b.Loop() {
			if err := takeData(r, body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte) {
		var h frame.Builder
		w := frame.NewWriter(io.Discard)
		for b.Loop() {
			if err := w.Frame(dataFrame(&h), body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte) {
		var h frame.Builder
		var wire bytes.Buffer
		w, r := frame.NewWriter(&wire), frame.NewReader(&wire)
		for b.Loop() {
			if err := w.Frame(dataFrame(&h), body); err != nil {
				b.Fatal(err)
			}
			if err := takeData(r, body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
