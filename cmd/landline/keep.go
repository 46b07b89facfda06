package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landline/remote"
)

// keepVerb is how the program starts itself to keep a line.
const keepVerb = "keep-line"

// keepCommand is a process in the background that keeps a line for later runs of the same user.
func (a *app) keepCommand() *cobra.Command {
	var f lineFlags
	var idle time.Duration
	cmd := &cobra.Command{
		Use:    keepVerb + " [flags] HOST",
		Short:  "Keep a line for run --keep, which starts this",
		Hidden: true,
		Args:   exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := parseHost(args[0])
			if err != nil {
				return err
			}
			d := a.dialer(&f, h)
			d.many = true // nobody is asked
			return d.keep(idle)
		},
	}
	f.register(cmd)
	cmd.Flags().Var(&period{"for", &idle}, "for", "end when nobody has used the line for this `TIME`")
	return cmd
}

// keptSocket is where a line to d's host is shared, if one is kept. What decides who answers and who is let in is part of its
// name.
func (d *dialer) keptSocket() (string, error) {
	dir, err := runtimeDir()
	if err != nil {
		return "", err
	}
	what := []string{software, d.host.network, d.addr, d.knownAs, fmt.Sprint(d.flags.acceptNew), os.Getenv("SSH_AUTH_SOCK")}
	for _, name := range append([]string{d.known().File}, d.identities()...) {
		if name != "" { // relative to this folder, and the process in the background could be in another
			if name, err = filepath.Abs(name); err != nil {
				return "", err
			}
		}
		what = append(what, name)
	}
	sum := sha256.Sum256([]byte(strings.Join(what, "\x00")))
	return filepath.Join(dir, "line-"+hex.EncodeToString(sum[:10])), nil
}

// connectKept returns a line over one that is kept. If there is none, it makes an ordinary one, and has another kept from
// then on.
func (d *dialer) connectKept(ctx context.Context, idle time.Duration) (*remote.Client, error) {
	path, err := d.keptSocket()
	if err != nil {
		return nil, err
	}
	if cl := joinKept(ctx, path); cl != nil {
		return cl, nil
	}
	cl, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := cl.Connected(ctx); err != nil {
		cl.Close()
		return nil, afterwards(err)
	}
	if err := d.startKeeping(idle); err != nil {
		d.a.say("--keep: %v", err)
	}
	return cl, nil
}

// joinKept returns a line over the one that is kept at a socket, nil if none is.
func joinKept(ctx context.Context, path string) *remote.Client {
	nc, err := net.Dial("unix", path)
	if err != nil {
		return nil
	}
	if err := checkOwner(nc.(*net.UnixConn)); err != nil {
		nc.Close()
		return nil
	}
	cl := remote.NewClient(nc, software)
	if _, err := cl.Connected(ctx); err != nil {
		cl.Close()
		return nil
	}
	return cl
}

// startKeeping starts the process that keeps a line to d's host.
func (d *dialer) startKeeping(idle time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{keepVerb, "--for", idle.String()}
	for _, name := range d.flags.identities {
		if name, err = filepath.Abs(name); err != nil {
			return err
		}
		args = append(args, "-i", name)
	}
	if name := d.flags.knownHosts; name != "" {
		if name, err = filepath.Abs(name); err != nil {
			return err
		}
		args = append(args, "--known-hosts", name)
	}
	if d.flags.acceptNew {
		args = append(args, "--accept-new")
	}
	cmd := exec.Command(self, append(args, d.host.text)...)
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// keep makes a line and shares it at its socket, until nobody has used it for so long, or it breaks.
func (d *dialer) keep(idle time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	path, err := d.keptSocket()
	if err != nil {
		return err
	}
	cl, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	if _, err := cl.Connected(ctx); err != nil {
		return err
	}
	ln, err := listenUnix("--keep", path)
	if err != nil {
		return err
	}
	u := &users{idle: idle, end: cancel}
	u.add(0)
	go func() {
		select {
		case <-cl.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	s := remote.Server{Admit: u.admit, Upstream: cl, Log: slog.New(slog.DiscardHandler)}
	return s.Serve(ctx, ln)
}

// users are the connections that use a kept line.
type users struct {
	idle time.Duration
	end  func() // is called when there has been none for so long

	mu    sync.Mutex
	n     int
	timer *time.Timer // runs while n is 0
}

func (u *users) admit(_ context.Context, raw net.Conn) (net.Conn, remote.Guest, error) {
	c, ok := raw.(*net.UnixConn)
	if !ok {
		return nil, remote.Guest{}, errors.New("not a Unix socket")
	}
	nc, guest, err := admitSelf(c)
	if err != nil {
		return nil, guest, err
	}
	u.add(1)
	return &user{Conn: nc, leave: sync.OnceFunc(func() { u.add(-1) })}, guest, nil
}

func (u *users) add(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n += n
	if u.timer != nil {
		u.timer.Stop()
	}
	if u.n == 0 {
		u.timer = time.AfterFunc(u.idle, u.endIfIdle)
	}
}

func (u *users) endIfIdle() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n == 0 {
		u.end()
	}
}

// A user is a connection that is counted.
type user struct {
	net.Conn
	leave func()
}

func (u *user) Close() error {
	u.leave()
	return u.Conn.Close()
}
