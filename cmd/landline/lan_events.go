package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landline/lan"
	"landline/wire"
)

func (a *app) lanEventsCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "events [flags]",
		Short: "Tell what the machines of a LAN that is up ask for, and get",
		Long: `Events prints a line for each thing that a machine asks the gateway for from now on, and what came of
it: addresses, names, connections to the world and flows of datagrams, pings, and what comes by forwards. The end of
a connection or flow is another line, with the bytes that were sent and received. It goes on until Ctrl-C, or until
the LAN ends or the reader goes away.`,
		Example: `  landline lan events
  landline lan events --json | jq -r 'select(.kind=="lookup").name'`,
		Args: none,
		RunE: func(*cobra.Command, []string) error { return a.lanEvents(name) },
	}
	lanFlag(cmd, &name)
	return cmd
}

// A lanEvent is a lan.Event as it is said over the control socket. What it has nothing of is empty.
type lanEvent struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`
	Verdict  string    `json:"verdict"`
	Src      string    `json:"src,omitempty"`
	Dst      string    `json:"dst,omitempty"`
	MAC      string    `json:"mac,omitempty"`
	Name     string    `json:"name,omitempty"`
	Type     string    `json:"type,omitempty"`
	Error    string    `json:"error,omitempty"`
	Sent     uint64    `json:"sent_bytes,omitempty"`
	Received uint64    `json:"received_bytes,omitempty"`
	Lost     int       `json:"lost,omitempty"` // events before it that the client was too slow for
}

func eventOf(e *lan.Event) lanEvent {
	out := lanEvent{
		Time: time.Now(), Kind: string(e.Kind), Verdict: string(e.Verdict), Src: place(e.Src), Dst: place(e.Dst),
		Name: e.Name, Sent: e.Sent, Received: e.Received,
	}
	if e.MAC != (wire.MAC{}) {
		out.MAC = e.MAC.String()
	}
	if e.Kind == lan.KindLookup {
		out.Type = e.Type.String()
	}
	if e.Err != nil {
		out.Error = bare(e.Err).Error() // the event has the addresses
	}
	return out
}

// place writes an address, without a port of 0, or "".
func place(a netip.AddrPort) string {
	switch {
	case !a.Addr().IsValid():
		return ""
	case a.Port() == 0:
		return a.Addr().String()
	}
	return a.String()
}

// maxEvents is how many events wait for a client.
const maxEvents = 1024

// An audience are those who hear of events.
type audience struct {
	mu  sync.Mutex
	all map[*listener]bool
}

type listener struct {
	queue chan lanEvent
	lost  int // with the audience's mu
}

func (a *audience) join() *listener {
	l := &listener{queue: make(chan lanEvent, maxEvents)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[*listener]bool{}
	}
	a.all[l] = true
	return l
}

func (a *audience) leave(l *listener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, l)
}

// tell never waits: who is slow is told how many events it missed.
func (a *audience) tell(e *lan.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.all) == 0 {
		return
	}
	said := eventOf(e)
	for l := range a.all {
		said.Lost = l.lost
		select {
		case l.queue <- said:
			l.lost = 0
		default:
			l.lost++
		}
	}
}

// events tells of what happens until the client goes away or the LAN ends.
func (c *control) events(w http.ResponseWriter, r *http.Request) error {
	l := c.network.audience.join()
	defer c.network.audience.leave(l)
	w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(w)
	for err := rc.Flush(); err == nil; err = rc.Flush() {
		select {
		case e := <-l.queue:
			if json.NewEncoder(w).Encode(e) != nil {
				return nil
			}
		case <-r.Context().Done():
			return nil
		}
	}
	return nil
}

func (a *app) lanEvents(name string) error {
	return a.follow(name, "events", true, func(r io.Reader) error {
		a.say("listening; Ctrl-C ends it")
		lines := json.NewDecoder(bufio.NewReader(r))
		for {
			var e lanEvent
			err := lines.Decode(&e)
			switch {
			case err == io.EOF:
				return nil
			case err != nil:
				return err
			case a.json:
				printJSON(&a.out, e)
			default:
				fmt.Fprintln(&a.out, escape(e.String()))
			}
			if a.out.err != nil {
				return nil
			}
		}
	})
}

func (e *lanEvent) String() string {
	words := []string{e.Time.Local().Format(time.TimeOnly), e.Kind, cmp.Or(e.Src, e.MAC, "-")}
	for _, s := range []string{e.Name, e.Type, e.Dst} {
		if s != "" {
			words = append(words, s)
		}
	}
	words = append(words, e.Verdict)
	if e.Sent+e.Received > 0 {
		words = append(words, "sent", size(int64(e.Sent))+",", "received", size(int64(e.Received)))
	}
	if e.Error != "" {
		words = append(words, "("+e.Error+")")
	}
	if e.Lost > 0 {
		words = append(words, fmt.Sprintf("(%d before it are not shown)", e.Lost))
	}
	return strings.Join(words, " ")
}

// errReaderLeft is why what is followed ends if nobody reads standard output any more.
var errReaderLeft = &exitError{exitSignal + int(syscall.SIGPIPE), nil}

// follow reads what a LAN has to tell until a signal comes, or if that goes to standard output until its reader goes away.
func (a *app) follow(name, path string, toStdout bool, read func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer cancelOnSignal(cancel)()
	l, err := findLAN(ctx, name)
	if err != nil {
		return err
	}
	body, err := l.follow(ctx, path)
	if err != nil {
		return err
	}
	defer body.Close()
	if toStdout {
		go whenReaderLeaves(ctx, os.Stdout, func() { cancel(errReaderLeft); body.Close() })
	}
	err = read(body)
	switch {
	case context.Cause(ctx) == errReaderLeft:
		return errReaderLeft
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the LAN %s went away; this is not all", l.name)
	case a.out.fault() != nil:
		return nil // that is told anyway
	}
	return err
}
