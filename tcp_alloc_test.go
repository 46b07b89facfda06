//go:build !race

package landline_test

import (
	"io"
	"testing"

	"landline"
	"landline/link"
)

// The race detector makes sync.Pool forget, so this is not for it.
func TestTCPAllocatesNothingInSteadyState(t *testing.T) {
	for _, c := range cables {
		for _, size := range []int{1, 1000, 64 << 10} {
			a, b := neighbors(t, c.CableConfig)
			ca, cb := connected(t, a, b)
			steady(t, c.name, size, ca, cb)
		}
	}
	h := newHost(t, nil, landline.Config{})
	ca, cb, err := ends(h, h, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ca.Close()
	defer cb.Close()
	steady(t, "loopback", 1000, ca, cb)
	a, b := neighbors(t, link.CableConfig{})
	ca, cb, err = ends(a, b, "[fd00::2]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ca.Close()
	defer cb.Close()
	steady(t, "IPv6", 1000, ca, cb)
}

// steady sends there and back, and counts what that takes of the heap once the rings have been made.
func steady(t *testing.T, name string, size int, ca, cb *landline.TCPConn) {
	t.Helper()
	buf := make([]byte, size)
	pass := func(from, to *landline.TCPConn) {
		if _, err := from.Write(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(to, buf); err != nil {
			t.Fatal(err)
		}
	}
	trip := func() { pass(ca, cb); pass(cb, ca) }
	for range 200 {
		trip()
	}
	if n := testing.AllocsPerRun(500, trip); n != 0 {
		t.Errorf("%s: %v allocations to send %d bytes there and back", name, n, size)
	}
}

// What is copied from a socket, and to one, costs nothing of the heap either.
func TestTCPCopiesWithoutAllocating(t *testing.T) {
	a, b := neighbors(t, link.CableConfig{Units: true})
	ca, cb := connected(t, a, b)
	source, in := sockets(t)
	out, sink := sockets(t)
	go ca.ReadFrom(in)
	go cb.WriteTo(out)
	buf := make([]byte, 100<<10)
	pass := func() {
		if _, err := source.Write(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(sink, buf); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		pass()
	}
	if n := testing.AllocsPerRun(500, pass); n != 0 {
		t.Errorf("%v allocations to copy %d bytes", n, len(buf))
	}
}
