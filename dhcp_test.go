package landline_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/dhcp"
	"landline/link"
	"landline/wire"
)

// An office is a network with a DHCP server at 10.0.0.1, and an empty place at the other end of its
// cable.
type office struct {
	*landline.Host
	end    *link.Impaired // where a machine plugs in
	server *dhcp.Server
	socket *landline.UDPConn

	mu    sync.Mutex
	heard []dhcp.Type        // from clients
	mute  map[dhcp.Type]bool // what it does not answer
}

// newOffice must be used in a bubble: the test and the server take turns by synctest.Wait.
func newOffice(t *testing.T, s dhcp.Subnet) *office {
	t.Helper()
	a, b := link.NewCable(link.CableConfig{Seed: 1})
	o := &office{end: link.Impair(b, link.Impairment{}, link.Impairment{})}
	o.Host = newHost(t, a, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true, Seed: 9})
	s.Prefix = netip.MustParsePrefix("10.0.0.0/24")
	if s.Ranges == nil {
		s.Ranges = []dhcp.Range{{First: netip.MustParseAddr("10.0.0.100"), Last: netip.MustParseAddr("10.0.0.110")}}
	}
	var err error
	o.server, err = dhcp.NewServer(dhcp.ServerConfig{ID: netip.MustParseAddr("10.0.0.1"), Subnets: []dhcp.Subnet{s}})
	if err != nil {
		t.Fatal(err)
	}
	o.socket = must(o.ListenUDP("udp4", &net.UDPAddr{Port: dhcp.ServerPort}))
	o.socket.SetBroadcast(true)
	go o.serve()
	return o
}

func (o *office) serve() {
	b := make([]byte, 1500)
	for {
		n, _, to, err := o.socket.ReadFromTo(b)
		if err != nil {
			return
		}
		m, err := dhcp.ParseMessage(b[:n])
		if err != nil {
			panic(err)
		}
		if r := o.arrive(m, to); r.Message != nil {
			must(o.socket.WriteToUDPAddrPort(r.Message, r.To.Addr))
		}
	}
}

func (o *office) arrive(m dhcp.Message, to netip.Addr) dhcp.Reply {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard = append(o.heard, m.Type())
	if o.mute[m.Type()] {
		return dhcp.Reply{}
	}
	return o.server.Arrive(time.Now(), m, to)
}

// answers says what the server answers from now on.
func (o *office) answers(all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mute = map[dhcp.Type]bool{dhcp.Request: !all, dhcp.Discover: !all}
}

// takes returns what clients have sent since the last time.
func (o *office) takes() string {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, t := range o.heard {
		all = append(all, t.String())
	}
	o.heard = nil
	return strings.Join(all, " ")
}

// plug makes a machine that asks for its address.
func (o *office) plug(t *testing.T) *landline.Host {
	return newHost(t, o.end, landline.Config{DHCP: true, Hostname: "shed", NoIPv6: true, Seed: 2})
}

// leased returns the address that a host has by DHCP, or the zero Prefix.
func leased(h *landline.Host) netip.Prefix {
	for _, a := range h.Addresses() {
		if a.Origin == "dhcp" {
			return a.Prefix
		}
	}
	return netip.Prefix{}
}

// A day of a host whose leases last an hour: it takes one, renews it, the server falls silent and the
// lease ends, the server comes back and the host has an address again.
func TestADayOfALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, dhcp.Subnet{
			LeaseTime: time.Hour, Routers: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, MTU: 1400,
			DNS: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Domain: "lan",
		})
		start := time.Now()
		h := o.plug(t)
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := netip.MustParsePrefix("10.0.0.100/24")
		if got := leased(h); got != want || o.takes() != "discover request" {
			t.Fatalf("the lease is of %v", got)
		}
		if took := time.Since(start); took < 4*time.Second || took > 7*time.Second { // RFC 5227
			t.Errorf("three probes and the waits took %v", took)
		}
		checkLeaseIsUsed(t, h)

		// It is renewed after half an hour or so, again and again.
		time.Sleep(12 * time.Hour)
		heard := o.takes()
		if n := strings.Count(heard, "request"); n < 24 || n > 26 || strings.Contains(heard, "discover") || leased(h) != want {
			t.Errorf("in twelve hours: %s", heard)
		}

		// The server falls silent. The host asks it, then everybody, and then has no address.
		s := must(h.DialContext(t.Context(), "udp", "10.0.0.1:9")).(*landline.UDPConn)
		defer s.Close()
		o.answers(false)
		time.Sleep(30*time.Minute - time.Second)
		if leased(h) != want {
			t.Error("the lease is gone before its time")
		}
		time.Sleep(31 * time.Minute)
		if got := leased(h); got.IsValid() || len(h.Routes()) > 2 { // those of the loopback
			t.Errorf("after the lease: %v, %v", got, h.Routes())
		}
		if heard := o.takes(); !strings.Contains(heard, "request") || !strings.HasSuffix(heard, "discover") {
			t.Errorf("while the lease ended: %s", heard)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, syscall.ENETUNREACH) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("a socket at the address that was lost: %v", err)
		}
		time.Sleep(10 * time.Hour)

		// The server is back.
		o.takes()
		o.answers(true)
		if err := h.WaitReady(t.Context()); err != nil || leased(h) != want {
			t.Errorf("after the server came back: %v, %v", leased(h), err)
		}
		if heard := o.takes(); heard != "discover request" {
			t.Errorf("to get an address again: %s", heard)
		}
		checkLeaseIsUsed(t, h)

		// It is given back at the end.
		h.Close()
		if heard := o.takes(); heard != "release" || len(o.server.Leases(time.Now())) != 0 {
			t.Errorf("at the end: %s, %d leases", heard, len(o.server.Leases(time.Now())))
		}
		if day := time.Since(start); day < 23*time.Hour {
			t.Errorf("that was no day, but %v", day)
		}
	})
}

// A lease is given back also if the server's hardware address has to be asked for first.
func TestALeaseIsGivenBackToWhoIsNotKnownYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, dhcp.Subnet{LeaseTime: time.Hour})
		h := o.plug(t)
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		o.end.Set(link.Impairment{}, link.Impairment{Delay: 20 * time.Millisecond})
		h.Close()
		if heard := o.takes(); heard != "discover request release" || len(o.server.Leases(time.Now())) != 0 {
			t.Errorf("%s, %d leases", heard, len(o.server.Leases(time.Now())))
		}
	})
}

// One that cannot be given back holds up the end of a host for a second at most.
func TestALeaseThatCannotBeGivenBackIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, dhcp.Subnet{LeaseTime: time.Hour})
		h := o.plug(t)
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		o.end.Set(link.Impairment{Loss: 1}, link.Impairment{Loss: 1})
		at := time.Now()
		h.Close()
		if took := time.Since(at); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func checkLeaseIsUsed(t *testing.T, h *landline.Host) {
	t.Helper()
	gateway := landline.Route{
		Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.1"), Interface: "cable1", Metric: 100,
	}
	if !slices.Contains(h.Routes(), gateway) {
		t.Errorf("no default route: %+v", h.Routes())
	}
	if got := h.Interfaces()[1].MTU; got != 1400 {
		t.Errorf("the mtu is %d", got)
	}
	if r, err := h.Ping(t.Context(), "10.0.0.1", landline.PingConfig{}); err != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// A squatter is a wire on which there is also a machine with an address that it has from nobody.
type squatter struct {
	link.Device
	receive func([]link.Frame)
	one     sync.Mutex // Receive is called by one goroutine at a time

	mu   sync.Mutex
	addr netip.Addr
}

var squatterMAC = wire.MAC{2, 0, 0, 0, 0, 0x66}

func (d *squatter) Attach(h link.Handler) {
	receive := h.Receive
	h.Receive = func(frames []link.Frame) {
		d.one.Lock()
		defer d.one.Unlock()
		receive(frames)
	}
	d.receive = h.Receive
	d.Device.Attach(h)
}

func (d *squatter) Write(frames []link.Frame) (int, error) {
	for i := range frames {
		e, _ := wire.ParseEthernet(frames[i].AppendTo(nil))
		if a, err := wire.ParseARP(e.Payload()); err == nil && e.Type() == wire.TypeARP && a.IsProbe() && a.TargetIP() == d.wants() {
			time.AfterFunc(time.Millisecond, d.object)
		}
	}
	return d.Device.Write(frames)
}

func (d *squatter) wants() netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addr
}

func (d *squatter) want(a netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addr = a
}

// object says that the address is taken.
func (d *squatter) object() {
	f := wire.AppendEthernet(nil, wire.Broadcast, squatterMAC, wire.TypeARP)
	f = wire.AppendARP(f, wire.ARPReply, squatterMAC, d.wants(), wire.MAC{}, d.wants())
	d.receive([]link.Frame{{Head: f}})
}

// "The client MUST send a DHCPDECLINE message to the server" about an address that somebody has (RFC 2131,
// Section 3.1).
func TestAnAddressThatSomebodyHasIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, dhcp.Subnet{})
		h := newHost(t, &squatter{Device: o.end, addr: netip.MustParseAddr("10.0.0.100")}, landline.Config{DHCP: true, NoIPv6: true, Seed: 2})
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if heard := o.takes(); heard != "discover request decline discover request" {
			t.Errorf("%s", heard)
		}
		if got := leased(h).String(); got != "10.0.0.101/24" {
			t.Errorf("the lease is of %s", got)
		}
	})
}

// An address that somebody takes later is defended once, and then given up (RFC 5227, Section 2.4 b).
func TestAnAddressThatIsTakenLaterIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, dhcp.Subnet{})
		d := &squatter{Device: o.end}
		h := newHost(t, d, landline.Config{DHCP: true, NoIPv6: true, Seed: 2})
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		d.want(leased(h).Addr())
		d.object()
		if got := leased(h).Addr(); got != d.wants() || o.takes() != "discover request" {
			t.Errorf("after one objection the address is %v", got)
		}
		d.object()
		if o.takes() != "decline" || leased(h).IsValid() {
			t.Errorf("after two objections it has still %v", leased(h))
		}
		if err := h.WaitReady(t.Context()); err != nil || leased(h).Addr() == d.wants() {
			t.Errorf("then it has %v, %v", leased(h), err)
		}
	})
}

// A host without a server has no lease, waits, and ends cleanly.
func TestNoServerIsNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{Seed: 1})
		defer b.Close()
		h := newHost(t, a, landline.Config{DHCP: true, NoIPv6: true})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := h.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		time.AfterFunc(time.Second, func() { h.Close() })
		if err := h.WaitReady(t.Context()); err != net.ErrClosed {
			t.Errorf("when the host is closed: %v", err)
		}
	})
}

// A host may have reserved its low ports and still be a client of DHCP.
func TestReservedPortsAreNotKeptFromDHCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, dhcp.Subnet{})
		h := newHost(t, o.end, landline.Config{DHCP: true, NoIPv6: true, ReservedPorts: 1024, Seed: 2})
		if err := h.WaitReady(t.Context()); err != nil || !leased(h).IsValid() {
			t.Errorf("%v, %v", leased(h), err)
		}
	})
}
