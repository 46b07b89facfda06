//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdThrough says something through a forward that a LAN or a file has told of, and hears the answer out.
func cmdThrough(ts *testscript.TestScript, none bool, args []string) {
	var text string
	if isFile(ts.MkAbs(args[1])) {
		text = ts.ReadFile(args[1])
	} else {
		p := procOf(ts, args[1])
		p.await(ts, "forward of ", 1)
		text = p.err.String()
	}
	found := regexp.MustCompile(`(tcp|udp)[: ](\S+?)(?: to |=)`).FindStringSubmatch(text)
	if found == nil {
		ts.Fatalf("no forward in %q", text)
	}
	c, err := net.Dial(found[1], found[2])
	if none && errors.Is(err, syscall.ECONNRESET) {
		return
	}
	ts.Check(err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err = io.WriteString(c, args[2]); none && err != nil {
		return // a reset is told once: reading would find an end
	}
	if !none {
		ts.Check(err)
		ts.Check(c.(*net.TCPConn).CloseWrite())
	}
	answer, err := io.ReadAll(c)
	if none {
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			ts.Fatalf("the answer is %q, %v", answer, err)
		}
		return
	}
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), answer, 0o600))
}
