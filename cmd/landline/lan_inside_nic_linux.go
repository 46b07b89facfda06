package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"landline/dhcp"
	"landline/wire"
)

// insideNIC is the name of the interface inside.
const insideNIC = "eth0"

// A nic is the kernel's interface inside, which is set up by the calls that ifconfig(8) makes.
type nic struct {
	name string
	fd   int // a socket, which such calls are made on
}

func newNIC(name string) (*nic, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &nic{name, fd}, nil
}

// open sets the interface up, and the loopback.
func (n *nic) open(mtu int) error {
	lo := nic{"lo", n.fd}
	return errors.Join(lo.up(), n.setMTU(mtu), n.prepareIPv6(), n.up())
}

// prepareIPv6 has addresses made as soon as the router is heard. Nobody has the same: they are made of a
// random hardware address.
func (n *nic) prepareIPv6() error {
	for _, s := range []struct{ name, value string }{
		{"disable_ipv6", "0"}, {"accept_ra", "2"}, {"autoconf", "1"}, {"accept_dad", "0"}, {"router_solicitation_delay", "0"},
		{"ndisc_notify", "1"}, // so that the LAN knows the address for the machine's name (RFC 9131)
	} {
		err := os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", n.name, s.name), []byte(s.value), 0)
		if errors.Is(err, os.ErrNotExist) {
			return nil // a kernel without IPv6
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitIPv6 waits for an address by router advertisements, but not for long.
func (n *nic) awaitIPv6() {
	for end := time.Now().Add(ipv6Patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		i, err := net.InterfaceByName(n.name)
		if err != nil {
			return
		}
		addrs, err := i.Addrs()
		if err != nil {
			return
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && !p.Addr().IsLinkLocalUnicast() {
				return
			}
		}
	}
}

// ipv6Patience is how long a command waits for its IPv6 address. "A node MAY choose to delay" its advertisement for half a
// second, three times.
const ipv6Patience = 2 * time.Second

// call makes a call about the interface.
func (n *nic) call(name string, request uint, fill func(*unix.Ifreq) error) error {
	r, err := unix.NewIfreq(n.name)
	if err == nil {
		err = fill(r)
	}
	if err == nil {
		err = unix.IoctlIfreq(n.fd, request, r)
	}
	return os.NewSyscallError(name, err)
}

func (n *nic) up() error {
	return n.call("SIOCSIFFLAGS", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
		if err := unix.IoctlIfreq(n.fd, unix.SIOCGIFFLAGS, r); err != nil {
			return err
		}
		r.SetUint16(r.Uint16() | unix.IFF_UP)
		return nil
	})
}

// maxTAPMTU is what the kernel allows for a TAP: all of a frame is in 65,535 bytes.
const maxTAPMTU = 65535 - wire.EthernetLen

func (n *nic) setMTU(mtu int) error {
	return n.call("SIOCSIFMTU", unix.SIOCSIFMTU, func(r *unix.Ifreq) error {
		r.SetUint32(uint32(min(mtu, maxTAPMTU)))
		return nil
	})
}

func (n *nic) setAddr(name string, request uint, a netip.Addr) error {
	return n.call(name, request, func(r *unix.Ifreq) error { return r.SetInet4Addr(a.AsSlice()) })
}

// use gives the interface what is in a lease in place of what was in an old one; either may be nil.
func (n *nic) use(old, lease *dhcp.Lease) error {
	if old != nil {
		for _, r := range old.Routes {
			_ = n.route(unix.SIOCDELRT, r) // which may have gone by itself
		}
	}
	if lease == nil {
		return n.setAddr("SIOCSIFADDR", unix.SIOCSIFADDR, netip.IPv4Unspecified()) // which removes it
	}
	errs := []error{
		n.setAddr("SIOCSIFADDR", unix.SIOCSIFADDR, lease.Addr.Addr()),
		n.setAddr("SIOCSIFNETMASK", unix.SIOCSIFNETMASK, maskOf(lease.Addr.Bits())),
	}
	if lease.MTU != 0 {
		errs = append(errs, n.setMTU(lease.MTU))
	}
	for _, r := range lease.Routes {
		errs = append(errs, n.route(unix.SIOCADDRT, r))
	}
	return errors.Join(errs...)
}

func maskOf(bits int) netip.Addr {
	return netip.AddrFrom4([4]byte(net.CIDRMask(bits, 32)))
}

// A routeEntry is struct rtentry of <linux/route.h>.
type routeEntry struct {
	_                  uintptr
	dst, gateway, mask unix.RawSockaddrInet4
	flags, _           uint16
	_, _               uintptr
	metric             uint16
	dev                *byte
	_, _               uintptr
	_                  uint16
}

// route adds a route of a lease, or removes it. A router of 0.0.0.0 says that the network is on the link (RFC 3442, "Local
// Subnet Routes").
func (n *nic) route(request uintptr, r dhcp.Route) error {
	dev, err := unix.BytePtrFromString(n.name)
	if err != nil {
		return err
	}
	address := func(a netip.Addr) unix.RawSockaddrInet4 {
		return unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.As4()}
	}
	e := routeEntry{dst: address(r.Dst.Addr()), mask: address(maskOf(r.Dst.Bits())), flags: unix.RTF_UP, dev: dev}
	if !r.Via.IsUnspecified() {
		e.gateway, e.flags = address(r.Via), e.flags|unix.RTF_GATEWAY
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(n.fd), request, uintptr(unsafe.Pointer(&e)))
	if errno != 0 && errno != unix.EEXIST {
		return os.NewSyscallError("route to "+r.Dst.String(), errno)
	}
	return nil
}
