package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/zeebo/blake3"
	"golang.org/x/crypto/ssh"

	"landline"
	"landline/identity"
	"landline/remote"
)

// trySize is how many bytes are fetched; in tests less.
var trySize int64 = 100_000_000

// tryPatience is how long the end of something is waited for that takes no time unless something is wrong.
const tryPatience = 5 * time.Second

func (a *app) tryCommand() *cobra.Command {
	var capture string
	cmd := &cobra.Command{
		Use:   "try",
		Short: "See a LAN and the line work, within one process",
		Long: `Try makes a LAN in memory, with a gateway and two machines, desk and shed, whose network
stacks are landline's own. They take addresses by DHCP, and desk looks up shed's name. Then
desk runs a command on shed, fetches 100 MB from it and compares the hashes, over TLS
with keys made for the occasion. In the end it shows what passed on the wire, a line a
step: every frame is told once, as its machine sent it, and most of TCP's are summed up.

It needs no root, no keys and no configuration, uses no network of this computer, and
leaves nothing behind.`,
		Example: "  landline try\n  landline try --capture try.pcapng        then wireshark try.pcapng",
		Args:    none,
		RunE:    func(*cobra.Command, []string) error { return a.try(capture) },
	}
	cmd.Flags().StringVar(&capture, "capture", "", "write all frames to `FILE`, in the pcapng format of Wireshark")
	return cmd
}

// A trial is one run of `landline try`.
type trial struct {
	a      *app
	dir    string // all that it makes is in here
	start  time.Time
	lan    *tryLAN
	addr   string // of shed
	client *remote.Client
}

func (a *app) try(capture string) (err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	defer stop()
	t := &trial{a: a, start: time.Now()}
	if t.lan, err = newTryLAN(capture); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp("", "landline-try-"); err == nil {
		err = t.all(ctx)
		err = flat(errors.Join(err, os.RemoveAll(t.dir)))
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if closing := t.lan.close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	t.show()
	t.step("done", "in %s; the machines, the keys and the files are gone again", round(time.Since(t.start)))
	return nil
}

// all does one thing after the other. An interrupt ends the client first.
func (t *trial) all(ctx context.Context) error {
	if err := t.join(ctx); err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served, err := t.serve(serving)
	if err != nil {
		return err
	}
	for _, f := range []func(context.Context) error{t.look, t.connect, t.run, t.fetch} {
		if err == nil {
			err = f(ctx)
		}
	}
	t.lan.ladder.Note("the line is closed: each side says that it has sent all, and hears that this is known")
	if t.client != nil {
		t.client.Close() // after which the server ends too
	}
	if err != nil {
		stop()
	}
	return flat(errors.Join(err, <-served))
}

// step tells of one step: its name, then what happened.
func (t *trial) step(name, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch {
	case t.a.json:
		printJSON(&t.a.out, map[string]string{"step": name, "text": text})
	case !t.a.quiet:
		fmt.Fprintf(&t.a.out, "%-8s %s\n", name, text)
	}
}

// show shows what passed on the wire. What goes wrong with that, execute finds out.
func (t *trial) show() {
	switch {
	case t.a.json:
		for _, s := range t.lan.ladder.Steps() {
			printJSON(&t.a.out, s)
		}
	case !t.a.quiet:
		t.step("wire", "what passed, each frame as its machine sent it:")
		fmt.Fprintln(&t.a.out)
		t.lan.ladder.Draw(&t.a.out, 0)
		fmt.Fprintln(&t.a.out)
	}
}

// join has the machines take their addresses.
func (t *trial) join(ctx context.Context) error {
	if err := t.lan.join(ctx); err != nil {
		return err
	}
	t.step("lan", "%s in memory: a switch, a gateway, and two machines", tryNetwork)
	for _, m := range []*tryMachine{t.lan.desk, t.lan.shed} {
		t.step(m.name, "%s, by DHCP from the gateway", m.address())
	}
	return nil
}

// serve starts the server on shed, with a host key of its own.
func (t *trial) serve(ctx context.Context) (served <-chan error, err error) {
	hostKey, _, err := newKey()
	if err != nil {
		return nil, err
	}
	user, private, err := newKey()
	if err != nil {
		return nil, err
	}
	if err := t.writeKeys(hostKey, user, private); err != nil {
		return nil, err
	}
	ln, err := t.lan.shed.host.Listen(ctx, "tcp", ":"+defaultPort)
	if err != nil {
		return nil, err
	}
	d := daemon{a: t.a, keys: identity.Server{HostKeys: []ssh.Signer{hostKey}, AuthorizedKeys: t.file("authorized_keys")}}
	d.server = remote.Server{Home: t.dir, Software: software}
	done := make(chan error, 1)
	go func() { done <- d.serveOne(ctx, ln) }()
	return done, nil
}

// serveOne serves one connection, until it ends or ctx does.
func (d *daemon) serveOne(ctx context.Context, ln net.Listener) error {
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	raw, err := ln.Accept()
	if err != nil {
		return hushed(ctx, err)
	}
	ln.Close()
	nc, guest, err := d.admit(ctx, &lastToLeave{raw.(*landline.TCPConn)})
	if err != nil {
		raw.Close()
		return hushed(ctx, err)
	}
	return hushed(ctx, d.server.ServeConn(ctx, nc, guest))
}

// A lastToLeave is closed once the other side has said that it has sent all: what comes to a connection that is
// closed is answered with a reset, and TLS has a last word on either side.
type lastToLeave struct{ *landline.TCPConn }

func (c *lastToLeave) Close() error {
	c.SetReadDeadline(time.Now().Add(tryPatience))
	io.Copy(io.Discard, c.TCPConn)
	return c.TCPConn.Close()
}

// A firstToLeave says that it has sent all, and then is a lastToLeave.
type firstToLeave struct{ lastToLeave }

func (c *firstToLeave) Close() error {
	c.CloseWrite()
	return c.lastToLeave.Close()
}

// hushed returns an error, unless it comes of ctx.
func hushed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (t *trial) file(name string) string { return filepath.Join(t.dir, name) }

func newKey() (ssh.Signer, ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, private, err
}

// writeKeys writes the files that a client and a server have: a private key,
// authorized_keys and known_hosts.
func (t *trial) writeKeys(hostKey, user ssh.Signer, private ed25519.PrivateKey) error {
	block, err := ssh.MarshalPrivateKey(private, "landline try")
	if err != nil {
		return err
	}
	known, err := identity.HostLine(tryServer+":"+defaultPort, hostKey.PublicKey())
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"id_ed25519":      pem.EncodeToMemory(block),
		"authorized_keys": ssh.MarshalAuthorizedKey(user.PublicKey()),
		"known_hosts":     []byte(known + "\n"),
	} {
		if err := os.WriteFile(t.file(name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// look looks up the address of shed.
func (t *trial) look(ctx context.Context) error {
	t.lan.ladder.Note("desk asks for the hardware address of the gateway, and that for the address of " + tryServer)
	addrs, err := t.lan.desk.host.LookupHost(ctx, tryServer)
	if err != nil {
		return err
	}
	t.addr = addrs[0]
	t.step("name", "%s is %s, says the gateway", tryServer, t.addr)
	return nil
}

// connect makes the line from desk to shed.
func (t *trial) connect(ctx context.Context) error {
	start := time.Now()
	t.lan.ladder.Note("TCP's three-way handshake; then each side shows its SSH key, in TLS")
	own, err := identity.Keys{Files: []string{t.file("id_ed25519")}}.Delegate(ctx, time.Hour, time.Now())
	if err != nil {
		return err
	}
	raw, err := t.lan.desk.host.DialContext(ctx, "tcp", net.JoinHostPort(t.addr, defaultPort))
	if err != nil {
		return err
	}
	keys := identity.Client{Delegation: own, KnownHosts: identity.KnownHosts{File: t.file("known_hosts")}}
	nc, found, err := keys.Handshake(ctx, &firstToLeave{lastToLeave{raw.(*landline.TCPConn)}}, tryServer+":"+defaultPort)
	if err != nil {
		return err
	}
	t.client = remote.NewClient(nc, software)
	if _, err := t.client.Connected(ctx); err != nil {
		return err
	}
	t.step("line", "connected in %s: TLS 1.3, shed known by %s", round(time.Since(start)), found.Fingerprint)
	return nil
}

// run runs a command that uses all three streams and has a code.
func (t *trial) run(ctx context.Context) error {
	const script = `read -r word; echo "$word from $(uname -sm)"; echo "this is standard error" >&2; exit 7`
	t.lan.ladder.Note("desk runs a command on shed")
	var stdout, stderr bytes.Buffer
	r, err := t.client.Run(ctx, remote.Command{
		Args: []string{script}, Shell: true, Stdin: strings.NewReader("hello\n"), Stdout: &stdout, Stderr: &stderr,
	})
	if err != nil {
		return err
	}
	t.step("run", "%s", script)
	t.step("  stdout", "%s", strings.TrimSpace(stdout.String()))
	t.step("  stderr", "%s", strings.TrimSpace(stderr.String()))
	t.step("  exit", "%s, code %d, after %s; %d and %d bytes of output, none missing", r.Reason, r.Code, round(r.Duration), r.StdoutBytes, r.StderrBytes)
	if r.Reason != remote.Exited || r.Code != 7 {
		return fmt.Errorf("the command ended otherwise than it should: %s, code %d: %s", r.Reason, r.Code, r.Error)
	}
	return nil
}

// fetch fetches a file, and compares.
func (t *trial) fetch(ctx context.Context) error {
	there, err := t.writeRandom("there")
	if err != nil {
		return err
	}
	t.lan.ladder.Note("desk gets a file of " + size(trySize) + " from shed")
	if err := t.get(ctx); err != nil {
		return err
	}
	came, err := hashFile(t.file("here"))
	if err != nil {
		return err
	}
	if came != there {
		return fmt.Errorf("what came is not what is there: BLAKE3 %s, not %s", came, there)
	}
	t.step("hash", "BLAKE3 %s… of what is there and of what came", came[:16])
	return nil
}

func (t *trial) get(ctx context.Context) error {
	start := time.Now()
	r, err := t.client.Get(ctx, remote.Copy{
		Paths: []string{"there"}, Dest: t.file("here"),
		OnError: func(name string, err error) { t.a.fail(fmt.Errorf("%s: %w", name, err)) },
	})
	if err != nil {
		return err
	}
	if r.Failed > 0 || r.Bytes != trySize {
		return fmt.Errorf("get: %d bytes were copied, not %d", r.Bytes, trySize)
	}
	took := time.Since(start)
	t.step("get", "%s in %s, %s/s, encrypted and hashed", size(r.Bytes), round(took), size(rate(r.Bytes, took)))
	return nil
}

// writeRandom writes a file that no compression could make small.
func (t *trial) writeRandom(name string) (hash string, err error) {
	f, err := os.Create(t.file(name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := blake3.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.Reader, trySize); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), f.Close()
}

func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := blake3.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
