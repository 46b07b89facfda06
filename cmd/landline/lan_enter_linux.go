package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// An entrance is `landline lan enter`: it starts itself anew as the first process of new namespaces, see inside, and is then
// no more than the one who gets the command's signals and tells its exit code. If it ends first, the other one notices, and
// with that one the kernel ends the namespaces and all in them.
type entrance struct {
	app      *app
	terminal *terminal
	cmd      *exec.Cmd
	orders   *os.File // each byte is a signal that the command shall get
}

func (a *app) lanEnter(f *enterFlags, words []string) error {
	path, err := findCommand(words[0])
	if err != nil {
		return err
	}
	l, err := findLAN(context.Background(), f.lan)
	if err != nil {
		return err
	}
	cfg, err := json.Marshal(insideConfig{LAN: l.name, Socket: l.path, Hostname: f.hostname, Path: path, Quiet: a.quiet})
	if err != nil {
		return err
	}
	e := &entrance{app: a, terminal: ownTerminal(), cmd: &exec.Cmd{
		Path: "/proc/self/exe", Args: append([]string{insideName, string(cfg)}, words...),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: namespaces(f.root),
	}}
	return e.run()
}

// namespaces says what is new for the command. A user who is not root needs a user namespace for the others, and is there
// who he is outside, or root. Root needs none, and in none he stays what he is.
func namespaces(root bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID}
	if os.Geteuid() == 0 {
		return attr
	}
	attr.Cloneflags |= unix.CLONE_NEWUSER
	as := func(id int) []syscall.SysProcIDMap {
		if root {
			return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
		}
		return []syscall.SysProcIDMap{{ContainerID: id, HostID: id, Size: 1}}
	}
	attr.UidMappings, attr.GidMappings = as(os.Geteuid()), as(os.Getegid())
	if !root { // who would lose what he may with the next execve(2)
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE}
	}
	return attr
}

// run starts the process inside and waits for its end, which is the command's.
func (e *entrance) run() error {
	signals := make(chan os.Signal, 8)
	notify(signals)
	if err := e.start(); err != nil {
		return err
	}
	go func() {
		for s := range signals {
			if number := s.(syscall.Signal); !e.terminal.sends(number) {
				// Who has ended needs no signal.
				_, _ = e.orders.Write([]byte{byte(number)})
			}
		}
	}()
	// What it says is in its state, too.
	_ = e.cmd.Wait()
	e.terminal.takeBack()
	status := e.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled():
		return fmt.Errorf("the first process of the namespace was ended (%v), and all others with it", status.Signal())
	case status.ExitStatus() != 0:
		return &exitError{status.ExitStatus(), nil}
	}
	return nil
}

// notify has those signals come to a channel that are passed on. One that is ignored, as by nohup, stays so for the
// command.
func notify(c chan<- os.Signal) {
	for _, s := range passedOn {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// start starts the process inside.
func (e *entrance) start() error {
	orders, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer orders.Close()
	e.orders, e.cmd.ExtraFiles = w, []*os.File{orders}
	if err := e.cmd.Start(); err != nil {
		return &hinted{fmt.Errorf("no namespaces: %w", bare(err)), hintNamespaces(err)}
	}
	return nil
}

// hintNamespaces says why namespaces may not be made, or what may not be done in them.
func hintNamespaces(err error) string {
	if !errors.Is(err, os.ErrPermission) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EUSERS) {
		return ""
	}
	if os.Geteuid() == 0 {
		return "root may not here; in a container that takes --cap-add SYS_ADMIN, or another user"
	}
	for _, s := range []struct{ name, forbids, allows string }{
		{"kernel.unprivileged_userns_clone", "0", "1"},
		{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
		{"user.max_user_namespaces", "0", "10000"},
	} {
		b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.name, ".", "/"))
		if err == nil && strings.TrimSpace(string(b)) == s.forbids {
			return "users may not make them here; as root: sysctl " + s.name + "=" + s.allows
		}
	}
	return "users may not make them here, as in many containers"
}
