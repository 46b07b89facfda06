package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A control answers at the socket by which the other verbs reach a LAN that is up: HTTP with JSON, described in
// docs/lan-control.md. A path begins with the version, which changes when an old client would misunderstand.
type control struct {
	network *network
	mux     http.ServeMux
	server  http.Server
	ln      net.Listener
	end     context.CancelFunc
	busy    sync.WaitGroup // of handlers, those that took their connection over too
}

const (
	// controlUpgrade is the protocol of connections that became a stream of bytes.
	controlUpgrade = "landline"
	// maxControlBody bounds what a request brings, in bytes.
	maxControlBody = 64 << 10
	// controlPatience is how long a request may take to be read, and how long the LAN waits for the last words to those
	// who are told of its end.
	controlPatience = 2 * time.Second
)

// controlPath returns where the socket of a LAN is.
func controlPath(name string) (string, error) {
	dir, err := runtimeDir()
	return filepath.Join(dir, controlPrefix+name+controlSuffix), err
}

const controlPrefix, controlSuffix = "lan-", ".sock"

// openControl takes the socket of the LAN's name. Who connects waits for serve. Others that come up wait meanwhile: two who both found
// a socket that nobody answers would take it away from each other.
func openControl(n *network) (*control, error) {
	path, err := controlPath(n.f.name)
	if err != nil {
		return nil, err
	}
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if lanClientAt(n.f.name, path).alive() {
		return nil, &hinted{fmt.Errorf("a LAN of the name %s is up already", n.f.name), "give this one another --name"}
	}
	ln, err := listenUnix("control socket", path)
	if err != nil {
		return nil, err
	}
	return newControl(n, ln), nil
}

func newControl(n *network, ln net.Listener) *control {
	c := &control{network: n, ln: ownOnly{ln, n.app.logger()}}
	ctx, end := context.WithCancel(context.Background())
	c.end = end
	c.server = http.Server{
		Handler: &c.mux, ReadHeaderTimeout: controlPatience, MaxHeaderBytes: maxControlBody,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(n.app.logger().Handler(), slog.LevelWarn),
	}
	c.handle("GET /v1/lan", c.info)
	c.handle("GET /v1/machines", c.machines)
	c.handle("GET /v1/dial", c.dial)
	c.handle("GET /v1/capture", c.capture)
	c.handle("GET /v1/events", c.events)
	c.handle("GET /v1/forwards", c.forwards)
	c.handle("POST /v1/forwards", c.addForward)
	c.handle("DELETE /v1/forwards", c.removeForward)
	c.handle("GET /v1/enter", c.enter)
	return c
}

// serve answers until close. What handlers use must be there.
func (c *control) serve() {
	if err := c.server.Serve(c.ln); !errors.Is(err, http.ErrServerClosed) {
		c.network.app.say("control socket: %v", bare(err))
	}
}

// close ends what goes on, so that each client hears the end.
func (c *control) close() error {
	c.end()
	ctx, cancel := context.WithTimeout(context.Background(), controlPatience)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		c.server.Close()
	}
	c.ln.Close() // if serve was never called
	c.busy.Wait()
	return nil
}

// handle adds what is answered at a path. The context of a request ends with the LAN, and when the client goes
// away; an error that is returned before anything was written is told to the client.
func (c *control) handle(pattern string, h func(http.ResponseWriter, *http.Request) error) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c.busy.Add(1)
		defer c.busy.Done()
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
		if err := h(w, r); err != nil && !errors.Is(err, errTaken) {
			refuse(w, err)
		}
	})
}

// answer sends a result.
func answer(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

// readBody reads what a request brings into v, and nothing else.
func readBody(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &controlError{Code: codeBad, Message: err.Error()}
	}
	if _, err := d.Token(); err != io.EOF {
		return &controlError{Code: codeBad, Message: "more than one value"}
	}
	return nil
}

func checkUpgrade(r *http.Request) error {
	if !strings.EqualFold(r.Header.Get("Upgrade"), controlUpgrade) {
		return &controlError{Code: codeBad, Message: "no Upgrade: " + controlUpgrade}
	}
	return nil
}

// upgrade makes the connection of a request a stream of bytes, which ends with the LAN and is the caller's to
// close. It is a *net.UnixConn: descriptors can come by it. Nothing is answered before, so that a request
// can still be refused; after it no error of the handler is told.
func upgrade(w http.ResponseWriter, r *http.Request) (*net.UnixConn, error) {
	if err := checkUpgrade(r); err != nil {
		return nil, err
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*net.UnixConn)
	if !ok || rw.Reader.Buffered() > 0 {
		conn.Close()
		return nil, fmt.Errorf("the client spoke before it was answered: %w", errTaken)
	}
	context.AfterFunc(r.Context(), func() { c.Close() })
	_, err = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+controlUpgrade+"\r\n\r\n")
	if err != nil {
		c.Close()
		return nil, errors.Join(err, errTaken)
	}
	return c, nil
}

// errTaken says that nothing can be answered any more: the connection is no longer the server's.
var errTaken = errors.New("the connection was taken over")

// A lanInfo says which LAN it is.
type lanInfo struct {
	Name      string   `json:"name"`
	Domain    string   `json:"domain"`
	Addresses []string `json:"addresses"` // of the gateway
	MTU       int      `json:"mtu"`
	PID       int      `json:"pid"`
	Software  string   `json:"software"`
}

func (c *control) info(w http.ResponseWriter, _ *http.Request) error {
	n := c.network
	i := lanInfo{Name: n.f.name, Domain: n.f.domain, MTU: n.f.mtu, PID: os.Getpid(), Software: software}
	for _, p := range n.gateway.Addresses() {
		i.Addresses = append(i.Addresses, p.String())
	}
	return answer(w, i)
}

// An ownOnly listener lets in this user and root, as the kernel knows who connected.
type ownOnly struct {
	net.Listener
	log *slog.Logger
}

func (l ownOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if _, _, err = admitSelf(c.(*net.UnixConn)); err == nil {
			return c, nil
		}
		l.log.Warn("control socket", "error", err)
		c.Close()
	}
}
