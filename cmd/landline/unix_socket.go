//go:build unix

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"landline/remote"
)

// listenUnix makes a socket that only this user can connect to. One that nobody
// answers any more is replaced.
func listenUnix(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("--unix %s: somebody answers there already", path)
	} else if info, serr := os.Lstat(path); serr == nil && info.Mode().Type() == os.ModeSocket && errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// The mode must hold from the first moment, so the mask does it. It is the
	// process's, and this is before anything else runs.
	old := unix.Umask(0o177)
	defer unix.Umask(old)
	ln, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("--unix %s: something is there that is no socket", path)
	} else if err != nil {
		return nil, fmt.Errorf("--unix %s: %w", path, bare(err))
	}
	return ln, nil
}

// admitSelf lets in this user, as the kernel knows who connected, and root.
func admitSelf(c *net.UnixConn) (net.Conn, remote.Guest, error) {
	uid, err := peerUID(c)
	if err != nil {
		return nil, remote.Guest{}, err
	}
	if !trusted(uid) {
		return nil, remote.Guest{}, fmt.Errorf("user %d is not the one who serves", uid)
	}
	return c, remote.Guest{Name: fmt.Sprintf("uid %d", uid)}, nil
}

// checkOwner refuses a server that is neither this user's nor root's: whoever can
// put a socket where ours is expected would get what we send.
func checkOwner(c *net.UnixConn) error {
	uid, err := peerUID(c)
	if err != nil {
		return err
	}
	if !trusted(uid) {
		return fmt.Errorf("user %d answers there, neither you nor root", uid)
	}
	return nil
}

// trusted says whether a user may do what this one may.
func trusted(uid int) bool { return uid == os.Geteuid() || uid == 0 }

// peerUID returns the user at the other end: who connected, or who listened.
func peerUID(c *net.UnixConn) (uid int, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	if cerr := rc.Control(func(fd uintptr) { uid, err = socketUID(int(fd)) }); cerr != nil {
		return 0, cerr
	}
	return uid, err
}
