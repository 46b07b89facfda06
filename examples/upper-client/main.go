// Command upper-client sends the lines that are typed to an upper-server, and prints the answers:
//
//	go run ./examples/upper-client 127.0.0.1:7000
//	go run ./examples/upper-client -tap tap0 -addr 10.0.0.2/24 10.0.0.1:7000
package main

import (
	"context"
	"flag"
	"log"
	"os"

	"landline/examples/upper"
)

func main() {
	tap := flag.String("tap", "", "be a machine of its own, on the TAP device of this `name`")
	addr := flag.String("addr", "10.0.0.2/24", "the address of that machine")
	flag.Parse()
	network, err := upper.Open(*tap, *addr)
	if err != nil {
		log.Fatal(err)
	}
	c, err := network.DialContext(context.Background(), "tcp", flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	if err := upper.Ask(c, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}
