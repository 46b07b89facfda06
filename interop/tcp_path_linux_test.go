package interop

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"landline"
	"landline/link"
	"landline/wire"
)

// The link between a router and the kernel's end behind it.
var (
	inner4, inner6 = netip.MustParsePrefix("10.79.0.1/24"), netip.MustParsePrefix("fd79::1/64")
	outer4, outer6 = netip.MustParsePrefix("10.79.0.2/24"), netip.MustParsePrefix("fd79::2/64")

	farPairs = []pair{{ours4.Addr(), outer4.Addr()}, {ours6.Addr(), outer6.Addr()}}
)

// What the ways through the router carry, from us and to us. Both ends are on links of 1,500 bytes as far as they know.
const (
	mtuFromUs = 1400
	mtuToUs   = 1300
)

// goBehindRouter makes the namespace with the TAP a router's, and goes on in another behind it.
func (r *rig) goBehindRouter() *landline.Host {
	r.Helper()
	r.sysctl("net.ipv4.ip_forward", 1)
	r.sysctl("net.ipv6.conf.all.forwarding", 1)
	run(r, "ip", "link", "set", "tap0", "mtu", fmt.Sprint(mtuToUs))
	router, err := os.Open("/proc/thread-self/ns/net")
	if err == nil {
		r.Cleanup(func() { router.Close() })
		err = unix.Unshare(unix.CLONE_NEWNET)
	}
	if err != nil {
		r.Fatal(err)
	}
	mtu := fmt.Sprint(mtuFromUs)
	run(r, "ip", "link", "add", "far0", "mtu", mtu, "type", "veth",
		"peer", "name", "near0", "mtu", mtu, "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), router.Fd()))
	r.addresses("far0", outer4, outer6)
	// It says that it takes longer segments than the link beside it does, so that we have to find out.
	run(r, "ip", "route", "add", "default", "via", inner4.Addr().String(), "advmss", "1460")
	r.within(router, func() { r.addresses("near0", inner4, inner6) })
	run(r, "ip", "-6", "route", "add", "default", "via", inner6.Addr().String(), "advmss", "1440")
	h := r.host(landline.Config{
		Addresses: []netip.Prefix{ours4, ours6}, Gateways: []netip.Addr{kernel4.Addr(), kernel6.Addr()}, Probes: -1,
	})
	for _, p := range farPairs {
		r.eventually("the router knows the way", func() bool {
			ctx, cancel := context.WithTimeout(r.Context(), time.Second)
			defer cancel()
			_, err := h.Ping(ctx, p.theirs.String(), landline.PingConfig{})
			return err == nil
		})
	}
	return h
}

// addresses gives an interface its addresses, and sets it up.
func (r *rig) addresses(name string, a4, a6 netip.Prefix) {
	r.Helper()
	run(r, "ip", "addr", "add", a4.String(), "dev", name)
	run(r, "ip", "addr", "add", a6.String(), "dev", name, "nodad")
	run(r, "ip", "link", "set", name, "up")
}

// within does something in another namespace.
func (r *rig) within(other *os.File, do func()) {
	r.Helper()
	within(r.T, other, do)
}

// longest is how long segments are on a path.
func longest(p pair, mtu int) int {
	if p.ours.Is6() {
		mtu -= wire.IPv6Len - wire.IPv4Len
	}
	return mtu - wire.IPv4Len - wire.TCPLen - 12
}

func TestBothEndsFindThePathMTU(t *testing.T) {
	for name, without := range tapKinds {
		t.Run(name, func(t *testing.T) {
			r := rigConfig{without: without, snap: 128}.make(t)
			h := r.goBehindRouter()
			for _, p := range farPairs {
				for _, fromUs := range []bool{true, false} {
					ours, theirs := r.connect(h, p, fromUs)
					if got, want := ours.Info().SendMSS, longest(p, 1500); fromUs && got != want {
						r.Errorf("%v: at first our segments are %d bytes long, want %d", p.theirs, got, want)
					}
					r.swapOpen(p.theirs.String(), ours, theirs, 1<<20)
					if got, want := ours.Info().SendMSS, longest(p, mtuFromUs); got != want {
						r.Errorf("%v: in the end our segments are %d bytes long, want %d", p.theirs, got, want)
					}
					if out := run(r, "ip", "route", "get", p.ours.String()); !strings.Contains(out, fmt.Sprint("mtu ", mtuToUs)) {
						r.Errorf("%v: the kernel has not learnt the MTU: %s", p.theirs, out)
					}
					ours.Close()
					theirs.Close()
				}
			}
		})
	}
}

// A router that says nothing of what it drops, or whose word gets lost.
func TestBlackHoleIsFoundByItsSilence(t *testing.T) {
	r := rigConfig{deaf: true, snap: 128}.make(t)
	h := r.goBehindRouter()
	var all sync.WaitGroup
	for _, p := range farPairs {
		ours, theirs := r.connect(h, p, true)
		all.Go(func() {
			r.swapOpen(p.theirs.String(), ours, theirs, 1<<20)
			if got, most := ours.Info().SendMSS, longest(p, mtuFromUs); got > most {
				t.Errorf("%v: in the end our segments are %d bytes long, more than %d", p.theirs, got, most)
			}
		})
	}
	all.Wait()
}

// A deafDevice does not hear what ICMP says of packets that are too long.
type deafDevice struct{ link.Device }

func (d deafDevice) Attach(h link.Handler) {
	receive := h.Receive
	h.Receive = func(frames []link.Frame) {
		heard := make([]link.Frame, 0, len(frames))
		for _, f := range frames {
			if !saysTooLong(wire.Ethernet(f.Head)) {
				heard = append(heard, f)
			}
		}
		receive(heard)
	}
	d.Device.Attach(h)
}

func saysTooLong(e wire.Ethernet) bool {
	switch p := e.Payload(); e.Type() {
	case wire.TypeIPv4:
		return p[9] == byte(wire.ProtoICMP) && p[20] == 3
	case wire.TypeIPv6:
		return p[6] == byte(wire.ProtoICMPv6) && p[40] == 2
	}
	return false
}
