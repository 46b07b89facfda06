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
// answers any more is replaced. flag is what it was asked for by.
func listenUnix(flag, path string) (net.Listener, error) {
	if err := makeWay(flag, "unix", path); err != nil {
		return nil, err
	}
	defer maskOthers()()
	ln, err := net.Listen("unix", path)
	return ln, socketFault(flag, path, err)
}

// listenDatagrams is listenUnix for datagrams.
func listenDatagrams(flag, path string) (*net.UnixConn, error) {
	if err := makeWay(flag, "unixgram", path); err != nil {
		return nil, err
	}
	defer maskOthers()()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	return c, socketFault(flag, path, err)
}

// makeWay removes a socket that nobody answers any more.
func makeWay(flag, network, path string) error {
	c, err := net.Dial(network, path)
	if err == nil {
		c.Close()
		return fmt.Errorf("%s %s: somebody answers there already", flag, path)
	}
	info, serr := os.Lstat(path)
	if serr == nil && info.Mode().Type() == os.ModeSocket && errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return nil
}

// lockFolder has others who call it wait until the function that it returns is called. The folder must be this user's alone, for
// who can read it can hold it.
func lockFolder(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("folder of sockets %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// maskOthers keeps others out of what is made until the function that it returns is called. The mode
// must hold from the first moment, so the mask does it. It is the process's, and this is before
// anything else runs.
func maskOthers() func() {
	old := unix.Umask(0o177)
	return func() { unix.Umask(old) }
}

// maxSocketPath is how long a socket's path may be, in bytes: that of sun_path, but for the 0 at its end.
const maxSocketPath = len(unix.RawSockaddrUnix{}.Path) - 1

func socketFault(flag, path string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s %s: something is there that is no socket", flag, path)
	case errors.Is(err, syscall.EINVAL) && len(path) > maxSocketPath:
		return fmt.Errorf("%s %s: a socket's path has at most %d bytes", flag, path, maxSocketPath)
	case err != nil:
		return fmt.Errorf("%s %s: %w", flag, path, bare(err))
	}
	return nil
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

// checkPrivate refuses what is no folder of this user alone.
func checkPrivate(info os.FileInfo) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return errors.New("it is no folder")
	case !ok || int(owner.Uid) != os.Geteuid():
		return errors.New("it is another user's")
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("others may use it (its mode is %04o)", info.Mode().Perm())
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
