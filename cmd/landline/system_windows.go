package main

import (
	"errors"
	"os"
	"syscall"
)

func ignoreBrokenPipe() {}

// errnoOf finds the system's error number.
func errnoOf(err error) (error, bool) {
	errno, ok := errors.AsType[syscall.Errno](err)
	return errno, ok
}

// passedOn are the signals that a running command gets in our place.
var passedOn = []os.Signal{os.Interrupt}

// signalName returns the name that the protocol has for a signal.
func signalName(os.Signal) string { return "INT" }
