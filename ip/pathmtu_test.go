package ip

import (
	"net/netip"
	"strconv"
	"testing"
)

func TestClaimsLowerThePathMTU(t *testing.T) {
	for _, c := range []struct {
		why, dst        string
		mtu, size, link int
		want            int // 0: the claim is ignored
		locked          bool
	}{
		{"a tunnel", "10.0.0.1", 1400, 1500, 1500, 1400, false},
		{"a tunnel, IPv6", "2001:db8::1", 1400, 1500, 1500, 1400, false},
		{"larger than the link's", "10.0.0.1", 1600, 9000, 1500, 0, false},
		{"the link's", "10.0.0.1", 1500, 9000, 1500, 0, false},
		{"not less than the packet", "10.0.0.1", 1400, 1400, 1500, 0, false},
		{"not less than the packet, IPv6", "2001:db8::1", 1400, 1300, 1500, 0, false},
		{"the floor", "10.0.0.1", 552, 1500, 1500, 552, false},
		{"below the floor", "10.0.0.1", 551, 1500, 1500, 552, true},
		{"absurd", "10.0.0.1", 1, 1500, 1500, 552, true},
		{"below the floor, and a link that is, too", "10.0.0.1", 300, 500, 500, 500, true},
		{"a router that does not tell", "10.0.0.1", 0, 1500, 1500, 1492, false},
		{"and again", "10.0.0.1", 0, 1492, 1500, 1006, false},
		{"and about a small packet", "10.0.0.1", 0, 600, 1500, 552, true},
		{"and about the smallest", "10.0.0.1", 0, 68, 1500, 0, false},
		{"the minimum of IPv6", "2001:db8::1", 1280, 1500, 1500, 1280, false},
		{"below it", "2001:db8::1", 1279, 1500, 1500, 0, false},
		{"zero, IPv6", "2001:db8::1", 0, 1500, 1500, 0, false},
	} {
		p := newPathMTUs(0, 0)
		dst := netip.MustParseAddr(c.dst)
		got, ok := p.tooBig(pureStart, dst, c.mtu, c.size, c.link)
		if got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %d, want %d", c.why, got, c.want)
		}
		want := c.want
		if want == 0 {
			want = c.link
		}
		if got := p.lookup(pureStart, dst, c.link); got != want {
			t.Errorf("%s: then %d, want %d", c.why, got, want)
		}
		if got := p.locked(pureStart, dst); got != c.locked {
			t.Errorf("%s: locked %v", c.why, got)
		}
	}
}

func TestAPathMTUOnlyFalls(t *testing.T) {
	p := newPathMTUs(0, 0)
	dst := address4(1)
	for _, c := range []struct {
		mtu int
		ok  bool
	}{{1400, true}, {1450, false}, {1400, false}, {1000, true}, {1400, false}, {500, true}, {552, true}, {552, false}} {
		if _, ok := p.tooBig(pureStart, dst, c.mtu, 1500, 1500); ok != c.ok {
			t.Errorf("%d is news: %v", c.mtu, ok)
		}
	}
}

func TestPathMTUIsForgottenAfterTenMinutes(t *testing.T) {
	p := newPathMTUs(0, 0)
	dst := address4(1)
	p.tooBig(pureStart, dst, 300, 1500, 1500)
	soon, then := pureStart.Add(pathMTULife-1), pureStart.Add(pathMTULife)
	if p.lookup(soon, dst, 1500) != 552 || !p.locked(soon, dst) {
		t.Error("forgotten early")
	}
	if p.lookup(then, dst, 1500) != 1500 || p.locked(then, dst) {
		t.Error("remembered too long")
	}
	if mtu, ok := p.tooBig(then, dst, 1400, 1500, 1500); !ok || mtu != 1400 {
		t.Error("what was forgotten stands against what is new")
	}
}

func TestOtherDestinationsKeepTheLinkMTU(t *testing.T) {
	p := newPathMTUs(0, 0)
	p.tooBig(pureStart, address4(1), 1400, 1500, 1500)
	if got := p.lookup(pureStart, address4(2), 1500); got != 1500 {
		t.Errorf("%d", got)
	}
	if got := p.lookup(pureStart, address4(1), 1300); got != 1300 {
		t.Errorf("%d over a smaller link", got)
	}
}

func TestTheOldestPathMTUGivesWay(t *testing.T) {
	p := newPathMTUs(0, 3)
	for n := range 5 {
		p.tooBig(pureStart, address4(n), 1400, 1500, 1500)
	}
	for n := range 5 {
		want := 1400
		if n < 2 {
			want = 1500
		}
		if got := p.lookup(pureStart, address4(n), 1500); got != want {
			t.Errorf("path %d: %d, want %d", n, got, want)
		}
	}
	if len(p.entries) != 3 || len(p.index) != 3 {
		t.Errorf("%d entries, %d in the index", len(p.entries), len(p.index))
	}
}

func TestPathMTUFloorCanBeLowered(t *testing.T) {
	p := newPathMTUs(68, 0)
	if mtu, _ := p.tooBig(pureStart, address4(1), 296, 1500, 1500); mtu != 296 || p.locked(pureStart, address4(1)) {
		t.Errorf("%d", mtu)
	}
}

func TestEveryPlateauLeadsToTheNext(t *testing.T) {
	size, steps := 65535, 0
	for size > 68 {
		next := plateauBelow(size)
		if next >= size {
			t.Fatalf("below %d: %d", size, next)
		}
		size = next
		steps++
	}
	if steps != len(plateaus) {
		t.Errorf("%d steps", steps)
	}
	if got := plateauBelow(20); got != 68 {
		t.Errorf("below 20: %d", got)
	}
}

func TestPathMTULookupAllocatesNothing(t *testing.T) {
	p := newPathMTUs(0, 2)
	p.tooBig(pureStart, address4(1), 1400, 1500, 1500)
	allocatesNothing(t, "lookup", func() { p.lookup(pureStart, address4(1), 1500) })
}

func BenchmarkPathMTULookup(b *testing.B) {
	p := newPathMTUs(0, 0)
	for _, known := range []int{0, 1, 1000} {
		for n := range known {
			p.tooBig(pureStart, address4(n), 1400, 1500, 1500)
		}
		b.Run(strconv.Itoa(known)+" known", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.lookup(pureStart, address4(0), 1500)
			}
		})
	}
}
