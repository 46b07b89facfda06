package link

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"landline/wire"
)

const tunPath = "/dev/net/tun"

// Offloads of the kernel, of TUNSETOFFLOAD in <linux/if_tun.h>, which package unix
// does not have.
const (
	tunChecksum = 0x01
	tunTSO4     = 0x02
	tunTSO6     = 0x04
	tunTSOECN   = 0x08 // also of units with CWR set
)

// OpenTAP opens a TAP, or takes one over. The interface is neither given addresses nor
// set up: the administrator does that, before or after.
//
// An error is about the system call that failed, as in errors.Is(err, fs.ErrPermission) or
// errors.Is(err, syscall.EBUSY), and says what may help.
func OpenTAP(c TAPConfig) (*TAP, error) {
	if c.MTU != 0 && (c.MTU < MinMTU || c.MTU > MaxMTU) {
		return nil, fmt.Errorf("open tap: mtu of %d is not from %d to %d", c.MTU, MinMTU, MaxMTU)
	}
	name := c.Name
	if name == "" {
		name = "tap%d"
	}
	fd, err := -1, error(nil)
	if c.File != nil {
		name = c.File.Name()
		fd, err = copyFile(c.File)
	} else {
		fd, err = openTAP(name, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("open tap %s: %w", name, err)
	}
	t, err := newTAP(fd, &c)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open tap %s: %w", name, err)
	}
	return t, nil
}

// MakeTAP makes a TAP of that name and returns it open, with what offloads need, for another process to take over with
// TAPConfig.File. The interface is there as long as somebody has the file open. The errors are those of OpenTAP.
func MakeTAP(name string) (*os.File, error) {
	fd, err := openTAP(name, &TAPConfig{})
	if err != nil {
		return nil, fmt.Errorf("open tap %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openTAP opens the interface of that name.
func openTAP(name string, c *TAPConfig) (int, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return -1, fmt.Errorf("name is longer than %d bytes", unix.IFNAMSIZ-1)
	}
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, hint(&os.PathError{Op: "open", Path: tunPath, Err: err}, err)
	}
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if c.offloads() != 0 {
		flags |= unix.IFF_VNET_HDR
	}
	request.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return -1, hint(os.NewSyscallError("TUNSETIFF", err), err)
	}
	return fd, nil
}

// hint adds to err what may help against its cause.
func hint(err, cause error) error {
	switch cause {
	case unix.EPERM, unix.EACCES:
		return fmt.Errorf("%w (needs CAP_NET_ADMIN, or a device of your own: ip tuntap add mode tap user NAME)", err)
	case unix.EBUSY:
		return fmt.Errorf("%w (another program has it open)", err)
	case unix.EINVAL:
		return fmt.Errorf("%w (an interface of that name is no TAP, or one of several queues)", err)
	case unix.ENOENT, unix.ENODEV, unix.ENXIO:
		return fmt.Errorf("%w (the kernel has no driver for it, or the container no such file)", err)
	}
	return err
}

// copyFile returns a descriptor for the same open TAP.
func copyFile(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, failed := -1, error(nil)
	err = raw.Control(func(from uintptr) {
		fd, failed = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, os.NewSyscallError("fcntl", failed)); err != nil {
		return -1, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}

// newTAP makes a TAP of an open one. If it fails, fd stays open.
func newTAP(fd int, c *TAPConfig) (*TAP, error) {
	offloads := c.offloads()
	name, err := checkTAP(fd, offloads != 0)
	if err != nil {
		return nil, err
	}
	mtu := c.MTU
	if mtu == 0 {
		if mtu, err = interfaceMTU(fd, name); err != nil {
			return nil, err
		}
	}
	if err := setOffloads(fd, offloads); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name) // known to the runtime's poller, as it does not block
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	mac := c.MAC
	if mac == (wire.MAC{}) {
		mac = localMAC(rand.Uint64())
	}
	info := Info{Name: name, MAC: mac, MTU: mtu, Offloads: offloads}
	t := &TAP{info: info, file: file, raw: raw}
	t.writer.init(t, offloads != 0)
	return t, nil
}

// checkTAP checks that fd is a TAP whose frames have a header before them, or have not,
// and returns the name of its interface. Of IFF_NO_PI the kernel does not tell: the
// bit means something else in its answer.
func checkTAP(fd int, header bool) (string, error) {
	request, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	if err := unix.IoctlIfreq(fd, unix.TUNGETIFF, request); err != nil {
		return "", fmt.Errorf("%w (this is no open TAP)", os.NewSyscallError("TUNGETIFF", err))
	}
	flags, name := request.Uint16(), request.Name()
	switch {
	case flags&unix.IFF_TAP == 0:
		return "", fmt.Errorf("%s is a TUN: it has packets and not frames", name)
	case header && flags&unix.IFF_VNET_HDR == 0:
		return "", fmt.Errorf("%s was opened without IFF_VNET_HDR, so it has no offloads", name)
	case !header && flags&unix.IFF_VNET_HDR != 0:
		return "", fmt.Errorf("%s was opened with IFF_VNET_HDR, so it has offloads", name)
	}
	return name, nil
}

// interfaceMTU returns the MTU of the interface of that name, if it is the one that fd
// leads to: there may be another in this network namespace.
func interfaceMTU(fd int, name string) (int, error) {
	const advice = "its MTU has to be given: it is in another network namespace"
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("%w (%s)", err, advice)
	}
	mac, err := kernelMAC(fd)
	if err != nil || string(mac[:]) != string(iface.HardwareAddr) {
		return 0, errors.New(advice)
	}
	if iface.MTU < MinMTU || iface.MTU > MaxMTU {
		return 0, fmt.Errorf("%s has an mtu of %d, which is not from %d to %d", name, iface.MTU, MinMTU, MaxMTU)
	}
	return iface.MTU, nil
}

// kernelMAC returns the hardware address of the kernel's interface.
func kernelMAC(fd int) (mac wire.MAC, err error) {
	var request struct { // struct ifreq, for which package unix has no accessor
		name   [unix.IFNAMSIZ]byte
		family uint16
		mac    [22]byte
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFHWADDR, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return mac, os.NewSyscallError("SIOCGIFHWADDR", errno)
	}
	return wire.MAC(request.mac[:6]), nil
}

// setOffloads says what the header before each frame is like, and what we take.
func setOffloads(fd int, offloads Offloads) error {
	if offloads == 0 {
		return nil
	}
	flags := tunChecksum
	if offloads&OffloadTSO != 0 {
		flags |= tunTSO4 | tunTSO6 | tunTSOECN
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, vnetLen); err != nil {
		return os.NewSyscallError("TUNSETVNETHDRSZ", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETLE, 1); err != nil {
		return os.NewSyscallError("TUNSETVNETLE", err)
	}
	return os.NewSyscallError("TUNSETOFFLOAD", unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, flags))
}
