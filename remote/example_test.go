package remote_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"landline/identity"
	"landline/remote"
)

// A server and a client at the two ends of a pipe.
func Example() {
	ctx := context.Background()
	near, far := net.Pipe()
	served := make(chan error)
	go func() {
		var server remote.Server
		served <- server.ServeConn(ctx, far, remote.Guest{Name: "example"})
	}()

	client := remote.NewClient(near, "example/1")
	result, err := client.Run(ctx, remote.Command{
		Args:   []string{"sh", "-c", "tr a-z A-Z; exit 3"},
		Stdin:  strings.NewReader("what goes in\n"),
		Stdout: os.Stdout,
	})
	fmt.Println(result.Reason, result.Code, result.StdoutBytes, err)

	client.Close()
	fmt.Println(<-served)
	// Output:
	// WHAT GOES IN
	// exited 3 13 <nil>
	// <nil>
}

// A server on TCP, which lets in who ~/.ssh/authorized_keys lets in.
func ExampleServer() {
	key, _, err := identity.HostKey("", "/var/lib/example") // sshd's, or one that is made there
	if err != nil {
		log.Fatal(err)
	}
	known := &identity.Server{HostKeys: []ssh.Signer{key}}
	server := remote.Server{
		Admit: func(ctx context.Context, raw net.Conn) (net.Conn, remote.Guest, error) {
			conn, peer, err := known.Handshake(ctx, raw)
			if err != nil {
				return nil, remote.Guest{}, err
			}
			// Without Command, a key that command="…" limits could do anything.
			return conn, remote.Guest{Name: peer.Fingerprint, Command: peer.Permit.Command}, nil
		},
	}
	ln, err := net.Listen("tcp", ":7373")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(context.Background(), ln))
}

// A client on TCP, with the keys and known_hosts that ssh has.
func ExampleNewClient() {
	const host = "shed:7373"
	ctx := context.Background()
	own, err := identity.Keys{}.Delegate(ctx, identity.MaxLife, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	raw, err := net.Dial("tcp", host)
	if err != nil {
		log.Fatal(err)
	}
	known := &identity.Client{Delegation: own}
	conn, _, err := known.Handshake(ctx, raw, host)
	if err != nil {
		log.Fatal(err)
	}
	client := remote.NewClient(conn, "example/1")
	defer client.Close()
	result, err := client.Run(ctx, remote.Command{Args: []string{"uptime"}, Stdout: os.Stdout})
	switch {
	case identity.Refused(err):
		fmt.Println("not let in")
	case err != nil:
		fmt.Println("nobody knows what happened:", err)
	case !result.Success():
		fmt.Println("it failed:", result.Reason, result.Code, result.Error)
	}
}
