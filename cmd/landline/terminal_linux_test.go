package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

const canMakeTerminals = true

// openTerminal makes a pseudo-terminal of 24 lines and 80 columns: the side that a
// person sits at, and the program's.
func openTerminal() (person, program *os.File, err error) {
	person, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			person.Close()
		}
	}()
	fd := int(person.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		return nil, nil, err
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	return person, program, err
}

func cmdTerm(ts *testscript.TestScript, _ bool, args []string) {
	person, program, err := openTerminal()
	ts.Check(err)
	defer person.Close()
	cmd := command(ts, args[2:])
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	program.Close()
	ts.Check(err)
	defer cmd.Process.Kill()

	screen := &watched{wake: make(chan struct{}, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		// The terminal's end is an error on Linux.
		_, _ = bufio.NewReader(person).WriteTo(screen)
	}()
	talk(ts, ts.ReadFile(args[1]), screen, person)
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	select {
	case err = <-waited:
	case <-time.After(patience):
		ts.Fatalf("it does not end; the screen shows %q", screen.String())
	}
	<-read
	ts.Logf("[terminal]\n%q", screen.String())
	ts.Check(os.WriteFile(ts.MkAbs("terminal"), []byte(screen.String()), 0o600))
	wantCode(ts, args[0], err)
}

// talk waits for texts and types others, as a dialogue's lines have it.
func talk(ts *testscript.TestScript, dialogue string, screen *watched, person *os.File) {
	seen := 0
	for line := range strings.Lines(dialogue) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "< "):
			seen = screen.after(ts, seen, text[2:])
		case strings.HasPrefix(text, "> "):
			typed, err := strconv.Unquote(`"` + text[2:] + `"`)
			ts.Check(err)
			_, err = fmt.Fprint(person, typed)
			ts.Check(err)
		case text != "":
			ts.Fatalf("a dialogue's lines begin with < or >: %q", text)
		}
	}
}

// after waits for a text behind the first bytes, and returns where it ends.
func (w *watched) after(ts *testscript.TestScript, seen int, text string) int {
	late := time.After(patience)
	for {
		if i := strings.Index(w.String()[seen:], text); i >= 0 {
			return seen + i + len(text)
		}
		select {
		case <-w.wake:
		case <-late:
			ts.Fatalf("the screen does not show %q, but %q", text, w.String())
		}
	}
}
