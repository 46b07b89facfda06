//go:build unix && !linux

package lan

// wantErrors has nothing to do: these systems tell a connected socket of all errors.
func wantErrors(int, bool) {}

func dropErrors(int) {}
