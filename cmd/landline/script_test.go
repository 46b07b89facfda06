//go:build unix

package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"landline/identity"
	"landline/remote"
)

func TestMain(m *testing.M) {
	remote.KeepJob()
	goInside()
	testscript.Main(m, map[string]func(){"landline": func() {
		trySize = 4_000_000
		main()
	}})
}

// TestScripts runs testdata/script. Besides what testscript offers, a script has:
//
//	code N PROGRAM ARG...     the program must end with exactly this code
//	start NAME PROGRAM ARG... in the background
//	await NAME TEXT           until it has printed this
//	signal NAME SIGNAL
//	finish NAME N             its code; its output is then in NAME.out and NAME.err
//	serve [-unknown] [ARG...] start serve landline serve ARG..., until it listens;
//	                          sets ADDR and SOCK, and tells known_hosts of the key
//	awaitfile GLOB [SIZE]     until a file like that is there, with so many bytes
//	json FILE KEY=VALUE...    what the last line of FILE must say
//	mode FILE OCTAL           what its permissions must be
//	binary FILE TEXT          writes TEXT, a Go string, to FILE
//	cmp-sorted A B            like cmp, but the lines of A may come in any order
//	keygen FILE               makes a key pair
//	term N FILE PROGRAM ARG... like code, but on a terminal; FILE says what is
//	                          waited for (< TEXT) and typed (> TEXT, a Go string);
//	                          what was seen is then in the file "terminal"
//
//	tmux COMMAND ARG...       a command of tmux(1), whose server is the script's own
//	screen TEXT               until the terminal of tmux shows TEXT, a Go string
//
//	desk SOCKET CIDR...       waits at a socket for a machine, and then is its neighbor and
//	                          gives it an IPv4 address by DHCP
//	unplug                    the desk is gone
//	ping ADDR                 the desk gets an answer to a ping of 4,000 bytes
//	[!] ask FILE ADDR:PORT TEXT [FROM] sends a datagram from the desk and writes the answer to
//	                          FILE; with ! there must be none
//	talk FILE ADDR:PORT TEXT [N] sends TEXT, a Go string, and its end on TCP from the desk and
//	                          writes the whole answer to FILE, or N bytes of it
//	capitals VAR              starts what answers in capitals, on TCP, and sets VAR to its address
//	[!] through FILE NAME TEXT sends TEXT and its end through the forward of a LAN, started as NAME, or of a line
//	                          that the file NAME has, and writes the answer to FILE; with ! the connection must break
//
// HOME has a key in .ssh that authorized_keys there lets in, and hostkey, which
// serve uses.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setUp,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": cmdCode, "start": cmdStart, "await": cmdAwait, "signal": cmdSignal, "finish": cmdFinish,
			"serve": cmdServe, "awaitfile": cmdAwaitFile, "json": cmdJSON, "mode": cmdMode, "binary": cmdBinary,
			"keygen": cmdKeygen, "term": cmdTerm, "tmux": cmdTmux, "screen": cmdScreen, "cmp-sorted": cmdCmpSorted,
			"desk": cmdDesk, "unplug": cmdUnplug, "ping": cmdPing, "ask": cmdAsk, "talk": cmdTalk,
			"through": cmdThrough, "capitals": cmdCapitals,
		},
	})
}

// patience is for what should happen at once.
const patience = 30 * time.Second

// condition says whether the machine has what a script needs. In CI it must.
func condition(name string) (bool, error) {
	var ok bool
	switch name {
	case "ipv6":
		ln, err := net.Listen("tcp", "[::1]:0")
		if ok = err == nil; ok {
			ln.Close()
		}
	case "full":
		_, err := os.Stat("/dev/full")
		ok = err == nil
	case "bash", "curl", "ip", "iperf3", "pgrep", "ping", "python3", "ssh-keygen", "ssh-agent", "tmux", "tshark":
		_, err := exec.LookPath(name)
		ok = err == nil
	case "enter":
		if ok = canEnter(); !ok && os.Geteuid() != 0 {
			return false, nil
		}
	case "terminal":
		ok = canMakeTerminals
	case "root":
		return os.Geteuid() == 0, nil
	default:
		return false, fmt.Errorf("unknown condition %q", name)
	}
	if !ok && os.Getenv("LANDLINE_INTEROP") == "1" {
		return false, fmt.Errorf("this machine does not offer %q", name)
	}
	return ok, nil
}

type scriptKey struct{}

func setUp(env *testscript.Env) error {
	procs := make(map[string]*proc)
	env.Values[scriptKey{}] = procs
	env.Values[deskKey{}] = make(map[string]*desk)
	env.Defer(func() {
		for _, p := range procs {
			p.end()
		}
		endTmux(env.WorkDir)
		endJobs(env.WorkDir)
	})
	home := filepath.Join(env.WorkDir, "home")
	dir := filepath.Join(home, ".ssh")
	env.Setenv("HOME", home)
	env.Setenv("LANG", "C.UTF-8")
	env.Setenv("GORACE", "atexit_sleep_ms=0") // or each program takes a second longer to end
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := makeKey(filepath.Join(home, "hostkey")); err != nil {
		return err
	}
	own := filepath.Join(dir, "id_ed25519")
	if err := makeKey(own); err != nil {
		return err
	}
	public, err := os.ReadFile(own + ".pub")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "authorized_keys"), public, 0o600)
}

// endJobs ends the jobs that a script has left running.
func endJobs(dir string) {
	sockets, _ := filepath.Glob(filepath.Join(dir, "*", "jobs", "job-*", "socket"))
	for _, path := range sockets {
		nc, err := net.Dial("unix", path)
		if err != nil {
			continue
		}
		cl := remote.NewClient(nc, "test")
		job := strings.TrimPrefix(filepath.Base(filepath.Dir(path)), "job-")
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		cl.Attach(ctx, remote.Attachment{Job: job, Cancel: true})
		cancel()
		cl.Close()
	}
}

// makeKey makes a key pair as ssh-keygen does.
func makeKey(file string) error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return err
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".pub", ssh.MarshalAuthorizedKey(line), 0o600); err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(block), 0o600)
}

func cmdKeygen(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(makeKey(ts.MkAbs(args[0])))
}

func cmdCode(ts *testscript.TestScript, _ bool, args []string) {
	wantCode(ts, args[0], ts.Exec(args[1], args[2:]...))
}

func wantCode(ts *testscript.TestScript, want string, err error) {
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != want {
		ts.Fatalf("it ended with code %d, not %s (%v)", code, want, err)
	}
}

func cmdServe(ts *testscript.TestScript, _ bool, args []string) {
	unknown := len(args) > 0 && args[0] == "-unknown"
	if unknown {
		args = args[1:]
	}
	if len(args) == 0 {
		args = []string{"--listen", "127.0.0.1:0"}
	}
	hostKey := filepath.Join(ts.Getenv("HOME"), "hostkey")
	cmdStart(ts, false, append([]string{"serve", "landline", "serve", "--host-key", hostKey}, args...))
	p := procOf(ts, "serve")
	joined := strings.Join(args, " ")
	p.await(ts, "listening on ", strings.Count(joined, "--listen")+strings.Count(joined, "--unix"))
	for _, line := range strings.Split(p.err.String(), "\n") {
		addr, ok := strings.CutPrefix(line, "landline: listening on ")
		if path, unix := strings.CutPrefix(addr, "unix:"); ok && unix {
			ts.Setenv("SOCK", path)
		} else if addr, _, _ = strings.Cut(addr, ","); ok {
			ts.Setenv("ADDR", addr)
			ts.Setenv("PORT", addr[strings.LastIndex(addr, ":")+1:])
			if !unknown {
				tellKnownHosts(ts, addr, hostKey)
			}
		}
	}
}

func tellKnownHosts(ts *testscript.TestScript, addr, hostKey string) {
	key, err := identity.LoadKey(hostKey)
	ts.Check(err)
	line, err := identity.HostLine(addr, key.PublicKey())
	ts.Check(err)
	f, err := os.OpenFile(filepath.Join(ts.Getenv("HOME"), ".ssh", "known_hosts"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = fmt.Fprintln(f, line)
	ts.Check(err)
	ts.Check(f.Close())
}

func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	sig := unix.SignalNum("SIG" + args[1])
	if sig == 0 {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(procOf(ts, args[0]).cmd.Process.Signal(sig))
}

func cmdAwait(ts *testscript.TestScript, _ bool, args []string) {
	procOf(ts, args[0]).await(ts, args[1], 1)
}

func cmdFinish(ts *testscript.TestScript, _ bool, args []string) {
	p := procOf(ts, args[0])
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s does not end; it said %q and %q", args[0], p.out.String(), p.err.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), []byte(p.out.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), []byte(p.err.String()), 0o600))
	delete(procs(ts), args[0])
	ts.Logf("[%s]\n%s%s", args[0], p.out.String(), p.err.String())
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		wantSignal(ts, args[1], status.Signal())
		return
	}
	wantCode(ts, args[1], p.waited)
}

func wantSignal(ts *testscript.TestScript, want string, sig syscall.Signal) {
	if "SIG"+want != unix.SignalName(sig) {
		ts.Fatalf("it was ended by %v, not %s", sig, want)
	}
}

func cmdAwaitFile(ts *testscript.TestScript, _ bool, args []string) {
	var least int64
	if len(args) > 1 {
		var err error
		least, err = strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
	}
	for end := time.Now().Add(patience); !isThere(ts.MkAbs(args[0]), least); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s does not come", args[0])
		}
	}
}

// isThere says whether a file that matches a pattern has so many bytes.
func isThere(pattern string, least int64) bool {
	names, _ := filepath.Glob(pattern)
	return slices.ContainsFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && info.Size() >= least
	})
}

func cmdJSON(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	var got map[string]any
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &got))
	for _, pair := range args[1:] {
		key, want, _ := strings.Cut(pair, "=")
		if value, ok := got[key]; !ok || fmt.Sprint(value) != want {
			ts.Fatalf("%s is %v, not %s, in %v", key, value, want, got)
		}
	}
}

func cmdCmpSorted(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	slices.Sort(lines)
	if got, want := strings.Join(lines, ""), ts.ReadFile(args[1]); got != want {
		ts.Fatalf("%s is, sorted, %q, not %q", args[0], got, want)
	}
}

func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, not %s", args[0], got, args[1])
	}
}

func cmdBinary(ts *testscript.TestScript, _ bool, args []string) {
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}
