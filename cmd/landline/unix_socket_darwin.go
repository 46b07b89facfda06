package main

import "golang.org/x/sys/unix"

// socketUID returns who is at the other end of a socket, as LOCAL_PEERCRED has it.
func socketUID(fd int) (int, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}
