package interop

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"landline/identity"
)

// A sshWorld is a folder with a ~/.ssh in it and a server whose host key ssh-keygen made.
type sshWorld struct {
	t      *testing.T
	home   string
	server *identity.Server
	known  identity.KnownHosts
}

const sshHost = "shed:7373"

func newSSHWorld(t *testing.T) *sshWorld {
	t.Helper()
	need(t, "ssh-keygen")
	w := &sshWorld{t: t, home: t.TempDir()}
	t.Setenv("HOME", w.home)
	t.Setenv("SSH_AUTH_SOCK", "")
	if err := os.Mkdir(filepath.Join(w.home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	key, _, err := identity.HostKey(w.keygen("host", "", "-t", "ed25519"), "")
	if err != nil {
		t.Fatal(err)
	}
	w.server = &identity.Server{HostKeys: []ssh.Signer{key}, User: "alice"}
	w.known.File = w.path("known_hosts")
	w.write("known_hosts", "[shed]:7373 "+w.read("host.pub"))
	return w
}

func (w *sshWorld) path(name string) string { return filepath.Join(w.home, ".ssh", name) }

func (w *sshWorld) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *sshWorld) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// keygen has ssh-keygen make a key; few rounds guard its passphrase, for speed.
func (w *sshWorld) keygen(name, passphrase string, args ...string) string {
	w.t.Helper()
	if slices.Contains(args, "rsa") {
		return w.copyRSA(name, passphrase, args...)
	}
	run(w.t, "ssh-keygen", append([]string{"-q", "-a", "2", "-N", passphrase, "-C", name, "-f", w.path(name)}, args...)...)
	return w.path(name)
}

// rsaKeys are the RSA keys made so far by ssh-keygen's arguments: they take long to make.
var rsaKeys = make(map[string][2]string)

// copyRSA writes an RSA key that is made once.
func (w *sshWorld) copyRSA(name, passphrase string, args ...string) string {
	w.t.Helper()
	made := fmt.Sprint(args)
	if _, ok := rsaKeys[made]; !ok {
		run(w.t, "ssh-keygen", append([]string{"-q", "-N", "", "-C", "key", "-f", w.path(name)}, args...)...)
		rsaKeys[made] = [2]string{w.read(name), w.read(name + ".pub")}
	}
	w.write(name, rsaKeys[made][0])
	w.write(name+".pub", rsaKeys[made][1])
	if passphrase != "" {
		run(w.t, "ssh-keygen", append([]string{"-q", "-a", "2", "-p", "-P", "", "-N", passphrase, "-f", w.path(name)}, args[4:]...)...)
	}
	return w.path(name)
}

// delegate has the keys sign.
func (w *sshWorld) delegate(k identity.Keys) *identity.Delegation {
	w.t.Helper()
	d, err := k.Delegate(w.t.Context(), time.Hour, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// meet has a client with this delegation connect, and returns whom the server met and why
// either side refused.
func (w *sshWorld) meet(d *identity.Delegation) (peer identity.Peer, serverErr, clientErr error) {
	w.t.Helper()
	client := &identity.Client{Delegation: d, KnownHosts: w.known}
	near, far := tcpPair(w.t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conn *identity.Conn
		if conn, peer, serverErr = w.server.Handshake(w.t.Context(), far); serverErr == nil {
			conn.Write([]byte{'!'})
		}
	}()
	conn, _, clientErr := client.Handshake(w.t.Context(), near, sshHost)
	if clientErr == nil {
		_, clientErr = io.ReadFull(conn, make([]byte, 1))
	}
	near.Close()
	<-done
	far.Close()
	return peer, serverErr, clientErr
}

func (w *sshWorld) wantLetIn(d *identity.Delegation) identity.Peer {
	w.t.Helper()
	peer, serverErr, clientErr := w.meet(d)
	if serverErr != nil || clientErr != nil {
		w.t.Fatalf("server: %v; client: %v; want both to succeed", serverErr, clientErr)
	}
	return peer
}

func (w *sshWorld) wantTurnedAway(d *identity.Delegation, reason string) {
	w.t.Helper()
	_, serverErr, clientErr := w.meet(d)
	if !errors.Is(serverErr, identity.ErrNotAuthorized) || !identity.Refused(clientErr) {
		w.t.Fatalf("server: %v; client: %v; want a refusal", serverErr, clientErr)
	}
	if !strings.Contains(serverErr.Error(), reason) {
		w.t.Errorf("server: %v, want it to say %q", serverErr, reason)
	}
}

func tcpPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// kinds are the keys that ssh-keygen makes and landline takes.
var kinds = map[string][]string{
	"ed25519":  {"-t", "ed25519"},
	"ecdsa256": {"-t", "ecdsa", "-b", "256"},
	"ecdsa384": {"-t", "ecdsa", "-b", "384"},
	"ecdsa521": {"-t", "ecdsa", "-b", "521"},
	"rsa3072":  {"-t", "rsa", "-b", "3072"},
}

func TestKeysOfSSHKeygenLetIn(t *testing.T) {
	for kind, args := range kinds {
		formats := [][]string{nil}
		if kind != "ed25519" { // which has no PEM in OpenSSH
			formats = append(formats, []string{"-m", "PEM"})
		}
		for _, format := range formats {
			for _, passphrase := range []string{"", "open sesame"} {
				t.Run(fmt.Sprint(kind, format, passphrase), func(t *testing.T) {
					w := newSSHWorld(t)
					file := w.keygen("key", passphrase, append(args, format...)...)
					w.write("authorized_keys", w.read("key.pub"))
					asked := 0
					d := w.delegate(identity.Keys{Files: []string{file}, Ask: func(string) ([]byte, error) {
						asked++
						return []byte(passphrase), nil
					}})
					if peer := w.wantLetIn(d); peer.Comment != "key" {
						t.Errorf("let in as %+v", peer)
					}
					if want := min(1, len(passphrase)); asked != want {
						t.Errorf("asked for the passphrase %d times, want %d", asked, want)
					}
				})
			}
		}
	}
}

// startAgent starts a real ssh-agent and returns its socket.
func startAgent(t *testing.T, env ...string) string {
	t.Helper()
	tools := need(t, "ssh-agent", "ssh-add")
	dir, err := os.MkdirTemp("", "a") // short, for names of sockets are bounded
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(tools["ssh-agent"], "-D", "-a", socket)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	// It prints its variables once the socket is there.
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSH_AUTH_SOCK", socket)
	return socket
}

func TestKeysOfSSHAgentLetIn(t *testing.T) {
	for kind, args := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newSSHWorld(t)
			startAgent(t)
			file := w.keygen("key", "", args...)
			w.write("authorized_keys", w.read("key.pub"))
			run(t, "ssh-add", "-q", file)
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			w.wantLetIn(w.delegate(identity.Keys{}))
			w.wantLetIn(w.delegate(identity.Keys{Files: []string{file + ".pub"}}))
		})
	}
}

func TestSSHAgentStandsInForAnEncryptedKey(t *testing.T) {
	w := newSSHWorld(t)
	startAgent(t)
	file := w.keygen("key", "", "-t", "ed25519")
	w.write("authorized_keys", w.read("key.pub"))
	run(t, "ssh-add", "-q", file)
	run(t, "ssh-keygen", "-q", "-p", "-a", "2", "-P", "", "-N", "open sesame", "-f", file)
	w.wantLetIn(w.delegate(identity.Keys{Files: []string{file}})) // there is nobody to ask
}

func TestSSHAgentThatRefusesToSign(t *testing.T) {
	w := newSSHWorld(t)
	// Keys added with -c are confirmed by this program, which says no.
	startAgent(t, "SSH_ASKPASS=/bin/false", "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	guarded, free := w.keygen("guarded", "", "-t", "ed25519"), w.keygen("free", "", "-t", "ed25519")
	run(t, "ssh-add", "-q", "-c", guarded)
	_, err := identity.Keys{}.Delegate(t.Context(), 0, time.Now())
	if !errors.Is(err, identity.ErrNoSigner) {
		t.Fatalf("%v, want %v", err, identity.ErrNoSigner)
	}
	run(t, "ssh-add", "-q", free)
	w.write("authorized_keys", w.read("guarded.pub")+w.read("free.pub"))
	if peer := w.wantLetIn(w.delegate(identity.Keys{})); peer.Comment != "free" {
		t.Errorf("let in by the key %s", peer.Comment)
	}
	run(t, "ssh-add", "-q", "-D")
	if _, err := (identity.Keys{}).Delegate(t.Context(), 0, time.Now()); !errors.Is(err, identity.ErrNoSigner) {
		t.Errorf("an empty agent: %v, want %v", err, identity.ErrNoSigner)
	}
}

// certify makes an authority "ca", once, and has it sign NAME.pub.
func (w *sshWorld) certify(name string, args ...string) {
	w.t.Helper()
	if _, err := os.Stat(w.path("ca")); err != nil {
		w.keygen("ca", "", "-t", "ecdsa")
	}
	run(w.t, "ssh-keygen", append(append([]string{"-q", "-s", w.path("ca"), "-I", "id of " + name}, args...), w.path(name+".pub"))...)
}

func TestUserCertificatesOfSSHKeygen(t *testing.T) {
	none := identity.Permit{NoPTY: true, NoForwarding: true}
	for _, test := range []struct {
		name    string
		options string
		args    []string
		refused string // why, or empty if it is let in
		permit  identity.Permit
	}{
		{"plain", "", []string{"-n", "alice"}, "", identity.Permit{}},
		{"several names", "", []string{"-n", "bob,alice", "-V", "-1m:+1h"}, "", identity.Permit{}},
		{"restricted", "", []string{"-n", "alice", "-O", "clear"}, "", none},
		{"no pty", "", []string{"-n", "alice", "-O", "no-pty"}, "", identity.Permit{NoPTY: true}},
		{"forced command", "", []string{"-n", "alice", "-O", "force-command=echo hi"}, "", identity.Permit{Command: "echo hi"}},
		{"from here", "", []string{"-n", "alice", "-O", "source-address=127.0.0.0/8,::1/128"}, "", identity.Permit{}},
		{"principals of the line", `,principals="dev,ops"`, []string{"-n", "ops"}, "", identity.Permit{}},
		{"restricted line", ",restrict,pty", []string{"-n", "alice"}, "", identity.Permit{NoForwarding: true}},
		{"from elsewhere", "", []string{"-n", "alice", "-O", "source-address=192.0.2.0/24"}, "192.0.2.0/24", none},
		{"another name", "", []string{"-n", "bob"}, "bob", none},
		{"no name", "", nil, "none of", none},
		{"expired", "", []string{"-n", "alice", "-V", "20200101:20200201"}, "expired", none},
		{"not yet valid", "", []string{"-n", "alice", "-V", "+1d:+2d"}, "not yet valid", none},
		{"unknown critical option", "", []string{"-n", "alice", "-O", "critical:soup@example.com=x"}, "soup", none},
		{"verify-required", "", []string{"-n", "alice", "-O", "verify-required"}, "verify-required", none},
		{"a host's", "", []string{"-h", "-n", "alice"}, "not a user's", none},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newSSHWorld(t)
			file := w.keygen("key", "", "-t", "ed25519")
			w.certify("key", test.args...)
			w.write("authorized_keys", "cert-authority"+test.options+" "+w.read("ca.pub"))
			d := w.delegate(identity.Keys{Files: []string{file}}) // key-cert.pub lies beside it
			if test.refused != "" {
				w.wantTurnedAway(d, test.refused)
				return
			}
			if peer := w.wantLetIn(d); peer.Permit != test.permit || peer.Comment != "id of key" {
				t.Errorf("let in as %+v, want permit %+v", peer, test.permit)
			}
		})
	}
}

func TestCertificateInSSHAgentLetsIn(t *testing.T) {
	for _, kind := range []string{"ed25519", "rsa3072"} {
		t.Run(kind, func(t *testing.T) {
			w := newSSHWorld(t)
			startAgent(t)
			file := w.keygen("key", "", kinds[kind]...)
			w.certify("key", "-n", "alice")
			w.write("authorized_keys", "cert-authority "+w.read("ca.pub"))
			run(t, "ssh-add", "-q", file) // which takes the certificate along
			w.wantLetIn(w.delegate(identity.Keys{}))
		})
	}
}

func TestHostCertificatesOfSSHKeygen(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		ok   bool
	}{
		{"plain", []string{"-h", "-n", "shed"}, true},
		{"several names", []string{"-h", "-n", "desk,shed", "-V", "-1m:+1h"}, true},
		{"another name", []string{"-h", "-n", "desk"}, false},
		{"no name", []string{"-h"}, false},
		{"expired", []string{"-h", "-n", "shed", "-V", "20200101:20200201"}, false},
		{"a user's", []string{"-n", "shed"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newSSHWorld(t)
			w.certify("host", test.args...)
			w.write("known_hosts", "@cert-authority sh* "+w.read("ca.pub"))
			w.server.HostKeys = []ssh.Signer{certSigner(t, w.path("host"))}
			file := w.keygen("key", "", "-t", "ed25519")
			w.write("authorized_keys", w.read("key.pub"))
			_, _, err := w.meet(w.delegate(identity.Keys{Files: []string{file}}))
			var refused *identity.HostKeyError
			switch {
			case test.ok && err != nil:
				t.Errorf("refused: %v", err)
			case !test.ok && (!errors.As(err, &refused) || refused.Problem != identity.HostKeyBadCertificate):
				t.Errorf("%v, want its certificate to be refused", err)
			}
		})
	}
}

// certSigner returns the signer of a key that shows the certificate beside it.
func certSigner(t *testing.T, file string) ssh.Signer {
	t.Helper()
	key, err := identity.LoadKey(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file + "-cert.pub")
	if err != nil {
		t.Fatal(err)
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(pub.(*ssh.Certificate), key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSharesKnownHostsWithSSHKeygen(t *testing.T) {
	w := newSSHWorld(t)
	file := w.keygen("key", "", "-t", "ed25519")
	w.write("authorized_keys", w.read("key.pub"))
	w.write("known_hosts", "")
	w.known.AcceptNew = true
	d := w.delegate(identity.Keys{Files: []string{file}})
	w.wantLetIn(d)
	hosts := w.path("known_hosts")
	blob := strings.Fields(w.read("host.pub"))[1]
	find := func() string { return run(t, "ssh-keygen", "-F", "[shed]:7373", "-f", hosts) }
	if !strings.Contains(find(), blob) {
		t.Errorf("ssh-keygen -F does not find what was written down:\n%s", w.read("known_hosts"))
	}
	run(t, "ssh-keygen", "-q", "-H", "-f", hosts)
	if text := w.read("known_hosts"); strings.Contains(text, "shed") || !strings.HasPrefix(text, "|1|") {
		t.Fatalf("ssh-keygen -H did not hash it: %s", text)
	}
	w.known.AcceptNew = false
	w.wantLetIn(d)
	if !strings.Contains(find(), blob) {
		t.Error("it is lost")
	}
	run(t, "ssh-keygen", "-q", "-R", "[shed]:7373", "-f", hosts)
	_, _, err := w.meet(d)
	var unknown *identity.HostKeyError
	if !errors.As(err, &unknown) || unknown.Problem != identity.HostKeyUnknown {
		t.Errorf("after ssh-keygen -R: %v, want it to be unknown", err)
	}
}

// These write and read delegations by SPEC.md alone, as a client in another language would.

var extensionID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1818324580, 1}

func appendString(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// message is what keys sign.
func message(role string, notBefore, notAfter time.Time, spki []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, 1)
	b = appendString(b, []byte(role))
	b = binary.BigEndian.AppendUint64(b, uint64(notBefore.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(notAfter.Unix()))
	return appendString(b, spki)
}

func TestSSHKeygenVerifiesOurSignature(t *testing.T) {
	for kind, args := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newSSHWorld(t)
			file := w.keygen("key", "", args...)
			leaf := w.shownCertificate(w.delegate(identity.Keys{Files: []string{file}}))
			role, sig := readExtension(t, leaf)
			if role != "client" {
				t.Errorf("role %q", role)
			}
			armored := pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: sig})
			w.write("sig", string(armored))
			w.write("allowed", "alice "+w.read("key.pub"))
			verify := exec.CommandContext(t.Context(), "ssh-keygen", "-Y", "verify", "-f", w.path("allowed"), "-I", "alice",
				"-n", "landline-delegation", "-s", w.path("sig"))
			verify.Stdin = bytes.NewReader(message("client", leaf.NotBefore, leaf.NotAfter, leaf.RawSubjectPublicKeyInfo))
			if out, err := verify.CombinedOutput(); err != nil {
				t.Errorf("ssh-keygen -Y verify: %v\n%s", err, out)
			}
		})
	}
}

// shownCertificate returns the certificate that a client shows to a server written by SPEC.md.
func (w *sshWorld) shownCertificate(d *identity.Delegation) *x509.Certificate {
	w.t.Helper()
	near, far := tcpPair(w.t)
	defer near.Close()
	defer far.Close()
	key, cert := specCertificate(w.t, "server", func(msg []byte) (blob, sig []byte) {
		return signSSHSIG(w.t, w.path("host"), msg)
	})
	conn := tls.Server(far, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}},
		NextProtos:   []string{"landline/1"},
		ClientAuth:   tls.RequireAnyClientCert,
		MinVersion:   tls.VersionTLS13,
	})
	done := make(chan error, 1)
	go func() { done <- conn.HandshakeContext(w.t.Context()) }()
	client := &identity.Client{Delegation: d, KnownHosts: w.known}
	if _, _, err := client.Handshake(w.t.Context(), near, sshHost); err != nil {
		w.t.Fatal(err)
	}
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
	return conn.ConnectionState().PeerCertificates[0]
}

// readExtension returns the role and the first signature of a certificate's extension.
func readExtension(t *testing.T, leaf *x509.Certificate) (role string, sig []byte) {
	t.Helper()
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(extensionID) {
			continue
		}
		b := e.Value
		next := func() []byte {
			n := binary.BigEndian.Uint32(b)
			s := b[4 : 4+n]
			b = b[4+n:]
			return s
		}
		if v := binary.BigEndian.Uint32(b); v != 1 {
			t.Errorf("version %d", v)
		}
		b = b[4:]
		role = string(next())
		next() // the key
		return role, next()
	}
	t.Fatal("no extension")
	return "", nil
}

// specCertificate makes a certificate by SPEC.md; sign returns a key and its signature of a message.
func specCertificate(t *testing.T, role string, sign func(msg []byte) (blob, sig []byte)) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Truncate(time.Second)
	blob, sig := sign(message(role, begin, begin.Add(time.Hour), spki))
	value := binary.BigEndian.AppendUint32(nil, 1)
	value = appendString(value, []byte(role))
	value = appendString(value, blob)
	value = appendString(value, sig)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: begin, NotAfter: begin.Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: extensionID, Critical: true, Value: value}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

// signSSHSIG has ssh-keygen sign a message with the key in a file.
func signSSHSIG(t *testing.T, file string, msg []byte) (blob, sig []byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-Y", "sign", "-f", file, "-n", "landline-delegation")
	cmd.Stdin = bytes.NewReader(msg)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ssh-keygen -Y sign: %v", err)
	}
	block, _ := pem.Decode(out)
	if block == nil {
		t.Fatalf("ssh-keygen -Y sign printed %q", out)
	}
	key, err := identity.LoadKey(file)
	if err != nil {
		t.Fatal(err)
	}
	return key.PublicKey().Marshal(), block.Bytes
}

func TestServerLetsInAClientWrittenFromTheSpec(t *testing.T) {
	for kind, args := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := newSSHWorld(t)
			file := w.keygen("key", "", args...)
			w.write("authorized_keys", w.read("key.pub"))
			key, cert := specCertificate(t, "client", func(msg []byte) (blob, sig []byte) { return signSSHSIG(t, file, msg) })
			near, far := tcpPair(t)
			defer near.Close()
			defer far.Close()
			done := make(chan error, 1)
			go func() {
				_, _, err := w.server.Handshake(t.Context(), far)
				done <- err
			}()
			conn := tls.Client(near, &tls.Config{
				Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}},
				NextProtos:   []string{"landline/1"}, InsecureSkipVerify: true,
			})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := conn.HandshakeContext(ctx); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Errorf("server: %v", err)
			}
		})
	}
}
