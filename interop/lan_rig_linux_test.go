package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A site is a computer with a LAN, by `landline lan up`, and the world that it reaches. The computer and the world are network
// namespaces of the test's own:
//
//	machines --- LAN --- computer --- world
//
// The test is in the computer's, where the LAN runs, and its forwards are.
type site struct {
	*testing.T
	world   *os.File
	dir     string // of sockets, leases and captures
	program string
	quiet   bool // the frames of the LAN are not captured
	lans    int  // that there were
}

// Addresses of the computer, and of the only host in the world, which is called www.example.test. What is sent to blackHole gets no
// answer.
const (
	outer, outerSix = "198.51.100.1", "2001:db8:1::1"
	www, wwwSix     = "198.51.100.2", "2001:db8:1::2"
	blackHole       = "203.0.113.1"
)

// bulk is how many bytes are fetched where much is.
const bulk = 100 << 20

func newSite(t *testing.T) *site {
	t.Helper()
	enterNamespace(t)
	need(t, "ip", "tshark", "dnsmasq", "curl")
	s := &site{T: t, dir: t.TempDir(), program: filepath.Join(t.TempDir(), "landline")}
	run(t, "go", "build", "-o", s.program, "landline/cmd/landline")
	s.world = newSpace(t)
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "ip", "link", "add", "out", "type", "veth", "peer", "name", "in", "netns", pathOf(s.world))
	for _, end := range []struct {
		in        func(func())
		name      string
		four, six string
	}{
		{func(do func()) { do() }, "out", outer, outerSix},
		{func(do func()) { within(t, s.world, do) }, "in", www, wwwSix},
	} {
		end.in(func() {
			run(t, "ip", "addr", "add", end.four+"/24", "dev", end.name)
			run(t, "ip", "addr", "add", end.six+"/64", "dev", end.name, "nodad")
			run(t, "ip", "link", "set", end.name, "up")
		})
	}
	run(t, "ip", "route", "add", "default", "via", www)
	run(t, "ip", "route", "add", "default", "via", wwwSix)
	within(t, s.world, s.serveWorld)
	return s
}

// newSpace makes a network namespace, in which there is a loopback.
func newSpace(t *testing.T) (space *os.File) {
	t.Helper()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	space, err = os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { space.Close() })
	run(t, "ip", "link", "set", "lo", "up")
	if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	return space
}

// pathOf is how other programs find a namespace.
func pathOf(space *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), space.Fd()) }

// serveWorld starts what the world has to offer: names, files of any length by HTTP, and an echo.
func (s *site) serveWorld() {
	s.Helper()
	cmd := exec.Command(need(s.T, "dnsmasq")["dnsmasq"], "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
		"--log-facility=-", "--pid-file", "--local=/example.test/", "--host-record=www.example.test,"+www+","+wwwSix,
		"--txt-record=www.example.test,on the outside", "--srv-host=_http._tcp.example.test,www.example.test,80")
	for k := range 60 { // more than fits 512 bytes
		cmd.Args = append(cmd.Args, fmt.Sprintf("--host-record=many.example.test,198.51.100.%d", 100+k))
	}
	said := newTranscript()
	cmd.Stdout, cmd.Stderr = said, said
	start(s.T, cmd)
	if _, ok := said.await("started", 0, patience); !ok {
		s.Fatalf("dnsmasq: %s", said)
	}
	s.serveFiles(":80")
	echoes, err := net.Listen("tcp", ":7")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { echoes.Close() })
	go func() {
		for {
			c, err := echoes.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
}

// serveFiles offers files of any length by HTTP.
func (s *site) serveFiles(address string) {
	s.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{length}", func(w http.ResponseWriter, r *http.Request) {
		var n int64
		fmt.Sscan(r.PathValue("length"), &n)
		w.Header().Set("Content-Length", fmt.Sprint(n))
		io.Copy(w, newStream(n))
	})
	server := &http.Server{Handler: mux}
	s.Cleanup(func() { server.Close() })
	go server.Serve(l)
}

// A running is `landline lan up`, and what it says.
type running struct {
	*testing.T
	cmd  *exec.Cmd
	said *transcript
	file string // of the capture
}

// up starts the LAN. Its sockets are lan.sock and lan.dgram in the site's folder.
func (s *site) up(args ...string) *running {
	s.Helper()
	resolv := filepath.Join(s.dir, "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver "+www+"\n"), 0o644); err != nil {
		s.Fatal(err)
	}
	s.lans++
	l := &running{T: s.T, said: newTranscript(), file: filepath.Join(s.ArtifactDir(), fmt.Sprintf("lan-%d.pcapng", s.lans))}
	// In a mount namespace of its own it has the world's name server, and this machine keeps its own.
	script := `mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`
	args = append([]string{"--mount", "sh", "-c", script, "sh", resolv, s.program, "lan", "up", "--state", filepath.Join(s.dir, "state"),
		"--socket", s.path("lan.sock"), "--dgram", s.path("lan.dgram"), "--subnet6", "fd77::/64"}, args...)
	if !s.quiet {
		args = append(args, "--capture", l.file)
	}
	l.cmd = exec.Command(need(s.T, "unshare")["unshare"], args...)
	l.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+s.dir)
	l.cmd.Stdout, l.cmd.Stderr = l.said, l.said
	start(s.T, l.cmd)
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("landline says\n%s", l.said)
		}
	})
	l.await("gateway fd77::1/64 is up")
	return l
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (l *running) await(text string) {
	l.Helper()
	if _, ok := l.said.await(text, 0, patience); !ok {
		l.Fatalf("landline does not say %q", text)
	}
}

// down ends the LAN as a user does, and holds that tshark finds no fault with what has passed.
func (l *running) down() {
	l.Helper()
	l.cmd.Process.Signal(os.Interrupt)
	if err := l.cmd.Wait(); err != nil {
		l.Errorf("landline ends with %v", err)
	}
	if _, err := os.Stat(l.file); err != nil {
		return // nothing was captured
	}
	if bad := tsharkOn(l.T, l.file, true, "-Y", badFrames); bad != "" {
		l.Errorf("tshark finds fault with\n%s", bad)
	}
}

// kill ends the LAN as a power cut does.
func (l *running) kill() {
	l.Helper()
	l.cmd.Process.Kill()
	l.cmd.Wait()
}

// expiry returns when the lease of a machine ends, or the zero Time if it has none.
func (s *site) expiry(name string) time.Time {
	s.Helper()
	cmd := exec.Command(s.program, "lan", "ps", "--json")
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+s.dir)
	out, err := cmd.Output()
	if err != nil {
		s.Fatalf("lan ps: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		var m struct {
			Name  string
			Lease time.Time `json:"lease_expires"`
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			s.Fatalf("lan ps: %v: %s", err, line)
		}
		if m.Name == name {
			return m.Lease
		}
	}
	return time.Time{}
}

// forward returns this computer's address of the forward to a machine.
func (l *running) forward(to string) string {
	l.Helper()
	l.await(" to " + to)
	return regexp.MustCompile(`forward of \w+ (\S+) to ` + regexp.QuoteMeta(to)).FindStringSubmatch(l.said.String())[1]
}

// holds checks that a text has all of some parts.
func holds(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: no %q in\n%s", what, part, text)
		}
	}
}
