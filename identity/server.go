package identity

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os/user"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// ErrNotAuthorized says that authorized_keys lets none of the peer's keys in.
// The error around it says why each key that stands there does not do.
var ErrNotAuthorized = errors.New("not authorized")

// A Server lets in who authorized_keys lets in. Its fields must not change
// after first use. Its methods may be called concurrently.
type Server struct {
	// HostKeys sign for the server. There must be at least one.
	HostKeys []ssh.Signer

	// AuthorizedKeys is the file that says who may come in, read anew for each
	// connection. If empty, ~/.ssh/authorized_keys.
	AuthorizedKeys string

	// User is whom a user's certificate must name if no principals= says
	// otherwise. If empty, the user that this process runs as.
	User string

	// Log hears of lines that are skipped and keys that are refused. If nil, nothing is logged.
	Log *slog.Logger

	// Now is the clock. If nil, time.Now.
	Now func() time.Time

	identity atomic.Pointer[serverIdentity]
	renewing sync.Mutex // held by the one that signs; the others wait for what it makes
}

// A Peer is somebody who was let in.
type Peer struct {
	Key         ssh.PublicKey // as it was shown: a key or a certificate
	Fingerprint string        // of the plain key, SHA256:...
	Comment     string        // of the line that let it in, or the certificate's key id
	Line        int           // the line's number in authorized_keys
	Permit      Permit
}

// A Permit is what the options of a key's line, and of its certificate, leave to it.
// The zero value leaves all.
type Permit struct {
	// Command, if not empty, is the only command that may be run, whatever is asked for.
	// Nothing else may be done either: no copying of files, no forwarding of ports.
	Command string

	NoPTY        bool // no terminal
	NoForwarding bool // no carrying of ports
}

// A serverIdentity is a delegation and what lives as long as it.
type serverIdentity struct {
	own     *Delegation
	tickets [32]byte  // key of session tickets: none outlives the delegation it was made under
	renew   time.Time // when to make the next
}

// Handshake does the server's side of TLS on raw and decides whether the
// peer is let in. It ends with ctx, which should have a deadline of some
// seconds. If it fails, raw is closed.
func (s *Server) Handshake(ctx context.Context, raw net.Conn) (*Conn, Peer, error) {
	id, err := s.current()
	if err != nil {
		raw.Close()
		return nil, Peer{}, err
	}
	var peer Peer
	conf := id.own.tlsConfig(s.Now)
	conf.ClientAuth = tls.RequireAnyClientCert
	conf.SetSessionTicketKeys([][32]byte{id.tickets})
	// This runs before the peer has proven that it holds its key, so it must have no effect
	// but its result.
	conf.VerifyConnection = func(cs tls.ConnectionState) (err error) {
		peer, err = s.judge(cs, ipOf(raw.RemoteAddr()))
		return err
	}
	batch := &batchConn{Conn: raw}
	conn := &Conn{tls.Server(batch, conf), batch}
	if err := conn.HandshakeContext(ctx); err != nil {
		linger(ctx, raw)
		return nil, Peer{}, err
	}
	return conn, peer, nil
}

// judge decides whether the peer is let in.
func (s *Server) judge(cs tls.ConnectionState, from netip.Addr) (Peer, error) {
	if err := checkProtocol(cs); err != nil {
		return Peer{}, err
	}
	now := s.now()
	c, err := readClaim(cs.PeerCertificates, RoleClient, now)
	if err != nil {
		return Peer{}, err
	}
	name, err := s.authorizedKeys()
	if err != nil {
		return Peer{}, err
	}
	entries, err := readAuthorizedKeys(name, s.log())
	if err != nil {
		return Peer{}, err
	}
	a := authorizer{file: name, entries: entries, from: from, now: now, user: s.user, log: s.log()}
	return a.choose(c)
}

// current returns the server's identity, renewed by half of its life.
func (s *Server) current() (*serverIdentity, error) {
	if id := s.identity.Load(); id != nil && s.now().Before(id.renew) {
		return id, nil
	}
	s.renewing.Lock()
	defer s.renewing.Unlock()
	old := s.identity.Load()
	if old != nil && s.now().Before(old.renew) {
		return old, nil
	}
	id, err := s.renew()
	if err != nil {
		if old != nil && s.now().Before(old.own.Expires()) {
			s.log().Warn("the host key does not sign; going on with what it signed before", "err", err)
			return old, nil
		}
		return nil, err
	}
	s.identity.Store(id)
	return id, nil
}

func (s *Server) renew() (*serverIdentity, error) {
	now := s.now()
	own, err := Delegate(RoleServer, s.HostKeys, MaxLife, now)
	if err != nil {
		return nil, err
	}
	id := &serverIdentity{own: own, renew: now.Add(MaxLife / 2)}
	rand.Read(id.tickets[:]) // never fails
	return id, nil
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Server) log() *slog.Logger { return orSilent(s.Log) }

func (s *Server) authorizedKeys() (string, error) {
	if s.AuthorizedKeys != "" {
		return s.AuthorizedKeys, nil
	}
	return inSSHFolder("authorized_keys")
}

// user returns whom certificates must name.
func (s *Server) user() (string, error) {
	if s.User != "" {
		return s.User, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	return u.Username, nil
}

// ipOf returns the IP address in a, invalid if there is none.
func ipOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap().WithZone("")
}

func orSilent(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
