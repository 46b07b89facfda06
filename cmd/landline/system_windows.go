package main

import "os"

// passedOn are the signals that a running command gets in our place.
var passedOn = []os.Signal{os.Interrupt}

// signalName returns the name that the protocol has for a signal.
func signalName(os.Signal) string { return "INT" }
