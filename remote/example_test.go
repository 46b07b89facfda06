package remote_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"landline/remote"
)

// A server and a client at the two ends of a pipe. Over a network,
// identity.Server.Handshake and identity.Client.Handshake make the connections.
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
