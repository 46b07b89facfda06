// Command landline runs commands on other machines and moves files between them,
// over TLS with the SSH keys that people have. `landline --help` teaches it, and
// `landline try` shows it on this machine alone.
package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
)

// The exit codes of landline's own; all others are the command's.
const (
	exitSome     = 1   // get, put: not everything was copied
	exitTimeout  = 124 // its time ran out
	exitLandline = 125 // landline itself failed
	exitSignal   = 128 // and the signal's number on top
)

// An exitError ends the program with a code. If err is nil, all has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func main() {
	// A reader that goes away must end the remote command, with a verdict, not us:
	// `landline run shed yes | head` ends as `yes | head` does.
	ignoreBrokenPipe()
	os.Exit(execute(os.Args[1:]))
}

// execute runs the command line and returns the exit code.
func execute(args []string) int {
	a := &app{}
	root := a.command()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		if e.err != nil {
			a.fail(e.err)
		}
		return e.code
	}
	a.fail(err)
	return exitLandline
}

// An app is one run of the program: what all verbs share.
type app struct {
	quiet bool
	json  bool
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "landline",
		Short: "A line to every machine: run commands there, move files",
		Long: `landline runs commands on other machines and moves files between them, over
TLS 1.3 with the SSH keys you have, and tells truthfully what happened.

  landline try                        see it work, on this machine alone
  landline serve                      answer on this machine (port 7373)
  landline run shed -- uname -a       run a command on the machine "shed"
  landline get shed:/var/log .        copy files and folders from it
  landline put notes.txt shed:        ... and to it

HOST is a name, name:port, [v6]:port or unix:PATH. Who may come in stands in
~/.ssh/authorized_keys over there, who is answering in ~/.ssh/known_hosts here.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "print errors only")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print one JSON object a line in place of text")
	root.AddCommand(a.tryCommand(), a.serveCommand(), a.runCommand(), a.getCommand(), a.putCommand(), a.versionCommand())
	return root
}
