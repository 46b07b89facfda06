package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// need returns where each tool is. If one is missing the test skips, or fails if
// LANDLINE_INTEROP=1 is set.
func need(t testing.TB, tools ...string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, tool := range tools {
		path, err := lookup(tool)
		if err != nil {
			miss(t, "needs "+tool+", which is not installed")
		}
		found[tool] = path
	}
	return found
}

// miss skips the test for a reason, or fails it if nothing may be skipped.
func miss(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("LANDLINE_INTEROP") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// lookup finds a tool also where the search path of users does not lead.
func lookup(tool string) (string, error) {
	path, err := exec.LookPath(tool)
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, tool))
	}
	return path, err
}

// run runs a command that must succeed and returns what it printed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}
