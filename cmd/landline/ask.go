package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// canAsk says whether there is a person to ask.
func canAsk() bool { return isTerminal(os.Stdin) && isTerminal(os.Stderr) }

// passphraseAsker returns the callback for keys that are encrypted. It gives up
// when ctx ends, and leaves the terminal as it was.
func passphraseAsker(ctx context.Context) func(prompt string) ([]byte, error) {
	return func(prompt string) (passphrase []byte, err error) {
		terminal := int(os.Stdin.Fd())
		before, err := term.GetState(terminal)
		if err != nil {
			return nil, err
		}
		err = ask(ctx, escape(prompt), func() (err error) {
			passphrase, err = term.ReadPassword(terminal)
			return err
		})
		fmt.Fprintln(os.Stderr)
		if err != nil {
			_ = term.Restore(terminal, before) // there is no better state to leave it in
			return nil, err
		}
		return passphrase, nil
	}
}

// askYes asks a question that only "yes" answers.
func askYes(ctx context.Context, question string) bool {
	var answer string
	err := ask(ctx, question+" (yes/no) ", func() error {
		_, err := fmt.Fscanln(os.Stdin, &answer)
		return err
	})
	return err == nil && strings.EqualFold(answer, "yes")
}

// ask prints a question and waits until the answer has been read, or ctx ends.
// What read does after that must harm nobody.
func ask(ctx context.Context, question string, read func() error) error {
	fmt.Fprint(os.Stderr, question)
	done := make(chan error, 1)
	go func() { done <- read() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
