package kernel

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Guest starts a machine that is nothing but a kernel: a network namespace of its own. It returns a process
// in it.
func Guest() (pid int, err error) {
	return start("guest", true)
}

// Enter is the beginning of a command that enters the namespace of a guest.
func Enter(pid int) string { return fmt.Sprintf("nsenter --net=/proc/%d/ns/net ", pid) }

// Forward joins a new TAP to a Unix socket on which frames go as QEMU has them, each after its length in 4 bytes. It does for a
// kernel here what QEMU does for its guest, and as little as that: frames are whole, as the socket has no offloads, those that are there are
// read together, and written at once.
func Forward(tap, socket string) (pid int, err error) {
	fd, err := tapDescriptor(tap, unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	file := os.NewFile(uintptr(fd), tap)
	defer file.Close()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	s, err := c.File()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return start("forward", false, file, s)
}

const (
	// frameLen is how long the length before a frame is.
	frameLen = 4
	// maxFrame is more than any frame is long.
	maxFrame = 66 << 10
	// atOnce is how much is read from the TAP before it is written.
	atOnce = 256 << 10
)

// forwardFrames forwards between the TAP and the socket that are its files.
func forwardFrames() error {
	const tap, socket = 3, 4
	if err := unix.SetNonblock(socket, false); err != nil { // the description is that of the starter, whose poller had it
		return err
	}
	go mustForward(fromTAP, tap, socket)
	go mustForward(toTAP, socket, tap)
	return wait()
}

func mustForward(forward func(from, to int) error, from, to int) {
	runtime.LockOSThread()
	if err := forward(from, to); err != nil {
		fmt.Fprintln(os.Stderr, "bench: forwarding:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func fromTAP(tap, socket int) error {
	buf := make([]byte, atOnce+frameLen+maxFrame)
	for {
		used := 0
		for used < atOnce {
			n, err := unix.Read(tap, buf[used+frameLen:used+frameLen+maxFrame])
			if err == unix.EAGAIN {
				break
			}
			if err != nil && err != unix.EINTR {
				return err
			}
			if err == nil {
				binary.BigEndian.PutUint32(buf[used:], uint32(n))
				used += frameLen + n
			}
		}
		if used == 0 {
			unix.Poll([]unix.PollFd{{Fd: int32(tap), Events: unix.POLLIN}}, -1)
			continue
		}
		if writeAll(socket, buf[:used]) != nil {
			return nil // the gateway has ended
		}
	}
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil && err != unix.EINTR {
			return err
		}
		b = b[max(n, 0):]
	}
	return nil
}

func toTAP(socket, tap int) error {
	buf := make([]byte, atOnce+frameLen+maxFrame)
	for end := 0; ; {
		n, err := unix.Read(socket, buf[end:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return nil // the gateway has ended
		}
		end += n
		at := 0
		for end-at >= frameLen {
			next := at + frameLen + int(binary.BigEndian.Uint32(buf[at:]))
			if next > end {
				break
			}
			unix.Write(tap, buf[at+frameLen:next]) // what does not fit is lost, as on any wire
			at = next
		}
		end = copy(buf, buf[at:end])
	}
}
