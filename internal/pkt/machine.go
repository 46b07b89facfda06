package pkt

import (
	"net/netip"
	"strings"

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

// ways are those of the profile, as the commands at the beginning of the script change them: a window scale of 8
// for Linux, as the defaults of its scripts have it, and of 6 for FreeBSD.
func (r *runner) ways() tcp.Ways {
	w := tcp.Ways{BufferMax: 8 << 20}
	if r.cfg.Profile == FreeBSD {
		w = tcp.Ways{ScaleFirst: true, NoQuickACKs: true, BufferInit: 64 << 10, BufferMax: 2 << 20}
	}
	for _, command := range r.setup() {
		setVariables(&w, command)
	}
	return w
}

// setup returns the commands at the beginning of the script.
func (r *runner) setup() (all []string) {
	for _, i := range r.script.Ignored {
		all = append(all, i.Text)
	}
	for _, e := range r.script.Events {
		command, ok := e.Do.(Shell)
		if !ok {
			break
		}
		all = append(all, strings.Split(string(command), "\n")...)
	}
	return all
}

// sysctls are the variables of other systems that mean something here.
var sysctls = map[string]func(w *tcp.Ways, value string){
	"net.ipv4.tcp_timestamps":         func(w *tcp.Ways, v string) { w.NoTimestamps = v == "0" },
	"net.ipv4.tcp_sack":               func(w *tcp.Ways, v string) { w.NoSACK = v == "0" },
	"net.ipv4.tcp_window_scaling":     func(w *tcp.Ways, v string) { w.NoScale = v == "0" },
	"net.ipv4.tcp_congestion_control": func(w *tcp.Ways, v string) { w.Reno = strings.Trim(v, `"`) == "reno" },
	"net.inet.tcp.rfc1323":            func(w *tcp.Ways, v string) { w.NoTimestamps, w.NoScale = v == "0", v == "0" },
	"net.inet.tcp.sack.enable":        func(w *tcp.Ways, v string) { w.NoSACK = v == "0" },
	"net.inet.tcp.cc.algorithm":       func(w *tcp.Ways, v string) { w.Reno = v == "newreno" },
}

// setVariables does what a command does to variables, in the words of sysctl or with the names of the files in
// /proc/sys, and reports whether it does something.
func setVariables(w *tcp.Ways, command string) (any bool) {
	for _, word := range strings.Fields(command) {
		name, value, _ := strings.Cut(word, "=")
		name = strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", ".")
		if set := sysctls[name]; set != nil {
			set(w, value)
			any = true
		}
	}
	return any
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
