package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// A lanClient speaks to the control socket of a LAN that is up.
type lanClient struct {
	name, path string
	http       http.Client
}

// askWithin is how long a LAN may take to answer what it knows at once.
const askWithin = 10 * time.Second

func lanClientAt(name, path string) *lanClient {
	l := &lanClient{name: name, path: path}
	l.http.Transport = &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) },
		DisableKeepAlives: true,
	}
	return l
}

// dial connects to the socket, and makes sure whose it is.
func (l *lanClient) dial(ctx context.Context) (*net.UnixConn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", l.path)
	if err != nil {
		return nil, err
	}
	c := nc.(*net.UnixConn)
	if err := checkOwner(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// alive reports whether somebody listens at the socket.
func (l *lanClient) alive() bool {
	c, err := l.dial(context.Background())
	if err == nil {
		c.Close()
	}
	return err == nil
}

// fault makes an error of a LAN one that people can act on.
func (l *lanClient) fault(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return &hinted{fmt.Errorf("no LAN of the name %s is up", l.name), "landline lan up --name " + l.name}
	}
	return fmt.Errorf("LAN %s: %w", l.name, bare(err))
}

func (l *lanClient) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	return http.NewRequestWithContext(ctx, method, "http://landline/v1/"+path, bytes.NewReader(b))
}

// open asks for something and returns what comes, which the caller closes. The error may be a *controlError.
func (l *lanClient) open(ctx context.Context, method, path string, body any) (io.ReadCloser, error) {
	req, err := l.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return nil, l.fault(err)
	}
	return resp.Body, refusal(resp)
}

// refusal returns the error of an answer that is one, and then closes it.
func refusal(resp *http.Response) error {
	if resp.StatusCode < 300 {
		return nil
	}
	defer resp.Body.Close()
	e := new(controlError)
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxControlBody)).Decode(e); err != nil || e.Code == "" {
		return fmt.Errorf("the LAN answers %s: it is of another version of landline", resp.Status)
	}
	return e
}

// ask asks for something and reads the answer into v, unless that is nil. The error may be a *controlError.
func (l *lanClient) ask(ctx context.Context, method, path string, body, v any) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := l.open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer r.Close()
	if v == nil {
		return nil
	}
	if err := json.NewDecoder(r).Decode(v); err != nil {
		return fmt.Errorf("LAN %s: %w", l.name, err)
	}
	return nil
}

// follow asks for what goes on until it is ended. When ctx ends, what was on its way still comes, and then the end.
func (l *lanClient) follow(ctx context.Context, path string) (io.ReadCloser, error) {
	c, err := l.dial(ctx)
	if err != nil {
		return nil, l.fault(err)
	}
	req, err := l.request(context.Background(), "GET", path, nil)
	if err != nil {
		c.Close()
		return nil, err
	}
	resp, err := exchange(c, bufio.NewReader(c), req)
	if err != nil {
		c.Close()
		return nil, l.fault(err)
	}
	if err := refusal(resp); err != nil {
		c.Close()
		return nil, err
	}
	context.AfterFunc(ctx, func() { c.CloseWrite() })
	return closing{resp.Body, c}, nil
}

// A closing answer takes its connection along.
type closing struct {
	io.ReadCloser
	conn io.Closer
}

func (c closing) Close() error { return c.conn.Close() }

// upgrade asks for something that turns the connection into a stream of bytes. The error may be a *controlError.
func (l *lanClient) upgrade(ctx context.Context, path string) (*upgraded, error) {
	c, err := l.dial(ctx)
	if err != nil {
		return nil, l.fault(err)
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	u, err := l.greet(ctx, c, path)
	if !stop() && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return u, nil
}

func (l *lanClient) greet(ctx context.Context, c *net.UnixConn, path string) (*upgraded, error) {
	req, err := l.request(ctx, "GET", path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", controlUpgrade)
	r := bufio.NewReader(c)
	resp, err := exchange(c, r, req)
	if err != nil {
		return nil, l.fault(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		if err := refusal(resp); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("the LAN answers %s: it is of another version of landline", resp.Status)
	}
	return &upgraded{c, r}, nil
}

// exchange sends a request on a connection of its own and reads the head of the answer.
func exchange(w io.Writer, r *bufio.Reader, req *http.Request) (*http.Response, error) {
	if err := req.Write(w); err != nil {
		return nil, err
	}
	return http.ReadResponse(r, req)
}

// An upgraded connection is a stream of bytes, after what was read too far.
type upgraded struct {
	*net.UnixConn
	early *bufio.Reader
}

func (u *upgraded) Read(b []byte) (int, error) {
	if u.early.Buffered() > 0 {
		return u.early.Read(b)
	}
	return u.UnixConn.Read(b)
}

// lansUp returns the LANs of this user that are up, in the order of their names. Sockets that nobody answers any more are
// none.
func lansUp(ctx context.Context) (all []*lanClient, err error) {
	dir := runtimePath()
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if dir, err = runtimeDir(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), controlPrefix)
		name, ok2 := strings.CutSuffix(name, controlSuffix)
		if l := lanClientAt(name, filepath.Join(dir, e.Name())); ok && ok2 && ctx.Err() == nil && l.alive() {
			all = append(all, l)
		}
	}
	return all, err
}

// findLAN returns the LAN of a name, or if that is empty the one that is up.
func findLAN(ctx context.Context, name string) (*lanClient, error) {
	if name != "" {
		if err := checkLANName(name); err != nil {
			return nil, err
		}
		path, err := controlPath(name)
		return lanClientAt(name, path), err
	}
	all, err := lansUp(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, &hinted{errors.New("no LAN is up here"), "landline lan up"}
	case len(all) > 1:
		return nil, &hinted{errors.New("several LANs are up: " + strings.Join(namesOf(all), ", ")), "say which with --name " + all[0].name}
	}
	return all[0], nil
}

func namesOf(all []*lanClient) (names []string) {
	for _, l := range all {
		names = append(names, l.name)
	}
	return names
}

// checkLANName refuses a name of a LAN that could not be part of a path.
func checkLANName(name string) error {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("--name %q: a LAN's name has no slashes, and no dot at its beginning", name)
	}
	return nil
}

// lanFlag adds the flag that says which LAN is meant.
func lanFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "name", "", "`NAME` of the LAN (default the one that is up)")
	cmd.RegisterFlagCompletionFunc("name", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		all, _ := lansUp(context.Background())
		return namesOf(all), cobra.ShellCompDirectiveNoFileComp
	})
}

// withLAN runs f with the LAN of a name, until a signal comes.
func withLAN(name string, f func(context.Context, *lanClient) error) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer cancelOnSignal(cancel)()
	l, err := findLAN(ctx, name)
	if err != nil {
		return err
	}
	err = f(ctx, l)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
