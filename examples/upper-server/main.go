// Command upper-server answers lines on TCP in capitals, one client after another:
//
//	go run ./examples/upper-server 127.0.0.1:7000
//	go run ./examples/upper-server -tap tap0 -addr 10.0.0.2/24 :7000
package main

import (
	"context"
	"flag"
	"log"

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
	l, err := network.Listen(context.Background(), "tcp", flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	whose := ""
	if *tap != "" {
		whose = " of the machine " + *addr
	}
	log.Print("listening on ", l.Addr(), whose)
	log.Fatal(upper.Serve(l))
}
