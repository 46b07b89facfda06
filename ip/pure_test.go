package ip

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// pureStart is when the tests of machines without a clock begin.
var pureStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// seeded returns a source of the same numbers every time.
func seeded(n byte) *rand.Rand { return rand.New(rand.NewChaCha8([32]byte{n})) }

// addrList parses addresses.
func addrList(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// allocatesNothing checks that do, after a first time that may grow buffers, allocates nothing.
func allocatesNothing(t *testing.T, what string, do func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, do); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

// randomAddr returns an address of few that share prefixes of all lengths.
func randomAddr(r *rand.Rand, four bool) netip.Addr {
	if four {
		b := [4]byte{10, byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(256))}
		return netip.AddrFrom4(b)
	}
	b := [16]byte{0: 0x20, 1: 0x01, 5: byte(r.IntN(4)), 7: byte(r.IntN(256)), 8: byte(r.IntN(2)), 15: byte(r.IntN(256))}
	return netip.AddrFrom16(b)
}
