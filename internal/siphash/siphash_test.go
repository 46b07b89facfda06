package siphash

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func seeded(n byte) *rand.Rand { return rand.New(rand.NewChaCha8([32]byte{n})) }

func addrList(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// The results are of the reference implementation, for the key 00 01 … 0f and the
// messages 00 … 07 and 00 … 0f.
func TestHashIsSipHash(t *testing.T) {
	key := Key{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	if got, want := key.Word(0x0706050403020100), uint64(0x93f5f5799a932462); got != want {
		t.Errorf("of 8 bytes: %#x, want %#x", got, want)
	}
	h := key.begin()
	h.add(0x0706050403020100)
	h.add(0x0f0e0d0c0b0a0908)
	if got, want := h.sum(16), uint64(0x3f2acc7f57c29bdb); got != want {
		t.Errorf("of 16 bytes: %#x, want %#x", got, want)
	}
}

func TestHashDependsOnAllThatItIsTold(t *testing.T) {
	key := New(seeded(1))
	a := addrList("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2")
	sums := map[uint64]bool{key.Addr(a[0]): true, key.Addr(a[1]): true, key.Addr(a[2]): true, New(seeded(2)).Addr(a[0]): true}
	sums[key.Pair(a[0], a[1], 17)] = true
	sums[key.Pair(a[1], a[0], 17)] = true
	sums[key.Pair(a[0], a[1], 6)] = true
	sums[key.Pair(a[2], a[3], 17)] = true
	if len(sums) != 8 {
		t.Errorf("%d sums of 8 different things", len(sums))
	}
}

func BenchmarkHash(b *testing.B) {
	key, a := New(seeded(1)), addrList("10.0.0.1", "10.0.0.2")
	b.ReportAllocs()
	for b.Loop() {
		key.Pair(a[0], a[1], 17)
	}
}
