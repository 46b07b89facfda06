package ip

import (
	"testing"
)

func TestIdentificationsComeOnceEach(t *testing.T) {
	s := newIdentifications(seeded(1))
	a := addrList("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2")
	var four [1 << 16]bool
	for n := range len(four) {
		id := s.next4(a[0], a[1], 17)
		if four[id] {
			t.Fatalf("%d comes again after %d packets", id, n)
		}
		four[id] = true
	}
	six := map[uint32]bool{}
	for n := range 1 << 17 {
		id := s.next6(a[2], a[3])
		if six[id] {
			t.Fatalf("%d comes again after %d packets", id, n)
		}
		six[id] = true
	}
}

// What follows an identification must not depend on it in a way that other flows show, too.
func TestIdentificationsHaveNoPattern(t *testing.T) {
	s := newIdentifications(seeded(1))
	four, six := map[uint16]int{}, map[uint32]int{}
	var last4 uint16
	var last6 uint32
	const flows = 1000
	src := addrList("10.0.0.1", "2001:db8::1")
	dst6 := addrList("2001:db8::2")[0]
	for n := range flows {
		first := s.next4(src[0], address4(n), 17)
		last4 = s.next4(src[0], address4(n), 17)
		four[last4-first]++
		six[s.next6(src[1], dst6)-last6]++
		last6 = s.next6(src[1], dst6)
	}
	if len(four) < flows*9/10 || len(six) < flows*9/10 {
		t.Errorf("only %d and %d different steps in %d", len(four), len(six), flows)
	}
	if four[1] > 2 || six[1] > 2 {
		t.Error("identifications are counted up")
	}
}

func TestEachFlowHasAnOrderOfItsOwn(t *testing.T) {
	ids := newIdentifications(seeded(1))
	same := 0
	for n := range uint32(1000) {
		if ids.permute(n, 8, 1) == ids.permute(n, 8, 2) {
			same++
		}
	}
	if same > 5 {
		t.Errorf("%d of 1000 are in one place", same)
	}
}

func TestIdentificationsDependOnTheSeed(t *testing.T) {
	a := addrList("10.0.0.1", "10.0.0.2")
	one, again := newIdentifications(seeded(1)), newIdentifications(seeded(1))
	other := newIdentifications(seeded(2))
	same := 0
	for range 100 {
		id := one.next4(a[0], a[1], 17)
		if id != again.next4(a[0], a[1], 17) {
			t.Fatal("one seed makes different numbers")
		}
		if id == other.next4(a[0], a[1], 17) {
			same++
		}
	}
	if same > 3 {
		t.Errorf("another seed makes %d of 100 the same", same)
	}
}

func TestIdentifyingAllocatesNothing(t *testing.T) {
	s := newIdentifications(seeded(1))
	a := addrList("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2")
	allocatesNothing(t, "both families", func() {
		s.next4(a[0], a[1], 17)
		s.next6(a[2], a[3])
	})
}

func BenchmarkIdentification(b *testing.B) {
	s := newIdentifications(seeded(1))
	a := addrList("10.0.0.1", "10.0.0.2")
	b.ReportAllocs()
	for b.Loop() {
		s.next4(a[0], a[1], 17)
	}
}
