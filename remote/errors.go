package remote

import (
	"errors"
	"fmt"
)

// Why connections and calls end. A connection's error wraps one of these, or the
// network's error.
var (
	// ErrClosed is what a use of a connection that this side closed returns.
	ErrClosed = errors.New("the connection is closed")
	// ErrSilent means that nothing came for 45 seconds, not even an answer to a ping.
	ErrSilent = errors.New("the other side is silent")
	// ErrTruncated means that less output came than the server says there was.
	ErrTruncated = errors.New("the output is not whole")
)

// A Breach says how the other side broke a rule of SPEC.md. The connection on
// which it happened is closed.
type Breach struct {
	Reason string
}

func (e *Breach) Error() string { return "protocol: " + e.Reason }

func breach(format string, args ...any) error {
	return &Breach{Reason: fmt.Sprintf(format, args...)}
}

// A GoodbyeError is the other side's stated reason for ending the connection.
type GoodbyeError struct {
	Reason string // one word, see SPEC.md, section 3
	Text   string // for people; as it came, so escape it for a terminal
}

func (e *GoodbyeError) Error() string {
	if e.Text == "" {
		return "the other side ended the connection: " + e.Reason
	}
	return fmt.Sprintf("the other side ended the connection: %s: %s", e.Reason, e.Text)
}

// A BrokenError is the other side's account of why a stream did not come to its end.
type BrokenError struct {
	Text string // as it came, so escape it for a terminal
}

func (e *BrokenError) Error() string { return "the connection broke: " + e.Text }
