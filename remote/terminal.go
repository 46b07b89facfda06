package remote

import (
	"cmp"
	"context"
	"errors"
	"time"

	"landline/frame"
)

// featureTerminals is in the hello of a server that gives commands terminals.
const featureTerminals = "tty"

// ErrNoTerminals means that the server gives commands no terminals.
var ErrNoTerminals = errors.New("the server gives commands no terminals")

var errNoTerminal = errors.New("this key may have no terminal")

const (
	endOfFile = 4 // Ctrl-D
	// redrawAfter is how long a terminal has another size, so that the program at it draws
	// all anew.
	redrawAfter = 50 * time.Millisecond
)

// A Window is the size of a terminal.
type Window struct {
	Rows, Cols int // 1 to 65,535

	redraw bool // even if it is no other size
}

// valid says whether a message may have it.
func (w Window) valid() bool {
	return w.Rows >= 1 && w.Rows <= maxSide && w.Cols >= 1 && w.Cols <= maxSide
}

// other is a size that differs as little as can be.
func (w Window) other() Window {
	w.Rows--
	if w.Rows == 0 {
		w.Rows = 2
	}
	return w
}

// A Terminal is what a command runs on in place of pipes.
type Terminal struct {
	// Type is its TERM. If empty, "dumb".
	Type string
	// Window is its size at first. If zero, 24 rows of 80.
	Window Window
	// Resized tells of other sizes later. It may be nil.
	Resized <-chan Window
}

// A ttySpec is the terminal that a command gets.
type ttySpec struct {
	term string
	size Window
}

// terminal is the terminal that a run asks for, nil if none.
func (m *message) terminal() *ttySpec {
	if !m.tty {
		return nil
	}
	return &ttySpec{
		term: cmp.Or(m.term, "dumb"),
		size: Window{Rows: cmp.Or(m.rows, 24), Cols: cmp.Or(m.cols, 80)},
	}
}

func (m *message) window() Window { return Window{Rows: m.rows, Cols: m.cols} }

// replaceWindow puts w into a channel with one place: only the last size counts.
// It must not be called by two at the same time.
func replaceWindow(windows chan Window, w Window) {
	select {
	case old := <-windows:
		w.redraw = w.redraw || old.redraw
	default:
	}
	windows <- w
}

// copy is a terminal of its own, whose Window may change.
func (t *Terminal) copy() *Terminal {
	if t == nil {
		return nil
	}
	own := *t
	return &own
}

// needTerminals makes sure that the server has what a command is to run on.
func (cl *Client) needTerminals(ctx context.Context, cmd *Command) error {
	if cmd.Terminal == nil && !cmd.Login {
		return nil
	}
	return cl.need(ctx, featureTerminals, ErrNoTerminals)
}

// resize tells the server of another size of a call's terminal.
func (cl *Client) resize(call *clientCall, w Window) {
	var h frame.Builder
	_ = cl.c.post(h.Str("kind", kindWindow).Int("call", call.id).Int("rows", int64(w.Rows)).Int("cols", int64(w.Cols)), nil)
}

// left says whether a context has ended because the command is to be left.
func left(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLeave) }

// detach has a job go on without a client: the server ends its own call, and the one that asks. If another client has
// taken the job meanwhile, it stays that one's.
func (cl *Client) detach(own *clientCall, job string) {
	var rank int64
	select {
	case <-own.started:
		rank = own.how.own
	default:
	}
	call, err := cl.openCall(func(h *frame.Builder) {
		h.Str("kind", kindAttach).Str("job", job).Bool("detach", true).Int("own", rank)
	}, nil, callShape{stderr: true})
	if err == nil {
		cl.forget(call)
	}
}
