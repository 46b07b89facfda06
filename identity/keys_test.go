package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func ed25519Key(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKey returns the one RSA key of these tests: it takes long to make.
func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := oneRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var oneRSAKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func ecdsaKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed returns the fingerprints of the keys that signed.
func signed(d *Delegation) []string {
	var s []string
	for _, k := range d.Keys {
		s = append(s, k.Type()+" "+ssh.FingerprintSHA256(plainKey(k)))
	}
	return s
}

func (w *world) keys(k Keys) *Delegation {
	w.t.Helper()
	d, err := k.Delegate(w.t.Context(), 0, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func wantSigned(t *testing.T, d *Delegation, want ...ssh.PublicKey) {
	t.Helper()
	var names []string
	for _, k := range want {
		names = append(names, describe(k))
	}
	if got := signed(d); !slices.Equal(got, names) {
		t.Errorf("signed by %q, want %q (skipped: %v)", got, names, d.Skipped)
	}
}

func TestKeysOfEveryKindLetIn(t *testing.T) {
	for name, key := range map[string]any{
		"ed25519": ed25519Key(t), "rsa": rsaKey(t), "p256": ecdsaKey(t, elliptic.P256()),
		"p384": ecdsaKey(t, elliptic.P384()), "p521": ecdsaKey(t, elliptic.P521()),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := signerOf(t, key)
			file := w.writeKey("key", key)
			w.authorize("", s.PublicKey())
			w.know(worldHost, s.PublicKey())
			w.server.HostKeys = []ssh.Signer{s}
			w.client.Delegation = w.keys(Keys{Files: []string{file}})
			w.meet().wantLetIn(t)

			w.server.identity.Store(nil)
			w.server.HostKeys = []ssh.Signer{certify(t, s, s, names("shed"))}
			w.server.User = "alice"
			w.authorize("cert-authority", s.PublicKey())
			w.client.Delegation = w.delegate(RoleClient, certify(t, s, s, names("alice")))
			w.meet().wantLetIn(t)
		})
	}
}

func TestReadsPEMOfEveryKind(t *testing.T) {
	w := newWorld(t)
	rsaKey, ecKey, edKey := rsaKey(t), ecdsaKey(t, elliptic.P256()), ed25519Key(t)
	ecDER, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	edDER, err := x509.MarshalPKCS8PrivateKey(edKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		typ string
		der []byte
		key any
	}{
		{"RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), rsaKey},
		{"EC PRIVATE KEY", ecDER, ecKey},
		{"PRIVATE KEY", edDER, edKey},
	} {
		file := w.write("key", string(pem.EncodeToMemory(&pem.Block{Type: test.typ, Bytes: test.der})))
		wantSigned(t, w.keys(Keys{Files: []string{file}}), signerOf(t, test.key).PublicKey())
	}
}

func TestTakesTheUsualFilesInOrder(t *testing.T) {
	w := newWorld(t)
	ed, ec := ed25519Key(t), ecdsaKey(t, elliptic.P256())
	if _, err := (Keys{}).Delegate(t.Context(), 0, w.now); !errors.Is(err, ErrNoSigner) {
		t.Errorf("without any key: %v, want %v", err, ErrNoSigner)
	}
	w.writeKey("id_ecdsa", ec)
	w.writeKey("id_ed25519", ed)
	d := w.keys(Keys{})
	wantSigned(t, d, signerOf(t, ed).PublicKey(), signerOf(t, ec).PublicKey())
	if len(d.Skipped) != 0 {
		t.Errorf("skipped: %v", d.Skipped)
	}
	wantSigned(t, w.keys(Keys{Files: []string{w.path("id_ecdsa")}}), signerOf(t, ec).PublicKey())
}

func TestNamedFileMustBeThere(t *testing.T) {
	w := newWorld(t)
	w.writeKey("id_ed25519", ed25519Key(t))
	_, err := Keys{Files: []string{w.path("id_ed25519"), w.path("missing")}}.Delegate(t.Context(), 0, w.now)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("%v, want it to name the missing file", err)
	}
}

func TestRefusesPrivateKeyThatOthersMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are not checked on Windows")
	}
	w := newWorld(t)
	file := w.writeKey("id_ed25519", ed25519Key(t))
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		for _, k := range []Keys{{}, {Files: []string{file}}} {
			if _, err := k.Delegate(t.Context(), 0, w.now); !errors.Is(err, ErrKeyMode) || !strings.Contains(err.Error(), file) {
				t.Errorf("mode %o: %v, want %v", mode, err, ErrKeyMode)
			}
		}
	}
}

// asker answers in turn and keeps what was asked.
func asker(asked *[]string, answers ...string) func(string) ([]byte, error) {
	return func(prompt string) ([]byte, error) {
		*asked = append(*asked, prompt)
		if len(answers) == 0 {
			return nil, io.EOF
		}
		a := answers[0]
		answers = answers[1:]
		return []byte(a), nil
	}
}

// encrypted writes a key whose passphrase is "open sesame". It comes from ssh-keygen -a 1:
// with more rounds, each try would take seconds under the race detector.
func (w *world) encrypted(name string) (file string, public ssh.PublicKey) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "encrypted"))
	if err != nil {
		w.t.Fatal(err)
	}
	public, err = readPublic(filepath.Join("testdata", "encrypted.pub"))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.write(name, string(text)), public
}

func TestAsksForThePassphraseOfANamedKey(t *testing.T) {
	w := newWorld(t)
	file, public := w.encrypted("secret")
	var asked []string
	d := w.keys(Keys{Files: []string{file}, Ask: asker(&asked, "wrong", "open sesame")})
	wantSigned(t, d, public)
	if want := "Enter passphrase for key '" + file + "': "; !slices.Equal(asked, []string{want, want}) {
		t.Errorf("asked %q", asked)
	}
}

func TestGivesUpOnAPassphrase(t *testing.T) {
	w := newWorld(t)
	file, _ := w.encrypted("secret")
	for _, test := range []struct {
		answers []string
		times   int
		want    string
	}{
		{[]string{"a", "b", "c", "open sesame"}, 3, "wrong"},
		{[]string{""}, 1, "wrong"},
		{nil, 1, "EOF"},
	} {
		var asked []string
		_, err := Keys{Files: []string{file}, Ask: asker(&asked, test.answers...)}.Delegate(t.Context(), 0, w.now)
		if err == nil || !strings.Contains(err.Error(), test.want) || len(asked) != test.times {
			t.Errorf("%q: %v after %d questions", test.answers, err, len(asked))
		}
	}
	_, err := Keys{Files: []string{file}}.Delegate(t.Context(), 0, w.now)
	if !errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), file) {
		t.Errorf("with nobody to ask: %v, want %v", err, ErrPassphrase)
	}
}

func TestAsksForUsualFilesOnlyWithoutAnotherKey(t *testing.T) {
	w := newWorld(t)
	_, public := w.encrypted("id_ed25519")
	var asked []string
	wantSigned(t, w.keys(Keys{Ask: asker(&asked, "open sesame")}), public)
	if len(asked) != 1 {
		t.Errorf("asked %d times, want once", len(asked))
	}
	ec := ecdsaKey(t, elliptic.P256())
	w.writeKey("id_ecdsa", ec)
	asked = nil
	d := w.keys(Keys{Ask: asker(&asked)})
	wantSigned(t, d, signerOf(t, ec).PublicKey())
	if len(asked) != 0 || len(d.Skipped) != 1 {
		t.Errorf("asked %q, skipped %v", asked, d.Skipped)
	}
}

func TestShowsTheCertificateBesideAKey(t *testing.T) {
	w := newWorld(t)
	key := ed25519Key(t)
	s := signerOf(t, key)
	file := w.writeKey("key", key)
	cert := certify(t, newKey(t), s, names("alice")).PublicKey()
	w.write("key-cert.pub", string(ssh.MarshalAuthorizedKey(cert)))
	counted := &countingSigner{Signer: s}
	wantSigned(t, w.keys(Keys{Files: []string{file}}), cert, s.PublicKey())

	// Shown twice, but signed once.
	c, err := ssh.NewCertSigner(cert.(*ssh.Certificate), counted)
	if err != nil {
		t.Fatal(err)
	}
	wantSigned(t, w.delegate(RoleClient, c, counted), cert, s.PublicKey())
	if n := counted.n.Load(); n != 1 {
		t.Errorf("signed %d times, want once", n)
	}

	other := certify(t, newKey(t), newKey(t), names("alice")).PublicKey()
	w.write("key-cert.pub", string(ssh.MarshalAuthorizedKey(other)))
	d := w.keys(Keys{Files: []string{file}})
	wantSigned(t, d, s.PublicKey())
	if len(d.Skipped) != 1 || !strings.Contains(d.Skipped[0].Error(), "key-cert.pub") {
		t.Errorf("skipped %v, want the certificate", d.Skipped)
	}
}

func TestSkipsKeysThatDoNotSign(t *testing.T) {
	w := newWorld(t)
	bad := &countingSigner{Signer: newKey(t), err: errors.New("user said no")}
	good := newKey(t)
	d := w.delegate(RoleClient, bad, good)
	wantSigned(t, d, good.PublicKey())
	if len(d.Skipped) != 1 || !errors.Is(d.Skipped[0], bad.err) {
		t.Errorf("skipped %v", d.Skipped)
	}
	_, err := Delegate(RoleClient, []ssh.Signer{bad}, 0, w.now)
	if !errors.Is(err, ErrNoSigner) || !errors.Is(err, bad.err) || !strings.Contains(err.Error(), describe(bad.PublicKey())) {
		t.Errorf("%v, want it to name the key and the reason", err)
	}
}

func TestEightKeysSignAtMost(t *testing.T) {
	w := newWorld(t)
	var signers []ssh.Signer
	for range 10 {
		signers = append(signers, newKey(t))
	}
	w.authorize("", signers[7].PublicKey())
	w.client.Delegation = w.delegate(RoleClient, signers...)
	if d := w.client.Delegation; len(d.Keys) != 8 || len(d.Skipped) != 2 {
		t.Errorf("%d signed, %d skipped", len(d.Keys), len(d.Skipped))
	}
	w.meet().wantLetIn(t)
}

func TestLifeIsBounded(t *testing.T) {
	w := newWorld(t)
	for life, want := range map[time.Duration]time.Duration{
		0: MaxLife, -1: MaxLife, MaxLife + 1: MaxLife, time.Hour: time.Hour, MaxLife: MaxLife,
	} {
		d, err := Delegate(RoleClient, []ssh.Signer{w.userKey}, life, w.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Expires().Sub(w.now.Truncate(time.Second)); got != want {
			t.Errorf("life %v: %v, want %v", life, got, want)
		}
	}
}

// serveAgent serves an agent on a socket and returns the socket's name.
func serveAgent(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "a") // short, for names of sockets are bounded
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); serve(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait(); os.RemoveAll(dir) })
	return socket
}

// keyring returns an agent's socket, the agent holding keys.
func keyring(t *testing.T, keys ...any) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	return serveAgent(t, func(c net.Conn) { agent.ServeAgent(ring, c) })
}

func TestAgentsKeysComeFirst(t *testing.T) {
	w := newWorld(t)
	a, b, inFile := ed25519Key(t), rsaKey(t), ecdsaKey(t, elliptic.P256())
	w.writeKey("id_ecdsa", inFile)
	w.writeKey("id_ed25519", a) // the agent has it, too
	t.Setenv("SSH_AUTH_SOCK", keyring(t, b, a))
	d := w.keys(Keys{})
	wantSigned(t, d, signerOf(t, b).PublicKey(), signerOf(t, a).PublicKey(), signerOf(t, inFile).PublicKey())
	if len(d.Skipped) != 0 {
		t.Errorf("skipped: %v", d.Skipped)
	}
}

// decrypted is the private key of w.encrypted.
func (w *world) decrypted() any {
	w.t.Helper()
	file, _ := w.encrypted("decrypted")
	key, err := ssh.ParseRawPrivateKeyWithPassphrase([]byte(w.read(filepath.Base(file))), []byte("open sesame"))
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

func TestAgentStandsInForAnEncryptedFile(t *testing.T) {
	w := newWorld(t)
	file, public := w.encrypted("id_ed25519")
	other := ed25519Key(t)
	pub := w.write("other.pub", string(ssh.MarshalAuthorizedKey(signerOf(t, other).PublicKey())))
	socket := keyring(t, other, w.decrypted())
	wantSigned(t, w.keys(Keys{Files: []string{file}, Agent: socket}), public)
	wantSigned(t, w.keys(Keys{Files: []string{pub}, Agent: socket}), signerOf(t, other).PublicKey())
	wantSigned(t, w.keys(Keys{Agent: socket}), signerOf(t, other).PublicKey(), public)

	_, err := Keys{Files: []string{pub}, Agent: keyring(t)}.Delegate(t.Context(), 0, w.now)
	if err == nil || !strings.Contains(err.Error(), pub) {
		t.Errorf("an agent without the key: %v", err)
	}
}

func TestAgentStandsInForEncryptedPEM(t *testing.T) {
	w := newWorld(t)
	key := rsaKey(t)
	//lint:ignore SA1019 the format that ssh-keygen -m PEM still writes
	block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), []byte("secret"), x509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	file := w.write("key", string(pem.EncodeToMemory(block)))
	var asked []string
	wantSigned(t, w.keys(Keys{Files: []string{file}, Ask: asker(&asked, "secret")}), signerOf(t, key).PublicKey())
	w.write("key.pub", string(ssh.MarshalAuthorizedKey(signerOf(t, key).PublicKey())))
	wantSigned(t, w.keys(Keys{Files: []string{file}, Agent: keyring(t, key)}), signerOf(t, key).PublicKey())
}

func TestAgentsKeysOfEveryKindLetIn(t *testing.T) {
	w := newWorld(t)
	for _, key := range []any{ed25519Key(t), rsaKey(t), ecdsaKey(t, elliptic.P521())} {
		w.authorize("", signerOf(t, key).PublicKey())
		w.client.Delegation = w.keys(Keys{Agent: keyring(t, key)})
		w.meet().wantLetIn(t)
	}
}

// A refusingAgent lists keys and signs for none but those in allowed.
type refusingAgent struct {
	agent.ExtendedAgent
	allowed ssh.PublicKey
}

func (a refusingAgent) SignWithFlags(key ssh.PublicKey, data []byte, flags agent.SignatureFlags) (*ssh.Signature, error) {
	if a.allowed == nil || string(key.Marshal()) != string(a.allowed.Marshal()) {
		return nil, errors.New("the user said no")
	}
	return a.ExtendedAgent.SignWithFlags(key, data, flags)
}

func TestAgentThatRefuses(t *testing.T) {
	w := newWorld(t)
	ring := agent.NewKeyring().(agent.ExtendedAgent)
	a, b := ed25519Key(t), ed25519Key(t)
	for _, k := range []any{a, b} {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	none := serveAgent(t, func(c net.Conn) { agent.ServeAgent(refusingAgent{ExtendedAgent: ring}, c) })
	_, err := Keys{Agent: none}.Delegate(t.Context(), 0, w.now)
	if !errors.Is(err, ErrNoSigner) || !strings.Contains(err.Error(), describe(signerOf(t, a).PublicKey())) {
		t.Errorf("an agent that refuses all: %v", err)
	}
	one := serveAgent(t, func(c net.Conn) {
		agent.ServeAgent(refusingAgent{ring, signerOf(t, b).PublicKey()}, c)
	})
	d := w.keys(Keys{Agent: one})
	wantSigned(t, d, signerOf(t, b).PublicKey())
	if len(d.Skipped) != 1 {
		t.Errorf("skipped %v, want the refused key", d.Skipped)
	}
}

func TestAgentThatCannotBeAskedIsNoError(t *testing.T) {
	w := newWorld(t)
	key := ed25519Key(t)
	w.writeKey("id_ed25519", key)
	gone := w.write("no-socket", "")
	hangs := serveAgent(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	garbage := serveAgent(t, func(c net.Conn) { c.Write([]byte("\xff\xff\xff\xff\xff")); io.Copy(io.Discard, c) })
	ends := serveAgent(t, func(c net.Conn) {})
	for name, socket := range map[string]string{"gone": gone, "hangs": hangs, "garbage": garbage, "ends": ends} {
		d := w.keys(Keys{Agent: socket, Timeout: 50 * time.Millisecond})
		wantSigned(t, d, signerOf(t, key).PublicKey())
		if len(d.Skipped) != 1 || !strings.Contains(d.Skipped[0].Error(), "agent") {
			t.Errorf("%s: skipped %v, want the agent", name, d.Skipped)
		}
	}
}

func TestContextEndsTheTalkWithTheAgent(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	socket := serveAgent(t, func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil { // the question for its keys
			t.Error(err)
		}
		cancel()
		io.Copy(io.Discard, c)
	})
	_, err := Keys{Agent: socket}.Delegate(ctx, 0, w.now)
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "timeout") {
		t.Errorf("%v, want it to end with its context", err)
	}
}

// A silentAgent lists its keys and never signs.
type silentAgent struct {
	agent.ExtendedAgent
	done <-chan struct{}
}

func (a silentAgent) SignWithFlags(ssh.PublicKey, []byte, agent.SignatureFlags) (*ssh.Signature, error) {
	<-a.done
	return nil, io.EOF
}

func TestDoesNotWaitForeverForASignature(t *testing.T) {
	w := newWorld(t)
	for _, key := range []any{ed25519Key(t), rsaKey(t)} {
		ring := agent.NewKeyring().(agent.ExtendedAgent)
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		socket := serveAgent(t, func(c net.Conn) { agent.ServeAgent(silentAgent{ring, done}, c) })
		_, err := Keys{Agent: socket, Timeout: 50 * time.Millisecond}.Delegate(t.Context(), 0, w.now)
		close(done)
		if !errors.Is(err, ErrNoSigner) || !strings.Contains(err.Error(), "timeout") {
			t.Errorf("%v, want it to give up", err)
		}
	}
}

// A touchedKey is a security key in software: its signatures say whether it was touched.
type touchedKey struct {
	key     ed25519.PrivateKey
	touched bool
}

func (k touchedKey) PublicKey() ssh.PublicKey {
	pub, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Name        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, k.key.Public().(ed25519.PublicKey), "ssh:"}))
	if err != nil {
		panic(err)
	}
	return pub
}

func (k touchedKey) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	rest := []byte{0, 0, 0, 0, 7} // flags and counter
	if k.touched {
		rest[0] = 1
	}
	app, digest := sha256.Sum256([]byte("ssh:")), sha256.Sum256(data)
	sig := ed25519.Sign(k.key, slices.Concat(app[:], rest, digest[:]))
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: sig, Rest: rest}, nil
}

func TestSecurityKeyLetsInIfTouched(t *testing.T) {
	w := newWorld(t)
	k := touchedKey{ed25519Key(t), true}
	w.authorize("", k.PublicKey())
	w.client.Delegation = w.delegate(RoleClient, k)
	w.meet().wantLetIn(t)
	k.touched = false
	w.client.Delegation = w.delegate(RoleClient, k)
	w.meet().wantTurnedAway(t, ErrSignature)
}

// A hardwareAgent holds one security key.
type hardwareAgent struct {
	agent.ExtendedAgent
	key touchedKey
}

func (a hardwareAgent) List() ([]*agent.Key, error) {
	pub := a.key.PublicKey()
	return []*agent.Key{{Format: pub.Type(), Blob: pub.Marshal()}}, nil
}

func (a hardwareAgent) SignWithFlags(_ ssh.PublicKey, data []byte, _ agent.SignatureFlags) (*ssh.Signature, error) {
	return a.key.Sign(nil, data)
}

func TestUsesSecurityKeysOnlyIfAsked(t *testing.T) {
	w := newWorld(t)
	k := touchedKey{ed25519Key(t), true}
	ring := agent.NewKeyring().(agent.ExtendedAgent)
	socket := serveAgent(t, func(c net.Conn) { agent.ServeAgent(hardwareAgent{ring, k}, c) })
	if _, err := (Keys{Agent: socket}).Delegate(t.Context(), 0, w.now); !errors.Is(err, ErrNoSigner) || !strings.Contains(err.Error(), "touch") {
		t.Errorf("%v, want no key and the reason", err)
	}
	w.authorize("", k.PublicKey())
	w.client.Delegation = w.keys(Keys{Agent: socket, Hardware: true})
	w.meet().wantLetIn(t)
}
