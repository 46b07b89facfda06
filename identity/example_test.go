package identity_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"

	"landline/identity"
)

// Two sides meet that know each other by their SSH keys.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	host, user := newSigner(), newSigner()
	authorizedKeys, knownHosts := filepath.Join(dir, "authorized_keys"), filepath.Join(dir, "known_hosts")
	if err := os.WriteFile(authorizedKeys, append([]byte("no-pty "), ssh.MarshalAuthorizedKey(user.PublicKey())...), 0o600); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	near, far := net.Pipe()

	go func() {
		server := &identity.Server{HostKeys: []ssh.Signer{host}, AuthorizedKeys: authorizedKeys}
		conn, peer, err := server.Handshake(ctx, far)
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Fprintf(conn, "welcome; you may have a terminal: %v", !peer.Permit.NoPTY)
		conn.Close()
	}()

	own, err := identity.Delegate(identity.RoleClient, []ssh.Signer{user}, time.Hour, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	client := &identity.Client{Delegation: own, KnownHosts: identity.KnownHosts{File: knownHosts, AcceptNew: true}}
	conn, met, err := client.Handshake(ctx, near, "shed:7373")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	said, err := io.ReadAll(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the host was new: %v\nit said: %s\n", met.New, said)
	// Output:
	// the host was new: true
	// it said: welcome; you may have a terminal: false
}

func newSigner() ssh.Signer {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		log.Fatal(err)
	}
	return s
}
