package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"landline/identity"
	"landline/remote"
)

const (
	// connectWithin bounds the way to the other machine, and then the handshake.
	connectWithin = 20 * time.Second
	// staleAfter is when a connection on which nothing has been said is made anew;
	// a server gives it 10 seconds.
	staleAfter = 5 * time.Second
)

// lineFlags are what every verb with a HOST takes.
type lineFlags struct {
	identities []string
	knownHosts string
	acceptNew  bool
}

func (f *lineFlags) register(cmd *cobra.Command) {
	cmd.ValidArgsFunction = completeHosts
	cmd.Flags().StringArrayVarP(&f.identities, "identity", "i", nil, "private key `FILE` (may repeat; default the agent, then ~/.ssh/id_ed25519, id_ecdsa, id_rsa)")
	cmd.Flags().StringVar(&f.knownHosts, "known-hosts", "", "`FILE` that says which keys hosts have (default ~/.ssh/known_hosts)")
	cmd.Flags().BoolVar(&f.acceptNew, "accept-new", false, "write down the key of a host that is not known yet")
}

// check finds out early which of the keys are not there.
func (f *lineFlags) check() error {
	for _, name := range f.identities {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("-i %s: no such file", name)
		}
	}
	return nil
}

// connect makes the line to a host. The error does not name the host.
func (a *app) connect(ctx context.Context, f *lineFlags, h host) (*remote.Client, error) {
	return a.dialer(f, h).connect(ctx)
}

func (a *app) dialer(f *lineFlags, h host) *dialer {
	d := &dialer{a: a, flags: f, host: h, addr: h.addr, keys: new(wallet)}
	if h.network == "tcp" {
		name, _, _ := net.SplitHostPort(h.addr)
		d.ssh = a.sshHost(name)
		d.addr, d.knownAs = d.ssh.address(h.addr)
	}
	return d
}

// connect makes a line, as often as it is called.
func (d *dialer) connect(ctx context.Context) (*remote.Client, error) {
	nc, err := d.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, plain(err)
	}
	return remote.NewClient(nc, software), nil
}

// lasting makes broken lines anew until within is over.
func (d *dialer) lasting(within time.Duration) *remote.Lasting {
	return &remote.Lasting{
		Dial:   d.connect,
		Within: within,
		Hopeless: func(err error) bool {
			_, key := errors.AsType[*identity.HostKeyError](err)
			return key || notLetIn(err) || errors.Is(err, identity.ErrNoSigner)
		},
		Broke: func(err error) {
			d.a.say("%s: %v; trying again for %v", d.host.text, afterwards(err), within)
		},
		Mended: func() { d.a.say("%s: the line stands again", d.host.text) },
	}
}

// A dialer connects to one host, and for TCP settles who is who.
type dialer struct {
	a      *app
	flags  *lineFlags
	host   host
	keys   *wallet
	many   bool // hosts, so that nobody is asked about each
	seated bool // the terminal is a command's, so that nobody is asked

	ssh     sshHost
	addr    string               // where it is: host's, unless ~/.ssh/config knows better
	knownAs string               // its name in known_hosts, name:port
	own     *identity.Delegation // what keys gave
}

func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	if d.a.dial != nil {
		return d.a.dial(ctx, d.host)
	}
	if d.host.network == "unix" {
		return d.reach(ctx)
	}
	raw, err := d.prepare(ctx)
	if err != nil {
		return nil, err
	}
	nc, err := d.greet(ctx, raw)
	if key, ok := errors.AsType[*identity.HostKeyError](err); ok && d.accept(ctx, key) {
		if raw, err = d.reach(ctx); err == nil {
			nc, err = d.greet(ctx, raw)
		}
	}
	return nc, err
}

// reach opens a connection: on a LAN that is up here if the host is called as one of its machines. For a Unix socket it
// makes sure whose it is.
func (d *dialer) reach(ctx context.Context) (net.Conn, error) {
	if d.host.network == "unix" {
		return d.reachWorld(ctx)
	}
	l, err := lanOf(ctx, d.addr)
	if err != nil {
		return nil, err
	}
	if l != nil {
		return l.dialMachine(ctx, d.addr)
	}
	nc, err := d.reachWorld(ctx)
	return nc, hintLAN(ctx, d.addr, err)
}

func (d *dialer) reachWorld(ctx context.Context) (net.Conn, error) {
	dial := net.Dialer{Timeout: connectWithin}
	nc, err := dial.DialContext(ctx, d.host.network, d.addr)
	if c, ok := nc.(*net.UnixConn); ok {
		if err := checkOwner(c); err != nil {
			c.Close()
			return nil, err
		}
	}
	return nc, err
}

// prepare opens a connection and has the user's keys sign meanwhile. A
// passphrase is asked for once it is known that somebody answers.
func (d *dialer) prepare(ctx context.Context) (net.Conn, error) {
	signed := make(chan error, 1)
	go func() { signed <- d.sign(ctx, nil) }()
	raw, err := d.reach(ctx)
	since := time.Now()
	serr := <-signed
	if err != nil {
		return nil, err
	}
	if errors.Is(serr, identity.ErrPassphrase) && d.canAsk() {
		serr = d.sign(ctx, passphraseAsker(ctx))
	}
	if serr != nil {
		raw.Close()
		return nil, serr
	}
	if time.Since(since) > staleAfter {
		raw.Close()
		return d.reach(ctx)
	}
	return raw, nil
}

// sign lets the user's keys sign for this client, unless they have.
func (d *dialer) sign(ctx context.Context, ask func(string) ([]byte, error)) (err error) {
	d.own, err = d.keys.sign(ctx, d.identities(), ask)
	return err
}

// identities are the files of the keys to use, none if the usual ones.
func (d *dialer) identities() []string {
	if len(d.flags.identities) > 0 {
		return d.flags.identities
	}
	return d.ssh.identities
}

// canAsk says whether there is a person to ask about this host alone.
func (d *dialer) canAsk() bool { return !d.many && !d.seated && canAsk() }

// greet does the handshake.
func (d *dialer) greet(ctx context.Context, raw net.Conn) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	client := identity.Client{Delegation: d.own, KnownHosts: d.known()}
	nc, found, err := client.Handshake(ctx, raw, d.knownAs)
	if err != nil {
		return nil, err
	}
	if found.New {
		d.a.say("%s is new here; its key %s is written down", d.knownAs, found.Fingerprint)
	}
	return nc, nil
}

func (d *dialer) known() identity.KnownHosts {
	return identity.KnownHosts{File: cmp.Or(d.flags.knownHosts, d.ssh.knownHosts), AcceptNew: d.flags.acceptNew}
}

// accept asks the person at the terminal, if there is one, about an unknown host.
func (d *dialer) accept(ctx context.Context, e *identity.HostKeyError) bool {
	if e.Problem != identity.HostKeyUnknown || !d.canAsk() {
		return false
	}
	tell(e.Error())
	if !askYes(ctx, "landline: is that the host you mean?") {
		return false
	}
	known := d.known()
	if _, err := known.Add(e.Host, e.Got); err != nil {
		d.a.fail(err)
		return false
	}
	return true
}

// speaksOtherwise says whether a server of TLS has no protocol in common with landline.
func speaksOtherwise(err error) bool {
	const noApplicationProtocol = tls.AlertError(120)
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" && op.Err.Error() == noApplicationProtocol.Error()
}

// plain says what a failure to connect means, without the address.
func plain(err error) error {
	if h, ok := err.(*hinted); ok {
		return &hinted{plain(h.error), h.advice}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return &hinted{errors.New("no such host"), "is the name right? getent hosts " + dns.Name}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || speaksOtherwise(err) {
		return &hinted{errors.New("what answers there is not landline"), "is the port right? without one it is " + defaultPort}
	}
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), ok && op.Timeout():
		return &hinted{fmt.Errorf("no answer within %v", connectWithin), "is the machine on, and the port open?"}
	case !ok:
		return err
	case op.Net == "unix" && errors.Is(err, fs.ErrNotExist):
		return &hinted{bare(err), `is "landline serve --unix PATH" running?`}
	case op.Net == "unix" && errors.Is(err, fs.ErrPermission):
		return &hinted{bare(err), "the socket is for the user who serves alone"}
	}
	return bare(op.Err)
}
