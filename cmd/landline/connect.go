package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"landline/identity"
	"landline/remote"
)

// connectWithin bounds the way from the name to the end of the handshake.
const connectWithin = 20 * time.Second

// lineFlags are what every verb with a HOST takes.
type lineFlags struct {
	identities []string
	knownHosts string
	acceptNew  bool
}

func (f *lineFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.identities, "identity", "i", nil, "private key `FILE` (may repeat; default the agent, then ~/.ssh/id_ed25519, id_ecdsa, id_rsa)")
	cmd.Flags().StringVar(&f.knownHosts, "known-hosts", "", "`FILE` that says which keys hosts have (default ~/.ssh/known_hosts)")
	cmd.Flags().BoolVar(&f.acceptNew, "accept-new", false, "write down the key of a host that is not known yet")
}

// connect makes the line to a host.
func (a *app) connect(ctx context.Context, f *lineFlags, h host) (*remote.Client, error) {
	nc, err := a.dial(ctx, f, h)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, &exitError{exitLandline, fmt.Errorf("%s: %w", h.text, plain(err))}
	}
	return remote.NewClient(nc, software), nil
}

// dial connects, and for TCP settles who is who.
func (a *app) dial(ctx context.Context, f *lineFlags, h host) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectWithin, fmt.Errorf("no connection within %v", connectWithin))
	defer cancel()
	if h.network == "unix" {
		return new(net.Dialer).DialContext(ctx, "unix", h.addr)
	}
	own := make(chan delegated, 1)
	go func() { own <- f.delegate(ctx) }()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", h.addr)
	d := <-own
	if err != nil {
		return nil, err
	}
	if d.err != nil {
		raw.Close()
		return nil, d.err
	}
	known := identity.KnownHosts{File: f.knownHosts, AcceptNew: f.acceptNew}
	client := identity.Client{Delegation: d.Delegation, KnownHosts: known}
	nc, found, err := client.Handshake(ctx, raw, h.addr)
	if key, ok := errors.AsType[*identity.HostKeyError](err); ok && a.accept(&known, key) {
		return a.dial(ctx, f, h)
	}
	if err != nil {
		return nil, err
	}
	if found.New {
		a.say("%s is new here; its key %s is written down", h.addr, found.Fingerprint)
	}
	return nc, nil
}

type delegated struct {
	*identity.Delegation
	err error
}

// delegate lets the user's keys sign, while the network is on its way.
func (f *lineFlags) delegate(ctx context.Context) delegated {
	keys := identity.Keys{Files: f.identities}
	if canAsk() {
		keys.Ask = askPassphrase
	}
	d, err := keys.Delegate(ctx, time.Hour, time.Now())
	return delegated{d, err}
}

// accept asks the person at the terminal, if there is one, about an unknown host.
func (a *app) accept(known *identity.KnownHosts, e *identity.HostKeyError) bool {
	if e.Problem != identity.HostKeyUnknown || !canAsk() {
		return false
	}
	a.fail(fmt.Errorf("%w", errors.New(e.Error())))
	if !askYes("landline: is that the host you mean?") {
		return false
	}
	if _, err := known.Add(e.Host, e.Got); err != nil {
		a.fail(err)
		return false
	}
	return true
}

// plain takes the wrapping off network errors that repeats the address.
func plain(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return &hinted{errors.New("no such host: " + dns.Name), "is the name right?"}
	}
	op, ok := errors.AsType[*net.OpError](err)
	if !ok {
		return err
	}
	if op.Timeout() {
		return &hinted{errors.New("no answer"), "is the machine on, and the port open?"}
	}
	if errno, ok := errnoOf(op.Err); ok {
		return errno
	}
	return op.Err
}
