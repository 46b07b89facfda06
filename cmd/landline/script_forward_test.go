//go:build unix

package main

import (
	"bytes"
	"io"
	"net"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdCapitals answers each connection in capitals, when it has heard all.
func cmdCapitals(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv(args[0], ln.Addr().String())
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if text, err := io.ReadAll(c); err == nil {
					c.Write(bytes.ToUpper(text))
				}
			}()
		}
	}()
}
