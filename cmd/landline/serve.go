package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"landline/identity"
	"landline/remote"
)

// serveFlags are those of `landline serve`.
type serveFlags struct {
	listen         []string
	unix           string
	authorizedKeys string
	hostKey        string
	maxJobs        int
	state          string
	audit          string
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer: run commands and move files for those who may",
		Long: `Serve lets in who ~/.ssh/authorized_keys lets in, runs their commands and moves
their files, all as the user who runs it; commands get serve's environment. It obeys the options from, expiry-time,
command, restrict, pty, no-pty, cert-authority and principals; a key with any other is refused.

Who did what is written down, in audit.jsonl in the folder of --state: a JSON line for each
connection, command, copy and copied file, with the fingerprint of the key, but no value of a
variable and nothing of what streams carried. At 16 MiB the file becomes audit.jsonl.1, and
eight older ones are kept.

It ends on SIGTERM and SIGINT: running commands get TERM, and KILL after a while. Jobs
(run --detach) go on, and are found by the next serve with the same --state. Under systemd
that needs KillMode=process in the unit.`,
		Example: `  landline serve
  landline serve --listen 127.0.0.1:0 --authorized-keys keys.pub
  landline serve --unix /run/user/1000/landline     for this user on this machine alone`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("max-jobs") && f.maxJobs < 1 {
				return fmt.Errorf("--max-jobs %d: at least 1", f.maxJobs)
			}
			return a.serve(&f)
		},
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.listen, "listen", nil, "`ADDR` to listen on (may repeat; default :7373, or nothing with --unix; 127.0.0.1:0 picks a port)")
	fl.StringVar(&f.unix, "unix", "", "`PATH` of a socket for this user (and root) alone: mode 0600, no TLS")
	f.register(cmd, "")
	fl.IntVar(&f.maxJobs, "max-jobs", 0, "how many commands and copies may run at once: `N` (default 1024)")
	return cmd
}

// register adds the flags that all have who let people in.
func (f *serveFlags) register(cmd *cobra.Command, about string) {
	fl := cmd.Flags()
	fl.StringVar(&f.authorizedKeys, "authorized-keys", "", about+"`FILE` that says who may come in (default ~/.ssh/authorized_keys)")
	fl.StringVar(&f.hostKey, "host-key", "", about+"private key `FILE` of this machine (default sshd's Ed25519 key if readable,\nelse one that is made once in the configuration folder)")
	fl.StringVar(&f.state, "state", "", about+"`DIR` in which jobs are kept that outlive their connection\n(default $XDG_STATE_HOME/landline, else ~/.local/state/landline)")
	fl.StringVar(&f.audit, "audit", "", about+"`FILE` to write down in who did what, or none (default audit.jsonl in the folder of --state)")
}

func (a *app) serve(f *serveFlags) error {
	catchHangup()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	d := &daemon{a: a, f: f, log: a.logger()}
	state, err := stateDir(f.state, "jobs")
	if err != nil {
		return err
	}
	d.server = remote.Server{Admit: d.admit, MaxJobs: f.maxJobs, State: state, Software: software, Log: d.log}
	if err := d.openAudit(); err != nil {
		return err
	}
	defer d.audit.close()
	if err := d.open(); err != nil {
		d.close()
		return err
	}
	return d.run(ctx)
}

// stateDir returns a folder of what is kept: below dir, or if that is empty below the one where a user's programs keep things.
func stateDir(dir, below string) (string, error) {
	if dir == "" {
		dir = os.Getenv("XDG_STATE_HOME")
		if !filepath.IsAbs(dir) { // which is how the rule for it has it
			home, err := os.UserHomeDir()
			if err != nil {
				return "", &hinted{err, "name a folder with --state"}
			}
			dir = filepath.Join(home, ".local", "state")
		}
		dir = filepath.Join(dir, "landline")
	}
	dir, err := filepath.Abs(dir)
	return filepath.Join(dir, below), err
}

// A daemon is `landline serve`: one server behind several listeners.
type daemon struct {
	a         *app
	f         *serveFlags
	log       *slog.Logger
	keys      identity.Server // for all but Unix sockets
	server    remote.Server
	audit     *auditFile // nil if there is none
	listeners []net.Listener
}

// admit lets in by TLS and SSH keys, or who the kernel says it is.
func (d *daemon) admit(ctx context.Context, raw net.Conn) (net.Conn, remote.Guest, error) {
	if c, ok := raw.(*net.UnixConn); ok {
		return admitSelf(c)
	}
	nc, peer, err := d.keys.Handshake(ctx, raw)
	switch {
	case err == nil:
	case identity.Refused(err):
		err = errors.New("the client did not accept the key of this host")
	case errors.Is(err, io.EOF):
		err = errors.New("the client left before it showed a key")
	}
	if err != nil {
		return nil, remote.Guest{}, err
	}
	return nc, remote.Guest{Name: peer.Fingerprint, Command: peer.Permit.Command, NoTerminal: peer.Permit.NoPTY, NoPorts: peer.Permit.NoForwarding}, nil
}

// open opens every listener that was asked for, and tells of each.
func (d *daemon) open() error {
	if len(d.f.listen) == 0 && d.f.unix == "" {
		d.f.listen = []string{":" + defaultPort}
	}
	if d.f.unix != "" {
		ln, err := listenUnix("--unix", d.f.unix)
		if err != nil {
			return err
		}
		d.listeners = append(d.listeners, ln)
		d.a.announce("unix:"+d.f.unix, "")
	}
	if len(d.f.listen) == 0 {
		return nil
	}
	key, err := d.hostKey()
	if err != nil {
		return err
	}
	d.warnEmpty()
	d.keys = identity.Server{HostKeys: []ssh.Signer{key}, AuthorizedKeys: d.f.authorizedKeys, Log: d.log}
	for _, addr := range d.f.listen {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return &hinted{fmt.Errorf("--listen %s: %w", addr, plain(err)), hintListen(err)}
		}
		d.listeners = append(d.listeners, ln)
		d.a.announce(ln.Addr().String(), ssh.FingerprintSHA256(key.PublicKey()))
	}
	return nil
}

func hintListen(err error) string {
	if _, ok := errors.AsType[*net.AddrError](err); ok {
		return "ADDR is :port or address:port"
	}
	return ""
}

// announce prints what scripts wait for, --quiet or not.
func (a *app) announce(addr, hostKey string) {
	switch {
	case a.json:
		printJSON(&a.out, map[string]string{"listening": addr, "host_key": hostKey})
	case hostKey == "":
		tell("listening on " + addr)
	default:
		tell("listening on " + addr + ", host key " + hostKey)
	}
}

func (d *daemon) hostKey() (ssh.Signer, error) {
	dir, err := os.UserConfigDir()
	if err != nil && d.f.hostKey == "" {
		return nil, &hinted{err, "name a key with --host-key"}
	}
	key, file, err := identity.HostKey(d.f.hostKey, filepath.Join(dir, "landline"))
	if err == nil {
		d.log.Debug("host key", "file", file)
		return key, nil
	}
	err = fmt.Errorf("host key: %w", err)
	if errors.Is(err, fs.ErrNotExist) && d.f.hostKey != "" {
		return nil, &hinted{err, "ssh-keygen -t ed25519 -N '' -f " + d.f.hostKey + " makes one"}
	}
	return nil, err
}

// warnEmpty says so early if nobody can come in.
func (d *daemon) warnEmpty() {
	file := d.f.authorizedKeys
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return
		}
		file = filepath.Join(home, ".ssh", "authorized_keys")
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		d.a.say("nobody can come in yet: there is no %s", file)
	}
}

// run serves until ctx ends or a listener fails.
func (d *daemon) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, l := range d.listeners {
		wg.Go(func() {
			if err := d.server.Serve(ctx, l); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (d *daemon) close() {
	for _, l := range d.listeners {
		l.Close()
	}
}

// logger writes what happens to standard error, each line beginning "landline: ".
func (a *app) logger() *slog.Logger { return a.loggerTo(os.Stderr) }

func (a *app) loggerTo(w io.Writer) *slog.Logger {
	if a.quiet {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(prefixed{w}, &slog.HandlerOptions{ReplaceAttr: shorten}))
}

// shorten leaves out of a log's line what says nothing.
func shorten(_ []string, at slog.Attr) slog.Attr {
	if at.Key == slog.LevelKey || at.Value.Any() == nil || at.Value.String() == "" {
		return slog.Attr{}
	}
	return at
}

// prefixed begins each write, which is a line of the log, with the program's name.
type prefixed struct{ w io.Writer }

func (p prefixed) Write(line []byte) (int, error) {
	_, err := p.w.Write(bytes.Join([][]byte{[]byte("landline: "), line}, nil))
	return len(line), err
}
