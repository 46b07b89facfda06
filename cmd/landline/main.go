// Command landline runs commands on other machines and moves files between them,
// over TLS with the SSH keys that people have, and puts small machines on networks. `landline --help` teaches it, and
// `landline try` shows it within one process.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"landline/remote"
)

// The exit codes of landline's own; all others are the command's.
const (
	exitSome     = 1   // get, put: not everything was copied
	exitTimeout  = 124 // its time ran out
	exitLandline = 125 // landline itself failed
	exitNoExec   = 126 // the command cannot be executed
	exitNotFound = 127 // there is no such command
	exitSignal   = 128 // and the signal's number on top
)

// An exitError ends the program with a code. If err is nil, all has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return fmt.Sprint(e.err) }
func (e *exitError) Unwrap() error { return e.err }

func main() {
	remote.KeepJob() // if this process is to keep one
	goInside()       // if this process is to run a command on a LAN
	os.Exit(execute(os.Args[1:]))
}

// execute runs the command line and returns the exit code.
func execute(args []string) int {
	catchBrokenPipe()
	a := &app{}
	root := a.command()
	root.SetOut(&a.out)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		err = a.out.fault()
	}
	return a.finish(err)
}

// finish says what there is to say, and returns the exit code.
func (a *app) finish(err error) int {
	if err == nil {
		return 0
	}
	e := ending(err)
	if e.err != nil {
		a.fail(e.err)
	}
	return e.code
}

// ending says with which code and words the program ends for an error.
func ending(err error) *exitError {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e
	}
	if sig, ok := errors.AsType[*interrupted](err); ok {
		return &exitError{exitSignal + sig.number, err}
	}
	return &exitError{exitLandline, err}
}

// An app is one run of the program: what all verbs share.
type app struct {
	quiet bool
	json  bool
	out   results
	ssh   sshConfig
	raw   atomic.Bool // the terminal passes on every key, and moves to a line's start only when told
	// dial opens connections in tests; nil: the system does.
	dial func(ctx context.Context, h host) (net.Conn, error)
}

// A results is standard output, and remembers what went wrong there. What is written in one piece stays
// in one.
type results struct{ err error }

func (r *results) Write(p []byte) (int, error) {
	screen.Lock()
	defer screen.Unlock()
	n, err := os.Stdout.Write(p)
	if r.err == nil {
		r.err = err
	}
	return n, err
}

// fault returns why the program failed if its results did not reach their reader.
// One that went away is told nothing: the code is that of SIGPIPE.
func (r *results) fault() error {
	switch {
	case r.err == nil:
		return nil
	case errors.Is(r.err, syscall.EPIPE):
		return &exitError{exitSignal + int(syscall.SIGPIPE), nil}
	}
	return fmt.Errorf("standard output: %w", bare(r.err))
}

func (a *app) command() *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   "landline",
		Short: "A line to every machine: run commands there, move files",
		Long: `landline runs commands on other machines and moves files between them, over
TLS 1.3 with the SSH keys you have, and tells truthfully what happened.

  landline try                        see a LAN and the line work, within one process
  landline serve                      answer on this machine (port 7373)
  landline run shed -- uname -a       run a command on the machine "shed"
  landline run --detach shed make     ... that goes on by itself: see jobs, attach
  landline run web[01-40] -- uptime   ... on many machines at once
  landline sh shed                    a shell there, which can be left and attached again
  landline get shed:/var/log .        copy files and folders from it
  landline put notes.txt shed:        ... and to it
  landline forward shed 8080=80       carry a port to it, or from it
  landline host --tap tap0 --dhcp     a small machine of its own on a network
  landline lan up --socket lan.sock   a LAN for virtual machines, with a way out
  landline lan enter -- bash          a program of this system on that LAN, and on no other network

HOST is a name, name:port, [v6]:port or unix:PATH; a machine of a LAN that is up here ("landline lan up") is
found there by its name, as shed.lan. HostName, IdentityFile, UserKnownHostsFile and HostKeyAlias of
~/.ssh/config count, not its Port and User. Who may come in stands in ~/.ssh/authorized_keys over there, who is
answering in ~/.ssh/known_hosts here.`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE: func(root *cobra.Command, args []string) error {
			if version {
				return a.printVersion()
			}
			return unknownVerb(root, args)
		},
	}
	root.SetFlagErrorFunc(misused)
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "print errors only")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print one JSON object a line in place of text")
	root.Flags().BoolVar(&version, "version", false, "print the version")
	root.AddCommand(a.tryCommand(), a.serveCommand(), a.runCommand(), a.shCommand(), a.jobsCommand(), a.attachCommand(), a.cancelCommand(), a.getCommand(), a.putCommand(), a.forwardCommand(), a.keepCommand(), a.hostCommand(), a.lanCommand(), a.versionCommand(), completionCommand())
	return root
}

// unknownVerb is what landline, or a group of its verbs, does without a verb that it knows.
func unknownVerb(group *cobra.Command, args []string) error {
	if len(args) == 0 {
		return group.Help()
	}
	path := group.CommandPath()
	advice := path + " --help"
	if near := group.SuggestionsFor(args[0]); len(near) > 0 {
		advice = path + " " + strings.Join(near, ", or "+path+" ")
	}
	_, words, _ := strings.Cut(path+" "+args[0], " ") // without the program's own name
	return &hinted{fmt.Errorf("unknown verb: %s", words), advice}
}

// misused says how to learn the use of a verb.
func misused(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*periodError](err); ok {
		return e
	}
	return &hinted{err, cmd.CommandPath() + " --help"}
}

// needs makes a check that there are at least n arguments.
func needs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		_, use, _ := strings.Cut(cmd.Use, " [flags]")
		return misused(cmd, fmt.Errorf("it takes%s", use))
	}
}

// exactly makes a check that there are n arguments.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		_, use, _ := strings.Cut(cmd.Use, " [flags]")
		return misused(cmd, fmt.Errorf("it takes%s", use))
	}
}

// none is the check of a verb without arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misused(cmd, fmt.Errorf("%s: it takes no arguments", args[0]))
}
