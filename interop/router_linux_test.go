package interop

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"landline"
	"landline/ip"
	"landline/link"
)

// A network behind our router, and the host in it.
var (
	near4, near6 = netip.MustParsePrefix("10.78.0.1/24"), netip.MustParsePrefix("fd78::1/64")
	far4, far6   = netip.MustParsePrefix("10.78.0.2/24"), netip.MustParsePrefix("fd78::2/64")
)

// router makes the host on the TAP a router to a host on a cable, which advertises itself to the kernel.
func (r *rig) router() {
	r.Helper()
	end, other := link.NewCable(link.CableConfig{})
	router, err := landline.NewHost(nil, landline.Config{Forwarding: true})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { router.Close() })
	for _, i := range []struct {
		dev link.Device
		cfg landline.InterfaceConfig
	}{
		{r.dev, landline.InterfaceConfig{
			Addresses: []netip.Prefix{ours4, ours6},
			Advertise: &ip.Advertise{Prefixes: []ip.AdvertisedPrefix{{Prefix: netip.MustParsePrefix("fd99::/64")}}},
		}},
		{end, landline.InterfaceConfig{Addresses: []netip.Prefix{near4, near6}}},
	} {
		if _, err := router.AddInterface(i.dev, i.cfg); err != nil {
			r.Fatal(err)
		}
	}
	far, err := landline.NewHost(other, landline.Config{
		Addresses: []netip.Prefix{far4, far6}, Gateways: []netip.Addr{near4.Addr(), near6.Addr()},
	})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { far.Close() })
	for _, h := range []*landline.Host{router, far} {
		if err := h.WaitReady(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
}

func TestTracerouteFindsOurRouter(t *testing.T) {
	r := newRig(t)
	traceroute := need(t, "traceroute")["traceroute"]
	r.router()
	run(t, "ip", "route", "add", far4.Masked().String(), "via", ours4.Addr().String())
	run(t, "ip", "route", "add", far6.Masked().String(), "via", ours6.Addr().String())
	for _, c := range []struct{ mode, hop, end string }{
		{"-4", ours4.Addr().String(), far4.Addr().String()},
		{"-6", ours6.Addr().String(), far6.Addr().String()},
	} {
		for _, how := range []string{"default", "icmp"} {
			out := run(t, traceroute, c.mode, "-M", how, "-n", "-q", "1", "-w", "10", "-m", "5", c.end)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if len(lines) != 3 || !strings.Contains(lines[1], c.hop+" ") || !strings.Contains(lines[2], c.end+" ") {
				t.Errorf("traceroute %s %s:\n%s", c.mode, how, out)
			}
		}
	}
}

func TestKernelConfiguresItselfByOurAdvertisements(t *testing.T) {
	r := newRig(t)
	rdisc := need(t, "rdisc6")["rdisc6"]
	r.router()
	out := run(t, rdisc, "-r", "5", "-w", "5000", "tap0")
	if !strings.Contains(out, "fd99::/64") {
		t.Errorf("rdisc6 says\n%s", out)
	}
	r.eventually("the kernel has an address of the prefix", func() bool {
		out, err := exec.Command("ip", "-6", "addr", "show", "dev", "tap0", "dynamic", "-tentative").CombinedOutput()
		return err == nil && strings.Contains(string(out), "fd99:")
	})
	r.eventually("the kernel has a default route", func() bool {
		out, err := exec.Command("ip", "-6", "route", "show", "default").CombinedOutput()
		return err == nil && strings.Contains(string(out), "proto ra")
	})
	run(t, "ping", "-n", "-c", "2", "-i", "0.1", "-W", "10", far6.Addr().String())
}
