//go:build !unix

package lan

import "syscall"

// sharesPorts says that several sockets can have one port, each for another peer.
const sharesPorts = false

func sharePort(_, _ string, _ syscall.RawConn) error { return nil }
