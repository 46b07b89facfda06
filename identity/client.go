package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Client shows a delegation to servers that known_hosts knows. Its
// fields must not change after first use. Its methods may be called concurrently.
type Client struct {
	// Delegation is what servers are shown. It must not be nil.
	Delegation *Delegation

	// KnownHosts says which keys hosts have.
	KnownHosts KnownHosts

	// Now is the clock. If nil, time.Now.
	Now func() time.Time

	sessions tls.ClientSessionCache // if nil, no session is resumed
}

// A Host is a server that answered with a key that is known to be its own.
type Host struct {
	Key         ssh.PublicKey // as it was shown: a key or a certificate
	Fingerprint string        // of the plain key, SHA256:...
	New         bool          // it was not known and has been written down now
}

// A hungUp is the end of a connection that the other side closed before it had shown
// who it is. It is an [io.EOF].
type hungUp struct{}

func (hungUp) Error() string { return "the server closed the connection in the handshake" }
func (hungUp) Unwrap() error { return io.EOF }

// Handshake does the client's side of TLS on raw and checks that the answer
// comes from host, written name:port as the user typed it. It ends with ctx.
// If it fails, raw is closed; the error is a [*HostKeyError] if the host's
// key is to blame, and an [io.EOF] if the server hangs up. When it returns, the server may still refuse: see [Refused].
func (c *Client) Handshake(ctx context.Context, raw net.Conn, host string) (*Conn, Host, error) {
	conn, found, err := c.handshake(ctx, raw, host)
	if err != nil {
		raw.Close()
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			err = hungUp{}
		}
		return nil, Host{}, err
	}
	return conn, found, nil
}

func (c *Client) handshake(ctx context.Context, raw net.Conn, host string) (*Conn, Host, error) {
	if now := c.now(); !now.Before(c.Delegation.Expires().Add(Skew)) {
		return nil, Host{}, fmt.Errorf("%w: it ended at %s", ErrExpired, stamp(c.Delegation.Expires()))
	}
	var found verdict
	conf := c.Delegation.tlsConfig(c.Now)
	conf.ClientSessionCache = c.sessions
	conf.InsecureSkipVerify = true // no chains and names here: VerifyConnection judges
	conf.VerifyConnection = func(cs tls.ConnectionState) (err error) {
		found, err = c.judge(cs, host)
		return err
	}
	batch := &batchConn{Conn: raw}
	conn := &Conn{tls.Client(batch, conf), batch}
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, Host{}, err
	}
	h := Host{Key: found.proof.key, Fingerprint: ssh.FingerprintSHA256(plainKey(found.proof.key))}
	// Only now has the server proven that it holds its key, so only now is it written down.
	if found.unknown {
		added, err := c.KnownHosts.Add(host, found.proof.key)
		if err != nil {
			return nil, Host{}, err
		}
		h.New = added
	}
	return conn, h, nil
}

// judge finds the key of the server's that is known to be host's.
func (c *Client) judge(cs tls.ConnectionState, host string) (verdict, error) {
	if err := checkProtocol(cs); err != nil {
		return verdict{}, err
	}
	now := c.now()
	claim, err := readClaim(cs.PeerCertificates, RoleServer, now)
	if err != nil {
		return verdict{}, err
	}
	v, err := c.KnownHosts.find(host, claim.proofs, now)
	if err != nil {
		return verdict{}, err
	}
	return v, claim.verify(v.proof)
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
