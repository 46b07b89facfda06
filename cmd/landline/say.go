package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"landline/identity"
	"landline/remote"
)

// say prints a remark to standard error, unless --quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(os.Stderr, "landline: "+format+"\n", args...)
	}
}

// fail prints an error to standard error: what happened, and what to do about it.
func (a *app) fail(err error) {
	text := escape(err.Error())
	if h := hint(err); h != "" {
		text += " (" + h + ")"
	}
	fmt.Fprintln(os.Stderr, "landline: "+text)
}

// A hinted error carries advice that only the place where it arose can give.
type hinted struct {
	error
	advice string
}

func (h *hinted) Unwrap() error { return h.error }

// hint returns advice for errors that have some.
func hint(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.advice
	}
	if key, ok := errors.AsType[*identity.HostKeyError](err); ok {
		return hostKeyHint(key)
	}
	switch bye, _ := errors.AsType[*remote.GoodbyeError](err); {
	case errors.Is(err, syscall.ECONNREFUSED):
		return `is "landline serve" running there?`
	case errors.Is(err, identity.ErrNoSigner):
		return "make a key with ssh-keygen -t ed25519, or name one with -i"
	case errors.Is(err, identity.ErrNotAuthorized), bye != nil && bye.Reason == "denied":
		return "is your public key in ~/.ssh/authorized_keys there?"
	}
	return ""
}

func hostKeyHint(e *identity.HostKeyError) string {
	switch e.Problem {
	case identity.HostKeyUnknown:
		return "if that is its key, --accept-new writes it down"
	case identity.HostKeyChanged:
		return fmt.Sprintf("if it was changed on purpose: ssh-keygen -f %s -R '%s'", e.File, e.Entry)
	}
	return ""
}

// escape makes a text from elsewhere harmless for a terminal: what is not
// printable is written as in Go, an ESC as \x1b.
func escape(s string) string {
	clean := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		if clean(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.Quote(s[i : i+n])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// printJSON prints v on a line of its own.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// canAsk says whether there is a person to ask.
func canAsk() bool { return isTerminal(os.Stdin) && isTerminal(os.Stderr) }

// askPassphrase is the callback for keys that are encrypted.
func askPassphrase(prompt string) ([]byte, error) {
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	return term.ReadPassword(int(os.Stdin.Fd()))
}

// askYes asks a question that only "yes" answers.
func askYes(question string) bool {
	fmt.Fprint(os.Stderr, question+" (yes/no) ")
	var answer string
	fmt.Fscanln(os.Stdin, &answer)
	return strings.EqualFold(answer, "yes")
}
