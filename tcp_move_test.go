package landline_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

// exchangeStreams sends a stream each way at once, and looks whether both arrive as they are.
func exchangeStreams(t *testing.T, a, b *landline.TCPConn, size int) {
	t.Helper()
	var all sync.WaitGroup
	for k, ends := range [][2]*landline.TCPConn{{a, b}, {b, a}} {
		seed := [32]byte{byte(k)}
		all.Go(func() {
			if n, err := io.CopyN(ends[0], rand.NewChaCha8(seed), int64(size)); err != nil {
				t.Errorf("wrote %d bytes: %v", n, err)
			}
		})
		all.Go(func() {
			want, got, buf := rand.NewChaCha8(seed), make([]byte, 64<<10), make([]byte, 64<<10)
			for left := size; left > 0; {
				n, err := ends[1].Read(got[:min(left, len(got))])
				want.Read(buf[:n])
				if left -= n; err != nil || string(got[:n]) != string(buf[:n]) {
					t.Errorf("%d bytes before the end: %v, or others", left, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// A connection goes where the routes lead, also when they change on the way: by a device that takes several segments as
// one, and by one that does not, and whose packets are shorter.
func TestTCPFollowsTheRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wide, far := link.NewCable(link.CableConfig{Seed: 1, Units: true, MTU: 9000})
		small, other := link.NewCable(link.CableConfig{Seed: 2, Checksums: true, MTU: 1280})
		slow := link.Impairment{Delay: 5 * time.Millisecond, Rate: 100_000_000}
		a := newHost(t, link.Impair(wide, slow, slow), landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true})
		b := newHost(t, far, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, NoIPv6: true, Seed: 2})
		onA := must(a.AddInterface(link.Impair(small, slow, slow), landline.InterfaceConfig{Addresses: prefixes("10.1.0.1/24"), Probes: -1, NoIPv6: true}))
		onB := must(b.AddInterface(other, landline.InterfaceConfig{Addresses: prefixes("10.1.0.2/24"), Probes: -1, NoIPv6: true}))
		ca, cb := connected(t, a, b)
		addr := netip.MustParseAddr
		detours := map[*landline.Host]landline.Route{
			a: {Dst: netip.MustParsePrefix("10.0.0.2/32"), Gateway: addr("10.1.0.2"), Interface: onA},
			b: {Dst: netip.MustParsePrefix("10.0.0.1/32"), Gateway: addr("10.1.0.1"), Interface: onB},
		}
		time.AfterFunc(500*time.Millisecond, func() {
			for h, r := range detours {
				if err := h.AddRoute(r); err != nil {
					t.Error(err)
				}
			}
		})
		time.AfterFunc(1200*time.Millisecond, func() {
			for h, r := range detours {
				h.RemoveRoute(r)
			}
		})
		exchangeStreams(t, ca, cb, 20<<20)
		for _, h := range []*landline.Host{a, b} {
			for _, i := range h.Interfaces() {
				if !i.Loopback && i.Stats.SentBytes < 1<<20 {
					t.Errorf("by %s: %+v", i.Name, i.Stats)
				}
			}
		}
	})
}

// An interface that is taken away and comes back with its address finds the connections as they were.
func TestTCPOutlivesItsInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := link.Impairment{Delay: 5 * time.Millisecond, Rate: 100_000_000}
		hosts := [2]*landline.Host{newHost(t, nil, landline.Config{}), newHost(t, nil, landline.Config{Seed: 2})}
		plug := func() {
			x, y := link.NewCable(link.CableConfig{Seed: 1})
			must(hosts[0].AddInterface(link.Impair(x, slow, slow), landline.InterfaceConfig{Name: "eth0", Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true}))
			must(hosts[1].AddInterface(y, landline.InterfaceConfig{Name: "eth0", Addresses: prefixes("10.0.0.2/24"), Probes: -1, NoIPv6: true}))
		}
		pull := func() {
			for _, h := range hosts {
				if err := h.RemoveInterface("eth0"); err != nil {
					t.Error(err)
				}
			}
		}
		plug()
		ca, cb := connected(t, hosts[0], hosts[1])
		time.AfterFunc(500*time.Millisecond, pull)
		time.AfterFunc(1500*time.Millisecond, plug)
		exchangeStreams(t, ca, cb, 20<<20)

		pull() // for good
		ca.SetUserTimeout(10 * time.Second)
		if _, err := ca.Write([]byte("x")); err != nil {
			t.Errorf("written: %v", err)
		}
		if err := read(ca); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("who has written reads %v", err)
		}
		if err := read(cb); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("who is asked for reads %v", err)
		}
		if n := len(hosts[0].Conns()) + len(hosts[1].Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}
