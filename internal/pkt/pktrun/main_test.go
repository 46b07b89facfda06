package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The test binary is the command if the environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("PKTRUN_TEST") != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestCommandTellsHowEachScriptWent(t *testing.T) {
	dir := t.TempDir()
	for name, src := range map[string]string{
		"good.pkt": "`a`\n0 socket(..., SOCK_STREAM, 6) = 3\n+3600 close(3) = 0\n",
		"bad.pkt":  "0 socket(..., SOCK_STREAM, 6) = 3\n+0 close(4) = 0\n",
		"none.pkt": "0 < ?",
		"some.pkt": "0 socket(..., SOCK_STREAM, 6) = 3\n+0 %{ assert tcpi_busy_time == 3; x = f() }%\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args   string
		code   int
		out    string
		errors string
	}{
		{"good.pkt", 0, "ok good.pkt\n", "good.pkt:1: ignored: a\n"},
		{"-q good.pkt bad.pkt", 1, "ok good.pkt\nFAIL bad.pkt:2: expected close to return 0, got -1 EBADF\n", ""},
		{"-q some.pkt good.pkt", 0, "ok some.pkt (1 ignored)\nok good.pkt\n", ""},
		{"none.pkt", 1, "FAIL none.pkt:1: expected the flags of a segment, got \"?\"\n", ""},
		{"missing.pkt", 1, "FAIL open missing.pkt: ", ""},
		{"-profile vms good.pkt", 2, "", "pktrun: no profile is called \"vms\"\n"},
		{"", 2, "", "usage: pktrun"},
	} {
		cmd := exec.Command(os.Args[0], strings.Fields(c.args)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PKTRUN_TEST=1")
		var out, errors strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errors
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.HasPrefix(out.String(), c.out) || !strings.HasPrefix(errors.String(), c.errors) {
			t.Errorf("pktrun %s: exit %d, wrote %q and %q, want %d, %q and %q", c.args, code, &out, &errors, c.code, c.out, c.errors)
		}
	}
}
