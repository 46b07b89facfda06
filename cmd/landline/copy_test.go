//go:build unix

package main

import "testing"

// As root, a copy to /dev/stdout would put a file there for all who write to it.
func TestCopyDoesNotTakeTheNameOfAStream(t *testing.T) {
	for name, is := range map[string]bool{
		"/dev/stdout": true, "/dev/../dev/stderr": true, "/dev/fd/3": true, "/proc/self/fd/1": true, "/dev/null": true,
		"stdout": false, "/dev/shm": false, "/no/such/file": false, "copy_test.go": false, ".": false,
	} {
		if isStream(name) != is {
			t.Errorf("%s: %t", name, !is)
		}
	}
}
