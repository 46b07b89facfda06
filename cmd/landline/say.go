package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf8"

	"landline/identity"
	"landline/remote"
)

// say prints a remark to standard error, unless --quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		a.tell(fmt.Sprintf(format, args...))
	}
}

// fail prints an error to standard error: what happened, and what to do about it.
func (a *app) fail(err error) {
	text := err.Error()
	if h := hint(err); h != "" {
		text += " (" + h + ")"
	}
	a.tell(text)
}

// tell prints one line to standard error.
func (a *app) tell(text string) {
	if !a.raw.Load() {
		tell(text)
		return
	}
	screen.Lock()
	defer screen.Unlock()
	fmt.Fprint(os.Stderr, "\r\nlandline: "+escape(text)+"\r\n")
}

// screen is held while a line is printed, on whichever output: they may be one pipe, and lines of many hosts come
// at the same time.
var screen sync.Mutex

// tell prints one line to standard error.
func tell(text string) {
	screen.Lock()
	defer screen.Unlock()
	fmt.Fprintln(os.Stderr, "landline: "+escape(text))
}

// A hinted error carries advice that only the place where it arose can give.
type hinted struct {
	error
	advice string
}

func (h *hinted) Unwrap() error { return h.error }

// hint returns advice for errors that have some.
func hint(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok && h.advice != "" {
		return h.advice
	}
	if key, ok := errors.AsType[*identity.HostKeyError](err); ok {
		return hostKeyHint(key)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return `is "landline serve" running there?`
	case errors.Is(err, identity.ErrKeyMode):
		return "chmod 600 makes it yours alone"
	case errors.Is(err, identity.ErrPassphrase):
		return "ssh-add gives the key to the agent, which needs no passphrase again"
	case errors.Is(err, identity.ErrNoSigner):
		return "make a key with ssh-keygen -t ed25519, or name one with -i"
	case notLetIn(err):
		return "is your public key in ~/.ssh/authorized_keys there? ssh-copy-id puts it there; if it is there, the log of serve says why it does not do"
	}
	return ""
}

// notLetIn says whether it is the server that does not want this client.
func notLetIn(err error) bool {
	bye, ok := errors.AsType[*remote.GoodbyeError](err)
	return ok && bye.Reason == "denied" || identity.Refused(err)
}

// afterwards makes plain what ended a line that had stood.
func afterwards(err error) error {
	op, isNet := errors.AsType[*net.OpError](err)
	switch {
	case identity.Refused(err):
		return &hinted{errors.New("not let in"), hint(err)}
	case isNet:
		return fmt.Errorf("the line broke: %w", bare(op.Err))
	}
	return flat(err)
}

func hostKeyHint(e *identity.HostKeyError) string {
	switch e.Problem {
	case identity.HostKeyUnknown:
		return "if that is its key, --accept-new writes it down"
	case identity.HostKeyChanged:
		if line, err := identity.HostLine(e.Host, e.Got); err == nil && !strings.HasPrefix(e.Entry, "[") {
			return fmt.Sprintf("that entry is sshd's; if landline has a key of its own there: echo '%s' >> %s", line, e.File)
		}
		return fmt.Sprintf("if it was changed on purpose: ssh-keygen -f %s -R '%s'", e.File, e.Entry)
	}
	return ""
}

// flat makes one line of errors that errors.Join put on several.
func flat(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	errs := joined.Unwrap()
	err = errs[0]
	for _, e := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, e)
	}
	return err
}

// bare returns the system's own error without what was done to which file, if
// there is one.
func bare(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
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
