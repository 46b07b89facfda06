package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landline"
	"landline/link"
	"landline/wire"
)

// machineFlags are those of `landline host`.
type machineFlags struct {
	tap      string
	socket   string
	addrs    []string
	dhcp     bool
	gateways []string
	hostname string
	capture  string
	line     serveFlags
}

func (a *app) hostCommand() *cobra.Command {
	var f machineFlags
	cmd := &cobra.Command{
		Use:   "host [flags] [NAME:PORT...]",
		Short: "Put a small machine on a network device, with the small services",
		Long: `Host is a machine of its own on a network: with its own hardware address, its own IP
addresses, ARP, Neighbor Discovery and ICMP, none of which is this system's. It answers
ping, and the services that are named, until SIGTERM or SIGINT; a lease is then given back.

  upper      answers what it gets in capitals
  echo       answers what it gets
  discard    takes everything and answers nothing
  chargen    writes lines of characters, on UDP one for each datagram
  serve      runs commands and moves files for those who may, as "landline serve" does: as the user
             who runs it, with this system's files, and on TCP alone

They answer at PORT on TCP and on UDP. On TCP, chargen goes on until the client leaves, and the
others until the client has sent all. Of the small ones, each has 128 clients at once and resets more, and one
whose connection stands still for 5 minutes. On UDP, datagrams from the ports of such services are
not answered, for two that answer each other never end.

An address that was asked for is first looked for on the network, and it is an error if another
machine has it. A line tells of each address once it is up and the services answer there. Without
--addr and --dhcp the machine has the IPv6 addresses that it finds by itself.

A machine with a --hostname has the same hardware address each time it is started on the same network with the same
--state. So the LAN knows it again, and it has the address and the name that it had, also if it was killed. One that is
started beside another of its name has another one.`,
		Example: `  # as root, or with sudo before each ip; $USER is who runs landline
  ip tuntap add tap0 mode tap user $USER && ip addr add 10.0.0.1/24 dev tap0
  ip addr add fd00::1/64 dev tap0 nodad && ip link set tap0 up
  landline host --tap tap0 --addr 10.0.0.2/24 --addr fd00::2/64 upper:700
  ping 10.0.0.2
  echo hello | nc -N 10.0.0.2 700
  echo hello | nc -u -w1 10.0.0.2 700
  landline host --socket lan.sock --dhcp --hostname shed echo:7 discard:9
  landline host --socket lan.sock --dhcp --hostname shed serve:7373
  landline run shed.lan -- uname -a                   if lan.sock is of a LAN that is up here`,
		RunE: func(_ *cobra.Command, args []string) error { return a.host(&f, args) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.tap, "tap", "", "`NAME` of a TAP device; it is made if it is not there and that is allowed")
	fl.StringVar(&f.socket, "socket", "", "`PATH` of a Unix socket to connect to on which frames go as QEMU has them:\neach after its length in 4 bytes; the other side must listen there first")
	fl.StringArrayVar(&f.addrs, "addr", nil, "address with the length of its network's prefix, as `CIDR`: 10.0.0.2/24 (may repeat)")
	fl.BoolVar(&f.dhcp, "dhcp", false, "take an IPv4 address from a DHCP server, and keep it")
	fl.StringArrayVar(&f.gateways, "gateway", nil, "`ADDR` of the router to other networks (may repeat, once for each family)")
	fl.StringVar(&f.hostname, "hostname", "", "`NAME` that DHCP servers are told")
	fl.StringVar(&f.capture, "capture", "", "write all frames to `FILE`, in the pcapng format of Wireshark")
	f.line.register(cmd, "for serve: ")
	fl.Lookup("state").Usage = "`DIR` that the machine's hardware address goes by, and for serve with the jobs that outlive their connection\n(default $XDG_STATE_HOME/landline, else ~/.local/state/landline)"
	return cmd
}

// host runs the machine until a signal comes, or its network goes away.
func (a *app) host(f *machineFlags, args []string) error {
	services, err := parseServices(args)
	if err != nil {
		return err
	}
	cfg, err := f.config()
	if err != nil {
		return err
	}
	cfg.Logger = a.logger()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	m := machine{app: a, dhcp: f.dhcp, down: make(chan error, 1)}
	if m.line, err = a.lineOf(f, services); err != nil {
		return err
	}
	defer m.release()
	dev, err := m.open(f)
	if err != nil {
		return err
	}
	if m.host, err = landline.NewHost(dev, cfg); err != nil {
		dev.Close()
		return err
	}
	err = m.serve(ctx, services)
	return errors.Join(err, m.close())
}

// config reads the addresses.
func (f *machineFlags) config() (landline.Config, error) {
	cfg := landline.Config{DHCP: f.dhcp, Hostname: f.hostname, Probes: 1}
	if f.hostname != "" && !domainName().MatchString(f.hostname) {
		return cfg, &hinted{fmt.Errorf("--hostname %s: not a name of DNS", f.hostname), "such as --hostname shed"}
	}
	for _, s := range f.addrs {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return cfg, &hinted{fmt.Errorf("--addr %s: not an address with a prefix", s), "such as --addr 10.0.0.2/24"}
		}
		cfg.Addresses = append(cfg.Addresses, p)
	}
	for _, s := range f.gateways {
		g, err := netip.ParseAddr(s)
		if err != nil {
			return cfg, &hinted{fmt.Errorf("--gateway %s: not an address", s), "such as --gateway 10.0.0.1"}
		}
		cfg.Gateways = append(cfg.Gateways, g)
	}
	return cfg, nil
}

// A machine is `landline host`.
type machine struct {
	app        *app
	host       *landline.Host
	dhcp       bool       // it wants a lease
	down       chan error // has why the network went away
	guard      guard
	line       *daemon        // nil if nobody is let in
	endServing func()         // or nil
	busy       sync.WaitGroup // of those who answer, until the host is closed

	kept    *os.File // of the hardware address, or nil
	file    *os.File // of the capture, or nil
	capture *link.PcapNG
}

// open opens the device that was asked for.
func (m *machine) open(f *machineFlags) (link.Device, error) {
	dev, err := f.device(m.hardware(f))
	if err != nil {
		return nil, err
	}
	dev = &watchedDevice{dev, m.down}
	if f.capture == "" {
		return dev, nil
	}
	if m.file, err = createCapture("--capture", f.capture); err != nil {
		dev.Close()
		return nil, err
	}
	m.capture = link.NewPcapNG(m.file, link.PcapConfig{})
	return link.Capture(dev, m.capture), nil
}

func (f *machineFlags) device(mac wire.MAC) (link.Device, error) {
	switch {
	case f.tap != "" && f.socket != "":
		return nil, errors.New("--tap and --socket: a machine has one of them")
	case f.tap != "":
		dev, err := link.OpenTAP(link.TAPConfig{Name: f.tap, MAC: mac})
		if err != nil {
			return nil, &hinted{fmt.Errorf("--tap %s: %w", f.tap, bare(err)), hintTAP(f.tap, err)}
		}
		return dev, nil
	case f.socket != "":
		conn, err := net.Dial("unix", f.socket)
		if err != nil {
			return nil, &hinted{fmt.Errorf("--socket %s: %w", f.socket, bare(err)), "who has the network must listen there first"}
		}
		return link.NewStream(conn, link.Info{Name: "eth0", MAC: mac}), nil
	}
	return nil, &hinted{errors.New("no network"), "name one with --tap or --socket; landline host --help"}
}

func hintTAP(name string, err error) string {
	switch {
	case errors.Is(err, syscall.EACCES):
		return "only root may open /dev/net/tun here; as root: chmod 666 /dev/net/tun"
	case errors.Is(err, syscall.EPERM):
		return fmt.Sprintf("root makes one that you may open: ip tuntap add %s mode tap user %d", name, os.Getuid())
	case errors.Is(err, syscall.EBUSY):
		return "another program has it open"
	case errors.Is(err, syscall.EINVAL):
		return "an interface of that name is no TAP"
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return "there is no /dev/net/tun: the kernel has no driver for it, or the container no such file"
	}
	return ""
}

// A watchedDevice tells when it goes away. The host hears nothing of it: all that it could do is to say so too.
type watchedDevice struct {
	link.Device
	down chan<- error
}

func (d *watchedDevice) Attach(h link.Handler) {
	h.Down = func(err error) { d.down <- err } // there is room, for it comes once
	d.Device.Attach(h)
}

// dhcpPatience is how long a machine is silent about a lease that it does not get. A client has asked
// twice by then.
const dhcpPatience = 10 * time.Second

// serve answers until ctx ends or the network goes away.
func (m *machine) serve(ctx context.Context, services []service) error {
	if err := m.start(services); err != nil {
		return err
	}
	var late <-chan time.Time
	if m.dhcp {
		late = time.After(dhcpPatience)
	}
	told := map[netip.Prefix]bool{}
	for {
		changed := m.host.Changed()
		if err := m.tell(told); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-late:
			if !m.leased() {
				m.app.say("no DHCP server has given an address yet")
			}
		case err := <-m.down:
			return fmt.Errorf("the network went away: %w", hungUp(err))
		case <-ctx.Done():
			return nil
		}
	}
}

var errHungUp = errors.New("the other end hung up")

// hungUp gives one name to the errors of a stream whose other end has closed it: which of them
// comes depends on what was under way.
func hungUp(err error) error {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return errHungUp
		}
	}
	return err
}

// leased reports whether DHCP gave an address, which may still be probed.
func (m *machine) leased() bool {
	return slices.ContainsFunc(m.host.Addresses(), func(a landline.Address) bool { return a.Origin == "dhcp" })
}

// tell tells of addresses that came up or went since the last time: told has whether each is up now that ever
// was. The error is about one that was asked for and is another machine's from the beginning.
func (m *machine) tell(told map[netip.Prefix]bool) error {
	up := map[netip.Prefix]bool{}
	for _, a := range m.host.Addresses() {
		if _, was := told[a.Prefix]; !was && a.State == "duplicated" && a.Origin == "static" {
			err := fmt.Errorf("--addr %s: another machine on the network has this address", a.Prefix)
			return &hinted{err, "the system of a TAP is one too; ip addr shows what it has"}
		}
		usable := a.State == "preferred" || a.State == "deprecated"
		if usable && !a.Prefix.Addr().IsLoopback() {
			up[a.Prefix] = true
		}
		if usable && up[a.Prefix] && !told[a.Prefix] {
			told[a.Prefix] = true
			m.app.announceAddress("up", a)
		}
	}
	for p, is := range told {
		if is && !up[p] {
			told[p] = false
			m.app.announceAddress("gone", landline.Address{Prefix: p})
		}
	}
	return nil
}

// announceAddress prints what people, or with --json programs, wait for.
func (a *app) announceAddress(state string, addr landline.Address) {
	if a.json {
		printJSON(&a.out, map[string]string{"state": state, "address": addr.Prefix.String(), "origin": addr.Origin})
		return
	}
	line := addr.Prefix.String() + " is " + state
	if addr.Origin != "" {
		line += " (" + addr.Origin + ")"
	}
	a.say("%s", line)
}

// close ends the machine, and its capture.
func (m *machine) close() error {
	m.endLine()
	m.host.Close()
	m.busy.Wait()
	if m.file == nil {
		return nil
	}
	err := m.capture.Close()
	if closing := m.file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("--capture %s: %w", m.file.Name(), bare(err))
	}
	return nil
}

// parseServices reads the services that are to run.
func parseServices(args []string) (all []service, err error) {
	for _, arg := range args {
		s, err := parseService(arg)
		if err != nil {
			return nil, &hinted{fmt.Errorf("%s: %w", arg, err), "NAME:PORT, with NAME one of " + strings.Join(serviceNames(), ", ")}
		}
		all = append(all, s)
	}
	return all, nil
}
