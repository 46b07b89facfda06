package kernel

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"landline/bench/internal/load"
)

// Copied is two kernels, and between their TAPs a program that does nothing but copy frames, one read and one write
// each, with all offloads: more than any program can carry that has to look at them.
func Copied() (*load.Pair, error) {
	a, err := openTAP("own0")
	if err != nil {
		return nil, err
	}
	b, err := openTAP("far0")
	if err != nil {
		return nil, err
	}
	pid, err := join("own0", "far0")
	if err != nil {
		return nil, err
	}
	wire, err := start("copy", false, a, b)
	if err != nil {
		return nil, err
	}
	return &load.Pair{Dial: dialFar, Others: []int{pid, wire}}, nil
}

// openTAP opens a TAP with all offloads, whose reads and writes block.
func openTAP(name string) (*os.File, error) {
	fd, err := tapDescriptor(name, 0, unix.IFF_VNET_HDR)
	if err != nil {
		return nil, err
	}
	const sumAndTSO = 0x01 | 0x02 | 0x04 // TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6
	return os.NewFile(uintptr(fd), name), os.NewSyscallError("TUNSETOFFLOAD", unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, sumAndTSO))
}

// tapDescriptor opens a TAP.
func tapDescriptor(name string, mode int, flags uint16) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|mode, 0)
	if err != nil {
		return -1, os.NewSyscallError("open /dev/net/tun", err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | flags)
	return fd, os.NewSyscallError("TUNSETIFF", unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
}

// copyFrames copies between the TAPs that are its files.
func copyFrames() error {
	const first, second = 3, 4
	go carry(first, second)
	go carry(second, first)
	return wait()
}

func carry(from, to int) {
	runtime.LockOSThread()
	buf := make([]byte, 70<<10)
	for {
		n, err := unix.Read(from, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			panic(err)
		}
		unix.Write(to, buf[:n]) // what does not fit is lost, as on any wire
	}
}
