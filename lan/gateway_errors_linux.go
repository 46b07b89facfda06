package lan

import "golang.org/x/sys/unix"

// wantErrors makes a socket for datagrams hear of all errors. Without that, Linux tells it of those alone that it holds to be final, and that
// there is no way to a machine is not one of them.
func wantErrors(fd int, v4 bool) {
	level, option := unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	if v4 {
		level, option = unix.IPPROTO_IP, unix.IP_RECVERR
	}
	_ = unix.SetsockoptInt(fd, level, option, 1) // it tells of fewer then
}

// dropErrors empties the queue of what is known beside the errors themselves.
func dropErrors(fd int) {
	var b [1]byte
	for {
		if _, _, _, _, err := unix.Recvmsg(fd, b[:], nil, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT); err != nil {
			return
		}
	}
}
