package main

import "golang.org/x/sys/unix"

// socketUID returns who is at the other end of a socket, as SO_PEERCRED has it.
func socketUID(fd int) (int, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}
