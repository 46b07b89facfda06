package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

func TestLetsInWhoIsAuthorized(t *testing.T) {
	w := newWorld(t)
	m := w.meet()
	m.wantLetIn(t)
	if want := ssh.FingerprintSHA256(w.userKey.PublicKey()); m.peer.Fingerprint != want {
		t.Errorf("the server met %s, want %s", m.peer.Fingerprint, want)
	}
	if m.peer.Comment != "who@where" || m.peer.Line != 1 || m.peer.Permit != (Permit{}) {
		t.Errorf("the server met %+v", m.peer)
	}
	if want := ssh.FingerprintSHA256(w.hostKey.PublicKey()); m.host.Fingerprint != want || m.host.New {
		t.Errorf("the client met %+v, want %s", m.host, want)
	}
	cs := m.client.ConnectionState()
	if cs.Version != tls.VersionTLS13 || cs.NegotiatedProtocol != "landline/1" || cs.CurveID != tls.X25519MLKEM768 {
		t.Errorf("TLS %x, protocol %q, curve %v", cs.Version, cs.NegotiatedProtocol, cs.CurveID)
	}
}

func TestRefusesUnknownUser(t *testing.T) {
	w := newWorld(t)
	w.authorize("", newKey(t).PublicKey())
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
}

func TestTakesTheFirstKeyThatIsAuthorized(t *testing.T) {
	w := newWorld(t)
	w.client.Delegation = w.delegate(RoleClient, newKey(t), newKey(t), w.userKey)
	m := w.meet()
	m.wantLetIn(t)
	if m.peer.Fingerprint != ssh.FingerprintSHA256(w.userKey.PublicKey()) {
		t.Errorf("let in as %s", m.peer.Fingerprint)
	}
}

// forge makes a delegation whose claim change has falsified, before it is signed if
// before is true and after it otherwise.
func (w *world) forge(role Role, signer ssh.Signer, before bool, change func(*claim)) *Delegation {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		w.t.Fatal(err)
	}
	begin := w.now.UTC().Truncate(time.Second)
	c := &claim{role: role, notBefore: begin, notAfter: begin.Add(time.Hour), spki: spki}
	if before {
		change(c)
	}
	c.sign([]ssh.Signer{signer})
	if !before {
		change(c)
	}
	d := &Delegation{}
	if d.cert, err = c.certificate(key); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// asServer makes d what the server shows.
func (w *world) asServer(d *Delegation) {
	w.server.identity.Store(&serverIdentity{own: d, renew: w.now.Add(time.Hour)})
}

var forgeries = []struct {
	name   string
	before bool // the SSH key signs the change, too
	change func(c *claim)
	want   error
}{
	{"expired", true, func(c *claim) { c.shift(-time.Hour - Skew) }, ErrExpired},
	{"not yet valid", true, func(c *claim) { c.shift(Skew + 2*time.Second) }, ErrNotYetValid},
	{"too long", true, func(c *claim) { c.notAfter = c.notBefore.Add(MaxLife + time.Second) }, ErrTooLong},
	{"ends before it begins", true, func(c *claim) { c.notAfter = c.notBefore.Add(-time.Second) }, ErrMalformed},
	{"prolonged after signing", false, func(c *claim) { c.notAfter = c.notAfter.Add(time.Hour) }, ErrSignature},
	{"begun earlier after signing", false, func(c *claim) { c.notBefore = c.notBefore.Add(-time.Minute) }, ErrSignature},
	{"for another P-256 key", true, func(c *claim) { c.spki = c.spki[:len(c.spki)-1] }, ErrSignature},
	{"other role", true, func(c *claim) { c.role = c.role.other() }, ErrWrongRole},
	{"unknown role", true, func(c *claim) { c.role = "gateway" }, ErrMalformed},
	{"no key", false, func(c *claim) { c.proofs = nil }, ErrMalformed},
	{"nine keys", false, func(c *claim) { c.repeat(9) }, ErrMalformed},
	{"signature flipped", false, func(c *claim) { c.proofs[0].sig[len(c.proofs[0].sig)-1] ^= 1 }, ErrSignature},
	{"too large", false, func(c *claim) { c.proofs[0].sig = append(c.proofs[0].sig, make([]byte, maxCertificate)...) }, ErrMalformed},
	{"signature empty", false, func(c *claim) { c.proofs[0].sig = nil }, ErrSignature},
}

func (c *claim) shift(d time.Duration) {
	c.notBefore, c.notAfter = c.notBefore.Add(d), c.notAfter.Add(d)
}

func (c *claim) repeat(n int) {
	for len(c.proofs) < n {
		c.proofs = append(c.proofs, c.proofs[0])
	}
}

func (r Role) other() Role {
	if r == RoleClient {
		return RoleServer
	}
	return RoleClient
}

func TestServerRefusesForgedDelegation(t *testing.T) {
	for _, f := range forgeries {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld(t)
			w.client.Delegation = w.forge(RoleClient, w.userKey, f.before, f.change)
			w.meetWith(w.plainClient(w.client.Delegation.cert)).wantTurnedAway(t, f.want)
		})
	}
}

func TestClientRefusesForgedDelegation(t *testing.T) {
	for _, f := range forgeries {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld(t)
			w.asServer(w.forge(RoleServer, w.hostKey, f.before, f.change))
			if m := w.meet(); !errors.Is(m.clientErr, f.want) {
				t.Errorf("client: %v, want %v", m.clientErr, f.want)
			}
		})
	}
}

func TestAllowsForClocksThatDiffer(t *testing.T) {
	for _, shift := range []time.Duration{-time.Hour - Skew + 2*time.Second, Skew - 2*time.Second} {
		w := newWorld(t)
		shifted := func(c *claim) { c.shift(shift) }
		w.client.Delegation = w.forge(RoleClient, w.userKey, true, shifted)
		w.asServer(w.forge(RoleServer, w.hostKey, true, shifted))
		w.meet().wantLetIn(t)
	}
}

func TestRefusesUsersKeyPosingAsHosts(t *testing.T) {
	w := newWorld(t)
	w.know(worldHost, w.userKey.PublicKey()) // even if the host were known by the user's key
	w.asServer(w.client.Delegation)
	if m := w.meet(); !errors.Is(m.clientErr, ErrWrongRole) {
		t.Errorf("client: %v, want %v", m.clientErr, ErrWrongRole)
	}
}

func TestRefusesHostsKeyPosingAsUsers(t *testing.T) {
	w := newWorld(t)
	w.authorize("", w.hostKey.PublicKey())
	d := w.delegate(RoleServer, w.hostKey)
	w.meetWith(w.plainClient(d.cert)).wantTurnedAway(t, ErrWrongRole)
}

// The role is signed: what a user's key signed is nothing to a client, whatever it says now.
func TestRefusesDelegationWhoseRoleWasChanged(t *testing.T) {
	w := newWorld(t)
	d := w.forge(RoleServer, w.userKey, false, func(c *claim) { c.role = RoleClient })
	w.meetWith(w.plainClient(d.cert)).wantTurnedAway(t, ErrSignature)
	w.asServer(w.forge(RoleClient, w.hostKey, false, func(c *claim) { c.role = RoleServer }))
	if m := w.meet(); !errors.Is(m.clientErr, ErrSignature) {
		t.Errorf("client: %v, want %v", m.clientErr, ErrSignature)
	}
}

func TestRefusesSignatureOfAnotherKind(t *testing.T) {
	for _, test := range []struct {
		hash      sshsig.HashAlgorithm
		namespace string
		want      error
	}{
		{sshsig.HashSHA512, namespace, nil},
		{sshsig.HashSHA256, namespace, ErrSignature},
		{sshsig.HashSHA512, "file", ErrSignature},
	} {
		w := newWorld(t)
		d := w.forge(RoleClient, w.userKey, false, func(c *claim) {
			sig, err := sshsig.Sign(bytes.NewReader(c.message()), w.userKey, test.hash, test.namespace)
			if err != nil {
				t.Fatal(err)
			}
			c.proofs[0].sig = sig.Marshal()
		})
		if m := w.meetWith(w.plainClient(d.cert)); !errors.Is(m.serverErr, test.want) {
			t.Errorf("%s, %s: %v, want %v", test.hash, test.namespace, m.serverErr, test.want)
		}
	}
}

// stolen returns d's certificate with a key that is not its own.
func stolen(t *testing.T, d *Delegation) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: d.cert.Certificate, PrivateKey: key}
}

func TestServerRefusesDelegationReplayedWithoutItsKey(t *testing.T) {
	w := newWorld(t)
	m := w.meetWith(w.plainClient(stolen(t, w.client.Delegation)))
	if m.serverErr == nil || !strings.Contains(m.serverErr.Error(), "invalid signature by the client certificate") {
		t.Errorf("server: %v, want TLS to miss the key", m.serverErr)
	}
}

func TestClientRefusesDelegationReplayedWithoutItsKey(t *testing.T) {
	w := newWorld(t)
	w.asServer(&Delegation{cert: stolen(t, w.delegate(RoleServer, w.hostKey))})
	m := w.meet()
	if m.clientErr == nil || !strings.Contains(m.clientErr.Error(), "invalid signature by the server certificate") {
		t.Errorf("client: %v, want TLS to miss the key", m.clientErr)
	}
}

func TestWritesNothingDownBeforeTheHostProvedItsKey(t *testing.T) {
	w := newWorld(t)
	w.write("known_hosts", "")
	w.client.KnownHosts.AcceptNew = true
	w.asServer(&Delegation{cert: stolen(t, w.delegate(RoleServer, w.hostKey))})
	if m := w.meet(); m.clientErr == nil {
		t.Fatal("a replayed delegation was accepted")
	}
	if got := w.read("known_hosts"); got != "" {
		t.Errorf("written down: %q", got)
	}
}

// plainClient is a client that checks nothing and shows cert.
func (w *world) plainClient(certs ...tls.Certificate) func(context.Context, net.Conn) (*tls.Conn, Host, error) {
	return func(ctx context.Context, raw net.Conn) (*tls.Conn, Host, error) {
		conn := tls.Client(raw, &tls.Config{
			InsecureSkipVerify: true,
			NextProtos:         []string{protocol},
			Certificates:       certs,
		})
		return conn, Host{}, conn.HandshakeContext(ctx)
	}
}

func TestRefusesPeerWithoutDelegation(t *testing.T) {
	w := newWorld(t)
	if m := w.meetWith(w.plainClient()); m.serverErr == nil || !Refused(m.clientErr) {
		t.Errorf("server: %v; client: %v", m.serverErr, m.clientErr)
	}
	twice := w.client.Delegation.cert
	twice.Certificate = append(twice.Certificate, twice.Certificate...)
	w.meetWith(w.plainClient(twice)).wantTurnedAway(t, ErrMalformed)
}

func TestRefusesDelegationToAnotherKindOfKey(t *testing.T) {
	w := newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	begin := w.now.UTC().Truncate(time.Second)
	c := &claim{role: RoleClient, notBefore: begin, notAfter: begin.Add(time.Hour), spki: spki}
	c.sign([]ssh.Signer{w.userKey})
	cert, err := c.certificate(key)
	if err != nil {
		t.Fatal(err)
	}
	w.meetWith(w.plainClient(cert)).wantTurnedAway(t, ErrMalformed)
}

func TestRefusesPeerOfAnotherProtocol(t *testing.T) {
	w := newWorld(t)
	m := w.meetWith(func(ctx context.Context, raw net.Conn) (*tls.Conn, Host, error) {
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{w.client.Delegation.cert}})
		return conn, Host{}, conn.HandshakeContext(ctx)
	})
	m.wantTurnedAway(t, ErrMalformed)

	m = w.meetWith(func(ctx context.Context, raw net.Conn) (*tls.Conn, Host, error) {
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
		return conn, Host{}, conn.HandshakeContext(ctx)
	})
	if m.serverErr == nil || m.clientErr == nil {
		t.Error("TLS 1.2 was spoken")
	}
}

func TestRefusesUnknownHost(t *testing.T) {
	w := newWorld(t)
	w.write("known_hosts", "")
	w.wantHostKeyProblem(HostKeyUnknown, 0)
}

func TestRefusesChangedHostKey(t *testing.T) {
	for _, acceptNew := range []bool{false, true} {
		for _, name := range []string{"shed:7373", "shed:22"} { // the entry for the port, and that for the host
			w := newWorld(t)
			w.client.KnownHosts.AcceptNew = acceptNew
			other := newKey(t).PublicKey()
			w.know(name, other)
			before := w.read("known_hosts")
			e := w.wantHostKeyProblem(HostKeyChanged, 1)
			if len(e.Want) != 1 || keyText(e.Want[0]) != keyText(other) || keyText(e.Got) != keyText(w.hostKey.PublicKey()) {
				t.Errorf("got %v, want %v", e.Got, e.Want)
			}
			if w.read("known_hosts") != before {
				t.Error("known_hosts was written to")
			}
		}
	}
}

func TestRefusesRevokedHostKey(t *testing.T) {
	for _, acceptNew := range []bool{false, true} {
		w := newWorld(t)
		w.client.KnownHosts.AcceptNew = acceptNew
		w.write("known_hosts", w.read("known_hosts")+"@revoked * "+keyText(w.hostKey.PublicKey())+"\n")
		w.wantHostKeyProblem(HostKeyRevoked, 2)
	}
}

// wantHostKeyProblem has the client refuse the server for its key.
func (w *world) wantHostKeyProblem(problem HostKeyProblem, line int) *HostKeyError {
	w.t.Helper()
	m := w.meet()
	var e *HostKeyError
	if !errors.As(m.clientErr, &e) {
		w.t.Fatalf("client: %v, want a HostKeyError", m.clientErr)
	}
	if e.Problem != problem || e.Line != line || e.Host != worldHost || e.File != w.path("known_hosts") {
		w.t.Errorf("client: %+v, want problem %d at line %d", e, problem, line)
	}
	if m.serverErr == nil {
		w.t.Error("the server was not told")
	}
	return e
}

func TestAcceptsNewHostOnceAndKnowsItThen(t *testing.T) {
	w := newWorld(t)
	w.write("known_hosts", "")
	w.client.KnownHosts.AcceptNew = true
	for i, isNew := range []bool{true, false} {
		m := w.meet()
		m.wantLetIn(t)
		if m.host.New != isNew {
			t.Errorf("meeting %d: new is %v", i, m.host.New)
		}
	}
	if want := "[shed]:7373 " + keyText(w.hostKey.PublicKey()) + "\n"; w.read("known_hosts") != want {
		t.Errorf("known_hosts is %q, want %q", w.read("known_hosts"), want)
	}
}

func TestRefusesKeyWithOptionThatIsNotObeyed(t *testing.T) {
	for _, option := range []string{`environment="A=b"`, `permitopen="localhost:80"`, "tunnel=\"0\"", "no-touch-required", "agent-forwarding", "soup"} {
		w := newWorld(t)
		w.authorize(option, w.userKey.PublicKey())
		m := w.meet()
		m.wantTurnedAway(t, ErrNotAuthorized)
		if name, _, _ := strings.Cut(option, "="); !strings.Contains(m.serverErr.Error(), name) {
			t.Errorf("server: %v, want it to name %s", m.serverErr, name)
		}
	}
}

func TestObeysFrom(t *testing.T) {
	w := newWorld(t)
	w.authorize(`from="10.0.0.0/8,127.0.0.*"`, w.userKey.PublicKey())
	w.meet().wantLetIn(t)
	w.authorize(`from="127.0.0.0/8,!127.0.0.1"`, w.userKey.PublicKey())
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
}

func TestRemovedKeyKeepsItsConnectionAndIsRefusedNext(t *testing.T) {
	w := newWorld(t)
	m := w.meet()
	m.wantLetIn(t)
	w.write("authorized_keys", "")
	if _, err := m.client.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(m.server, make([]byte, 1)); err != nil {
		t.Errorf("the connection that stood has ended: %v", err)
	}
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
}

// A oneSession remembers one session whatever the server's address is.
type oneSession struct {
	mu    sync.Mutex
	state *tls.ClientSessionState
}

func (s *oneSession) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.state != nil
}

func (s *oneSession) Put(_ string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// resuming returns a world whose next meeting resumes a session, having shown that it would.
func resuming(t *testing.T, life time.Duration) *world {
	t.Helper()
	w := newWorld(t)
	w.client.sessions = &oneSession{}
	d, err := Delegate(RoleClient, []ssh.Signer{w.userKey}, life, w.now)
	if err != nil {
		t.Fatal(err)
	}
	w.client.Delegation = d
	for _, want := range []bool{false, true} {
		m := w.meet()
		m.wantLetIn(t)
		if m.client.ConnectionState().DidResume != want || m.server.ConnectionState().DidResume != want {
			t.Fatalf("resumed: want %v", want)
		}
	}
	return w
}

func TestRefusesResumptionAfterTheKeyWasRemoved(t *testing.T) {
	w := resuming(t, time.Hour)
	w.write("authorized_keys", "")
	m := w.meet()
	m.wantTurnedAway(t, ErrNotAuthorized)
	if !m.client.ConnectionState().DidResume {
		t.Error("it was not a resumption that was refused")
	}
}

func TestRefusesResumptionAfterTheOptionsChanged(t *testing.T) {
	w := resuming(t, time.Hour)
	w.authorize(`from="192.0.2.1"`, w.userKey.PublicKey())
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
}

func TestRefusesResumptionAfterTheHostKeyWasRevoked(t *testing.T) {
	w := resuming(t, time.Hour)
	w.write("known_hosts", "@revoked * "+keyText(w.hostKey.PublicKey())+"\n")
	w.wantHostKeyProblem(HostKeyRevoked, 1)
}

func TestRefusesResumptionAfterTheDelegationExpired(t *testing.T) {
	w := resuming(t, time.Hour)
	w.meet().wantLetIn(t)
	early := w.now
	w.client.Now = func() time.Time { return early }
	w.now = w.client.Delegation.Expires().Add(Skew)
	w.meet().wantTurnedAway(t, ErrExpired)
}

func TestTicketsDieWithTheServersDelegation(t *testing.T) {
	w := resuming(t, MaxLife)
	w.now = w.now.Add(MaxLife/2 + time.Minute)
	m := w.meet()
	m.wantLetIn(t)
	if m.client.ConnectionState().DidResume {
		t.Error("a session was resumed past the delegation that it began under")
	}
}

// A countingSigner counts its signatures and fails if err is set.
type countingSigner struct {
	ssh.Signer
	n   atomic.Int32
	err error
}

func (s *countingSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	s.n.Add(1)
	if s.err != nil {
		return nil, s.err
	}
	return s.Signer.Sign(rand, data)
}

func TestOneSignatureServesManyConnections(t *testing.T) {
	w := newWorld(t)
	host, user := &countingSigner{Signer: w.hostKey}, &countingSigner{Signer: w.userKey}
	w.server.HostKeys = []ssh.Signer{host}
	w.client.Delegation = w.delegate(RoleClient, user)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { w.meet().wantLetIn(t) })
	}
	wg.Wait()
	if h, u := host.n.Load(), user.n.Load(); h != 1 || u != 1 {
		t.Errorf("the host signed %d times, the user %d times; want 1 and 1", h, u)
	}
}

func TestServerRenewsItsDelegation(t *testing.T) {
	w := newWorld(t)
	host := &countingSigner{Signer: w.hostKey}
	w.server.HostKeys = []ssh.Signer{host}
	for _, step := range []struct {
		after time.Duration
		fails bool
		signs int32
	}{
		{0, false, 1},
		{MaxLife/2 - time.Minute, false, 1},
		{MaxLife/2 + time.Minute, true, 2}, // goes on with the old one
		{MaxLife/2 + time.Minute, false, 3},
		{MaxLife + time.Minute, false, 4},
	} {
		begin := time.Now()
		w.now = begin.Add(step.after)
		host.err = nil
		if step.fails {
			host.err = errors.New("no")
		}
		w.client.Delegation = w.delegate(RoleClient, w.userKey)
		w.meet().wantLetIn(t)
		if n := host.n.Load(); n != step.signs {
			t.Errorf("after %v the host has signed %d times, want %d", step.after, n, step.signs)
		}
	}
}

func TestServerWithoutHostKeyAnswersNobody(t *testing.T) {
	w := newWorld(t)
	w.server.HostKeys = nil
	if m := w.meet(); !errors.Is(m.serverErr, ErrNoSigner) || m.clientErr == nil {
		t.Errorf("server: %v; client: %v", m.serverErr, m.clientErr)
	}
}

func TestClientDoesNotDialOutWithAnExpiredDelegation(t *testing.T) {
	w := newWorld(t)
	w.now = w.now.Add(MaxLife + Skew + time.Second)
	if m := w.meet(); !errors.Is(m.clientErr, ErrExpired) {
		t.Errorf("client: %v, want %v", m.clientErr, ErrExpired)
	}
}

func TestHandshakeEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	near, far := loopback(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.client.Handshake(ctx, near, worldHost); !errors.Is(err, context.Canceled) {
		t.Errorf("client: %v", err)
	}
	if _, _, err := w.server.Handshake(ctx, far); !errors.Is(err, context.Canceled) {
		t.Errorf("server: %v", err)
	}
	if _, err := far.Write([]byte{0}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection of a failed handshake is open: %v", err)
	}
}

func TestAServerThatHangsUpIsSaidToHave(t *testing.T) {
	for _, said := range []string{"", "\x16\x03\x03\x00\x40amid a record"} {
		w := newWorld(t)
		near, far := loopback(t)
		go func() {
			discard(far, 1)
			io.WriteString(far, said)
			far.(*net.TCPConn).CloseWrite()
		}()
		if _, _, err := w.client.Handshake(t.Context(), near, worldHost); err != (hungUp{}) || !errors.Is(err, io.EOF) {
			t.Errorf("after %q: %v", said, err)
		}
	}
}

func TestServerRefusesWhatIsNotTLS(t *testing.T) {
	for _, hello := range []string{"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\x00\x00\x00\x00", ""} {
		w := newWorld(t)
		near, far := loopback(t)
		if _, err := io.WriteString(near, hello); err != nil {
			t.Fatal(err)
		}
		near.(*net.TCPConn).CloseWrite()
		if _, _, err := w.server.Handshake(t.Context(), far); err == nil {
			t.Errorf("%q was let in", hello)
		}
	}
}

// A recordingConn notes how it is closed.
type recordingConn struct {
	*net.TCPConn
	closed []string
}

func (c *recordingConn) CloseWrite() error {
	c.closed = append(c.closed, "write")
	return c.TCPConn.CloseWrite()
}

func (c *recordingConn) Close() error {
	c.closed = append(c.closed, "all")
	return c.TCPConn.Close()
}

// A connection that is closed with unread data is reset, and the reset may overtake the alert. So what the client
// has sent by then must be read first.
func TestRefusalIsHeardByAClientThatHasWritten(t *testing.T) {
	w := newWorld(t)
	w.authorize("", newKey(t).PublicKey())
	near, far := loopback(t)
	recorded := &recordingConn{TCPConn: far.(*net.TCPConn)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.server.Handshake(t.Context(), recorded)
	}()
	conn, _, err := w.client.Handshake(t.Context(), near, worldHost)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !Refused(err) {
		t.Errorf("read: %v, want to be told of the refusal", err)
	}
	near.Close()
	<-done
	if got := strings.Join(recorded.closed, ","); got != "write,all" {
		t.Errorf("the server closed %s, want its own direction first", got)
	}
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection is open: %v", err)
	}
}
