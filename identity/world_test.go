package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a server and a client with a home of their own, who know each
// other: the client's key is in authorized_keys, the server's in known_hosts.
type world struct {
	t       testing.TB
	home    string
	now     time.Time
	hostKey ssh.Signer
	userKey ssh.Signer
	server  *Server
	client  *Client
}

const worldHost = "shed:7373"

func newWorld(t testing.TB) *world {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("SSH_AUTH_SOCK", "")
	w := &world{t: t, home: home, now: time.Now(), hostKey: newKey(t), userKey: newKey(t)}
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.authorize("", w.userKey.PublicKey())
	w.know(worldHost, w.hostKey.PublicKey())
	clock := func() time.Time { return w.now }
	w.server = &Server{HostKeys: []ssh.Signer{w.hostKey}, Now: clock}
	w.client = &Client{Delegation: w.delegate(RoleClient, w.userKey), Now: clock}
	return w
}

func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return signerOf(t, key)
}

func signerOf(t testing.TB, key any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keyText returns a key as text files hold it.
func keyText(key ssh.PublicKey) string {
	return key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())
}

func (w *world) path(name string) string { return filepath.Join(w.home, ".ssh", name) }

func (w *world) write(name, content string) string {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return w.path(name)
}

func (w *world) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// writeKey writes a private key in OpenSSH's format.
func (w *world) writeKey(name string, key any) string {
	w.t.Helper()
	block, err := ssh.MarshalPrivateKey(key, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.write(name, string(pem.EncodeToMemory(block)))
}

// authorize makes authorized_keys hold key alone, after options.
func (w *world) authorize(options string, key ssh.PublicKey) {
	if options != "" {
		options += " "
	}
	w.write("authorized_keys", options+keyText(key)+" who@where\n")
}

// know makes known_hosts hold one line.
func (w *world) know(host string, key ssh.PublicKey) {
	w.t.Helper()
	line, err := HostLine(host, key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("known_hosts", line+"\n")
}

func (w *world) delegate(role Role, signers ...ssh.Signer) *Delegation {
	w.t.Helper()
	d, err := Delegate(role, signers, 0, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// A meeting is how a handshake went on both sides. The connections are open as
// far as the handshakes succeeded.
type meeting struct {
	clientErr, serverErr error
	client, server       *tls.Conn
	host                 Host
	peer                 Peer
}

// meet has the client dial the server over loopback.
func (w *world) meet() meeting {
	w.t.Helper()
	return w.meetWith(func(ctx context.Context, raw net.Conn) (*tls.Conn, Host, error) {
		c, h, err := w.client.Handshake(ctx, raw, worldHost)
		if err != nil {
			return nil, h, err
		}
		return c.Conn, h, nil
	})
}

func (w *world) meetWith(client func(context.Context, net.Conn) (*tls.Conn, Host, error)) meeting {
	w.t.Helper()
	near, far := loopback(w.t)
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	var m meeting
	done := make(chan struct{})
	go func() {
		defer close(done)
		var c *Conn
		if c, m.peer, m.serverErr = w.server.Handshake(ctx, far); c != nil {
			m.server = c.Conn
		}
	}()
	m.client, m.host, m.clientErr = client(ctx, near)
	if m.clientErr == nil {
		// The client's side is done before the server's verdict, which the first read tells.
		m.clientErr = m.firstRead(done)
	}
	if m.clientErr != nil {
		near.Close()
	}
	<-done
	return m
}

// firstRead has the server say a byte, if it let the client in, and the client read it.
func (m *meeting) firstRead(done <-chan struct{}) error {
	said := make(chan struct{})
	go func() {
		defer close(said)
		<-done
		if m.serverErr == nil {
			m.server.Write([]byte{'!'})
		}
	}()
	_, err := io.ReadFull(m.client, make([]byte, 1))
	if err != nil {
		m.client.NetConn().Close() // the server need not wait for more
	}
	<-said
	return err
}

// loopback returns both ends of a TCP connection, closed when the test ends.
func loopback(t testing.TB) (near, far net.Conn) {
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
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func (m meeting) wantLetIn(t *testing.T) {
	t.Helper()
	if m.clientErr != nil || m.serverErr != nil {
		t.Fatalf("client: %v; server: %v; want both to succeed", m.clientErr, m.serverErr)
	}
}

// wantTurnedAway checks that the server refused for the reason want and that the client is told.
func (m meeting) wantTurnedAway(t *testing.T, want error) {
	t.Helper()
	if !errors.Is(m.serverErr, want) {
		t.Errorf("server: %v, want %v", m.serverErr, want)
	}
	if !Refused(m.clientErr) {
		t.Errorf("client: %v, want to be told of the refusal", m.clientErr)
	}
}
