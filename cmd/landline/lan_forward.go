package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"landline/lan"
)

func (a *app) lanForwardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forward",
		Short: "Lead ports of this system to machines of a LAN that is up",
		Long: `Forward leads a port of this system to a machine of a LAN, by its name or address: what
connects there, or sends datagrams, reaches the machine. The machine need not be there yet. The
LAN forgets forwards when it ends; lan up --forward makes them from the start.`,
		Example: `  landline lan forward add tcp:127.0.0.1:8022=shed:22
  landline lan forward ls
  landline lan forward rm tcp:127.0.0.1:8022`,
		Args: cobra.ArbitraryArgs,
		RunE: lanForwardVerb,
	}
	cmd.AddCommand(a.lanForwardAddCommand(), a.lanForwardRmCommand(), a.lanForwardLsCommand())
	return cmd
}

// lanForwardVerb is what lan forward does without one of its verbs.
func lanForwardVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	err := fmt.Errorf("%s: it takes add, rm or ls", args[0])
	if _, no := parseForward(args[0]); no == nil {
		return &hinted{err, cmd.CommandPath() + " add " + args[0]}
	}
	return misused(cmd, err)
}

func (a *app) lanForwardAddCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "add [flags] PROTO:LOCAL=HOST:PORT...",
		Short: "Begin to forward",
		Long: `Add begins to forward: PROTO is tcp or udp, LOCAL an address of this system with a port, 0 for one that is
free, and HOST:PORT the machine's. A line says where each answers.

With ",keep" behind it, the machine sees the address of who comes, in place of the gateway's: for its logs and
its rules. Who comes from this system's loopback has none that could be kept.`,
		Example: `  landline lan forward add tcp:127.0.0.1:8022=shed:22
  landline lan forward add --name two udp:127.0.0.1:0=10.78.0.5:53
  landline lan forward add tcp:0.0.0.0:8080=web:80,keep`,
		Args: needs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return withLAN(name, func(ctx context.Context, l *lanClient) error { return a.lanForwardAdd(ctx, l, args) })
		},
	}
	lanFlag(cmd, &name)
	return cmd
}

func (a *app) lanForwardRmCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "rm [flags] PROTO:LOCAL...",
		Short: "End forwards, with all that goes through them",
		Long:  `Rm ends forwards. Each is named as "lan forward ls" has it; what stands behind = may be left out.`,
		Example: `  landline lan forward rm tcp:127.0.0.1:8022
  landline lan forward ls | xargs -r landline lan forward rm`,
		Args: needs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return withLAN(name, func(ctx context.Context, l *lanClient) error { return a.lanForwardRm(ctx, l, args) })
		},
		ValidArgsFunction: completeLAN(forwardNames),
	}
	lanFlag(cmd, &name)
	return cmd
}

func (a *app) lanForwardLsCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "ls [flags]",
		Short:   "List what is forwarded",
		Long:    `Ls lists forwards, a line each, as PROTO:LOCAL=HOST:PORT, with ",keep" behind it where the client's address is kept.`,
		Example: `  landline lan forward ls`,
		Args:    none,
		RunE: func(*cobra.Command, []string) error {
			return withLAN(name, func(ctx context.Context, l *lanClient) error { return a.lanForwardLs(ctx, l) })
		},
	}
	lanFlag(cmd, &name)
	return cmd
}

// A lanForward is a forward as it is said over the control socket.
type lanForward struct {
	Proto string `json:"proto"`
	Local string `json:"local"`
	To    string `json:"to"`

	KeepClient bool `json:"keep,omitempty"`
}

func (f lanForward) String() string {
	s := f.Proto + ":" + f.Local + "=" + f.To
	if f.KeepClient {
		s += keepSuffix
	}
	return s
}

func (c *control) forwards(w http.ResponseWriter, _ *http.Request) error {
	all := []lanForward{}
	for _, f := range c.network.gateway.Forwards() {
		all = append(all, lanForward(f))
	}
	return answer(w, all)
}

func (c *control) addForward(w http.ResponseWriter, r *http.Request) error {
	var f lanForward
	if err := readBody(r, &f); err != nil {
		return err
	}
	at, err := c.network.gateway.Forward(lan.Forward(f))
	if err != nil {
		return forwardFault(err)
	}
	f.Local = at.String()
	return answer(w, f)
}

// forwardFault gives the errors of what was asked for in vain the code for that.
func forwardFault(err error) error {
	_, addr := errors.AsType[*net.AddrError](err)
	_, network := errors.AsType[net.UnknownNetworkError](err)
	_, name := errors.AsType[*net.DNSError](err)
	if addr || network || name {
		return &controlError{Code: codeBad, Message: err.Error()}
	}
	return err
}

func (c *control) removeForward(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if err := c.network.gateway.Unforward(q.Get("proto"), q.Get("local")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *app) lanForwardAdd(ctx context.Context, l *lanClient, args []string) error {
	var all []lanForward
	for _, s := range args { // all are looked at before one is made
		f, err := parseForward(s)
		if err != nil {
			return err
		}
		all = append(all, lanForward(f))
	}
	for _, f := range all {
		var made lanForward
		if err := l.ask(ctx, "POST", "forwards", f, &made); err != nil {
			return fmt.Errorf("%v: %w", f, err)
		}
		a.printForward(made)
	}
	return nil
}

func (a *app) lanForwardRm(ctx context.Context, l *lanClient, args []string) error {
	for _, s := range args {
		from, _, _ := strings.Cut(s, "=")
		proto, local, ok := strings.Cut(from, ":")
		if !ok {
			return &hinted{fmt.Errorf("%s: not PROTO:LOCAL", s), "landline lan forward ls"}
		}
		err := l.ask(ctx, "DELETE", "forwards?"+url.Values{"proto": {proto}, "local": {local}}.Encode(), nil, nil)
		if e, ok := errors.AsType[*controlError](err); ok && e.Code == codeNone {
			return &hinted{fmt.Errorf("%s: no such forward", s), "landline lan forward ls --name " + l.name}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (a *app) lanForwardLs(ctx context.Context, l *lanClient) error {
	var all []lanForward
	if err := l.ask(ctx, "GET", "forwards", nil, &all); err != nil {
		return err
	}
	for _, f := range all {
		a.printForward(f)
	}
	return nil
}

func (a *app) printForward(f lanForward) {
	if a.json {
		printJSON(&a.out, f)
		return
	}
	fmt.Fprintln(&a.out, escape(f.String()))
}
