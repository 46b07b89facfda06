package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

// lanFlags are those of `landline lan up`.
type lanFlags struct {
	name, subnet, subnet6, domain string
	taps, sockets, dgrams         []string
	forwards, services, texts     []string
	mtu                           int
	lease                         time.Duration
	loopback, checkSources        bool
	capture, state                string
}

func (a *app) lanCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        "lan",
		Short:                      "A LAN for virtual machines, sandboxes and small machines",
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		RunE:                       unknownVerb,
	}
	cmd.AddCommand(a.lanUpCommand(), a.lanPsCommand(), a.lanForwardCommand(), a.lanCaptureCommand(), a.lanEventsCommand(), a.lanEnterCommand())
	return cmd
}

func (a *app) lanUpCommand() *cobra.Command {
	var f lanFlags
	cmd := &cobra.Command{
		Use:   "up [flags]",
		Short: "Be the switch and the gateway of a LAN",
		Long: `Up is a LAN until SIGTERM or SIGINT: a switch for the machines that come to its sockets and
TAPs, and a gateway that gives them addresses and names, and a way out.

The gateway has the first address of the subnet. It gives out the others by DHCP, and keeps
leases in --state, so that a machine has the same address after the LAN was down. IPv6 addresses
machines make themselves, in --subnet6. Each is found by the name that it calls itself
by, in --domain; all other names are asked of this system's name servers.

The machines reach what this system reaches, by its ordinary sockets, with nothing to set
up and no root: TCP, UDP and ping (where this system lets the user ping). A connection is answered only
when its far side has answered. What listens on this system's loopback is theirs at the gateway's
address only with --loopback.

Nobody else can be the gateway: what other DHCP servers and routers say is dropped. With --check-sources
a machine can send only from addresses that are its own: of IPv4, those that it has a lease of.
That is not the rule, since a machine whose address was set by hand would then be cut off.

A socket can be used by this user alone. On a --socket, QEMU's and libkrun's machines connect, any number
of them; to a --dgram, those of QEMU and vfkit send. The LAN must be up first. A line tells of each machine
that has an address.

The other verbs of "landline lan" reach the LAN by its --name, through a socket that is this user's alone, and so
do "landline run NAME.DOMAIN" and the others that take a HOST.`,
		Example: `  landline lan up --socket lan.sock --forward tcp:127.0.0.1:8022=shed:22
  landline host --socket lan.sock --dhcp --hostname shed upper:700
  qemu-system-x86_64 ... -netdev stream,id=n,addr.type=unix,addr.path=lan.sock -device virtio-net,netdev=n
  landline lan up --tap tap0 --subnet 10.9.0.0/16 --subnet6 fd00:9::/64 --domain home.arpa`,
		Args: none,
		RunE: func(*cobra.Command, []string) error { return a.lanUp(&f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.name, "name", "lan", "`NAME` of the LAN, by which its state is kept")
	fl.StringVar(&f.subnet, "subnet", "10.77.0.0/24", "`CIDR` of the LAN's IPv4 network; its first address is the gateway's, or another one\nthat is given in place of the network's")
	fl.StringVar(&f.subnet6, "subnet6", "auto", "`CIDR` of its IPv6 network, of 64 bits, as fd00:77::/64; auto is one of its own, the same\neach time; none leaves IPv6 out")
	fl.StringVar(&f.domain, "domain", "lan", "`DOMAIN` of the machines' names")
	fl.StringArrayVar(&f.taps, "tap", nil, "`NAME` of a TAP device; it is made if it is not there and that is allowed (may repeat)")
	fl.StringArrayVar(&f.sockets, "socket", nil, "`PATH` of a Unix socket that machines connect to, on which frames go as QEMU has them (may repeat)")
	fl.StringArrayVar(&f.dgrams, "dgram", nil, "`PATH` of a Unix socket to which machines send each frame as a datagram (may repeat)")
	fl.StringArrayVar(&f.forwards, "forward", nil, "`PROTO:LOCAL=HOST:PORT` leads from this system's address LOCAL to a machine by name or address:\ntcp:127.0.0.1:8022=shed:22; with \",keep\" behind it, the machine sees the address of who comes (may repeat)")
	fl.StringArrayVar(&f.services, "srv", nil, "`NAME=HOST:PORT` of a service that DNS tells of: _http._tcp=shed:80 (may repeat)")
	fl.StringArrayVar(&f.texts, "txt", nil, "`NAME=TEXT` that DNS tells: shed=\"on the left\" (may repeat)")
	fl.IntVar(&f.mtu, "mtu", 1500, "`N` bytes of the largest IP packet")
	fl.DurationVar(&f.lease, "lease", time.Hour, "`TIME` for which an address is given")
	fl.BoolVar(&f.loopback, "loopback", false, "offer this system's loopback at the gateway's address")
	fl.BoolVar(&f.checkSources, "check-sources", false, "drop what machines send from addresses that they have no lease of, or that are another's")
	fl.StringVar(&f.capture, "capture", "", "write the frames of all ports to `FILE`, in the pcapng format of Wireshark")
	fl.StringVar(&f.state, "state", "", "`DIR` in which leases are kept\n(default $XDG_STATE_HOME/landline, else ~/.local/state/landline; below it lan/NAME)")
	return cmd
}

// config reads what the gateway is to be.
func (f *lanFlags) config() (lan.GatewayConfig, error) {
	c := lan.GatewayConfig{Domain: f.domain, Loopback: f.loopback, LeaseTime: f.lease, CheckSources: f.checkSources}
	if err := checkLANName(f.name); err != nil {
		return c, err
	}
	var err error
	if c.State, err = stateDir(f.state, filepath.Join("lan", f.name)); err != nil {
		return c, err
	}
	subnet6 := f.subnet6
	if subnet6 == "auto" {
		subnet6 = uniqueLocal(c.State).String()
	}
	for _, s := range []struct{ flag, text, example string }{
		{"--subnet", f.subnet, "10.77.0.0/24"}, {"--subnet6", subnet6, "fd00:77::/64"},
	} {
		if s.text == "none" && s.flag == "--subnet6" {
			continue
		}
		p, err := netip.ParsePrefix(s.text)
		six := s.flag == "--subnet6"
		if err != nil || p.Addr().Is4() == six || six && p.Bits() != 64 {
			return c, &hinted{fmt.Errorf("%s %s: not such a network", s.flag, s.text), "such as " + s.flag + " " + s.example}
		}
		if !six && (p.Bits() < 1 || p.Bits() > 30) {
			return c, &hinted{fmt.Errorf("%s %s: no network of /1 to /30", s.flag, s.text), "such as " + s.flag + " " + s.example}
		}
		if p == p.Masked() {
			p = netip.PrefixFrom(p.Addr().Next(), p.Bits())
		}
		c.Addresses = append(c.Addresses, p)
	}
	if f.mtu < link.MinMTU || f.mtu > link.MaxMTU {
		return c, fmt.Errorf("--mtu %d: not from %d to %d", f.mtu, link.MinMTU, link.MaxMTU)
	}
	if !domainName().MatchString(f.domain) {
		return c, &hinted{fmt.Errorf("--domain %s: not a name of DNS", f.domain), "such as --domain lan"}
	}
	c.Records, err = f.records()
	return c, err
}

// domainName is what names are made of: labels of letters, digits and hyphens, which stand only within (RFC 1123, Section 2.1).
var domainName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?i)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?$`)
})

// keepSuffix says that the machine sees the address of who comes.
const keepSuffix = ",keep"

// parseForward reads PROTO:LOCAL=HOST:PORT, with or without keepSuffix.
func parseForward(s string) (lan.Forward, error) {
	ends, keep := strings.CutSuffix(s, keepSuffix)
	from, to, ok := strings.Cut(ends, "=")
	proto, local, ok2 := strings.Cut(from, ":")
	_, _, err := net.SplitHostPort(to)
	_, _, err2 := net.SplitHostPort(local)
	if !ok || !ok2 || err != nil || err2 != nil || proto != "tcp" && proto != "udp" {
		return lan.Forward{}, &hinted{fmt.Errorf("%s: not PROTO:LOCAL=HOST:PORT", s), "such as tcp:127.0.0.1:8022=shed:22"}
	}
	return lan.Forward{Proto: proto, Local: local, To: to, KeepClient: keep}, nil
}

// lanUp is the LAN until a signal comes.
func (a *app) lanUp(f *lanFlags) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	var forwards []lan.Forward
	for _, s := range f.forwards {
		w, err := parseForward(s)
		if err != nil {
			return fmt.Errorf("--forward %w", err)
		}
		forwards = append(forwards, w)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	n := &network{app: a, f: f, hosts: map[netip.Addr]string{}, sniffers: map[*sniffer]bool{}}
	err = n.open(cfg, forwards)
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, n.close())
}

// A network is `landline lan up`.
type network struct {
	app     *app
	f       *lanFlags
	lan     *lan.Switch
	gateway *lan.Gateway
	control *control
	crier   *crier
	ending  []func() error // the listeners
	busy    sync.WaitGroup

	file    *os.File // of the capture, or nil
	capture *link.PcapNG

	mu    sync.Mutex
	hosts map[netip.Addr]string // those that were told of

	sniffers map[*sniffer]bool // of all ports

	audience audience
}

// open makes everything, the sockets first: who waits for the LAN waits for them.
func (n *network) open(cfg lan.GatewayConfig, forwards []lan.Forward) (err error) {
	n.crier = newCrier()
	if n.control, err = openControl(n); err != nil {
		return err
	}
	if err := n.openCapture(); err != nil {
		return err
	}
	cfg.Logger, cfg.Events = n.app.loggerTo(n.crier), n.event
	n.lan = lan.NewSwitch(lan.Config{MTU: n.f.mtu, Logger: cfg.Logger})
	port, err := n.lan.NewPort(lan.PortConfig{Name: "gateway", MAC: steadyMAC(cfg.State)})
	if err != nil {
		return err
	}
	cfg.Switch = n.lan
	n.gateway, err = lan.NewGateway(n.watch(port), cfg)
	if errors.Is(err, lan.ErrStateInUse) {
		return &hinted{err, "give this LAN a --name of its own"}
	}
	if err != nil {
		return err
	}
	if err := n.openPorts(); err != nil {
		return err
	}
	for _, w := range forwards {
		at, err := n.gateway.Forward(w)
		if err != nil {
			return fmt.Errorf("--forward %s:%s: %w", w.Proto, w.Local, bare(err))
		}
		n.announce(map[string]string{"state": "forward", "proto": w.Proto, "local": at.String(), "to": w.To},
			"forward of "+w.Proto+" "+at.String()+" to "+w.To)
	}
	n.busy.Go(n.control.serve)
	for _, p := range n.gateway.Addresses() {
		n.announce(map[string]string{"state": "up", "address": p.String()}, "gateway "+p.String()+" is up")
	}
	return nil
}

// steadyMAC returns a hardware address for who keeps its state in a folder of this system: the same again after the LAN was
// down, so that the machines, which may not notice that, find the gateway at once.
func steadyMAC(folder string) (m wire.MAC) {
	sum := steady("", folder)
	copy(m[:], sum[:])
	m[0] = m[0]&^1 | 2 // of one machine, and given out by no vendor
	return m
}

// uniqueLocal returns an IPv6 network for who keeps its state in a folder of this system, the same each time: a prefix of RFC 4193,
// whose 40 bits of chance keep two such networks apart.
func uniqueLocal(folder string) netip.Prefix {
	sum := steady("IPv6", folder)
	a := [16]byte{0: 0xfd}
	copy(a[1:6], sum[:])
	return netip.PrefixFrom(netip.AddrFrom16(a), 64)
}

// steady returns what stands for a folder of this system, for one use.
func steady(use, folder string) [sha256.Size]byte {
	system, _ := os.Hostname()
	if path, err := filepath.Abs(folder); err == nil {
		folder = path
	}
	return sha256.Sum256([]byte(system + "\x00" + folder + use))
}

func (n *network) openCapture() (err error) {
	if n.f.capture == "" {
		return nil
	}
	if n.file, err = createCapture("--capture", n.f.capture); err != nil {
		return err
	}
	n.capture = link.NewPcapNG(n.file, link.PcapConfig{})
	return nil
}

// watch has the frames of a device captured, if that was asked for.
func (n *network) watch(dev link.Device) link.Device {
	if n.capture == nil {
		return dev
	}
	return link.Capture(dev, n.capture)
}

// openPorts opens what machines come by.
func (n *network) openPorts() error {
	for _, name := range n.f.taps {
		dev, err := link.OpenTAP(link.TAPConfig{Name: name})
		if err != nil {
			return &hinted{fmt.Errorf("--tap %s: %w", name, bare(err)), hintTAP(name, err)}
		}
		n.plug(dev)
	}
	for _, path := range n.f.sockets {
		ln, err := listenUnix("--socket", path)
		if err != nil {
			return err
		}
		n.ending = append(n.ending, ln.Close)
		n.busy.Go(func() { n.accept(ln, filepath.Base(path)) })
	}
	for _, path := range n.f.dgrams {
		if err := n.openDatagrams(path); err != nil {
			return err
		}
	}
	return nil
}

func (n *network) openDatagrams(path string) error {
	c, err := listenDatagrams("--dgram", path)
	if err != nil {
		return err
	}
	l, err := link.ListenDatagram(c, link.Info{MTU: n.f.mtu}, func(d *link.Datagram) { n.plug(d) })
	if err != nil {
		c.Close()
		return fmt.Errorf("--dgram %s: %w", path, bare(err))
	}
	n.ending = append(n.ending, l.Close, func() error { return remove(path) })
	return nil
}

// remove removes a socket, if it is still there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// acceptPause is how long a socket waits after an error that will pass, such as too many open files.
const acceptPause = time.Second

// accept takes machines until the listener is closed.
func (n *network) accept(ln net.Listener, name string) {
	for k := 1; ; k++ {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			n.app.say("%s: %v", ln.Addr(), bare(err))
			time.Sleep(acceptPause)
			continue
		}
		n.plug(link.NewStream(c, link.Info{Name: name + "-" + strconv.Itoa(k), MTU: n.f.mtu}))
	}
}

// plug puts a machine at the switch.
func (n *network) plug(dev link.Device) {
	if _, err := n.plugIn(dev, lan.PortConfig{}); err != nil {
		dev.Close() // the LAN is going down
	}
}

// plugIn makes a port for a machine, whose frames are captured if those of all are.
func (n *network) plugIn(dev link.Device, c lan.PortConfig) (*lan.Port, error) {
	p, err := n.lan.Plug(n.watch(dev), c)
	if err == nil {
		n.plugged(p)
	}
	return p, err
}

// event tells of machines that have an address, or no longer.
func (n *network) event(e lan.Event) {
	n.audience.tell(&e)
	if e.Kind == lan.KindAddress {
		n.crier.cry(func() { n.app.say("%s uses %s: %v", e.MAC, e.Src.Addr(), e.Err) })
		return
	}
	if e.Kind != lan.KindLease || !e.Dst.Addr().IsValid() {
		return
	}
	addr, who := e.Dst.Addr(), e.MAC.String()
	if e.Name != "" {
		who = e.Name + " (" + who + ")"
	}
	n.mu.Lock()
	known := n.hosts[addr]
	switch e.Verdict {
	case lan.Allowed:
		n.hosts[addr] = who
	case lan.Ended:
		delete(n.hosts, addr)
	}
	n.mu.Unlock()
	about := map[string]string{"address": addr.String(), "mac": e.MAC.String(), "name": e.Name}
	switch {
	case e.Verdict == lan.Allowed && known != who:
		about["state"] = "lease"
		n.announce(about, addr.String()+" is "+who)
	case e.Verdict == lan.Ended && known != "":
		about["state"] = "gone"
		n.announce(about, addr.String()+" is nobody's any more")
	}
}

// announce prints what scripts wait for, --quiet or not.
func (n *network) announce(object map[string]string, line string) {
	n.crier.cry(func() {
		if n.app.json {
			printJSON(&n.app.out, object)
			return
		}
		tell(line)
	})
}

// hasIPv6 reports whether machines are told of an IPv6 network.
func (n *network) hasIPv6() bool {
	return slices.ContainsFunc(n.gateway.Addresses(), func(p netip.Prefix) bool { return p.Addr().Is6() })
}

// close ends the LAN, and its capture.
func (n *network) close() error {
	var errs []error
	if n.control != nil {
		n.control.close()
	}
	for _, end := range n.ending {
		errs = append(errs, end())
	}
	n.busy.Wait()
	if n.gateway != nil {
		errs = append(errs, n.gateway.Close())
	}
	if n.lan != nil {
		errs = append(errs, n.lan.Close())
	}
	if n.file != nil {
		if err := errors.Join(n.capture.Close(), n.file.Close()); err != nil {
			errs = append(errs, fmt.Errorf("--capture %s: %w", n.file.Name(), bare(err)))
		}
	}
	n.crier.close()
	return errors.Join(errs...)
}
