package pkt

import (
	"net/netip"

	"landline/ip"
	"landline/tcp"
	"landline/udp"
)

// A Profile is a system whose ways a host has, where the standards leave a choice.
type Profile uint8

const (
	Linux Profile = iota
	FreeBSD
)

// String returns the symbol for which scripts have parts of their own.
func (p Profile) String() string {
	if p == FreeBSD {
		return "FreeBSD"
	}
	return "Linux"
}

// A machine is the host under test: the stack without the sockets of package landline, whose defaults (no
// Nagle algorithm, keepalive) are those of package net and not of system calls.
type machine struct {
	device *device
	stack  *ip.Stack
	tcp    *tcp.Layer
	udp    *udp.Layer
	gone   chan struct{} // closed when it is over
}

// build makes the host that the script is about.
func (r *runner) build() error {
	o := &r.options
	r.gone = make(chan struct{})
	r.device = newDevice(o.mtu)
	r.stack = ip.NewStack(ip.Config{Seed: max(r.cfg.Seed, 1)})
	r.tcp = tcp.New(r.stack, tcp.Config{Ways: r.ways()})
	r.udp = udp.New(r.stack, 0)
	if err := r.attach(); err != nil {
		r.close()
		return err
	}
	return nil
}

// ways are those of the profile: a window scale of 8 for Linux, as the defaults of its scripts have it, and of 6 for FreeBSD.
func (r *runner) ways() tcp.Ways {
	if r.cfg.Profile == FreeBSD {
		return tcp.Ways{ScaleFirst: true, NoQuickACKs: true, BufferInit: 64 << 10, BufferMax: 2 << 20}
	}
	return tcp.Ways{BufferMax: 8 << 20}
}

func (r *runner) attach() error {
	o := &r.options
	bits := 16
	if o.v6 {
		bits = 64
	}
	i, err := r.stack.Attach(r.device, ip.InterfaceConfig{
		Addresses: []netip.Prefix{netip.PrefixFrom(o.local, bits)}, NoIPv6: !o.v6, NoAutoconf: true, Probes: -1,
	})
	if err != nil {
		return err
	}
	gateway := netip.PrefixFrom(o.gateway, o.gateway.BitLen())
	if err := r.stack.AddRoute(ip.Route{Dst: gateway, Interface: i.Index()}); err != nil {
		return err
	}
	all := netip.PrefixFrom(o.gateway, 0)
	return r.stack.AddRoute(ip.Route{Dst: all, Gateway: o.gateway, Interface: i.Index()})
}

// close ends the host, and with it all calls that wait.
func (m *machine) close() {
	close(m.gone)
	m.tcp.Close()
	m.udp.Close()
	m.stack.Close()
}
