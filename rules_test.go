package landline_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/dhcp"
	"landline/link"
)

// The rules that let a host live in a testing/synctest bubble, where time passes only while all
// goroutines wait, and a channel belongs to the bubble that it was made in:
//
//  1. Nothing is made before a host is: no channel, timer, mutex or map at the level of a package, no
//     init. What is there is fixed: errors, tables, constants.
//  2. Nobody sleeps or polls. Goroutines wait for channels, sync.Cond or timers that the
//     instance has made, and time is asked for by package time alone.
//  3. Close ends every goroutine and timer.
//
// TAPs and sockets of the system are outside of it: waiting for them is not waiting for time.
var stackPackages = []string{".", "dhcp", "dns", "internal/gate", "internal/rangeset", "internal/ring", "internal/siphash", "ip", "lan", "lantest", "link", "tcp", "udp", "wire"}

// outside are the files that wait for the system.
var outside = map[string]bool{"link/tap_linux.go": true, "link/tap_io_linux.go": true, "link/tap_open_linux.go": true}

func TestStackKeepsTheRulesOfBubbles(t *testing.T) {
	for _, dir := range stackPackages {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") && !outside[filepath.ToSlash(name)] {
				for _, fault := range bubbleFaults(t, name, nil) {
					t.Error(fault)
				}
			}
		}
	}
}

// A test of rules that finds nothing could be blind.
func TestRulesOfBubblesFindFaults(t *testing.T) {
	const header = "package p\nimport (\"time\"; \"sync\")\n"
	for source, want := range map[string]string{
		"var c = make(chan int)":                             "make at package level",
		"var t = time.NewTimer(1)":                           "time.NewTimer at package level",
		"var m sync.Mutex":                                   "sync.Mutex at package level",
		"var c chan int":                                     "channel at package level",
		"var m = map[string]chan int{}":                      "channel at package level",
		"var f = func() int { go g(); return 1 }()":          "goroutine at package level",
		"func init() { g() }":                                "init",
		"func f() { time.Sleep(1) }":                         "time.Sleep",
		"func f() { <-time.Tick(1) }":                        "time.Tick",
		"func f() { runtime.Gosched() }":                     "runtime.Gosched",
		"var pool = sync.Pool{New: nil}":                     "sync.Pool at package level",
		"var once = sync.OnceValue(func() int { return 1 })": "sync.OnceValue at package level",
	} {
		got := bubbleFaults(t, "p.go", header+source+"\n")
		if len(got) == 0 || !strings.Contains(strings.Join(got, "; "), want) {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
	for _, source := range []string{
		"var ErrX = errors.New(\"x\")", "var table = [...]string{\"a\"}", "func f() { c := make(chan int); <-c }",
		"func f() { time.AfterFunc(1, nil) }", "type T struct { mu sync.Mutex }", "const x = 1",
	} {
		if got := bubbleFaults(t, "p.go", header+source+"\n"); got != nil {
			t.Errorf("%s: %q", source, got)
		}
	}
}

// bubbleFaults returns what is against the rules in a file, or in a source if that is not nil.
func bubbleFaults(t *testing.T, name string, source any) (faults []string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	say := func(n ast.Node, what string) { faults = append(faults, set.Position(n.Pos()).String()+": "+what) }
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				ast.Inspect(d, func(n ast.Node) bool { inspectVariable(n, say); return true })
			}
		case *ast.FuncDecl:
			if d.Name.Name == "init" && d.Recv == nil {
				say(d, "init")
			}
			ast.Inspect(d, func(n ast.Node) bool { inspectFunction(n, say); return true })
		}
	}
	return faults
}

// inspectVariable finds what must not be made before there is a host.
func inspectVariable(n ast.Node, say func(ast.Node, string)) {
	switch n := n.(type) {
	case *ast.ChanType:
		say(n, "channel at package level")
	case *ast.GoStmt:
		say(n, "goroutine at package level")
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "make" {
			say(n, "make at package level")
		}
	case *ast.SelectorExpr:
		pkg, ok := n.X.(*ast.Ident)
		if ok && (pkg.Name == "sync" || pkg.Name == "atomic" || pkg.Name == "time" && madeByTime[n.Sel.Name]) {
			say(n, pkg.Name+"."+n.Sel.Name+" at package level")
		}
	}
}

var madeByTime = map[string]bool{"NewTimer": true, "NewTicker": true, "After": true, "AfterFunc": true, "Tick": true, "Now": true}

// inspectFunction finds what waits for real time, or for nothing.
func inspectFunction(n ast.Node, say func(ast.Node, string)) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return
	}
	switch name := pkg.Name + "." + sel.Sel.Name; name {
	case "time.Sleep", "time.Tick", "runtime.Gosched", "runtime.SetFinalizer", "runtime.AddCleanup":
		say(n, name)
	}
}

// A host with everything that waits lives in a bubble, sees time pass, and leaves nothing behind: the
// bubble itself finds a goroutine that does not end.
func TestHostLivesAndEndsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, dhcp.Subnet{LeaseTime: time.Hour})
		h, err := landline.NewHost(o.end, landline.Config{DHCP: true, Seed: 2, DNS: twoServers})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		waits := make(chan error)
		for _, wait := range []func() error{
			func() error { return second(must(h.ListenUDP("udp", nil)).Read(make([]byte, 1))) },
			func() error { return second(h.Ping(t.Context(), "10.0.0.50", landline.PingConfig{})) },
			func() error { return second(h.LookupNetIP(t.Context(), "ip", "desk.lan")) },
		} {
			go func() { waits <- wait() }()
		}
		time.Sleep(time.Second)
		h.Close()
		for range 3 {
			if err := <-waits; err == nil {
				t.Error("something came of it")
			}
		}
	})
}

// A packet of which a part is lost is forgotten after thirty seconds, in virtual time.
func TestReassemblyEndsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{Seed: 1})
		left := newHost(t, &lastLost{Device: a}, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true})
		right := newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, NoIPv6: true, Seed: 2})
		s := must(right.ListenUDP("udp", &net.UDPAddr{Port: 700}))
		defer s.Close()
		c := must(left.DialContext(t.Context(), "udp", "10.0.0.2:700"))
		defer c.Close()
		must(c.Write(make([]byte, 3000)))
		time.Sleep(29 * time.Second)
		if drops := right.Stats().Drops.Map(); drops["fragment timeout"] != 0 {
			t.Errorf("given up too early: %v", drops)
		}
		start := time.Now()
		_, err := c.Read(make([]byte, 1)) // the other end says so
		if took := time.Since(start); !errors.Is(err, syscall.EHOSTUNREACH) || took > 2*time.Second {
			t.Errorf("after %v more: %v", took, err)
		}
		if drops := right.Stats().Drops.Map(); drops["fragment timeout"] == 0 {
			t.Errorf("it was not counted: %v", drops)
		}
	})
}

// lastLost loses the last fragment of every packet.
type lastLost struct{ link.Device }

func (d *lastLost) Write(frames []link.Frame) (int, error) {
	for i := range frames {
		b := frames[i].AppendTo(nil)
		last := b[12] == 8 && b[13] == 0 && b[20]&0x20 == 0 && (b[20]&0x1f != 0 || b[21] != 0)
		if last {
			continue
		}
		if _, err := d.Device.Write(frames[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(frames), nil
}
