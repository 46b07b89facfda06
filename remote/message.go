package remote

import (
	"encoding/base64"
	"fmt"

	"landline/frame"
)

// The kinds of message, as SPEC.md has them.
const (
	kindHello   = "hello"
	kindGoodbye = "goodbye"
	kindPing    = "ping"
	kindPong    = "pong"

	kindData   = "data"
	kindEnd    = "end"
	kindCredit = "credit"
	kindStop   = "stop"
	kindTaken  = "taken"

	kindArgs   = "args"
	kindRun    = "run"
	kindAttach = "attach"
	kindJobs   = "jobs"
	kindAck    = "ack"
	kindGet    = "get"
	kindPut    = "put"
	kindSignal = "signal"
	kindWindow = "window"
	kindCancel = "cancel"

	kindDial    = "dial"
	kindListen  = "listen"
	kindAccept  = "accept"
	kindArrival = "arrival" // not a message: a frame on fd 1 of a listen

	kindStarted = "started"
	kindExit    = "exit"
)

// The bounds of SPEC.md, section 7, in bytes unless said otherwise.
const (
	maxInt     = 1<<53 - 1
	maxText    = 1024
	maxPath    = 4096
	maxArgs    = 8 << 20
	maxStrings = 1 << 20 // arguments and variables
	maxSignal  = 16
	maxTerm    = 64
	maxSide    = 1<<16 - 1 // rows or columns of a terminal
	maxCalls   = 64        // open calls of a connection
	firstLimit = 1 << 20
)

// A message is the header of one frame: the members of all kinds, of which each
// kind has some.
type message struct {
	kind string
	has  member // which of the members below were there

	call   int64
	fd     int
	offset int64
	limit  int64
	token  int64

	version  int64
	software string
	features []string
	host     string
	encoding string

	reason string
	err    string

	job         string
	args        int
	shell       bool
	dir         string
	stdin       bool
	timeout     int64 // milliseconds
	killAfter   int64 // milliseconds
	linger      int64 // milliseconds
	detach      bool
	own         int64
	take        bool
	cancel      bool
	tty         bool
	term        string
	rows        int
	cols        int
	login       bool
	begin       [3]int64 // stdin_offset, stdout_offset, stderr_offset
	signal      string
	pid         int64
	paths       int
	into        bool
	durable     bool
	dryRun      bool
	code        int
	signalNo    int
	stdoutBytes int64
	stderrBytes int64
	held        bool
	duration    int64 // milliseconds

	network    string
	address    string
	listener   int64
	connection int64
	cause      string
}

// A member is a bit for each member that some kind requires.
type member uint32

const (
	hasCall member = 1 << iota
	hasFD
	hasOffset
	hasLimit
	hasToken
	hasVersion
	hasReason
	hasJob
	hasArgs
	hasSignal
	hasPaths
	hasCode
	hasSignalNo
	hasAddress
	hasListener
	hasConnection
	hasRows
	hasCols
)

// A rule says which members a kind must have, and whether it may have a body.
type rule struct {
	kind string
	need member
	body bool
}

var rules = map[string]*rule{
	kindHello:   {kindHello, hasVersion, false},
	kindGoodbye: {kindGoodbye, hasReason, false},
	kindPing:    {kindPing, hasToken, false},
	kindPong:    {kindPong, hasToken, false},
	kindData:    {kindData, hasCall | hasFD | hasOffset, true},
	kindEnd:     {kindEnd, hasCall | hasFD | hasOffset, false},
	kindCredit:  {kindCredit, hasCall | hasFD | hasLimit, false},
	kindStop:    {kindStop, hasCall | hasFD, false},
	kindTaken:   {kindTaken, hasCall | hasFD | hasOffset, false},
	kindArgs:    {kindArgs, hasCall, true},
	kindRun:     {kindRun, hasCall | hasJob | hasArgs, true},
	kindAttach:  {kindAttach, hasCall | hasJob, false},
	kindJobs:    {kindJobs, hasCall, false},
	kindAck:     {kindAck, hasJob, false},
	kindGet:     {kindGet, hasCall | hasPaths, true},
	kindPut:     {kindPut, hasCall, true},
	kindSignal:  {kindSignal, hasCall | hasSignal, false},
	kindWindow:  {kindWindow, hasCall | hasRows | hasCols, false},
	kindCancel:  {kindCancel, hasCall, false},
	kindDial:    {kindDial, hasCall | hasAddress, false},
	kindListen:  {kindListen, hasCall | hasAddress, false},
	kindAccept:  {kindAccept, hasCall | hasListener | hasConnection, false},
	kindArrival: {kindArrival, hasConnection | hasAddress, false},
	kindStarted: {kindStarted, hasCall, false},
	kindExit:    {kindExit, hasCall | hasReason, false},
}

// parse fills m from a frame's header and the length of its body.
func (m *message) parse(h frame.Header, body int) error {
	*m = message{}
	for name, v := range h.All() {
		if err := m.set(string(name), v); err != nil {
			return breach("%s: %v", name, err)
		}
	}
	r := rules[m.kind]
	switch {
	case r == nil:
		return breach("a message without a kind")
	case r.need&^m.has != 0:
		return breach("%s lacks a member that it needs", m.kind)
	case body > 0 && !r.body:
		return breach("%s has a body", m.kind)
	case m.has&hasJob != 0 && !validJob(m.job):
		return breach("%s: not a job's id", m.kind)
	case m.kind == kindExit:
		return m.checkExit()
	}
	return nil
}

// checkExit sees to it that nobody takes a code that is not there for 0.
func (m *message) checkExit() error {
	need := map[string]member{Exited: hasCode, Refused: hasCode, Signalled: hasSignalNo, TimedOut: 0, Cancelled: 0, Lost: 0}
	bit, ok := need[m.reason]
	switch {
	case !ok:
		return breach("exit with the reason %q", m.reason)
	case bit&^m.has != 0:
		return breach("exit with the reason %q lacks its code or signal_number", m.reason)
	}
	return nil
}

// set takes one member. Those that no version-1 message has are ignored.
func (m *message) set(name string, v frame.Value) (err error) {
	switch name {
	case "kind":
		return m.setKind(v)
	case "call":
		return m.number(&m.call, hasCall, v, 1)
	case "fd":
		m.has |= hasFD
		m.fd, err = small(v, 0, 2)
	case "offset":
		return m.number(&m.offset, hasOffset, v, 0)
	case "limit":
		return m.number(&m.limit, hasLimit, v, 0)
	case "token":
		return m.number(&m.token, hasToken, v, -maxInt)
	case "version":
		return m.number(&m.version, hasVersion, v, 0)
	case "software":
		m.software, err = v.Text(128)
	case "features":
		m.features, err = v.Texts(64, 64)
	case "host":
		m.host, err = v.Text(255)
	case "encoding":
		m.encoding, err = v.Text(64)
	case "reason":
		m.has |= hasReason
		m.reason, err = v.Text(32)
	case "error":
		m.err, err = v.Text(maxText)
	case "job":
		m.has |= hasJob
		m.job, err = v.Text(64)
	default:
		return m.setCall(name, v)
	}
	return err
}

// setCall takes the members of the messages that open, steer and end calls.
func (m *message) setCall(name string, v frame.Value) (err error) {
	switch name {
	case "args":
		m.has |= hasArgs
		m.args, err = small(v, 1, maxStrings)
	case "paths":
		m.has |= hasPaths
		m.paths, err = small(v, 1, 1<<16)
	case "shell":
		m.shell, err = v.Bool()
	case "dir":
		m.dir, err = v.Text(maxPath)
	case "dir_b64":
		m.dir, err = base64Text(v, maxPath)
	case "stdin":
		m.stdin, err = v.Bool()
	case "timeout_ms":
		m.timeout, err = v.Int(1, maxInt)
	case "kill_after_ms":
		m.killAfter, err = v.Int(1, maxInt)
	case "linger_ms":
		m.linger, err = v.Int(1, maxInt)
	case "detach":
		m.detach, err = v.Bool()
	case "own":
		m.own, err = v.Int(0, maxInt)
	case "take":
		m.take, err = v.Bool()
	case "cancel":
		m.cancel, err = v.Bool()
	case "tty":
		m.tty, err = v.Bool()
	case "term":
		m.term, err = v.Text(maxTerm)
	case "rows":
		m.has |= hasRows
		m.rows, err = small(v, 1, maxSide)
	case "cols":
		m.has |= hasCols
		m.cols, err = small(v, 1, maxSide)
	case "login":
		m.login, err = v.Bool()
	case "stdin_offset":
		m.begin[0], err = v.Int(0, maxInt)
	case "stdout_offset":
		m.begin[1], err = v.Int(0, maxInt)
	case "stderr_offset":
		m.begin[2], err = v.Int(0, maxInt)
	case "signal":
		m.has |= hasSignal
		m.signal, err = v.Text(maxSignal)
	case "signal_number":
		m.has |= hasSignalNo
		m.signalNo, err = small(v, 1, 127)
	case "pid":
		m.pid, err = v.Int(0, maxInt)
	case "into":
		m.into, err = v.Bool()
	case "durable":
		m.durable, err = v.Bool()
	case "dry_run":
		m.dryRun, err = v.Bool()
	case "code":
		m.has |= hasCode
		m.code, err = small(v, 0, 255)
	case "stdout_bytes":
		m.stdoutBytes, err = v.Int(0, maxInt)
	case "stderr_bytes":
		m.stderrBytes, err = v.Int(0, maxInt)
	case "held":
		m.held, err = v.Bool()
	case "duration_ms":
		m.duration, err = v.Int(0, maxInt)
	default:
		return m.setPort(name, v)
	}
	return err
}

// setPort takes the members of section 9.
func (m *message) setPort(name string, v frame.Value) (err error) {
	switch name {
	case "network":
		m.network, err = v.Text(16)
	case "address":
		m.has |= hasAddress
		m.address, err = v.Text(maxText)
	case "listener":
		return m.number(&m.listener, hasListener, v, 1)
	case "connection":
		return m.number(&m.connection, hasConnection, v, 1)
	case "cause":
		m.cause, err = v.Text(32)
	}
	return err
}

func (m *message) setKind(v frame.Value) error {
	b, err := v.Bytes(32)
	if err != nil {
		return err
	}
	r := rules[string(b)]
	if r == nil {
		return fmt.Errorf("unknown: %q", b)
	}
	m.kind = r.kind
	return nil
}

func (m *message) number(dst *int64, bit member, v frame.Value, lo int64) (err error) {
	m.has |= bit
	*dst, err = v.Int(lo, maxInt)
	return err
}

func small(v frame.Value, lo, hi int64) (int, error) {
	n, err := v.Int(lo, hi)
	return int(n), err
}

func base64Text(v frame.Value, limit int) (string, error) {
	s, err := v.Text(base64.StdEncoding.EncodedLen(limit))
	if err != nil {
		return "", err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err == nil && len(b) > limit {
		err = fmt.Errorf("%d bytes, allowed are %d", len(b), limit)
	}
	return string(b), err
}

func validJob(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
