package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"landline/dhcp"
)

// insideName is what the process inside is called by, in place of its program's name.
const insideName = "landline-inside"

// insideOrders is the pipe on which it is told of signals.
const insideOrders = 3

// An insideConfig is its first argument. The others are the command.
type insideConfig struct {
	LAN, Socket string // the LAN, and where it answers
	Hostname    string // that the command shall have
	Path        string // of the command's program
	Quiet       bool
}

// An inside is the first process of a command's namespaces: it gives them their network and their files, runs the command, and
// keeps the lease. With it the namespaces end.
type inside struct {
	app    *app
	cfg    insideConfig
	words  []string
	nic    *nic
	cable  *cable
	lease  *lessee
	files  *files
	orders *os.File

	mu      sync.Mutex
	command int // its process, or 0 before and after
	begun   bool
}

// goInside does the work of a process that lanEnter has started, which ends there. In all others it does nothing.
func goInside() {
	if len(os.Args) < 3 || os.Args[0] != insideName {
		return
	}
	catchBrokenPipe()
	syscall.CloseOnExec(insideOrders)
	i := &inside{app: &app{}, words: os.Args[2:], orders: os.NewFile(insideOrders, "orders")}
	err := json.Unmarshal([]byte(os.Args[1]), &i.cfg)
	i.app.quiet = i.cfg.Quiet
	if err == nil {
		err = i.run()
	}
	os.Exit(i.app.finish(err))
}

// run runs the command with all that it needs.
func (i *inside) run() error {
	i.listen()
	var err error
	if i.files, err = mountFiles(); err != nil {
		return i.forbidden(err)
	}
	if i.files.resolv == nil {
		i.app.say("there is no %s that the LAN's could stand for, so names are not looked up there", resolvFile)
	}
	if i.cable, err = newCable(i); err != nil {
		return i.forbidden(err)
	}
	if err := i.connect(); err != nil {
		return err
	}
	defer i.lease.stop()
	status, err := i.runCommand()
	switch {
	case err != nil:
		return err
	case status.Signaled():
		return &exitError{exitSignal + int(status.Signal()), nil}
	case status.ExitStatus() != 0:
		return &exitError{status.ExitStatus(), nil}
	}
	return nil
}

// forbidden adds advice to an error that may be about what users may do.
func (i *inside) forbidden(err error) error {
	if _, ok := err.(*hinted); ok {
		return err
	}
	return &hinted{err, hintNamespaces(err)}
}

// connect makes the namespace's interface a machine of the LAN, with addresses.
func (i *inside) connect() error {
	info, err := i.cable.plug()
	if err != nil {
		return err
	}
	if i.lease, err = newLessee(i, info.MTU); err != nil {
		return err
	}
	select {
	case <-i.lease.ready:
	case <-time.After(dhcpPatience):
		return fmt.Errorf("LAN %s: no address was given within %v", i.cfg.LAN, dhcpPatience)
	}
	if info.IPv6 {
		i.nic.awaitIPv6()
	}
	go i.cable.keep()
	return nil
}

// use makes a lease the one that is in use, or none if it is nil.
func (i *inside) use(old, lease *dhcp.Lease) {
	if err := i.nic.use(old, lease); err != nil {
		i.app.say("%s: %v", i.nic.name, err)
	}
	if lease == nil {
		return
	}
	if err := i.files.resolve(lease); err != nil {
		i.app.say("%s: %v", resolvFile, err)
	}
	if name := cmp.Or(lease.Name, i.cfg.Hostname); name != "" {
		if err := unix.Sethostname([]byte(name)); err != nil {
			i.app.say("host name %s: %v", name, err)
		}
	}
}

// listen hears the signals that come by way of lanEnter, which are the command's. What the terminal sends to all of its
// processes is ours only before there is a command.
func (i *inside) listen() {
	own := make(chan os.Signal, 8)
	notify(own)
	go func() {
		for s := range own {
			i.abort(s.(syscall.Signal))
		}
	}()
	go func() {
		var b [1]byte
		for {
			if _, err := i.orders.Read(b[:]); err != nil {
				i.abort(unix.SIGKILL) // lanEnter is gone
				_ = unix.Kill(-1, unix.SIGKILL)
				return
			}
			i.abort(syscall.Signal(b[0]))
			i.pass(syscall.Signal(b[0]))
		}
	}()
}

// abort ends all if there is no command yet.
func (i *inside) abort(s syscall.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.begun {
		os.Exit(exitSignal + int(s))
	}
}

// pass hands a signal to the command.
func (i *inside) pass(s syscall.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.command != 0 {
		_ = unix.Kill(i.command, s) // which it may have ended before
	}
}

// runCommand runs the command until its end, and buries all who end before.
func (i *inside) runCommand() (status syscall.WaitStatus, err error) {
	if err := i.start(); err != nil {
		return 0, &exitError{exitNoExec, fmt.Errorf("cannot be executed: %s: %w", i.words[0], bare(err))}
	}
	for {
		// The command stays a zombie until it is waited for, so that its number means no other.
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil && err != unix.EINTR {
			return 0, os.NewSyscallError("waitid", err)
		}
		i.mu.Lock()
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		over := pid == i.command
		if over {
			i.command = 0
		}
		i.mu.Unlock()
		if err == nil && over {
			return status, nil
		}
	}
}

// start starts the command, with its rights in the namespaces but for the one to mount.
func (i *inside) start() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	runtime.LockOSThread() // of which the command inherits
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_LOWER, unix.CAP_SYS_ADMIN, 0, 0); err != nil {
		return err
	}
	signal.Reset(syscall.SIGPIPE)
	p, err := os.StartProcess(i.cfg.Path, i.words, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	i.command, i.begun = p.Pid, true
	return p.Release()
}

// hardwareAddress is that of our interface.
func hardwareAddress(name string) (net.HardwareAddr, error) {
	nic, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	return nic.HardwareAddr, nil
}
