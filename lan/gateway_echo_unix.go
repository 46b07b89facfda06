//go:build unix

package lan

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// dialEcho opens a socket for pings to one address: one that is for pings alone, if the system allows that, and
// otherwise one for all of ICMP, which root may have.
func dialEcho(ctx context.Context, network, address string) (net.Conn, error) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil, err
	}
	if c, err := pingSocket(a); err == nil {
		return c, nil
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func pingSocket(a netip.Addr) (net.Conn, error) {
	family, protocol, to := syscall.AF_INET, syscall.IPPROTO_ICMP, syscall.Sockaddr(nil)
	if a.Is4() {
		to = &syscall.SockaddrInet4{Addr: a.As4()}
	} else {
		family, protocol, to = syscall.AF_INET6, syscall.IPPROTO_ICMPV6, &syscall.SockaddrInet6{Addr: a.As16()}
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM, protocol)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	wantErrors(fd, a.Is4())
	file := os.NewFile(uintptr(fd), "ping")
	defer file.Close()
	if err := syscall.Connect(fd, to); err != nil {
		return nil, os.NewSyscallError("connect", err)
	}
	return net.FileConn(file)
}
