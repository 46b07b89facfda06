package ip

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func routeTo(dst, gateway string, index, metric int) Route {
	r := Route{Dst: netip.MustParsePrefix(dst), Interface: index, Metric: metric}
	if gateway != "" {
		r.Gateway = netip.MustParseAddr(gateway)
	}
	return r
}

// gatewayTo returns the gateway of the route to dst, "link" or "none".
func gatewayTo(t *routeTable, dst string, index int) string {
	r, ok := t.lookup(netip.MustParseAddr(dst), index)
	switch {
	case !ok:
		return "none"
	case !r.Gateway.IsValid():
		return "link"
	}
	return r.Gateway.String()
}

func TestLookupPrefersLongestPrefixThenMetricThenFirst(t *testing.T) {
	var table routeTable
	for _, r := range []Route{
		routeTo("0.0.0.0/0", "10.0.0.1", 1, 10),
		routeTo("0.0.0.0/0", "10.0.0.2", 1, 5),
		routeTo("0.0.0.0/0", "10.0.0.3", 1, 5),
		routeTo("10.0.0.0/24", "", 1, 0),
		routeTo("10.1.0.0/16", "10.0.0.4", 1, 100),
		routeTo("10.1.2.99/24", "10.0.0.5", 1, 200), // not masked
		routeTo("10.1.2.3/32", "10.0.0.6", 2, 300),
		routeTo("::/0", "fe80::1", 1, 0),
		routeTo("fe80::/64", "", 1, 0),
		routeTo("fe80::/64", "", 2, 0),
		routeTo("2001:db8::/65", "fe80::2", 1, 0),
		routeTo("2001:db8::1/128", "fe80::3", 1, 0),
	} {
		table.add(r)
	}
	for _, c := range []struct {
		dst   string
		index int
		want  string
	}{
		{"10.0.0.9", 0, "link"},
		{"10.1.9.9", 0, "10.0.0.4"},
		{"10.1.2.9", 0, "10.0.0.5"},
		{"10.1.2.3", 0, "10.0.0.6"},
		{"10.1.2.3", 1, "10.0.0.5"},
		{"10.1.2.3", 3, "none"},
		{"10.2.0.0", 0, "10.0.0.2"},
		{"255.255.255.255", 0, "10.0.0.2"},
		{"0.0.0.0", 2, "none"},
		{"fe80::9", 2, "link"},
		{"fe80::9", 3, "none"},
		{"2001:db8::1", 0, "fe80::3"},
		{"2001:db8::2", 0, "fe80::2"},
		{"2001:db8::8000:0:0:0", 0, "fe80::1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, "fe80::1"},
	} {
		if got := gatewayTo(&table, c.dst, c.index); got != c.want {
			t.Errorf("to %s by interface %d: %s, want %s", c.dst, c.index, got, c.want)
		}
	}
	if r, _ := table.lookup(netip.MustParseAddr("fe80::9"), 2); r.Interface != 2 {
		t.Errorf("by interface %d, want 2", r.Interface)
	}
}

func TestAFamilyDoesNotFindRoutesOfTheOther(t *testing.T) {
	var table routeTable
	table.add(routeTo("0.0.0.0/0", "10.0.0.1", 1, 0))
	if got := gatewayTo(&table, "2001:db8::1", 0); got != "none" {
		t.Errorf("IPv6 by %s", got)
	}
	table = routeTable{}
	table.add(routeTo("::/0", "fe80::1", 1, 0))
	if got := gatewayTo(&table, "10.0.0.1", 0); got != "none" {
		t.Errorf("IPv4 by %s", got)
	}
}

func TestAddingARouteAgainReplacesIt(t *testing.T) {
	var table routeTable
	first, second := routeTo("::/0", "fe80::1", 1, 5), routeTo("::/0", "fe80::2", 1, 5)
	table.add(first)
	table.add(second)
	first.Expires = pureStart
	table.add(first)
	if r, _ := table.lookup(netip.IPv6Unspecified(), 0); !r.Expires.Equal(pureStart) || r.Gateway != first.Gateway {
		t.Errorf("a route that was refreshed lost its place or its lifetime: %v", r)
	}
	first.Metric = 6
	table.add(first)
	if got := gatewayTo(&table, "::", 0); got != "fe80::2" {
		t.Errorf("with a worse metric it is still preferred: %s", got)
	}
	if n := len(table.appendTo(nil)); n != 2 {
		t.Errorf("%d routes, want 2", n)
	}
}

func TestRoutesAreRemovedByNetworkGatewayAndInterface(t *testing.T) {
	var table routeTable
	table.add(routeTo("10.0.0.0/8", "10.0.0.1", 1, 5))
	for _, other := range []Route{
		routeTo("10.0.0.0/9", "10.0.0.1", 1, 5), routeTo("10.0.0.0/8", "10.0.0.2", 1, 5), routeTo("10.0.0.0/8", "10.0.0.1", 2, 5),
	} {
		if table.remove(other) {
			t.Errorf("%v was removed", other)
		}
	}
	if !table.remove(routeTo("10.9.9.9/8", "10.0.0.1", 1, 77)) || gatewayTo(&table, "10.0.0.1", 0) != "none" {
		t.Error("it is still there")
	}
	if len(table.v4) != 0 {
		t.Error("an empty level is still searched")
	}
}

func TestExpiredRoutesAreForgotten(t *testing.T) {
	var table routeTable
	a, b, c := routeTo("10.0.0.0/8", "", 1, 0), routeTo("::/0", "fe80::1", 1, 0), routeTo("fe80::/64", "", 1, 0)
	a.Expires, b.Expires = pureStart.Add(2*time.Second), pureStart.Add(time.Second)
	for _, r := range []Route{a, b, c} {
		table.add(r)
	}
	for _, step := range []struct{ seconds, expired, next int }{{0, 0, 1}, {1, 1, 2}, {2, 1, -1}, {9, 0, -1}} {
		if n := table.expire(pureStart.Add(time.Duration(step.seconds) * time.Second)); n != step.expired {
			t.Errorf("after %d s: %d expired, want %d", step.seconds, n, step.expired)
		}
		want := time.Time{}
		if step.next >= 0 {
			want = pureStart.Add(time.Duration(step.next) * time.Second)
		}
		if got := table.next(); !got.Equal(want) {
			t.Errorf("after %d s: next at %v, want %v", step.seconds, got, want)
		}
	}
	if gatewayTo(&table, "fe80::1", 0) != "link" {
		t.Error("the route without a lifetime is gone")
	}
}

// bruteLookup does what lookup does, by looking at all routes in the order in which
// they were added.
func bruteLookup(all []Route, dst netip.Addr, index int) (Route, bool) {
	var fit []Route
	for _, r := range all {
		if r.Dst.Contains(dst) && (index == 0 || r.Interface == index) {
			fit = append(fit, r)
		}
	}
	if len(fit) == 0 {
		return Route{}, false
	}
	return slices.MinFunc(fit, func(a, b Route) int {
		return cmp.Or(cmp.Compare(b.Dst.Bits(), a.Dst.Bits()), cmp.Compare(a.Metric, b.Metric))
	}), true
}

// bruteAdd does what add does.
func bruteAdd(all []Route, r Route) []Route {
	r.Dst = r.Dst.Masked()
	i := slices.IndexFunc(all, func(s Route) bool { return s.same(&r) })
	if i >= 0 && all[i].Metric == r.Metric {
		all[i] = r
		return all
	}
	if i >= 0 {
		all = slices.Delete(all, i, i+1)
	}
	return append(all, r)
}

func randomRoute(r *rand.Rand) Route {
	four := r.IntN(2) == 0
	a := randomAddr(r, four)
	n := r.IntN(a.BitLen() + 1)
	return Route{
		Dst: netip.PrefixFrom(a, n), Gateway: randomAddr(rand.New(rand.NewPCG(uint64(r.IntN(3)), 0)), four),
		Interface: 1 + r.IntN(3), Metric: r.IntN(3), Expires: pureStart.Add(time.Duration(r.IntN(50)) * time.Second),
	}
}

func FuzzRoutes(f *testing.F) {
	for n := range uint64(8) {
		f.Add(n, uint16(100))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		r := rand.New(rand.NewPCG(seed, 0))
		var table routeTable
		var all []Route
		for range steps % 2000 {
			switch route := randomRoute(r); r.IntN(8) {
			case 0, 1, 2, 3:
				table.add(route)
				all = bruteAdd(all, route)
			case 4:
				if len(all) == 0 {
					continue
				}
				i := r.IntN(len(all))
				if !table.remove(all[i]) {
					t.Fatalf("%v was not there", all[i])
				}
				all = slices.Delete(all, i, i+1)
			case 5:
				if r.IntN(50) == 0 {
					now := pureStart.Add(time.Duration(r.IntN(50)) * time.Second)
					table.expire(now)
					all = slices.DeleteFunc(all, func(r Route) bool { return !r.Expires.After(now) })
				}
			default:
				dst, index := randomAddr(r, r.IntN(2) == 0), r.IntN(4)
				got, ok := table.lookup(dst, index)
				want, wantOK := bruteLookup(all, dst, index)
				if got != want || ok != wantOK {
					t.Fatalf("to %v by interface %d: %v, want %v", dst, index, got, want)
				}
			}
		}
		if n := len(table.appendTo(nil)); n != len(all) {
			t.Fatalf("%d routes, want %d", n, len(all))
		}
	})
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := handfulOfRoutes()
	for _, dst := range addrList("10.0.0.9", "8.8.8.8", "fe80::1", "2001:db8::1") {
		allocatesNothing(t, dst.String(), func() { table.lookup(dst, 0) })
	}
}

// handfulOfRoutes is the table of a host with two interfaces.
func handfulOfRoutes() *routeTable {
	var table routeTable
	for _, r := range []Route{
		routeTo("10.0.0.0/24", "", 1, 0), routeTo("10.9.0.0/16", "", 2, 0), routeTo("0.0.0.0/0", "10.0.0.1", 1, 0),
		routeTo("fe80::/64", "", 1, 0), routeTo("fe80::/64", "", 2, 0), routeTo("fd00::/64", "", 1, 0), routeTo("::/0", "fe80::1", 1, 0),
	} {
		table.add(r)
	}
	return &table
}

func BenchmarkLookup(b *testing.B) {
	few := handfulOfRoutes()
	many := handfulOfRoutes()
	r := seeded(1)
	for range 10000 {
		a := netip.AddrFrom4([4]byte{byte(1 + r.IntN(220)), byte(r.IntN(256)), byte(r.IntN(256)), 0})
		many.add(Route{Dst: netip.PrefixFrom(a, 16+r.IntN(9)), Interface: 1})
	}
	for _, c := range []struct {
		name  string
		table *routeTable
		dst   string
	}{
		{"7 routes/on link", few, "10.0.0.9"}, {"7 routes/default", few, "8.8.8.8"}, {"7 routes/default6", few, "2001:db8::1"},
		{"10000 routes/default", many, "223.8.8.8"},
	} {
		dst := netip.MustParseAddr(c.dst)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.table.lookup(dst, 0)
			}
		})
	}
}
