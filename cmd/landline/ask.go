package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/term"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// canAsk says whether there is a person to ask.
func canAsk() bool { return isTerminal(os.Stdin) && isTerminal(os.Stderr) }

// A keyboard is the terminal to read from and to write to. It takes no more keys
// than are asked for: the others are the command's.
type keyboard struct{}

func (keyboard) Read(p []byte) (int, error)  { return os.Stdin.Read(p[:min(len(p), 1)]) }
func (keyboard) Write(p []byte) (int, error) { return os.Stderr.Write(p) }

// passphraseAsker returns the callback for keys that are encrypted. It gives up
// when ctx ends, and leaves the terminal as it was.
func passphraseAsker(ctx context.Context) func(prompt string) ([]byte, error) {
	return func(prompt string) ([]byte, error) {
		terminal := int(os.Stdin.Fd())
		// Before the prompt, so that what is typed in haste is not shown.
		before, err := term.MakeRaw(terminal)
		if err != nil {
			return nil, err
		}
		defer term.Restore(terminal, before)
		return ask(ctx, func() ([]byte, error) {
			line, err := term.NewTerminal(keyboard{}, "").ReadPassword(escape(prompt))
			if errors.Is(err, io.EOF) { // Ctrl-C, which is no signal now
				err = &interrupted{int(syscall.SIGINT)}
			}
			return []byte(line), err
		})
	}
}

// askYes asks a question that only "yes" answers.
func askYes(ctx context.Context, question string) bool {
	fmt.Fprint(os.Stderr, question+" (yes/no) ")
	answer, err := ask(ctx, func() (answer string, err error) {
		_, err = fmt.Fscanln(keyboard{}, &answer)
		return answer, err
	})
	return err == nil && strings.EqualFold(answer, "yes")
}

// ask waits until the answer has been read, or ctx ends.
func ask[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := read()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
