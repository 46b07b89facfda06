package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stranger is a user who is neither this one nor root.
const stranger = 65534

// asStranger calls f on a thread of another user, which ends with it.
func asStranger(t *testing.T, f func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: nobody else gets this thread
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), stranger, ^uintptr(0))
		if errno != 0 {
			done <- errno
			return
		}
		done <- f()
	}()
	return <-done
}

// openSocket makes a folder and a path in it that everybody may use, which is what permissions prevent elsewhere.
func openSocket(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "landline")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "lan-lan.sock")
}

// Permissions are not all: the kernel is asked who connects.
func TestLANIsClosedToOtherUsers(t *testing.T) {
	path := openSocket(t)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, lanInfo{Domain: "lan"}) })}
	go server.Serve(ownOnly{ln, slog.New(slog.DiscardHandler)})
	defer server.Close()
	err = asStranger(t, func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return err
		}
		unix.Write(fd, []byte("GET /v1/lan HTTP/1.1\r\nHost: lan\r\n\r\n")) // it may be closed by now
		if n, err := unix.Read(fd, make([]byte, 100)); n > 0 {
			t.Errorf("a stranger is answered, %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := lanClientAt("lan", path).domain(t.Context()); d != "lan" {
		t.Errorf("the user himself hears %q", d)
	}
}

// Whoever can put a socket where a LAN's is expected would get what is said there.
func TestLANOfAnotherUserIsNotSpokenTo(t *testing.T) {
	path := openSocket(t)
	heard := make(chan string, 1)
	fd := -1
	err := asStranger(t, func() (err error) {
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return err
		}
		return unix.Listen(fd, 5)
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.FileListener(os.NewFile(uintptr(fd), path))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		heard <- line
		c.Close()
	}()
	l := lanClientAt("lan", path)
	err = l.ask(t.Context(), "GET", "lan", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "user 65534 answers there") {
		t.Errorf("asked: %v", err)
	}
	if said := <-heard; said != "" {
		t.Errorf("it was told %q", said)
	}
	if l.alive() {
		t.Error("it is taken for a LAN")
	}
}

// Of two LANs of one name that come up at once, over a socket that a killed one left behind, the first keeps it.
func TestLANsTakeTheirNameInTurn(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	path, err := controlPath("lan")
	if err != nil {
		t.Fatal(err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		c, err := openControl(&network{app: &app{quiet: true}, f: &lanFlags{name: "lan"}})
		if err == nil {
			c.close()
		}
		second <- err
	}()
	time.Sleep(20 * time.Millisecond) // so that one that does not wait is there first
	ln, err := listenUnix("control socket", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	unlock()
	if err := <-second; err == nil || err.Error() != "a LAN of the name lan is up already" {
		t.Errorf("the second one: %v", err)
	}
	if !lanClientAt("lan", path).alive() {
		t.Error("the first one is not to be found")
	}
}

// What is not asked as it should be is refused in words that a client can use, and does no harm.
func TestControlRefusesWhatIsNoRequest(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	n := &network{app: &app{quiet: true}, f: &lanFlags{name: "lan"}, sniffers: map[*sniffer]bool{}}
	c := newControl(n, ln)
	go c.serve()
	defer c.close()
	l := lanClientAt("lan", ln.Addr().String())
	for _, r := range []struct {
		method, path string
		body         any
		want         string
	}{
		{"GET", "dial?to=shed", nil, "to is HOST:PORT: address shed: missing port in address"},
		{"GET", "dial?to=shed:22", nil, "no Upgrade: landline"},
		{"POST", "forwards", "text", "json: cannot unmarshal string into Go value of type main.lanForward"},
		{"POST", "forwards", map[string]string{"colour": "red"}, `json: unknown field "colour"`},
		{"POST", "forwards", map[string]string{"proto": strings.Repeat("x", maxControlBody)}, "http: request body too large"},
		{"GET", "nothing", nil, "the LAN answers 404 Not Found: it is of another version of landline"},
		{"PUT", "forwards", nil, "the LAN answers 405 Method Not Allowed: it is of another version of landline"},
	} {
		if err := l.ask(t.Context(), r.method, r.path, r.body, nil); err == nil || err.Error() != r.want {
			t.Errorf("%s %s: %v", r.method, r.path, err)
		}
	}
	conn, err := l.dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "what is this?\r\n\r\n")
	if b, err := io.ReadAll(conn); !strings.HasPrefix(string(b), "HTTP/1.1 400") {
		t.Errorf("%q, %v", b, err)
	}
}
