package remote

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// file makes a file in the line's home.
func (l *line) file(t testing.TB, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(l.home, name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantAlive fails unless the connection still does its work.
func (l *line) wantAlive(t testing.TB) {
	t.Helper()
	if r, out, _ := l.run(t, Command{Args: []string{"echo", "still here"}}); r.Code != 0 || out != "still here\n" {
		t.Fatalf("afterwards: %+v, %q", r, out)
	}
}

func TestWhatCannotBeStartedIsRefused(t *testing.T) {
	l := newLine(t)
	plain := l.file(t, "plain", "#!/bin/sh\n", 0o644)
	stray := l.file(t, "stray", "#!/no/such/interpreter\n", 0o755)
	noise := l.file(t, "noise", "\x00\x01\x02 not a program", 0o755)
	if err := os.Mkdir(filepath.Join(l.home, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	bad := strings.Repeat("\xff", 2000)
	for _, row := range []struct {
		name string
		cmd  Command
		code int
		says string
	}{
		{"missing program", Command{Args: []string{"no-such-program"}}, 127, "not found"},
		{"missing file", Command{Args: []string{"/no/such/program"}}, 127, "not found"},
		{"missing relative file", Command{Args: []string{"./missing"}}, 127, "not found"},
		{"below a file", Command{Args: []string{plain + "/below"}}, 127, "not found"},
		{"empty name", Command{Args: []string{""}}, 127, "empty"},
		{"no execute bit", Command{Args: []string{plain}}, 126, "permission denied"},
		{"no execute bit in PATH", Command{Args: []string{"plain"}, Env: []string{"PATH=" + l.home}}, 126, "no execute permission"},
		{"wrong interpreter", Command{Args: []string{stray}}, 126, "interpreter"},
		{"wrong interpreter, relative", Command{Args: []string{"./stray"}}, 126, "interpreter"},
		{"no format that is known", Command{Args: []string{noise}}, 126, "exec format"},
		{"directory", Command{Args: []string{l.home}}, 126, "permission denied"},
		{"directory in PATH", Command{Args: []string{"folder"}, Env: []string{"PATH=" + l.home}}, 127, "not found"},
		{"missing directory", Command{Args: []string{"true"}, Dir: "missing"}, 125, "no such directory"},
		{"file as directory", Command{Args: []string{"true"}, Dir: plain}, 125, "no such directory"},
		{"missing directory that is no UTF-8", Command{Args: []string{"true"}, Dir: bad}, 125, "no such directory"},
		{"program that is no UTF-8", Command{Args: []string{bad}}, 127, "not found"},
		{"one argument over the system's limit", Command{Args: []string{"true", strings.Repeat("x", 3<<20)}}, 126, "argument list too long"},
		{"many arguments over the system's limit", Command{Args: append([]string{"true"}, strings.Fields(strings.Repeat("1234567 ", 900_000))...)}, 126, "argument list too long"},
		{"arguments over ours", Command{Args: []string{"true", strings.Repeat("x", maxArgs)}}, 126, "allowed are"},
		{"more arguments than ours", Command{Args: make([]string, maxStrings+1)}, 126, "allowed are"},
		{"no arguments", Command{}, 125, "no command"},
		{"two shell lines", Command{Args: []string{"true", "false"}, Shell: true}, 125, "no command"},
		{"NUL in an argument", Command{Args: []string{"true", "a\x00b"}}, 126, "NUL"},
		{"NUL in a variable", Command{Args: []string{"true"}, Env: []string{"A=\x00"}}, 126, "NUL"},
		{"NUL in the directory", Command{Args: []string{"true"}, Dir: "a\x00b"}, 125, "NUL"},
		{"endless directory", Command{Args: []string{"true"}, Dir: strings.Repeat("d", 5000)}, 125, "allowed are"},
		{"strange job", Command{Args: []string{"true"}, Job: "a b"}, 125, "job"},
		{"endless job", Command{Args: []string{"true"}, Job: strings.Repeat("j", 65)}, 125, "job"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, out, errs := l.run(t, row.cmd)
			if r.Reason != Refused || r.Code != row.code || !strings.Contains(r.Error, row.says) || out+errs != "" {
				r.Error = clip(r.Error, 200)
				t.Errorf("%+v, want code %d and %q", r, row.code, row.says)
			}
			l.wantAlive(t)
		})
	}
}

func TestArgumentsReachTheProgramAsTheyAre(t *testing.T) {
	l := newLine(t)
	args := []string{"", " ", "a b", "$HOME", "`id`", "'\"\\", "*", "-n", "\n", "\xff\xfe", "界", "\x1b[31m", strings.Repeat("x", 120_000)}
	r, out, _ := l.run(t, sh(`printf '%s\001' "$@"`, args...))
	if r.Code != 0 || out != strings.Join(args, "\x01")+"\x01" {
		t.Errorf("%+v, %q", r, clip(out, 200))
	}
}

func TestArgumentListAtTheSystemsLimitIsTaken(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the limit is that of Linux")
	}
	l := newLine(t)
	// 2 MiB in all with a stack of 8 MiB: a quarter of it, the least that is usual.
	args := make([]string, 15)
	for i := range args {
		args[i] = strings.Repeat("x", 128<<10-1)
	}
	if r, out, _ := l.run(t, sh("echo $#", args...)); r.Code != 0 || out != "15\n" {
		t.Errorf("%+v, %q", r, out)
	}
}

func TestLargeRequestsSideBySideAreNoFlood(t *testing.T) {
	l := newLine(t)
	args := []string{"/bin/true"}
	for range 60 {
		args = append(args, strings.Repeat("x", 128<<10))
	}
	sideBySide(3, func(int) {
		if r, _, _ := l.run(t, Command{Args: args}); r.Reason != Refused || r.Code != 126 {
			t.Errorf("%s %d %s", r.Reason, r.Code, clip(r.Error, 200))
		}
	})
	l.wantAlive(t)
}

func TestShellLineGoesToTheShell(t *testing.T) {
	l := newLine(t)
	r, out, _ := l.run(t, Command{Args: []string{"echo a | tr a b; exit 3"}, Shell: true})
	if r.Code != 3 || out != "b\n" {
		t.Errorf("%+v, %q", r, out)
	}
}

func TestVariablesAreAddedAndTheLastWins(t *testing.T) {
	t.Setenv("LINE_TEST_OLD", "server")
	t.Setenv("LINE_TEST_KEPT", "server")
	l := newLine(t)
	cmd := sh(`printf '%s,' "$LINE_TEST_OLD" "$LINE_TEST_KEPT" "$NEW" "$RAW"`)
	cmd.Env = []string{"LINE_TEST_OLD=1", "LINE_TEST_OLD=2", "NEW=a=b", "RAW=\xff\xfe"}
	if _, out, _ := l.run(t, cmd); out != "2,server,a=b,\xff\xfe," {
		t.Errorf("got %q", out)
	}
}

func TestProgramIsFoundInThePathThatItGets(t *testing.T) {
	l := newLine(t)
	l.file(t, "mine", "#!/bin/sh\necho mine\n", 0o755)
	for _, path := range []string{l.home, "/nowhere:" + l.home, ":/nowhere", "."} {
		if _, out, _ := l.run(t, Command{Args: []string{"mine"}, Env: []string{"PATH=" + path}}); out != "mine\n" {
			t.Errorf("PATH=%s: %q", path, out)
		}
	}
}

func TestDirectoryIsAskedForOrHome(t *testing.T) {
	l := newLine(t)
	odd := "odd \xff\xfe 界"
	if err := os.Mkdir(filepath.Join(l.home, odd), 0o700); err != nil {
		t.Skipf("no such names here: %v", err)
	}
	for dir, want := range map[string]string{
		"": l.home, "~": l.home, odd: l.home + "/" + odd, "~/" + odd: l.home + "/" + odd, "/": "/",
	} {
		// /proc knows better than the variable.
		r, out, _ := l.run(t, Command{Args: []string{"readlink", "-n", "/proc/self/cwd"}, Dir: dir})
		if runtime.GOOS == "linux" && out != want {
			t.Errorf("in %q: %+v, %q, want %q", dir, r, out, want)
		}
		if _, out, _ := l.run(t, Command{Args: []string{"printenv", "PWD"}, Dir: dir}); filepath.Clean(strings.TrimSuffix(out, "\n")) != want {
			t.Errorf("in %q: PWD is %q, want %q", dir, out, want)
		}
	}
}

func TestJobStartsOnceHoweverOftenItIsAskedFor(t *testing.T) {
	l := newLine(t)
	job := NewJobID()
	var mu sync.Mutex
	started, refused := 0, 0
	sideBySide(32, func(int) {
		cmd := sh("echo x >>starts")
		cmd.Job = job
		r, _, _ := l.run(t, cmd)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Reason == Exited:
			started++
		case r.Reason == Refused && r.Code == 125 && r.Error == errJobKnown.Error():
			refused++
		default:
			t.Errorf("%+v", r)
		}
	})
	b, err := os.ReadFile(filepath.Join(l.home, "starts"))
	if err != nil || string(b) != "x\n" || started != 1 || refused != 31 {
		t.Errorf("%d starts, %d exits, %d refusals, %v", len(b)/2, started, refused, err)
	}
}

func TestJobIsKnownOnOtherConnectionsToo(t *testing.T) {
	l := newLine(t)
	cmd := sh("true")
	cmd.Job = NewJobID()
	l.run(t, cmd)
	near, far := socketPair(t)
	l.serve(t, far)
	other := &line{Client: NewClient(near, "test")}
	defer other.Close()
	if r, _, _ := other.run(t, cmd); r.Reason != Refused || r.Job != cmd.Job {
		t.Errorf("%+v", r)
	}
}

func TestMaxJobsIsKept(t *testing.T) {
	l := newLine(t)
	l.server.MaxJobs = 2
	ctx, cancel := context.WithCancel(t.Context())
	var results []<-chan Result
	for range 2 {
		lines, result := l.background(t, ctx, sh("echo ready; exec sleep 600"))
		<-lines
		results = append(results, result)
	}
	if r, _, _ := l.run(t, sh("true")); r.Reason != Refused || r.Code != 125 || r.Error != errJobsFull.Error() {
		t.Errorf("the third: %+v", r)
	}
	cancel()
	for _, r := range results {
		<-r
	}
	l.wantAlive(t)
}

func TestSixtyFifthCallIsRefusedAndTheOthersLive(t *testing.T) {
	l := newLine(t)
	signals := make([]chan string, maxCalls)
	results := make([]<-chan Result, maxCalls)
	for i := range maxCalls {
		signals[i] = make(chan string, 1)
		cmd := sh("trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done")
		cmd.Signals = signals[i]
		var lines report
		lines, results[i] = l.background(t, t.Context(), cmd)
		<-lines
	}
	if r, _, _ := l.run(t, sh("true")); r.Reason != Refused || r.Code != 125 || !strings.Contains(r.Error, "too many open calls") {
		t.Errorf("the 65th: %+v", r)
	}
	for i, s := range signals {
		s <- "USR1"
		if r := <-results[i]; r.Reason != Exited || r.Code != 5 {
			t.Errorf("call %d: %+v", i, r)
		}
	}
	l.wantAlive(t)
}

func TestForcedCommandTakesThePlaceOfAnyOther(t *testing.T) {
	home := t.TempDir()
	s := &Server{Home: home}
	near, far := socketPair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeConn(context.Background(), far, Guest{Command: `echo "forced: $SSH_ORIGINAL_COMMAND in $PWD, A=$A"; cat`})
	}()
	l := &line{Client: NewClient(near, "test"), home: home}
	defer func() { l.Close(); <-done }()
	want := "forced: rm -rf / in " + home + ", A=\nstdin"
	for _, cmd := range []Command{
		{Args: []string{"rm", "-rf", "/"}},
		{Args: []string{"rm -rf /"}, Shell: true},
		{Args: []string{"rm", "-rf", "/"}, Dir: "/no/such/directory"},
		{Args: []string{"rm", "-rf", "/"}, Dir: "/tmp", Env: []string{"A=1", "PATH=/nowhere", "SSH_ORIGINAL_COMMAND=other", "ENV=/evil", "LD_PRELOAD=/evil"}},
	} {
		cmd.Stdin = strings.NewReader("stdin")
		if r, out, errs := l.run(t, cmd); r.Code != 0 || out != want || errs != "" {
			t.Errorf("%+v: %+v, %q, %q", cmd, r, out, errs)
		}
	}
}

func TestTimeIsAllowedToBeEndless(t *testing.T) {
	l := newLine(t)
	cmd := sh("exit 2")
	cmd.Timeout, cmd.KillAfter = 1<<63-1, 1<<63-1
	if r, _, _ := l.run(t, cmd); r.Reason != Exited || r.Code != 2 {
		t.Errorf("%+v", r)
	}
	if got := milliseconds(maxInt); got < 100*365*24*time.Hour {
		t.Errorf("the longest time is %v", got)
	}
}

func TestBytesPassUntouched(t *testing.T) {
	l := newLine(t)
	var all bytes.Buffer
	for i := range 1 << 16 {
		all.Write([]byte{byte(i >> 8), byte(i)})
	}
	cmd := sh("cat; exit 1")
	cmd.Stdin = bytes.NewReader(all.Bytes())
	if r, out, _ := l.run(t, cmd); r.Code != 1 || out != all.String() {
		t.Errorf("%+v, %d bytes of %d", r, len(out), all.Len())
	}
}
