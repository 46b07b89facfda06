package link

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiveFrom is unix.Recvfrom without memory for the sender. It returns the whole length of a
// datagram even if b is shorter.
func receiveFrom(fd int, b []byte, from *sender) (int, error) {
	var addr unix.RawSockaddrUnix
	size := uint32(unsafe.Sizeof(addr))
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_TRUNC, uintptr(unsafe.Pointer(&addr)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, errno
	}
	from.n = 0
	if size > uint32(unsafe.Offsetof(addr.Path)) {
		path := unsafe.Slice((*byte)(unsafe.Pointer(&addr.Path)), len(addr.Path))
		from.set(path[:min(int(size)-int(unsafe.Offsetof(addr.Path)), len(path))])
	}
	return int(n), nil
}
