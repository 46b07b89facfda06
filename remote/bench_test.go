package remote

import (
	"io"
	"strconv"
	"testing"
)

// BenchmarkRunTrue runs commands one after another on one connection.
func BenchmarkRunTrue(b *testing.B) {
	l := newLine(b)
	cmd := Command{Args: []string{"true"}}
	b.ReportAllocs()
	for b.Loop() {
		if r, err := l.Run(b.Context(), cmd); err != nil || r.Code != 0 {
			b.Fatal(r, err)
		}
	}
}

// BenchmarkBulkOutput takes a long output from one command.
func BenchmarkBulkOutput(b *testing.B) {
	const piece = 1 << 20
	l := newLine(b)
	b.SetBytes(piece)
	b.ReportAllocs()
	b.ResetTimer()
	cmd := sh(`head -c "$1" /dev/zero`, strconv.Itoa(b.N*piece))
	cmd.Stdout = io.Discard
	if r, err := l.Run(b.Context(), cmd); err != nil || r.Code != 0 {
		b.Fatal(r, err)
	}
}

// BenchmarkBulkInput gives a long input to one command.
func BenchmarkBulkInput(b *testing.B) {
	const piece = 1 << 20
	l := newLine(b)
	b.SetBytes(piece)
	b.ReportAllocs()
	b.ResetTimer()
	cmd := sh("cat >/dev/null")
	cmd.Stdin = pass(int64(b.N) * piece)
	if r, err := l.Run(b.Context(), cmd); err != nil || r.Code != 0 {
		b.Fatal(r, err)
	}
}

// BenchmarkFifo moves 64 KiB through a stream's buffer.
func BenchmarkFifo(b *testing.B) {
	var f fifo
	p := make([]byte, pipeBuffer)
	b.SetBytes(pipeBuffer)
	b.ReportAllocs()
	for b.Loop() {
		f.write(p)
		f.discard(len(f.front()))
	}
}
