package main

import (
	"fmt"
	"os"
)

// createCapture makes or empties the file of a capture, which a flag names. What machines say to each other is for nobody else to read:
// a new file is its owner's alone.
func createCapture(flag, name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, name, bare(err))
	}
	return f, nil
}
