package identity

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

func tcp(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

func TestLimitsEachAddress(t *testing.T) {
	l := &Limiter{PerAddr: 2}
	for _, test := range []struct {
		from string
		ok   bool
	}{
		{"10.0.0.1:1", true}, {"10.0.0.1:2", true}, {"10.0.0.1:3", false}, {"[::ffff:10.0.0.1]:4", false},
		{"10.0.0.2:1", true},
		{"[2001:db8::1]:1", true}, {"[2001:db8::ffff:2]:1", true}, {"[2001:db8::3]:1", false}, {"[2001:db8:0:1::1]:1", true},
		{"[fe80::1%a]:1", true}, {"[fe80::2%b]:1", true}, {"[fe80::3]:1", false},
	} {
		if _, ok := l.Acquire(tcp(test.from)); ok != test.ok {
			t.Errorf("%s: %v, want %v", test.from, ok, test.ok)
		}
	}
}

func TestLimitsAll(t *testing.T) {
	l := &Limiter{Total: 2}
	release, ok := l.Acquire(tcp("10.0.0.1:1"))
	_, ok2 := l.Acquire(&net.UnixAddr{Name: "x"})
	if _, ok3 := l.Acquire(tcp("10.0.0.3:1")); !ok || !ok2 || ok3 {
		t.Errorf("%v %v %v, want two of three", ok, ok2, ok3)
	}
	release()
	if _, ok := l.Acquire(tcp("10.0.0.3:1")); !ok {
		t.Error("what was released is not free")
	}
}

func TestLimiterForgetsWhoHasLeft(t *testing.T) {
	l := &Limiter{}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if release, ok := l.Acquire(tcp("10.0.0.1:1")); ok {
				release()
			}
		})
	}
	wg.Wait()
	if l.total != 0 || len(l.count) != 0 {
		t.Errorf("%d connections, %d addresses remembered", l.total, len(l.count))
	}
}
