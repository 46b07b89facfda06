package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landline/remote"
)

// forwardFlags are those of `landline forward`.
type forwardFlags struct {
	lineFlags
	reverse   bool
	reconnect time.Duration
}

func (a *app) forwardCommand() *cobra.Command {
	var f forwardFlags
	cmd := &cobra.Command{
		Use:   "forward [flags] HOST LISTEN=TARGET...",
		Short: "Carry a port to another machine, or from it",
		Long: `Forward listens at LISTEN on this machine and carries each connection that comes to
TARGET, as HOST reaches it. With --reverse it listens on HOST, and TARGET is as this
machine reaches it. Both directions of a connection end one by one, as without it.

LISTEN is a port (of 127.0.0.1; 0 picks one), address:port, :port for all addresses, or
unix:PATH (on this machine, mode 0600). TARGET is a port (of localhost), host:port or
unix:PATH.

It goes on until SIGTERM or SIGINT, or until the line breaks: then all connections break
with it, and so does landline, with code 125, unless --reconnect gives it time to make the
line anew. A key with restrict, no-port-forwarding or command in authorized_keys over
there may not carry ports.`,
		Example: `  landline forward shed 8080=80                     http://127.0.0.1:8080 is shed's port 80
  landline forward shed 5432=db.lan:5432 unix:s=unix:/run/app.sock
  landline forward --reverse shed 8080=3000         shed's port 8080 is port 3000 here`,
		Args: needs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.forward(&f, args) },
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.reverse, "reverse", false, "listen there, and carry what comes to here")
	cmd.Flags().Var(&period{"reconnect", &f.reconnect}, "reconnect", "when the line breaks, make it anew for this `TIME` (default not at all)")
	return cmd
}

// An end is where to listen, or where to carry to.
type end struct{ network, addr string }

func (e end) String() string {
	if e.network == "unix" {
		return "unix:" + e.addr
	}
	return e.addr
}

// withNetwork is String as `landline lan` has it for what listens.
func (e end) withNetwork() string {
	if e.network == "unix" {
		return e.String()
	}
	return e.network + " " + e.addr
}

// parseEnd reads an end; one that is a port alone is of a host.
func parseEnd(s, host string) (end, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok && path != "" {
		return end{"unix", path}, nil
	}
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		return end{"tcp", net.JoinHostPort(host, s)}, nil
	}
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return end{}, fmt.Errorf("%q: an end is a port, host:port or unix:PATH", s)
	}
	return end{"tcp", s}, nil
}

// A way is what to carry.
type way struct {
	listen, target end
	ln             net.Listener // on this machine, or nil
}

func (f *forwardFlags) parseWay(s string) (*way, error) {
	listen, target, ok := strings.Cut(s, "=")
	if !ok {
		return nil, &hinted{fmt.Errorf("%q: it is LISTEN=TARGET", s), "such as 8080=80 or 5432=db:5432"}
	}
	w := &way{}
	var err error
	if w.listen, err = parseEnd(listen, "127.0.0.1"); err != nil {
		return nil, err
	}
	if w.target, err = parseEnd(target, "localhost"); err != nil {
		return nil, err
	}
	if strings.HasPrefix(w.target.addr, ":") || w.target.network == "tcp" && strings.HasSuffix(w.target.addr, ":0") {
		return nil, fmt.Errorf("%q: nobody can be called at %s", s, target)
	}
	if f.reverse && w.listen.network == "unix" {
		return nil, fmt.Errorf("%q: there, a port can be listened on, and no socket", s)
	}
	return w, nil
}

// A forwarder carries connections over one line after another.
type forwarder struct {
	a    *app
	f    *forwardFlags
	d    *dialer
	ways []*way

	mu sync.Mutex
	cl *remote.Client // the line that stands; nil if none does

	carrying sync.WaitGroup
}

func (a *app) forward(f *forwardFlags, args []string) error {
	h, err := parseHost(args[0])
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if f.reconnect < 0 {
		return fmt.Errorf("--reconnect %v: no time runs backwards", f.reconnect)
	}
	w := &forwarder{a: a, f: f, d: a.dialer(&f.lineFlags, h)}
	for _, s := range args[1:] {
		way, err := f.parseWay(s)
		if err != nil {
			return err
		}
		w.ways = append(w.ways, way)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err = w.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// run makes the line, and makes it anew as long as it may.
func (w *forwarder) run(ctx context.Context) error {
	cl, err := w.connect(ctx)
	if err != nil {
		return err
	}
	if !w.f.reverse {
		w.setLine(cl) // before somebody hears that he can come
		if err := w.listenHere(ctx); err != nil {
			cl.Close()
			return err
		}
	}
	defer w.end()
	for again := false; ; again = true {
		err := w.over(ctx, cl, again)
		if ctx.Err() != nil || w.f.reconnect == 0 || !isBreak(err) {
			return err
		}
		w.a.fail(err)
		if cl, err = w.again(ctx); err != nil {
			return err
		}
	}
}

// A lineBreak is why a line that stood is gone.
type lineBreak struct{ error }

func (e *lineBreak) Unwrap() error { return e.error }

func isBreak(err error) bool {
	_, ok := errors.AsType[*lineBreak](err)
	return ok
}

// connect makes a line, and is sure that it stands.
func (w *forwarder) connect(ctx context.Context) (*remote.Client, error) {
	cl, err := w.d.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.d.host.text, err)
	}
	if _, err := cl.Connected(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("%s: %w", w.d.host.text, afterwards(err))
	}
	return cl, nil
}

// again makes the line anew while there is time.
func (w *forwarder) again(ctx context.Context) (cl *remote.Client, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.f.reconnect)
	defer cancel()
	hopeless := w.d.lasting(0).Hopeless
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		if cl, err = w.connect(ctx); err == nil || hopeless(err) {
			return cl, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// over carries connections over a line until that ends, or ctx does. It says so if there was another line before.
func (w *forwarder) over(ctx context.Context, cl *remote.Client, again bool) error {
	defer cl.Close()
	if w.f.reverse {
		for _, way := range w.ways {
			if err := w.listenThere(ctx, cl, way); err != nil {
				return err
			}
		}
	}
	w.setLine(cl)
	defer w.setLine(nil)
	if again {
		w.a.say("%s: the line stands again", w.d.host.text)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-cl.Done():
		return &lineBreak{fmt.Errorf("%s: %w", w.d.host.text, afterwards(cl.Err()))}
	}
}

func (w *forwarder) setLine(cl *remote.Client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cl = cl
}

func (w *forwarder) line() *remote.Client {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cl
}

// listenHere opens all listeners of this machine.
func (w *forwarder) listenHere(ctx context.Context) error {
	for _, way := range w.ways {
		var err error
		if way.listen.network == "unix" {
			way.ln, err = listenUnix("LISTEN", way.listen.addr)
		} else if way.ln, err = net.Listen("tcp", way.listen.addr); err != nil {
			err = fmt.Errorf("%s: %w", way.listen, plain(err))
		}
		if err != nil {
			w.end()
			return err
		}
		w.announce(way.ln, way, "", w.d.host.text+": ")
		w.carrying.Go(func() {
			w.accept(way.ln, func(c net.Conn) (net.Conn, error) {
				cl := w.line()
				if cl == nil {
					return nil, errors.New("there is no line")
				}
				return dialThere(ctx, cl, way.target)
			}, way)
		})
	}
	return nil
}

// dialThere keeps a nil Port from becoming a connection that is not nil.
func dialThere(ctx context.Context, cl *remote.Client, to end) (net.Conn, error) {
	p, err := cl.Dial(ctx, to.network, to.addr)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// listenThere has the other machine listen, until the line ends.
func (w *forwarder) listenThere(ctx context.Context, cl *remote.Client, way *way) error {
	ln, err := cl.Listen(ctx, way.listen.addr)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", w.d.host.text, way.listen, portFault(err))
	}
	w.announce(ln, way, w.d.host.text+": ", "")
	w.carrying.Go(func() {
		w.accept(ln, func(net.Conn) (net.Conn, error) {
			d := net.Dialer{Timeout: connectWithin}
			return d.DialContext(ctx, way.target.network, way.target.addr)
		}, way)
	})
	return nil
}

// announce prints what scripts wait for, --quiet or not.
func (w *forwarder) announce(ln net.Listener, way *way, there, here string) {
	at := end{way.listen.network, ln.Addr().String()}
	if w.a.json {
		printJSON(&w.a.out, map[string]string{"host": w.d.host.text, "listening": at.String(), "target": way.target.String()})
		return
	}
	tell("forward of " + there + at.withNetwork() + " to " + here + way.target.String())
}

// accept carries each connection of a listener, until that is closed.
func (w *forwarder) accept(ln net.Listener, dial func(net.Conn) (net.Conn, error), way *way) {
	for {
		c, err := ln.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) { // which passes
				time.Sleep(50 * time.Millisecond)
				continue
			}
			return
		}
		w.carrying.Go(func() {
			to, err := dial(c)
			if err != nil {
				w.a.fail(fmt.Errorf("%s: %s: %w", w.d.host.text, way.target, portFault(err)))
				abort(c)
				return
			}
			join(c, to)
		})
	}
}

// portFault is why there is no connection, in few words.
func portFault(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if dns, ok := errors.AsType[*net.DNSError](op.Err); ok && dns.IsNotFound {
			return errors.New("no such host")
		}
		if op.Timeout() || errors.Is(op.Err, syscall.ETIMEDOUT) {
			return errors.New("no answer")
		}
		if errors.Is(op.Err, syscall.ECONNREFUSED) {
			return &hinted{syscall.ECONNREFUSED, "does anything listen there?"}
		}
		return bare(op.Err)
	}
	return err
}

// end closes what listens here, and waits for what is carried, which the line's end has broken.
func (w *forwarder) end() {
	for _, way := range w.ways {
		if way.ln != nil {
			way.ln.Close()
		}
	}
	w.carrying.Wait()
}

// join carries bytes between two connections until both directions have ended, or one is broken: then both
// connections break, so that nobody takes a part for the whole.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	one := func(to, from net.Conn) {
		if _, err := io.Copy(to, from); err != nil {
			abort(to)
			abort(from)
			return
		}
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // who reads meets what breaks it
		}
	}
	both.Go(func() { one(a, b) })
	both.Go(func() { one(b, a) })
	both.Wait()
	a.Close()
	b.Close()
}

// abort breaks a connection.
func abort(c net.Conn) {
	switch c := c.(type) {
	case *remote.Port:
		c.Abort()
	case *net.TCPConn:
		c.SetLinger(0)
	}
	c.Close()
}
