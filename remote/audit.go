package remote

import (
	"net"
	"strings"
	"time"
)

// What an Event is about: the values of Event.What. A call has the name of its kind besides.
const (
	AuditConnection = "connection"
	AuditFile       = "file" // of a get or put
	AuditJob        = "job"  // the end of one that was kept, whoever looks on
)

// The values of Event.Reason besides those of Result.Reason.
const (
	LetIn    = "let in"
	NotLetIn = "not let in"
	Left     = "left" // the connection has ended
	Copied   = "copied"
	Failed   = "failed"
)

// An Event is something that a server did for somebody, or refused to. A call has one when it begins, whose Reason is
// Running, and one when it has ended; a call whose client is gone before its end has the Reason Lost. What is secret is not in it: no value of a
// variable, and nothing of any stream.
type Event struct {
	Time time.Time `json:"time"`
	What string    `json:"what"`
	Who  string    `json:"who,omitempty"` // Guest.Name

	From       string `json:"from,omitempty"`       // the address that the connection came from, "unix" on a Unix socket
	Connection uint64 `json:"connection,omitempty"` // its number since the server began
	Call       int64  `json:"call,omitempty"`       // the number of a call on it

	Job    string   `json:"job,omitempty"`
	Args   []string `json:"args,omitempty"`   // what was asked for: 4 KiB at most
	Forced string   `json:"forced,omitempty"` // what was run in its place: Guest.Command
	Env    []string `json:"env,omitempty"`    // names of variables that were given along: 4 KiB at most
	Dir    string   `json:"dir,omitempty"`
	Paths  []string `json:"paths,omitempty"` // to copy from, or the one to copy to: 4 KiB at most
	Name   string   `json:"name,omitempty"`  // of a file

	Address string `json:"address,omitempty"` // of a port

	Reason     string `json:"reason"`
	Code       int    `json:"code"`
	Signal     string `json:"signal,omitempty"`
	Received   int64  `json:"received"` // bytes of the call's streams, or of the file
	Sent       int64  `json:"sent"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty"`
}

// maxAudited bounds each list of an event, in bytes.
const maxAudited = 4 << 10

// audit tells of an event.
func (s *Server) audit(e Event) {
	if s.Audit == nil {
		return
	}
	e.Time = time.Now().UTC()
	s.Audit(e)
}

// addressOf returns the address of a connection's other end, "" if it has none. The client's end of a Unix socket has
// no name that says anything: "unix" stands for it.
func addressOf(nc net.Conn) string {
	a := nc.RemoteAddr()
	switch {
	case a == nil:
		return ""
	case a.Network() == "unix":
		return "unix"
	}
	return a.String()
}

// admitted tells whether a connection was let in.
func (s *Server) admitted(raw net.Conn, number uint64, guest Guest, err error) {
	e := Event{What: AuditConnection, Who: guest.Name, From: addressOf(raw), Connection: number, Reason: LetIn}
	if err != nil {
		e.Reason, e.Error = NotLetIn, clip(err.Error(), maxText)
	}
	s.audit(e)
}

// left tells that a connection has ended.
func (s *Server) left(raw net.Conn, number uint64, guest Guest, took time.Duration, err error) {
	e := Event{What: AuditConnection, Who: guest.Name, From: addressOf(raw), Connection: number, Reason: Left, DurationMS: took.Milliseconds()}
	if err != nil {
		e.Error = clip(err.Error(), maxText)
	}
	s.audit(e)
}

// event is what is asked of a call.
func (call *serverCall) event(m *message, list []string) Event {
	c := call.c
	e := Event{What: m.kind, Who: c.guest.Name, From: c.from, Connection: c.number, Call: call.id, Job: m.job, Dir: m.dir, Address: m.address, Reason: Running}
	switch {
	case m.kind == kindRun && len(list) >= m.args:
		e.Args, e.Env, e.Forced = bounded(list[:m.args]), bounded(variableNames(list[m.args:])), c.guest.Command
	case m.kind == kindGet && len(list) >= m.paths:
		e.Paths = bounded(list[:m.paths])
	case m.kind == kindPut:
		e.Paths = bounded(list)
	}
	return e
}

// ended adds to an event how its call has ended.
func (e *Event) ended(call *serverCall, end *ending) {
	e.Reason, e.Code, e.Signal, e.Error = end.reason, end.code, end.signal, end.err
	if e.Reason == "" {
		e.Reason = Lost
	}
	e.DurationMS = time.Since(call.start).Milliseconds()
	if call.stdin != nil {
		e.Received = call.stdin.position()
	}
	e.Sent = call.stdout.position()
	if call.stderr != nil {
		e.Sent += call.stderr.position()
	}
}

// variableNames are the names in NAME=value.
func variableNames(env []string) []string {
	names := make([]string, 0, len(env))
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		names = append(names, name)
	}
	return names
}

// bounded returns as much of a list as an event holds.
func bounded(list []string) []string {
	room := maxAudited
	for i, s := range list {
		if room -= len(s) + 1; room < 0 {
			return append(list[:i:i], clip(s, room+len(s)+1), "...")
		}
	}
	return list
}

// A fileAudit makes events of a copy's progress.
type fileAudit struct {
	call  *serverCall
	what  Event
	sent  bool // by the server
	files int64
	bytes int64
}

// progress is told of each step of a copy.
func (a *fileAudit) progress(now CopyProgress) {
	if now.Files == a.files {
		return
	}
	e := a.what
	e.Name, e.Reason = now.Name, Copied
	if n := now.BytesDone - a.bytes; a.sent {
		e.Sent = n
	} else {
		e.Received = n
	}
	a.files, a.bytes = now.Files, now.BytesDone
	a.call.c.s.audit(e)
}

// failed is told of each entry that failed.
func (a *fileAudit) failed(name string, err error) {
	e := a.what
	e.Name, e.Reason, e.Error = name, Failed, clip(err.Error(), maxText)
	a.call.c.s.audit(e)
}

// auditFiles returns what makes events of a copy's files, nil if nobody wants them.
func (call *serverCall) auditFiles(sent bool) *fileAudit {
	c := call.c
	if c.s.Audit == nil {
		return nil
	}
	what := Event{What: AuditFile, Who: c.guest.Name, From: c.from, Connection: c.number, Call: call.id}
	return &fileAudit{call: call, what: what, sent: sent}
}
