package ip

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
	"unsafe"
)

// address4 returns the nth address of many.
func address4(n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 0x0a000000+uint32(n))
	return netip.AddrFrom4(b)
}

// flood asks n times in a second, for destinations that next returns, and counts what is
// allowed.
func flood(m *limiter, from time.Time, n int, next func(int) netip.Addr) (allowed int) {
	for i := range n {
		if m.allow(from.Add(time.Second*time.Duration(i)/time.Duration(n)), next(i)) {
			allowed++
		}
	}
	return allowed
}

func one(int) netip.Addr { return address4(1) }

// between fails unless low ≤ n ≤ high.
func between(t *testing.T, what string, n, low, high int) {
	t.Helper()
	if n < low || n > high {
		t.Errorf("%s: %d, want between %d and %d", what, n, low, high)
	}
}

func TestOneDestinationGetsItsBurstThenItsRate(t *testing.T) {
	m := newLimiter(pureStart, limits{RatePerDst: 10, BurstPerDst: 10}, seeded(1))
	// What each takes is random, by up to one half.
	between(t, "at once", flood(m, pureStart, 1, one), 1, 1)
	n := 0
	for range 1000 {
		if m.allow(pureStart, address4(2)) {
			n++
		}
	}
	between(t, "a burst", n, 6, 20)
	flood(m, pureStart, 1000, one)
	between(t, "100 s later", func() (n int) {
		for s := range 100 {
			n += flood(m, pureStart.Add(time.Duration(s+1)*time.Second), 1000, one)
		}
		return n
	}(), 900, 1100)
}

func TestAllDestinationsTogetherKeepTheRate(t *testing.T) {
	m := newLimiter(pureStart, limits{Rate: 100, Burst: 20}, seeded(1))
	flood(m, pureStart, 10000, address4)
	n := 0
	for s := range 20 {
		n += flood(m, pureStart.Add(time.Duration(s+1)*time.Second), 10000, address4)
	}
	between(t, "in 20 s", n, 1800, 2200)
}

func TestAFloodFromOneLeavesTheOthersTheirShare(t *testing.T) {
	m := newLimiter(pureStart, limits{}, seeded(1))
	flood(m, pureStart, 100000, one)
	for n := range 10 {
		if !m.allow(pureStart.Add(time.Second), address4(1000+n)) {
			t.Errorf("host %d gets nothing", n)
		}
	}
}

func TestARefusedMessageCostsNothing(t *testing.T) {
	m := newLimiter(pureStart, limits{}, seeded(1))
	for range 1000 {
		m.allow(pureStart, one(0))
	}
	all := m.all
	m.allow(pureStart, one(0))
	if m.all != all {
		t.Error("the shared bucket paid for a message that its destination's refused")
	}
	for n := range 10000 {
		m.allow(pureStart, address4(n))
	}
	buckets := m.buckets
	m.allow(pureStart, address4(20000))
	if m.buckets != buckets {
		t.Error("a destination's bucket paid for a message that the shared one refused")
	}
}

func TestSilenceFillsTheBucketsNoFurtherThanTheBurst(t *testing.T) {
	m := newLimiter(pureStart, limits{}, seeded(1))
	later := pureStart.Add(1000 * time.Hour)
	n := 0
	for range 1000 {
		if m.allow(later, one(0)) {
			n++
		}
	}
	between(t, "to one after a long silence", n, 6, 20)
	// A burst, and what a second brings.
	between(t, "to all after a long silence", flood(m, later, 10000, address4), 900, 1400)
}

// A stranger who spoofs another's address must not learn from what he himself is sent how
// many errors went there.
func TestCostsCannotBeCounted(t *testing.T) {
	seen := map[int]bool{}
	for seed := range byte(50) {
		m := newLimiter(pureStart, limits{}, seeded(seed))
		n := 0
		for i := range 1000 {
			if m.allow(pureStart, address4(i)) {
				n++
			}
		}
		seen[n] = true
	}
	if len(seen) < 5 {
		t.Errorf("a burst has always one of %d lengths", len(seen))
	}
}

func TestLimiterHasAFixedSize(t *testing.T) {
	if n := unsafe.Sizeof(limiter{}); n > 5<<10 {
		t.Errorf("%d bytes", n)
	}
	m := newLimiter(pureStart, limits{}, seeded(1))
	i := 0
	allocatesNothing(t, "allow", func() { m.allow(pureStart, address4(i)); i++ })
}

func BenchmarkLimiter(b *testing.B) {
	m := newLimiter(pureStart, limits{}, seeded(1))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.allow(pureStart.Add(time.Duration(i)*time.Millisecond), address4(i))
		i++
	}
}
