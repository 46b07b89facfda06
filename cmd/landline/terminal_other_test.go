//go:build unix && !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

const canMakeTerminals = false

func cmdTerm(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("terminals are made on Linux alone, so far")
}
