package ip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"landline/link"
	"landline/wire"
)

// InterfaceConfig is what an interface starts with. Its zero value finds its IPv6 addresses and
// routers by itself, and has no IPv4.
type InterfaceConfig struct {
	// Name is what zones and people call it. If empty, the device's name, or "eth0" and
	// so on.
	Name string
	// Addresses are the addresses it has, each with the length of its network's prefix.
	Addresses []netip.Prefix
	// NoIPv6 leaves out all of IPv6: no link-local address, no router is listened to.
	NoIPv6 bool
	// NoAutoconf makes it ignore routers' advertisements. A Stack that is a router
	// ignores them always (RFC 4861, Section 6.2.7).
	NoAutoconf bool
	// Probes is how often it is asked whether somebody else has an address before it is used,
	// a second apart: DupAddrDetectTransmits of RFC 4862, Section 5.1. If zero, 1 for IPv6
	// and 0 for IPv4, whose addresses are announced and defended but used at once; negative is
	// 0 for both. With 3, IPv4 too is probed for as RFC 5227 says; addresses of AddLease are so unless it is
	// negative.
	Probes int
	// Advertise, if not nil, tells the hosts on the link about this router.
	Advertise *Advertise

	loopback bool
}

// An Interface is where a host is on a link. Its methods may be called by several goroutines
// at once.
type Interface struct {
	stack     *Stack
	dev       link.Device
	name      string
	index     int
	mac       wire.MAC
	offloads  link.Offloads
	loopback  bool
	back      link.Device // the other end of the loopback's cable
	noIPv6    bool
	mtu4      atomic.Int32 // what DHCP says, if it is less than the device's
	mtu6      atomic.Int32 // what routers say, if it is less
	hopLimit  atomic.Int32
	joined    atomic.Pointer[map[netip.Addr]bool]
	in        input
	queue     queue
	counts    interfaceCounters
	addresses []address // under the stack's lock, as is the next
	closing   bool

	machines
}

// interfaceCounters count frames.
type interfaceCounters struct {
	received, receivedBytes, sent, sentBytes, dropped atomic.Uint64
}

// InterfaceStats counts an interface's frames.
type InterfaceStats struct {
	Received, ReceivedBytes uint64
	Sent, SentBytes         uint64
	Dropped                 uint64 // of Received, what went no further than this interface
}

// The errors of Attach.
var (
	ErrName = errors.New("there is an interface of that name")
	ErrMTU  = errors.New("the device's mtu is too small for IP")
)

// newInterface makes an interface and gives it a number.
func (s *Stack) newInterface(dev link.Device, cfg InterfaceConfig) (*Interface, error) {
	info := dev.Info()
	if info.MTU < link.MinMTU {
		return nil, fmt.Errorf("%w: %d bytes", ErrMTU, info.MTU)
	}
	i := &Interface{
		stack: s, dev: dev, mac: info.MAC, offloads: info.Offloads, loopback: cfg.loopback,
		noIPv6: cfg.NoIPv6 || info.MTU < minMTU6,
	}
	i.mtu4.Store(int32(info.MTU))
	i.mtu6.Store(int32(info.MTU))
	i.hopLimit.Store(defaultHops)
	i.joined.Store(&map[netip.Addr]bool{})
	i.in.i, i.queue.i = i, i
	if err := i.machines.init(i, cfg, time.Now()); err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, net.ErrClosed
	}
	return i, s.nameLocked(i, cfg.Name)
}

const (
	minMTU6     = 1280 // RFC 8200, Section 5
	defaultHops = 64   // RFC 1700 and every system since
)

// nameLocked gives i a name that no other interface has, and adds it.
func (s *Stack) nameLocked(i *Interface, name string) error {
	if name == "" {
		name = i.dev.Info().Name
	}
	if name == "" || !s.freeLocked(name) && name == i.dev.Info().Name {
		for n := 0; name == "" || !s.freeLocked(name); n++ {
			name = "eth" + strconv.Itoa(n)
		}
	}
	if !s.freeLocked(name) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	i.name = name
	s.interfaces = append(s.interfaces[:len(s.interfaces):len(s.interfaces)], i)
	i.index = len(s.interfaces)
	s.publishLocked()
	return nil
}

func (s *Stack) freeLocked(name string) bool {
	for _, i := range s.interfaces {
		if i != nil && i.name == name {
			return false
		}
	}
	return true
}

// Name returns what the interface is called.
func (i *Interface) Name() string { return i.name }

// Zoned returns a with the interface's name as its zone if it is link-local, for people. i may be nil: then a
// needs none.
func (i *Interface) Zoned(a netip.AddrPort) netip.AddrPort {
	if i == nil || !a.Addr().Is6() || !a.Addr().IsLinkLocalUnicast() {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(i.name), a.Port())
}

// Index returns its number in the stack, from 1.
func (i *Interface) Index() int { return i.index }

// MAC returns its hardware address.
func (i *Interface) MAC() wire.MAC { return i.mac }

// MTU returns the largest IPv4 packet that goes over its link, in bytes.
func (i *Interface) MTU() int { return int(i.mtu4.Load()) }

// SetMTU makes IPv4 packets no longer than that, in bytes. It is not less than 68, nor more than what the
// device says, which is also what 0 stands for.
func (i *Interface) SetMTU(n int) {
	most := i.dev.Info().MTU
	if n == 0 {
		n = most
	}
	i.mtu4.Store(int32(min(max(n, link.MinMTU), most)))
}

// Loopback reports whether it leads back to the host itself.
func (i *Interface) Loopback() bool { return i.loopback }

// Stats returns what has been counted.
func (i *Interface) Stats() InterfaceStats {
	c := &i.counts
	return InterfaceStats{
		Received: c.received.Load(), ReceivedBytes: c.receivedBytes.Load(),
		Sent: c.sent.Load(), SentBytes: c.sentBytes.Load(), Dropped: c.dropped.Load(),
	}
}

// wrote counts frames that the device took.
func (i *Interface) wrote(frames []link.Frame) {
	n := 0
	for k := range frames {
		n += frames[k].Len()
	}
	i.counts.sent.Add(uint64(len(frames)))
	i.counts.sentBytes.Add(uint64(n))
}

// mtuFor returns the MTU of the link for packets to an address.
func (i *Interface) mtuFor(dst netip.Addr) int {
	if dst.Is4() {
		return i.MTU()
	}
	return int(i.mtu6.Load())
}

// Close takes the interface off its stack and closes its device. It waits until nothing
// is running any more.
func (i *Interface) Close() error {
	s := i.stack
	s.mu.Lock()
	if i.closing || s.interfaces[i.index-1] != i {
		s.mu.Unlock()
		return net.ErrClosed
	}
	i.closing = true
	s.mu.Unlock()
	i.farewell() // while it still has an address

	s.mu.Lock()
	s.interfaces = append([]*Interface(nil), s.interfaces...)
	s.interfaces[i.index-1] = nil
	s.routes.removeFunc(func(r *Route) bool { return r.Interface == i.index })
	s.publishLocked()
	s.mu.Unlock()
	i.close()
	return nil
}

// close ends what runs for an interface.
func (i *Interface) close() {
	i.machines.stop()
	i.dev.Close()
	if i.back != nil {
		i.back.Close()
	}
	i.queue.close()
}

// down is the Handler's Down of the device: the wire is gone.
func (i *Interface) down(err error) {
	i.stack.log.Warn("interface is down", "interface", i.name, "error", err)
	i.queue.close()
}

// An Address is one that an interface has.
type Address struct {
	Prefix         netip.Prefix // the address, with the length of its network's prefix
	State          string       // "tentative", "preferred", "deprecated" or "duplicated"
	Origin         string       // "static", "dhcp", "slaac" or "link local"
	PreferredUntil time.Time    // zero is for ever
	ValidUntil     time.Time    // zero is for ever
}

// Addresses returns the addresses that the interface has.
func (i *Interface) Addresses() []Address {
	i.stack.mu.Lock()
	defer i.stack.mu.Unlock()
	var all []Address
	for _, a := range i.addresses {
		all = append(all, Address{a.prefix, a.state.String(), a.origin.String(), a.preferredUntil, a.validUntil})
	}
	return all
}

// hears reports whether somebody on this interface has joined a group.
func (i *Interface) hears(group netip.Addr) bool { return (*i.joined.Load())[group] }

// hearsItself reports whether what goes to a group is for this host too.
func (s *Stack) hearsItself(p *Path) bool { return !p.dst.IsMulticast() || p.i.hears(p.dst) }

// IsLocal reports whether an address is one of this host, loopback addresses included.
func (s *Stack) IsLocal(a netip.Addr) bool {
	return a.IsLoopback() || s.view.Load().isLocal(a.WithZone(""))
}
