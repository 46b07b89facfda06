//go:build soak

package tcp

import "testing"

// FuzzSegments lets anything happen to a connection, in any state, in any order:
// segments near the numbers that matter and far from them, the user's wishes, and time.
// Nothing panics, what must always hold does, and whatever is due is done.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{1, 7, 0, 16, 1, 1, 0, 0, 2, 200, 3, 7, 0, 16, 0, 5, 4, 1, 6, 9, 8, 0, 0})
	f.Fuzz(runScript)
}
