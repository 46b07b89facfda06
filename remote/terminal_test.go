//go:build unix

package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"landline/frame"
)

// A seat is where somebody sits at a command's terminal.
type seat struct {
	t       *testing.T
	keys    *io.PipeWriter
	resized chan Window
	result  chan Result
	leave   context.CancelCauseFunc

	mu   sync.Mutex
	text []byte
	seen int
}

func (s *seat) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p...)
	return len(p), nil
}

// sit has run carry a command on a terminal of 24 rows of 80.
func sit(t *testing.T, run func(ctx context.Context, s *seat, keys io.Reader, terminal *Terminal) (Result, error)) *seat {
	t.Helper()
	keys, w := io.Pipe()
	s := &seat{t: t, keys: w, resized: make(chan Window), result: make(chan Result, 1)}
	ctx, leave := context.WithCancelCause(context.Background())
	s.leave = leave
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err := run(ctx, s, keys, &Terminal{Type: "vt100", Window: Window{Rows: 24, Cols: 80}, Resized: s.resized})
		if err != nil {
			r.Error = err.Error()
		}
		s.result <- r
	}()
	t.Cleanup(func() {
		leave(nil)
		w.Close()
		<-done
	})
	return s
}

// runAt runs a command at a seat.
func runAt(t *testing.T, l *line, cmd Command) *seat {
	return sit(t, func(ctx context.Context, s *seat, keys io.Reader, terminal *Terminal) (Result, error) {
		cmd.Stdin, cmd.Stdout, cmd.Terminal = keys, s, terminal
		return l.Run(ctx, cmd)
	})
}

// takeAt takes a job to a seat, and sees what comes from now on.
func takeAt(t *testing.T, cl *Client, job string) *seat {
	const end = maxInt
	return sit(t, func(ctx context.Context, s *seat, keys io.Reader, terminal *Terminal) (Result, error) {
		return cl.Attach(ctx, Attachment{
			Job: job, Take: true, Stdin: keys, Stdout: s, Terminal: terminal, StdoutOffset: end, StderrOffset: end, Acknowledge: true,
		})
	})
}

func (s *seat) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

// sees waits for a text after what it has seen.
func (s *seat) sees(text string) {
	s.t.Helper()
	late := time.Now().Add(30 * time.Second)
	for {
		s.mu.Lock()
		i := bytes.Index(s.text[s.seen:], []byte(text))
		if i >= 0 {
			s.seen += i + len(text)
		}
		s.mu.Unlock()
		if i >= 0 {
			return
		}
		if time.Now().After(late) {
			s.t.Fatalf("the screen does not show %q, but %q", text, s.screen())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (s *seat) types(text string) {
	if _, err := io.WriteString(s.keys, text); err != nil {
		s.t.Error(err)
	}
}

// ends waits for the end.
func (s *seat) ends() Result {
	s.t.Helper()
	select {
	case r := <-s.result:
		return r
	case <-time.After(30 * time.Second):
		s.t.Fatalf("it does not end; the screen shows %q", s.screen())
		return Result{}
	}
}

// bothKinds does a test with an ordinary command and one that is kept.
func bothKinds(t *testing.T, test func(t *testing.T, l *line)) {
	t.Run("ordinary", func(t *testing.T) { test(t, newLine(t)) })
	t.Run("kept", func(t *testing.T) {
		l := newKeepingLine(t)
		l.linger = time.Minute
		test(t, l)
	})
}

func TestCommandOnATerminalHasOne(t *testing.T) {
	bothKinds(t, func(t *testing.T, l *line) {
		s := runAt(t, l, sh(`test -t 0 && test -t 1 && test -t 2 && echo $TERM $(stty size) && (echo own >/dev/tty) && echo it >&2; exit 7`))
		if r := s.ends(); r.Reason != Exited || r.Code != 7 || r.Held || r.StderrBytes != 0 {
			t.Errorf("%+v", r)
		}
		if got, want := s.screen(), "vt100 24 80\r\nown\r\nit\r\n"; got != want {
			t.Errorf("the screen shows %q, not %q", got, want)
		}
	})
}

func TestWhatIsTypedReachesTheProgram(t *testing.T) {
	bothKinds(t, func(t *testing.T, l *line) {
		s := runAt(t, l, sh(`echo ready; read a; echo "<$a>"; cat; echo over`))
		s.sees("ready\r\n")
		s.types("one tow\x7f\x7fwo\r")
		s.sees("<one two>\r\n")
		s.types("two")
		s.keys.Close() // which is Ctrl-D, twice behind half a line
		s.sees("twotwoover\r\n")
		if r := s.ends(); r.Reason != Exited || r.Code != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestInterruptGoesThroughTheTerminal(t *testing.T) {
	bothKinds(t, func(t *testing.T, l *line) {
		s := runAt(t, l, sh(`trap 'echo heard; exit 5' INT; echo ready; while :; do sleep 0.02; done`))
		s.sees("ready\r\n")
		s.types("\x03")
		s.sees("heard\r\n")
		if r := s.ends(); r.Reason != Exited || r.Code != 5 {
			t.Errorf("%+v", r)
		}
	})
}

// TestFloodOfSizesEndsWithTheLast tells sizes faster than anybody takes them.
func TestFloodOfSizesEndsWithTheLast(t *testing.T) {
	bothKinds(t, func(t *testing.T, l *line) {
		s := runAt(t, l, sh(`echo ready; while read x; do stty size; done`))
		s.sees("ready\r\n")
		for i := range 20_000 {
			s.resized <- Window{Rows: i%900 + 1, Cols: i%1100 + 1}
		}
		s.resized <- Window{Rows: 33, Cols: 111}
		// What tells of a size may be overtaken by what is typed.
		for late := time.Now().Add(30 * time.Second); !strings.Contains(s.screen(), "33 111\r\n"); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("%q", s.screen())
			}
			s.types("\r")
		}
		s.keys.Close()
		s.ends()
	})
}

func TestSizesThatNoTerminalHasAreABreach(t *testing.T) {
	for _, size := range []string{`"rows":0,"cols":80`, `"rows":24`, `"cols":80`, `"rows":65536,"cols":80`, `"rows":-1,"cols":80`, `"rows":"24","cols":80`} {
		p, _ := peerOfServer(t, &Server{Home: t.TempDir()}, Guest{})
		p.send(helloLine, "")
		p.send(runLine(1, ""), "true\x00")
		p.send(`{"kind":"window","call":1,`+size+`}`, "")
		if reason, text := p.goodbye(); reason != "protocol" {
			t.Errorf("%s: %q %q", size, reason, text)
		}
	}
}

// TestTerminalOutputOfAProgramThatExitsAtOnceIsWhole has all that a terminal holds be read
// after its program's end.
func TestTerminalOutputOfAProgramThatExitsAtOnceIsWhole(t *testing.T) {
	const text = "0123456789012345678901234567890123456789012345678901234567890\n"
	want := strings.ReplaceAll(strings.Repeat(text, 60), "\n", "\r\n")
	bothKinds(t, func(t *testing.T, l *line) {
		l.file(t, "text", strings.Repeat(text, 60), 0o600)
		for range 30 {
			s := runAt(t, l, sh("cat text; exit 3"))
			if r := s.ends(); r.Code != 3 || s.screen() != want {
				t.Fatalf("%+v, %d bytes of %d", r, len(s.screen()), len(want))
			}
		}
	})
}

// TestProgramAtATerminalIsHungUp ends a call in every way but the program's own.
func TestProgramAtATerminalIsHungUp(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(l *line, s *seat)
	}{
		{"cancelled", func(_ *line, s *seat) { s.leave(nil) }},
		{"client gone", func(l *line, _ *seat) { l.Close() }},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothKinds(t, func(t *testing.T, l *line) {
				l.linger = min(l.linger, 50*time.Millisecond)
				// A shell at a terminal does not listen to TERM.
				cmd := sh(`trap '' TERM; trap 'echo up >hung; exit 4' HUP; sleep 600 & echo ready $!; while :; do sleep 0.02; done`)
				cmd.KillAfter = time.Minute
				s := runAt(t, l, cmd)
				s.sees("ready ")
				s.sees("\r\n")
				_, pid, _ := strings.Cut(strings.TrimSpace(s.screen()), " ")
				row.end(l, s)
				s.ends()
				waitFor(t, "the hang-up", func() bool {
					b, err := os.ReadFile(l.home + "/hung")
					return err == nil && string(b) == "up\n"
				})
				wantGone(t, pid)
			})
		})
	}
}

// TestShellIsLeftAndTakenAgain leaves a job at a terminal, lets it write what nobody sees,
// takes it back and ends it.
func TestShellIsLeftAndTakenAgain(t *testing.T) {
	l := newKeepingLine(t)
	l.linger = 50 * time.Millisecond // and it goes on for longer
	cmd := sh(`trap 'echo now $(stty size)' WINCH; echo ready
		while :; do read x; case $x in end) exit 6;; ?*) echo "<$x>";; esac; done`)
	cmd.Job = "shell"
	s := runAt(t, l, cmd)
	s.sees("ready\r\n")
	s.types("one\r")
	s.sees("<one>\r\n")
	s.leave(ErrLeave)
	if r := s.ends(); r.Reason != Running || r.Error != "" {
		t.Fatalf("%+v", r)
	}
	for i := range 3 {
		time.Sleep(2 * l.linger)
		if got := list(t, l)[0]; got.State != Running || !got.Terminal {
			t.Fatalf("%+v", got)
		}
		s = takeAt(t, l.dial(t), "shell")
		s.sees("now 24 80\r\n") // it is told to draw all anew, though the size is the same
		s.types(fmt.Sprintf("two %d\r", i))
		s.sees(fmt.Sprintf("<two %d>\r\n", i))
		if i < 2 {
			s.leave(ErrLeave)
			if r := s.ends(); r.Reason != Running || r.Error != "" {
				t.Fatalf("%+v", r)
			}
		}
	}
	s.types("end\r")
	if r := s.ends(); r.Reason != Exited || r.Code != 6 {
		t.Errorf("%+v", r)
	}
}

func TestWhoTakesAJobTakesItsPlace(t *testing.T) {
	l := newKeepingLine(t)
	l.linger = time.Minute
	cmd := sh(`echo ready; while read x; do echo "<$x>"; done; exit 6`)
	cmd.Job = "shell"
	first := runAt(t, l, cmd)
	first.sees("ready\r\n")
	second := takeAt(t, l.dial(t), "shell")
	if r := first.ends(); r.Reason != Cancelled || r.Error != errTakenOver.Error() {
		t.Errorf("%+v", r)
	}
	second.types("two\r")
	second.sees("<two>\r\n")
	second.leave(nil) // as its own client does, it ends the job
	if r := second.ends(); r.Reason != Cancelled {
		t.Errorf("%+v", r)
	}
	waitFor(t, "its end", func() bool { return state(t, l, "shell") == Cancelled })
}

// TestWhoHasLostAJobClosesItsOutputNoMore has a client that does not take its output lose the command
// to another, and only then say that it wants no more.
func TestWhoHasLostAJobClosesItsOutputNoMore(t *testing.T) {
	l := newKeepingLine(t)
	text := lines(20_000_000) // more than fits all buffers on the way
	l.file(t, "text", string(text), 0o600)
	cmd := sh("cat text; while ! test -e go; do sleep 0.01; done; cat text; exit 6")
	cmd.Job, cmd.Linger = "a", time.Minute
	give := make(chan struct{})
	cmd.Stdout = writerFunc(func([]byte) (int, error) {
		<-give
		return 0, errFull
	})
	first := make(chan Result, 1)
	go func() {
		r, _ := l.Run(t.Context(), cmd)
		first <- r
	}()
	waitFor(t, "its output", func() bool {
		jobs, err := l.Jobs(t.Context())
		return err == nil && len(jobs) == 1 && jobs[0].StdoutBytes == int64(len(text))
	})
	all := newTally(int64(len(text)))
	second := make(chan Result, 1)
	other := l.dial(t)
	go func() {
		r, err := other.Attach(t.Context(), Attachment{Job: "a", Take: true, Stdout: all})
		if err != nil {
			t.Error(err)
		}
		second <- r
	}()
	<-all.enough
	close(give)
	if r := <-first; r.Reason != Cancelled || r.Error != errTakenOver.Error() {
		t.Errorf("who lost it: %+v", r)
	}
	l.file(t, "go", "", 0o600)
	if r := <-second; r.Reason != Exited || r.Code != 6 || all.n.Load() != int64(2*len(text)) {
		t.Errorf("who took it: %+v, %d bytes", r, all.n.Load())
	}
}

// TestWhoHasLostAJobCannotLeaveItForAnother has a client leave a job that another has taken, before it
// hears of that.
func TestWhoHasLostAJobCannotLeaveItForAnother(t *testing.T) {
	l := newKeepingLine(t)
	l.linger = time.Minute
	cmd := sh(`echo ready; read x; echo "<$x>"; exit 6`)
	cmd.Job = "shell"
	first := runAt(t, l, cmd)
	first.sees("ready\r\n")
	second := takeAt(t, l.dial(t), "shell")
	first.ends()
	for own, want := range []string{1: errTakenOver.Error(), 2: errDetached.Error()} {
		if own == 0 {
			continue
		}
		call, err := l.openCall(func(h *frame.Builder) {
			h.Str("kind", kindAttach).Str("job", "shell").Bool("detach", true).Int("own", int64(own))
		}, nil, callShape{stderr: true})
		if err != nil {
			t.Fatal(err)
		}
		if m := <-call.exit; m.reason != Cancelled || m.err != want {
			t.Errorf("left by %d: %s", own, m.err)
		}
		l.forget(call)
	}
	if r := second.ends(); r.Reason != Cancelled {
		t.Errorf("%+v", r)
	}
}

func TestWhoLeavesAJobSaysWhichCallIsLeft(t *testing.T) {
	near, far := socketPair(t)
	cl := NewClient(near, "test")
	p := newPeer(t, far)
	p.expect(kindHello)
	p.send(`{"kind":"hello","version":1,"features":["attach"]}`, "")
	ctx, leave := context.WithCancelCause(t.Context())
	ended := make(chan struct{})
	cmd := sh("true")
	cmd.Linger = time.Minute
	cmd.Stdout = writerFunc(func(b []byte) (int, error) {
		leave(ErrLeave)
		return len(b), nil
	})
	go func() {
		defer close(ended)
		cl.Run(ctx, cmd)
	}()
	p.expect(kindRun)
	p.send(`{"kind":"started","call":1,"job":"a","own":7}`, "")
	p.send(`{"kind":"data","call":1,"fd":1,"offset":0}`, "x")
	if m := p.expect(kindAttach); !m.detach || m.own != 7 {
		t.Errorf("%+v", m)
	}
	far.Close()
	<-ended
	cl.Close()
}

// TestShellOverABreakingLineMissesNoKey breaks the line of a job that was taken, and
// whose input so begins anywhere.
func TestShellOverABreakingLineMissesNoKey(t *testing.T) {
	l := newKeepingLine(t)
	l.linger = time.Minute
	cmd := sh(`stty -echo; echo ready; n=0; while read x; do n=$((n+1)); echo "$n<$x>"; done; exit 6`)
	cmd.Job = "shell"
	s := runAt(t, l, cmd)
	s.sees("ready\r\n")
	s.types("a\rb\r")
	s.sees("2<b>\r\n")
	s.leave(ErrLeave)
	s.ends()

	lines := make(chan *Client, 1)
	lasting := &Lasting{Within: time.Minute, Dial: func(context.Context) (*Client, error) {
		cl := l.dial(t)
		lines <- cl
		return cl, nil
	}}
	first := l.dial(t)
	s = sit(t, func(ctx context.Context, s *seat, keys io.Reader, terminal *Terminal) (Result, error) {
		return lasting.Attach(ctx, first, Attachment{Job: "shell", Take: true, Stdin: keys, Stdout: s, Terminal: terminal, StdoutOffset: maxInt})
	})
	s.types("c\r")
	s.sees("3<c>\r\n")
	cl := first
	for i := range 5 {
		cl.c.nc.Close()
		s.types(fmt.Sprintf("d%d\r", i))
		s.sees(fmt.Sprintf("%d<d%d>\r\n", i+4, i))
		cl = <-lines
	}
	if got := strings.Count(s.screen(), "<"); got != 6 {
		t.Errorf("%d answers: %q", got, s.screen())
	}
	s.keys.Close()
	if r := s.ends(); r.Reason != Exited || r.Code != 6 {
		t.Errorf("%+v", r)
	}
}

func TestGuestWithoutTerminalsGetsNone(t *testing.T) {
	l := newKeepingLine(t)
	l.linger = time.Minute
	cmd := sh(`echo ready; read x; exit 6`)
	cmd.Job = "shell"
	s := runAt(t, l, cmd)
	s.sees("ready\r\n")
	near, far := socketPair(t)
	served := make(chan struct{})
	go func() {
		defer close(served)
		l.server.ServeConn(context.Background(), far, Guest{NoTerminal: true})
	}()
	cl := NewClient(near, "test")
	defer func() {
		cl.Close()
		<-served
	}()
	for _, linger := range []time.Duration{0, time.Minute} {
		r, err := cl.Run(t.Context(), Command{Args: []string{"true"}, Terminal: &Terminal{}, Linger: linger})
		if r.Reason != Refused || r.Code != 125 || r.Error != errNoTerminal.Error() || err != nil {
			t.Errorf("run: %+v, %v", r, err)
		}
	}
	r, err := cl.Attach(t.Context(), Attachment{Job: "shell", Take: true})
	if r.Reason != Refused || r.Error != errNoTerminal.Error() || err != nil {
		t.Errorf("take: %+v, %v", r, err)
	}
	if r, err := cl.Run(t.Context(), Command{Args: []string{"true"}}); !r.Success() || err != nil {
		t.Errorf("without one: %+v, %v", r, err)
	}
	s.types("x\r")
	if r := s.ends(); r.Code != 6 {
		t.Errorf("%+v", r)
	}
}

func TestLoginShellIsTheUsers(t *testing.T) {
	home := t.TempDir()
	shell := home + "/own shell"
	if err := os.WriteFile(shell, []byte("#!/bin/sh\necho \"I am $0 $#\"; ps -o args= -p $$; exit 8\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SHELL", shell)
	bothKinds(t, func(t *testing.T, l *line) {
		r, out, _ := l.run(t, Command{Login: true})
		if r.Code != 8 || out == "" {
			t.Errorf("%+v, %q", r, out)
		}
	})
	t.Setenv("SHELL", "/bin/sh")
	bothKinds(t, func(t *testing.T, l *line) {
		r, out, _ := l.run(t, Command{Login: true, Stdin: strings.NewReader("echo $0; exit 9\n")})
		if r.Code != 9 || out != "-sh\n" {
			t.Errorf("%+v, %q", r, out)
		}
		if r, err := l.Run(t.Context(), Command{Login: true, Args: []string{"x"}}); r.Reason != Refused || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestForcedCommandTakesThePlaceOfALoginShell(t *testing.T) {
	p, _ := peerOfServer(t, &Server{Home: t.TempDir()}, Guest{Command: "echo forced $SSH_ORIGINAL_COMMAND; test -t 1 && echo at a terminal"})
	p.send(helloLine, "")
	p.send(`{"kind":"run","call":1,"job":"a","args":1,"login":true,"tty":true}`, "\x00")
	var out []byte
	for {
		m, body, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, body...)
		if m.kind == kindExit {
			break
		}
	}
	if want := "forced\r\nat a terminal\r\n"; string(out) != want {
		t.Errorf("%q", out)
	}
}

// A server that knows no terminals is asked for none: it would run the command without.
func TestServerWithoutTerminalsIsAskedForNone(t *testing.T) {
	_, cl := peerOfClient(t)
	r, err := cl.Run(t.Context(), Command{Args: []string{"true"}, Terminal: &Terminal{}})
	if r.Reason != Lost || !errors.Is(err, ErrNoTerminals) {
		t.Errorf("%+v, %v", r, err)
	}
}
