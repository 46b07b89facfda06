package interop

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"landline/identity"
)

// sshdConfig writes what sshd needs to decide by the authorized_keys of w.
func (w *sshWorld) sshdConfig() string {
	w.write("sshd_config", strings.Join([]string{
		"HostKey " + w.path("host"),
		"AuthorizedKeysFile " + w.path("authorized_keys"),
		"StrictModes no", // the folder of a test is below /tmp, which others may write
		"UsePAM no",
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"PermitRootLogin prohibit-password",
		"PidFile none",
	}, "\n")+"\n")
	return w.path("sshd_config")
}

// startSSHD answers each connection with an sshd of its own and returns the port.
func (w *sshWorld) startSSHD() (port string) {
	w.t.Helper()
	sshd := needSSHD(w.t)
	config := w.sshdConfig()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				f, err := c.(*net.TCPConn).File()
				if err != nil {
					w.t.Error(err)
					return
				}
				defer f.Close()
				cmd := exec.CommandContext(w.t.Context(), sshd, "-i", "-f", config)
				cmd.Stdin, cmd.Stdout = f, f
				cmd.Run() // how it ends, the client tells
			})
		}
	})
	w.t.Cleanup(func() { ln.Close(); wg.Wait() })
	return fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)
}

// needSSHD returns where sshd is, with the folder that it wants made.
func needSSHD(t *testing.T) string {
	t.Helper()
	sshd := need(t, "ssh", "sshd")["sshd"]
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return sshd
}

// ssh runs ssh with nothing but the given options and reports whether it got in.
func (w *sshWorld) ssh(args ...string) (ok bool, output string) {
	w.t.Helper()
	args = append([]string{"-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "KexAlgorithms=curve25519-sha256",
		"-o", "GlobalKnownHostsFile=/dev/null", "-i", w.path("key")}, args...)
	out, err := exec.CommandContext(w.t.Context(), "ssh", args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return err == nil, string(out)
}

func TestLetsInWhomSSHDLetsIn(t *testing.T) {
	w := newSSHWorld(t)
	port := w.startSSHD()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	w.server.User = "" // both go by the user that runs this test
	file := w.keygen("key", "", "-t", "ed25519")
	w.keygen("other", "", "-t", "ed25519")
	w.certify("key", "-n", me.Username+",dev")
	d := w.delegate(identity.Keys{Files: []string{file}})
	tomorrow, yesterday := time.Now().Add(24*time.Hour), time.Now().Add(-24*time.Hour)

	for _, test := range []struct {
		lines string // KEY, OTHER and CA stand for keys
		ok    bool
	}{
		{"KEY", true},
		{"# KEY", false},
		{"OTHER\r\n\r\n  \tKEY\r\n", true},
		{"garbage\nKEY", true},
		{`command="true \"a b\" c",no-pty,restrict KEY`, true},
		{`command="true KEY`, false},
		{`command=true KEY`, false},
		{`command="true",command="true" KEY`, false},
		{`restrict,pty,port-forwarding KEY`, true},
		{`no-pty,no-agent-forwarding,no-X11-forwarding,no-port-forwarding,no-user-rc KEY`, true},
		{"soup KEY\nKEY", true},
		{`from="127.0.0.*" KEY`, true},
		{`from="192.0.2.0/24,127.0.0.1/32" KEY`, true},
		{`from="*,!127.0.0.1" KEY`, false},
		{`from="127.0.0.1,!127.0.0.0/8" KEY`, false},
		{`from="!10.0.0.0/8,*" KEY`, true},
		{`from="127.0.0.1/8" KEY`, false},
		{`from="127.0.0.1",from="127.0.0.1" KEY`, false},
		{"from=\"10.0.0.1\" KEY\nfrom=\"127.0.0.1\" KEY", true},
		{`expiry-time="` + tomorrow.UTC().Format("200601021504") + `Z" KEY`, true},
		{`expiry-time="` + tomorrow.Format("20060102150405") + `" KEY`, true},
		{`expiry-time="` + yesterday.UTC().Format("20060102150405") + `Z" KEY`, false},
		{`expiry-time="2030" KEY`, false},
		{`CA`, false},
		{`cert-authority KEY`, false},
		{`cert-authority CA`, true},
		{`cert-authority,principals="ops,dev" CA`, true},
		{`cert-authority,principals="ops" CA`, false},
		{`cert-authority,from="10.0.0.1" CA`, false},
		{`principals="dev" KEY`, false},
	} {
		text := strings.NewReplacer("KEY", strings.TrimSpace(w.read("key.pub")), "OTHER", strings.TrimSpace(w.read("other.pub")),
			"CA", strings.TrimSpace(w.read("ca.pub"))).Replace(test.lines)
		w.write("authorized_keys", text)
		theirs, output := w.ssh("-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "127.0.0.1", "true")
		_, err, _ := w.meet(d)
		if theirs != test.ok {
			t.Errorf("%s: sshd lets in: %v, want %v\n%s", test.lines, theirs, test.ok, output)
		}
		if ours := err == nil; ours != test.ok {
			t.Errorf("%s: landline lets in: %v, want %v (%v)", test.lines, ours, test.ok, err)
		}
	}
}

func TestKnowsHostsThatSSHKnows(t *testing.T) {
	w := newSSHWorld(t)
	sshd := needSSHD(t)
	config := w.sshdConfig()
	file := w.keygen("key", "", "-t", "ed25519")
	w.keygen("other", "", "-t", "ed25519")
	w.write("authorized_keys", w.read("key.pub"))
	d := w.delegate(identity.Keys{Files: []string{file}})

	for _, test := range []struct {
		lines string // HOST and OTHER stand for keys
		ok    bool
	}{
		{"[shed]:7373 HOST", true},
		{"[SHED]:7373 HOST", true},
		{"shed HOST", true},
		{"", false},
		{"desk HOST", false},
		{"[shed]:22 HOST", false},
		{"shed:7373 HOST", false},
		{"[shed]:7373 OTHER", false},
		{"[shed]:7373 OTHER\n[shed]:7373 HOST", true},
		{"shed OTHER", false},
		{"shed HOST\n[shed]:7373 OTHER", false},
		{"[sh*]:7373 HOST", true},
		{"[shed]:* HOST", true},
		{"*,!shed HOST", true},
		{"*,![shed]:7373,!shed HOST", false},
		{"desk,[shed]:7373 HOST", true},
		{"  \t[shed]:7373\tHOST a comment\r", true},
		{"# [shed]:7373 HOST", false},
		{"garbage\n[shed]:7373 HOST", true},
		{"@revoked * HOST\n[shed]:7373 HOST", false},
		{"[shed]:7373 HOST\n@revoked [shed]:7373 HOST", false},
		{"@revoked desk HOST\n[shed]:7373 HOST", true},
		{"@revoked * OTHER\n[shed]:7373 HOST", true},
		{"@cert-authority * HOST", false},
		{"@soup * HOST", false},
	} {
		text := strings.NewReplacer("HOST", strings.TrimSpace(w.read("host.pub")), "OTHER", strings.TrimSpace(w.read("other.pub"))).Replace(test.lines)
		w.write("known_hosts", text+"\n")
		theirs, output := w.ssh("-p", "7373", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile="+w.path("known_hosts"),
			"-o", "UpdateHostKeys=no", "-o", "ProxyCommand="+sshd+" -i -f "+config, "shed", "true")
		_, _, err := w.meet(d)
		if theirs != test.ok {
			t.Errorf("%s: ssh takes it: %v, want %v\n%s", test.lines, theirs, test.ok, output)
		}
		if ours := err == nil; ours != test.ok {
			t.Errorf("%s: landline takes it: %v, want %v (%v)", test.lines, ours, test.ok, err)
		}
		// With its names hashed, the file must say the same.
		if !w.hash("known_hosts") {
			continue
		}
		if _, _, err := w.meet(d); (err == nil) != test.ok {
			t.Errorf("%s, hashed: landline takes it: %v, want %v (%v)", test.lines, err == nil, test.ok, err)
		}
	}
}

// hash has ssh-keygen hash the names in a file and reports whether it did; it
// does not if a line is broken or all names are patterns.
func (w *sshWorld) hash(name string) bool {
	w.t.Helper()
	err := exec.CommandContext(w.t.Context(), "ssh-keygen", "-q", "-H", "-f", w.path(name)).Run()
	return err == nil && strings.Contains(w.read(name), "|1|")
}

// A line that sshd wrote off for its mode or owner must be written off here, too. The
// folder is in the real home, for sshd accepts no other.
func TestIsAsStrictAsSSHDAboutModes(t *testing.T) {
	w := newSSHWorld(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(me.HomeDir, ".landline-test-")
	if err != nil {
		miss(t, "needs a home that can be written to: "+err.Error())
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("HOME", me.HomeDir)
	file := w.keygen("key", "", "-t", "ed25519")
	keys := filepath.Join(dir, "below", "keys")
	if err := os.Mkdir(filepath.Dir(keys), 0o700); err != nil {
		t.Fatal(err)
	}
	w.server.AuthorizedKeys = keys
	port := w.startSSHD()
	w.write("sshd_config", strings.NewReplacer("StrictModes no", "StrictModes yes", w.path("authorized_keys"), keys).Replace(w.read("sshd_config")))
	d := w.delegate(identity.Keys{Files: []string{file}})

	// Only others here, not the group: Debian's sshd lets a group of one user's own write.
	for _, test := range []struct {
		file, below, dir os.FileMode
		ok               bool
	}{
		{0o600, 0o700, 0o700, true},
		{0o644, 0o755, 0o755, true},
		{0o602, 0o700, 0o700, false},
		{0o600, 0o707, 0o700, false},
		{0o600, 0o700, 0o707, false},
	} {
		if err := os.WriteFile(keys, []byte(w.read("key.pub")), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{keys: test.file, filepath.Dir(keys): test.below, dir: test.dir} {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
		theirs, output := w.ssh("-p", port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "127.0.0.1", "true")
		_, err, _ := w.meet(d)
		if theirs != test.ok {
			t.Errorf("%+v: sshd lets in: %v, want %v\n%s", test, theirs, test.ok, output)
		}
		if ours := err == nil; ours != test.ok {
			t.Errorf("%+v: landline lets in: %v, want %v (%v)", test, ours, test.ok, err)
		}
	}
}
