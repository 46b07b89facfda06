package remote

import (
	"context"
	"net"
)

// KeepJob does nothing: no commands run on Windows, and no jobs are kept.
func KeepJob() {}

const noJobs = "this server cannot attach to jobs"

type (
	keeper struct{}
	store  struct{}
)

func (*keeper) serve(*serverCall, *message) ending { return ending{} }
func (store) has(string) bool                      { return false }

func (*Server) store() (store, bool)                 { return store{}, false }
func (*Server) adoptJobs()                           {}
func (*Server) tend(context.Context)                 {}
func (*Server) acknowledge(Guest, string)            {}
func (*serverCall) keep(*message, []string) ending   { return refusal(125, noJobs) }
func (*serverCall) attach(*message, net.Conn) ending { return refusal(125, noJobs) }
func (*serverCall) listJobs() ending                 { return refusal(125, noJobs) }
