package main

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"landline/lan"
	"landline/link"
)

// A TAP that a client hands over is a port as long as the client stays; whatever he sends in place of one, nothing is left of it.
func TestTAPOfAClientIsAPortWhileHeStays(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	n, l := openLAN(t, "fd00:77::/64")
	defer n.close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := l.upgrade(t.Context(), "enter?name=a.b"); !refusedWith(err, codeBad, "label") {
		t.Errorf("a name with a dot: %v", err)
	}
	for _, c := range []struct {
		what  string
		files []*os.File
		want  string
	}{
		{"nothing", nil, "0 files came"},
		{"what is no TAP", []*os.File{null}, "inappropriate ioctl"},
		{"two files", []*os.File{null, null}, "2 files came"},
	} {
		before := countFiles(t)
		answer := offer(t, l, c.files...)
		if !refusedWith(answer.err(), "", c.want) {
			t.Errorf("%s: %v", c.what, answer.err())
		}
		answer.conn.Close()
		eventually(t, c.what+" is closed", func() bool { return countFiles(t) == before })
	}

	if os.Geteuid() != 0 || !canEnter() {
		return // for a TAP in a namespace without a process takes root
	}
	for range 3 {
		tap := foreignTAP(t)
		answer := offer(t, l, tap)
		if err := answer.err(); err != nil || answer.MTU != 1400 || !answer.IPv6 || !hasPort(n, "box") {
			t.Fatalf("%+v, %v", answer, err)
		}
		answer.conn.Close()
		eventually(t, "the port is gone", func() bool { return !hasPort(n, "box") })
		tap.Close()
	}
	tap := foreignTAP(t)
	answer := offer(t, l, tap)
	tap.Close()
	if err := n.close(); err != nil { // a LAN that ends waits for nobody
		t.Error(err)
	}
	answer.conn.Close()
}

// Whoever enters a LAN without IPv6 does not wait for an address of it.
func TestLANWithoutIPv6SaysSo(t *testing.T) {
	if os.Geteuid() != 0 || !canEnter() {
		t.Skip("a TAP in a namespace without a process takes root")
	}
	for subnet6, want := range map[string]bool{"auto": true, "none": false} {
		n, l := openLAN(t, subnet6)
		tap := foreignTAP(t)
		answer := offer(t, l, tap)
		if err := answer.err(); err != nil || answer.IPv6 != want {
			t.Errorf("--subnet6 %s: %v, %v", subnet6, answer.IPv6, err)
		}
		answer.conn.Close()
		tap.Close()
		n.close()
	}
}

// openLAN makes a LAN in this process.
func openLAN(t *testing.T, subnet6 string) (*network, *lanClient) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lan") // the path of a socket must not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	n := &network{
		app: &app{quiet: true, json: true}, hosts: map[netip.Addr]string{}, sniffers: map[*sniffer]bool{},
		f: &lanFlags{name: "test", subnet: "10.77.0.0/24", subnet6: subnet6, domain: "lan", mtu: 1400, state: dir},
	}
	cfg, err := n.f.config()
	if err == nil {
		err = n.open(cfg, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := findLAN(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return n, l
}

// An offered is what the LAN answers to files.
type offered struct {
	enterAnswer
	conn *upgraded
}

func (o *offered) err() error {
	if o.Error == nil {
		return nil
	}
	return o.Error
}

// offer sends files as if they were a TAP.
func offer(t *testing.T, l *lanClient, files ...*os.File) *offered {
	t.Helper()
	conn, err := l.upgrade(t.Context(), "enter?name=box")
	if err != nil {
		t.Fatal(err)
	}
	var fds []int
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) })
	}
	if _, _, err := conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fds...), nil); err != nil {
		t.Fatal(err)
	}
	o := &offered{conn: conn}
	if err := json.NewDecoder(conn).Decode(&o.enterAnswer); err != nil {
		t.Fatal(err)
	}
	return o
}

func refusedWith(err error, code, text string) bool {
	e, ok := errors.AsType[*controlError](err)
	return ok && (code == "" || e.Code == code) && strings.Contains(e.Message, text)
}

// foreignTAP makes a TAP in a network namespace that nothing but the TAP holds.
func foreignTAP(t *testing.T) *os.File {
	t.Helper()
	made := make(chan error)
	var tap *os.File
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			tap, err = link.MakeTAP(insideNIC)
		}
		made <- err
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	return tap
}

func hasPort(n *network, name string) bool {
	return slices.ContainsFunc(n.lan.Ports(), func(p *lan.Port) bool { return p.Info().Name == name })
}

// countFiles counts those that are open, but for the one by which that is seen, and sockets, which come and go.
func countFiles(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}
