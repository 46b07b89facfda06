package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// enterFlags are those of `landline lan enter`.
type enterFlags struct {
	lan, hostname string
	root          bool
}

func (a *app) lanEnterCommand() *cobra.Command {
	var f enterFlags
	cmd := &cobra.Command{
		Use:   "enter [flags] [--] COMMAND [ARG...]",
		Short: "Run a command as a machine of a LAN that is up",
		Long: `Enter runs a command here whose network is the LAN, and nothing else: it has one interface, eth0, with an
address by DHCP and, if the LAN has IPv6, one by router advertisements; it asks the LAN's name server; and the
others find it by its name. Its files, its user and its terminal are what they are outside.

No root is needed where users may make namespaces and may open /dev/net/tun. The command is its user then, and may
do in its own network what else root may: ping, listen at low ports, capture, change addresses and routes. With
--root it is user 0, which is the same user for everybody outside; programs that insist on root want that.

The command sees no processes but its own, and what it has started ends with it; so does its interface, and the
lease is given back. While the LAN is down the interface has no carrier. If it comes up again, the machine is there again.

The exit code is the command's own, or
  125  landline failed: no LAN, no namespace, no address, ...
  126  the command was found but cannot be executed
  127  the command was not found
  128+n  the command was ended by signal n
Signals that landline gets go to the command.`,
		Example: `  landline lan up &
  landline lan enter --hostname web -- python3 -m http.server 80
  landline lan enter -- curl http://web.lan/
  landline lan enter --root --hostname box bash`,
		Args: needs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.check(args); err != nil {
				return err
			}
			return a.lanEnter(&f, args)
		},
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	lanFlag(cmd, &f.lan)
	fl.StringVar(&f.hostname, "hostname", "", "`NAME` of the machine (default that of the command); the LAN puts a number behind one that another has")
	fl.BoolVar(&f.root, "root", false, "be user 0 inside")
	return cmd
}

// check checks the name, or makes one.
func (f *enterFlags) check(words []string) error {
	if f.hostname == "" {
		f.hostname = labelOf(filepath.Base(words[0]))
		return nil
	}
	if f.hostname != labelOf(f.hostname) {
		return fmt.Errorf("--hostname %s: not a name of at most 63 letters, digits and hyphens", f.hostname)
	}
	return nil
}

// labelOf makes of a text what can stand in a domain name: what comes first of letters, digits and hyphens.
func labelOf(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if end >= 0 {
		s = s[:end]
	}
	return strings.Trim(s[:min(len(s), 63)], "-")
}

// findCommand finds a program as a shell does.
func findCommand(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil || errors.Is(err, exec.ErrDot):
		return path, nil
	case errors.Is(err, fs.ErrPermission):
		return "", &exitError{exitNoExec, fmt.Errorf("cannot be executed: %s: %w", name, bare(err))}
	}
	return "", &exitError{exitNotFound, fmt.Errorf("not found: %s", name)}
}
