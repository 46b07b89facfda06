package ip

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// An address of DHCP is probed for, lives as long as it is told, and takes the route to its network with it.
func TestLeasesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{Addresses: []netip.Prefix{}, NoIPv6: true, Probes: 1})
		p := netip.MustParsePrefix("10.9.0.5/24")
		until := time.Now().Add(time.Hour)
		lease := func() error { return l.i.AddLease(p, until) }
		if err := lease(); err != nil {
			t.Fatal(err)
		}
		state := func() string {
			synctest.Wait()
			for _, a := range l.i.Addresses() {
				if a.Prefix == p && a.Origin == "dhcp" && a.ValidUntil.Equal(until) {
					return a.State
				}
			}
			return "gone"
		}
		route := func() bool {
			return slices.ContainsFunc(l.s.Routes(), func(r Route) bool { return r.Dst == p.Masked() })
		}
		if got := state(); got != "tentative" {
			t.Errorf("at first it is %s", got)
		}
		time.Sleep(10 * time.Second)
		if got := state(); got != "preferred" || !route() {
			t.Errorf("after the probes it is %s, with a route %v", got, route())
		}
		until = until.Add(time.Hour)
		if err := lease(); err != nil || state() != "preferred" {
			t.Errorf("given for longer, it is %s, %v", state(), err)
		}
		time.Sleep(time.Until(until) - time.Second)
		if got := state(); got != "preferred" {
			t.Errorf("a second before its end it is %s", got)
		}
		changed := l.s.Changed()
		time.Sleep(2 * time.Second)
		if got := state(); got != "gone" || route() {
			t.Errorf("after its end it is %s, with a route %v", got, route())
		}
		select {
		case <-changed:
		default:
			t.Error("nobody is told of its end")
		}
		if err := l.i.AddLease(netip.MustParsePrefix("224.0.0.1/24"), until); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("of a group: %v", err)
		}
	})
}

func TestMTUStaysWithinTheDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		most := l.i.MTU()
		for _, c := range []struct{ set, want int }{{1400, 1400}, {10, 68}, {1 << 20, most}, {576, 576}, {0, most}} {
			if l.i.SetMTU(c.set); l.i.MTU() != c.want {
				t.Errorf("set to %d it is %d, not %d", c.set, l.i.MTU(), c.want)
			}
		}
	})
}
