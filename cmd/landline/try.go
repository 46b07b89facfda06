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

	"landline/identity"
	"landline/remote"
)

// trySize is how many bytes are sent there and back; in tests less.
var trySize int64 = 100_000_000

func (a *app) tryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "try",
		Short: "See the line work, on this machine alone",
		Long: `Try starts a server on the loopback address with keys made for the occasion, runs a
command through it, sends 100 MB there and back, compares the hashes, and cleans
up. It needs no root, no keys and no configuration, and leaves nothing behind.`,
		Example: "  landline try",
		Args:    none,
		RunE:    func(*cobra.Command, []string) error { return a.try() },
	}
}

// A trial is one run of `landline try`.
type trial struct {
	a      *app
	dir    string // all that it makes is in here
	start  time.Time
	flags  lineFlags
	host   host
	client *remote.Client
}

func (a *app) try() error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	defer stop()
	dir, err := os.MkdirTemp("", "landline-try-")
	if err != nil {
		return err
	}
	t := &trial{a: a, dir: dir, start: time.Now()}
	err = t.all(ctx)
	if rerr := os.RemoveAll(dir); err == nil {
		err = rerr
	}
	if err == nil {
		t.step("done", "in %s; the keys and files are gone again", round(time.Since(t.start)))
	}
	return err
}

// all does one thing after the other. An interrupt ends the client first.
func (t *trial) all(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served, err := t.serve(serving)
	if err != nil {
		return err
	}
	for _, f := range []func(context.Context) error{t.connect, t.run, t.copies} {
		if err == nil {
			err = f(ctx)
		}
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if t.client != nil {
		t.client.Close()
	}
	stop()
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

// serve starts the server, with a host key of its own.
func (t *trial) serve(ctx context.Context) (served <-chan error, err error) {
	hostKey, _, err := newKey()
	if err != nil {
		return nil, err
	}
	user, private, err := newKey()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	if err := t.writeKeys(addr, hostKey, user, private); err != nil {
		ln.Close()
		return nil, err
	}
	d := daemon{a: t.a, keys: identity.Server{HostKeys: []ssh.Signer{hostKey}, AuthorizedKeys: t.file("authorized_keys")}}
	d.server = remote.Server{Admit: d.admit, Home: t.dir, Software: software}
	done := make(chan error, 1)
	go func() { done <- d.server.Serve(ctx, ln) }()
	t.host = host{addr, "tcp", addr}
	t.step("server", "listening on %s, host key %s", addr, ssh.FingerprintSHA256(hostKey.PublicKey()))
	t.step("client", "your key for this is %s", ssh.FingerprintSHA256(user.PublicKey()))
	return done, nil
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
func (t *trial) writeKeys(addr string, hostKey, user ssh.Signer, private ed25519.PrivateKey) error {
	block, err := ssh.MarshalPrivateKey(private, "landline try")
	if err != nil {
		return err
	}
	known, err := identity.HostLine(addr, hostKey.PublicKey())
	if err != nil {
		return err
	}
	t.flags = lineFlags{identities: []string{t.file("id_ed25519")}, knownHosts: t.file("known_hosts")}
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

func (t *trial) connect(ctx context.Context) (err error) {
	start := time.Now()
	if t.client, err = t.a.connect(ctx, &t.flags, t.host); err != nil {
		return err
	}
	if _, err := t.client.Connected(ctx); err != nil {
		return err
	}
	t.step("line", "connected in %s: TLS 1.3, each side known by its SSH key", round(time.Since(start)))
	return nil
}

// run runs a command that uses all three streams and has a code.
func (t *trial) run(ctx context.Context) error {
	const script = `read -r word; echo "$word from $(uname -sm)"; echo "this is standard error" >&2; exit 7`
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

// copies sends a file there and back, and compares.
func (t *trial) copies(ctx context.Context) error {
	sent, err := t.writeRandom("sent")
	if err != nil {
		return err
	}
	there := remote.Copy{Paths: []string{t.file("sent")}, Dest: "there"}
	if err := t.copy(ctx, "put", there, (*remote.Client).Put); err != nil {
		return err
	}
	back := remote.Copy{Paths: []string{"there"}, Dest: t.file("back")}
	if err := t.copy(ctx, "get", back, (*remote.Client).Get); err != nil {
		return err
	}
	came, err := hashFile(t.file("back"))
	if err != nil {
		return err
	}
	if came != sent {
		return fmt.Errorf("what came back is not what was sent: BLAKE3 %s, not %s", came, sent)
	}
	t.step("hash", "BLAKE3 %s… both of what was sent and of what came back", came[:16])
	return nil
}

func (t *trial) copy(ctx context.Context, name string, c remote.Copy, method copyMethod) error {
	start := time.Now()
	c.OnError = func(name string, err error) { t.a.fail(fmt.Errorf("%s: %w", name, err)) }
	r, err := method(t.client, ctx, c)
	if err != nil {
		return err
	}
	if r.Failed > 0 || r.Bytes != trySize {
		return fmt.Errorf("%s: %d bytes were copied, not %d", name, r.Bytes, trySize)
	}
	took := time.Since(start)
	t.step(name, "%s in %s, %s/s, encrypted and hashed", size(r.Bytes), round(took), size(rate(r.Bytes, took)))
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
