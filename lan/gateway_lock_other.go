//go:build !unix || solaris || aix

package lan

import "os"

// lockFile does nothing where there are no locks that end with a program.
func lockFile(*os.File) error { return nil }
