package remote

import (
	"os"

	"golang.org/x/sys/unix"
)

// start starts the command and waits for its end with a pidfd in the runtime's
// poller: no thread sleeps for it, and the leader stays unreaped.
func (p *process) start() error {
	fd := -1
	p.cmd.SysProcAttr.PidFD = &fd
	if err := p.cmd.Start(); err != nil {
		return err
	}
	if fd >= 0 && unix.SetNonblock(fd, true) == nil {
		go p.poll(os.NewFile(uintptr(fd), "pidfd"))
		return nil
	}
	go func() {
		for unix.Waitid(unix.P_PID, p.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		}
		close(p.ended)
	}()
	return nil
}

// endWithParent has the command killed when the thread ends that starts it.
func (p *process) endWithParent() { p.cmd.SysProcAttr.Pdeathsig = unix.SIGKILL }

func (p *process) poll(pidfd *os.File) {
	defer close(p.ended)
	defer pidfd.Close()
	rc, err := pidfd.SyscallConn()
	if err != nil {
		return
	}
	// The file is its own, so the read fails only if it cannot be polled.
	_ = rc.Read(func(fd uintptr) bool {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PIDFD, int(fd), &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		return err != nil && err != unix.EINTR || info.Signo != 0
	})
}
