package landline_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/ip"
	"landline/link"
)

// A host that knows nothing makes itself addresses of what its router tells, on either side of it, and
// finds names and the other host through it.
func TestHostsFindEachOtherThroughARouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := newHost(t, nil, landline.Config{Forwarding: true, Seed: 1})
		plug := func(n uint64, network string) *landline.Host {
			near, far := link.NewCable(link.CableConfig{Seed: n})
			own := netip.MustParsePrefix(network)
			_, err := router.AddInterface(near, landline.InterfaceConfig{
				Addresses: []netip.Prefix{own},
				Advertise: &ip.Advertise{
					Prefixes: []ip.AdvertisedPrefix{{Prefix: own.Masked()}}, DNS: []netip.Addr{own.Addr()},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			return newHost(t, far, landline.Config{Seed: n + 10})
		}
		left, right := plug(1, "fd01::1/64"), plug(2, "fd02::1/64")
		time.Sleep(time.Minute)
		to := global(right)
		if !to.IsValid() || !global(left).IsValid() {
			t.Fatalf("left has %v, right %v", left.Addresses(), right.Addresses())
		}
		serveNames(t, router, "fd01::1", map[string][]string{"right.lan.": {to.String()}})
		r, err := left.Ping(t.Context(), "right.lan", landline.PingConfig{})
		if err != nil || r.From != to || r.TTL != 63 {
			t.Errorf("%+v, %v", r, err)
		}
		r, err = left.Ping(t.Context(), "fd02::1", landline.PingConfig{TTL: 1})
		if err != nil {
			t.Errorf("the router itself: %+v, %v", r, err)
		}
		r, err = left.Ping(within(t, time.Minute), to.String(), landline.PingConfig{TTL: 1})
		if err == nil || r.From != netip.MustParseAddr("fd01::1") {
			t.Errorf("a ping that may pass no router: %+v, %v", r, err)
		}

		name := router.Interfaces()[2].Name
		if err := router.RemoveInterface(name); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := left.Ping(ctx, to.String(), landline.PingConfig{}); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the way is gone, and nobody says so: %v", err)
		}
		if err := router.RemoveInterface(name); err == nil {
			t.Error("an interface is removed twice")
		}
	})
}

func global(h *landline.Host) netip.Addr {
	for _, a := range h.Addresses() {
		if a.Origin == "slaac" && a.State == "preferred" {
			return a.Prefix.Addr()
		}
	}
	return netip.Addr{}
}

func TestRoutesCanBeChanged(t *testing.T) {
	h, _ := neighbors(t, link.CableConfig{})
	r := landline.Route{Dst: netip.MustParsePrefix("192.0.2.0/24"), Gateway: netip.MustParseAddr("10.0.0.2"), Interface: "cable0"}
	if err := h.AddRoute(r); err != nil {
		t.Fatal(err)
	}
	c := must(h.DialContext(t.Context(), "udp", "192.0.2.1:7"))
	if got := c.LocalAddr().String(); got[:9] != "10.0.0.1:" {
		t.Errorf("from %s", got)
	}
	c.Close()
	if !h.RemoveRoute(r) || h.RemoveRoute(r) {
		t.Error("it is removed otherwise than once")
	}
	r.Interface = "nowhere"
	if err := h.AddRoute(r); err == nil {
		t.Error("a route by an interface that there is not")
	}
}

func TestConfigsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		cfg  landline.Config
		want string
	}{
		{landline.Config{Addresses: prefixes("224.0.0.1/24")}, "address 224.0.0.1/24: not one that a machine can have"},
		{landline.Config{Addresses: prefixes("0.0.0.0/8")}, "address 0.0.0.0/8: not one that a machine can have"},
		{landline.Config{Gateways: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}, "gateway 10.0.0.1: not on the link: no address is in its network"},
		{landline.Config{Gateways: []netip.Addr{{}}}, "gateway invalid IP: not on the link: no address is in its network"},
	} {
		a, b := link.NewCable(link.CableConfig{})
		h, err := landline.NewHost(a, c.cfg)
		if err == nil {
			h.Close()
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
		a.Close() // it is still ours
		b.Close()
	}
}

// Somebody has an address that was configured: it is not used, and WaitReady says so.
func TestWaitReadyTellsOfDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{Seed: 1})
		newHost(t, a, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true})
		h := newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: 3, NoIPv6: true, Seed: 2})
		err := h.WaitReady(t.Context())
		if err == nil || err.Error() != "address 10.0.0.1/24 on cable1: address already in use" {
			t.Errorf("%v", err)
		}
	})
}

// A host counts its packets and sockets, and lists its neighbors.
func TestStatsTellWhatAHostDid(t *testing.T) {
	left, right := neighbors(t, link.CableConfig{})
	before := left.Stats()
	if _, err := left.Ping(t.Context(), "10.0.0.2", landline.PingConfig{}); err != nil {
		t.Fatal(err)
	}
	must(left.ListenUDP("udp", nil))
	after := left.Stats()
	if after.Sent-before.Sent != 1 || after.Received-before.Received != 1 || after.UDPSockets != 1 {
		t.Errorf("%+v", after)
	}
	for _, n := range left.Neighbors() {
		if n.Interface == "cable0" && n.Addr == netip.MustParseAddr("10.0.0.2") && n.MAC == right.Interfaces()[1].MAC {
			return
		}
	}
	t.Errorf("the neighbor is not among %v", left.Neighbors())
}
