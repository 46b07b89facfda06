// Command pktrun runs scripts in the packetdrill language against the stack, in virtual time.
//
//	pktrun [-profile linux|freebsd] [-tolerance 4ms] [-strict] [-q] FILE...
//
// For each script it prints "ok FILE" or "FAIL FILE:LINE: expected …, got …", and it exits with 1 if one
// failed. What of a script has no effect is told on standard error; "ok FILE (2 ignored)" counts the assertions
// among it, which were not checked. Packets that come after the last line pass without -strict.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"landline/internal/pkt"
)

func main() {
	var cfg pkt.Config
	profile := flag.String("profile", "linux", "the `system` whose ways the host has: linux or freebsd")
	flag.DurationVar(&cfg.Tolerance, "tolerance", 0, "how far from its `time` something may happen (what the script says, or 4ms)")
	flag.BoolVar(&cfg.Strict, "strict", false, "everything must happen at its very moment, and nothing else;\notherwise packets pass that nobody expects after the last line")
	quiet := flag.Bool("q", false, "do not tell what is ignored")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: pktrun [flags] FILE...")
		flag.PrintDefaults()
	}
	flag.Parse()
	switch *profile {
	case "linux":
	case "freebsd":
		cfg.Profile = pkt.FreeBSD
	default:
		fmt.Fprintf(os.Stderr, "pktrun: no profile is called %q\n", *profile)
		os.Exit(2)
	}
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	inTest(func(t *testing.T) {
		code := 0
		for _, file := range flag.Args() {
			if !run(t, file, cfg, *quiet) {
				code = 1
			}
		}
		os.Exit(code)
	})
}

// inTest calls f as a test, for virtual time is to be had there only. f must end the program.
func inTest(f func(*testing.T)) {
	testing.Main(
		func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "pktrun", F: f}}, nil, nil,
	)
}

// run runs one script and tells how it went.
func run(t *testing.T, file string, cfg pkt.Config, quiet bool) bool {
	src, err := os.ReadFile(file)
	if err != nil {
		fmt.Println("FAIL", err)
		return false
	}
	script, err := pkt.Parse(file, string(src), cfg.Profile.String())
	var ignored []pkt.Ignored
	if err == nil {
		synctest.Test(t, func(*testing.T) { ignored, err = pkt.Run(script, cfg) })
	}
	for _, i := range ignored {
		if !quiet {
			fmt.Fprintf(os.Stderr, "%s:%d: ignored: %s\n", file, i.Line, i.Text)
		}
	}
	if err != nil {
		fmt.Println("FAIL", err)
		return false
	}
	if n := assertions(ignored); n > 0 {
		fmt.Printf("ok %s (%d ignored)\n", file, n)
		return true
	}
	fmt.Println("ok", file)
	return true
}

// assertions returns how much of what was ignored would have checked something.
func assertions(ignored []pkt.Ignored) (n int) {
	for _, i := range ignored {
		if strings.HasPrefix(i.Text, "assert") {
			n++
		}
	}
	return n
}
