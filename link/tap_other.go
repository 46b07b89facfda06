//go:build !linux

package link

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// A TAP is a Device whose other end is a network interface of the kernel. There are
// none on this system.
type TAP struct{ Device }

// OpenTAP returns an error: this system has no TAP. It is errors.ErrUnsupported.
func OpenTAP(TAPConfig) (*TAP, error) {
	return nil, fmt.Errorf("open tap: %w on %s, only on linux", errors.ErrUnsupported, runtime.GOOS)
}

// MakeTAP returns an error, as OpenTAP does.
func MakeTAP(string) (*os.File, error) {
	_, err := OpenTAP(TAPConfig{})
	return nil, err
}

// Stats returns nothing.
func (t *TAP) Stats() TAPStats { return TAPStats{} }
