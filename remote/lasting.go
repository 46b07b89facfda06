package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 50 * time.Millisecond // before a broken connection is made anew
	mostPause  = 5 * time.Second
)

// A Lasting carries commands over connections that break: it makes new ones, on which
// each goes on where it stopped, so that the output is the same and the command ran once.
// The server must keep jobs: see [Server.State].
type Lasting struct {
	// Dial makes a new connection, which the Lasting then owns.
	Dial func(ctx context.Context) (*Client, error)
	// Within is how long it is tried after a connection broke. The server keeps the
	// command running so long, and a little longer, and then ends it.
	Within time.Duration
	// Hopeless, if not nil, says which errors of Dial, or ends of a connection, no
	// later try can mend.
	Hopeless func(error) bool
	// Broke and Mended, if not nil, are called when a connection has broken, with the
	// reason, and when one stands again.
	Broke  func(error)
	Mended func()
}

// Run is [Client.Run] on cl first, and then on others as need be. The Reason is Lost if
// none could be had in time, or the server cannot say what became of the command either.
func (l *Lasting) Run(ctx context.Context, cl *Client, cmd Command) (Result, error) {
	if cmd.Job == "" {
		cmd.Job = NewJobID()
	}
	cmd.Linger = l.Within + deadAfter // by then either side knows that the other is gone
	body, refused := cmd.prepare(ctx)
	if refused != nil {
		return *refused, nil
	}
	e := errand{Command: cmd, acks: true}
	if cmd.Stdin != nil {
		in := newReplay(cmd.Stdin)
		defer in.close()
		e.feed = in.feed
	}
	r, err := l.carry(ctx, cl, &e, func(cl *Client) (Result, error) {
		e.rank++
		if e.started {
			return cl.attach(ctx, &e, false)
		}
		// One id starts one command, so this may be sent again.
		return cl.start(ctx, &e, body)
	})
	return r, err
}

// Attach is [Client.Attach], likewise.
func (l *Lasting) Attach(ctx context.Context, cl *Client, a Attachment) (Result, error) {
	e, done := a.errand()
	defer done()
	return l.carry(ctx, cl, e, func(cl *Client) (Result, error) {
		if e.rank > 0 {
			e.rank++
		}
		return cl.attach(ctx, e, a.Cancel)
	})
}

// carry has one connection after another go on with an errand.
func (l *Lasting) carry(ctx context.Context, cl *Client, e *errand, goOn func(*Client) (Result, error)) (Result, error) {
	var out outage
	first := cl
	for {
		before := *e
		r, err := goOn(cl)
		broken := r.Reason == Lost && l.broken(cl, err) // by itself, and not by us
		if cl != first {
			cl.Close()
		}
		if !broken || ctx.Err() != nil || l.Within == 0 {
			return r, err
		}
		if e.started != before.started || e.at != before.at {
			out = outage{}
		}
		if l.Broke != nil {
			l.Broke(err)
		}
		cl, err = l.redial(ctx, &out, err)
		if err != nil {
			return e.lost(err)
		}
		if l.Mended != nil {
			l.Mended()
		}
	}
}

// broken says whether err is a connection's end that another can mend.
func (l *Lasting) broken(cl *Client, err error) bool {
	select {
	case <-cl.Done():
	default:
		return false
	}
	if bye, ok := errors.AsType[*GoodbyeError](err); ok {
		return bye.Reason == "shutdown" || bye.Reason == "silent" || bye.Reason == "limit"
	}
	_, breach := errors.AsType[*Breach](err)
	return !breach && !errors.Is(err, ErrClosed) && !l.hopeless(err)
}

func (l *Lasting) hopeless(err error) bool { return l.Hopeless != nil && l.Hopeless(err) }

// An outage is a time without progress: connections that break at once are no end
// of it.
type outage struct {
	until time.Time
	pause time.Duration
}

// redial makes a new connection. If none can be had in time, the error is the last
// one.
func (l *Lasting) redial(ctx context.Context, out *outage, err error) (*Client, error) {
	if out.until.IsZero() {
		*out = outage{until: time.Now().Add(l.Within), pause: firstPause}
	}
	for {
		pause := out.pause/2 + rand.N(out.pause) // so that many do not come at once
		if time.Now().Add(pause).After(out.until) {
			return nil, err
		}
		if wait(ctx, pause) != nil {
			return nil, err
		}
		out.pause = min(out.pause*2, mostPause)
		var cl *Client
		if cl, err = l.connect(ctx, out.until); err == nil {
			return cl, nil
		}
		if l.hopeless(err) {
			return nil, err
		}
	}
}

// connect makes one connection, and is sure that the server has let it in.
func (l *Lasting) connect(ctx context.Context, until time.Time) (*Client, error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	cl, err := l.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := cl.Connected(ctx); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

// wait waits that long. It fails when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
