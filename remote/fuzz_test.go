package remote

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"

	"landline/frame"
)

// everyKind is a right header of each kind.
var everyKind = []string{
	helloLine,
	`{"kind":"goodbye","reason":"done","error":"x"}`,
	`{"kind":"ping","token":1}`,
	`{"kind":"pong","token":-1}`,
	`{"kind":"data","call":1,"fd":0,"offset":0,"size":3}`,
	`{"kind":"end","call":1,"fd":0,"offset":0}`,
	`{"kind":"credit","call":1,"fd":1,"limit":2000000}`,
	`{"kind":"stop","call":1,"fd":2}`,
	`{"kind":"args","call":2,"size":2}`,
	`{"kind":"run","call":1,"job":"a.B_c-9","args":1,"shell":true,"dir":"/","dir_b64":"Lw==","stdin":true,"timeout_ms":1,"kill_after_ms":1,"linger_ms":1,"detach":true,"tty":true,"term":"vt100","rows":24,"cols":80,"login":true,"size":2}`,
	`{"kind":"attach","call":3,"job":"a","stdout_offset":1,"stderr_offset":2,"own":1,"take":true,"stdin":true,"cancel":true,"detach":true,"rows":1,"cols":65535}`,
	`{"kind":"jobs","call":6}`,
	`{"kind":"ack","job":"a"}`,
	`{"kind":"taken","call":1,"fd":1,"offset":0}`,
	`{"kind":"signal","call":1,"signal":"TERM"}`,
	`{"kind":"window","call":1,"rows":1,"cols":65535}`,
	`{"kind":"cancel","call":1}`,
	`{"kind":"started","call":1,"job":"a","pid":7,"stdin_offset":0,"stdout_offset":1,"stderr_offset":2,"own":3}`,
	`{"kind":"exit","call":1,"reason":"signalled","signal":"KILL","signal_number":9,"stdout_bytes":0,"stderr_bytes":0,"held":true,"duration_ms":1,"error":"x"}`,
	`{"kind":"get","call":4,"paths":1,"size":2}`,
	`{"kind":"put","call":5,"into":true,"durable":true,"dry_run":true,"size":2}`,
}

// FuzzMessage has parse see headers of all sorts. What it lets through is within
// the bounds of SPEC.md.
func FuzzMessage(f *testing.F) {
	for _, h := range everyKind {
		f.Add(h, false)
	}
	f.Fuzz(func(t *testing.T, header string, hasBody bool) {
		if len(header) > frame.MaxHeader {
			return
		}
		r := frame.NewReader(bytes.NewReader(encode(header, "")))
		h, err := r.Next()
		if err != nil {
			return
		}
		body := 0
		if hasBody {
			body = 1
		}
		var m message
		if m.parse(h, body) != nil {
			return
		}
		rule := rules[m.kind]
		switch {
		case rule == nil, hasBody && !rule.body, rule.need&^m.has != 0:
			t.Errorf("let through: %s", header)
		case m.has&hasCall != 0 && (m.call < 1 || m.call > maxInt), m.fd < 0 || m.fd > 2, m.offset < 0, m.limit < 0,
			m.code < 0 || m.code > 255, m.args < 0 || m.args > maxStrings, len(m.dir) > maxPath, len(m.signal) > maxSignal,
			len(m.features) > 64, len(m.err) > maxText, m.timeout < 0, m.killAfter < 0, m.linger < 0, m.own < 0, len(m.term) > maxTerm,
			m.rows < 0 || m.rows > maxSide, m.cols < 0 || m.cols > maxSide, min(m.begin[0], m.begin[1], m.begin[2]) < 0:
			t.Errorf("out of bounds: %+v", m)
		}
	})
}

// calls are the kinds that make a server work with the machine.
var calls = []string{`"run"`, `"get"`, `"put"`}

// FuzzServerConn has a server take what bytes there are after a hello. It must end
// when they do. Nothing in them starts anything: a right request for a command
// that does nothing is put before them, and others are left out.
func FuzzServerConn(f *testing.F) {
	var all []byte
	for _, h := range everyKind {
		f.Add(append(encode(h, ""), "xyz"...))
		all = append(all, encode(h, "")...)
	}
	f.Add(all)
	home := f.TempDir()
	f.Fuzz(func(t *testing.T, row []byte) {
		for _, kind := range calls {
			if bytes.Contains(row, []byte(kind)) || bytes.ContainsRune(row, '\\') {
				return
			}
		}
		p, served := peerOfServer(t, &Server{Home: home}, Guest{Command: "exec cat"})
		p.send(helloLine, "")
		p.send(runLine(1, ""), "cat\x00")
		p.nc.Write(row)
		p.nc.Close()
		<-served
	})
}

// FuzzClient has a client take what bytes there are after a hello. A command that
// runs meanwhile has an end, and its code is one that came.
func FuzzClient(f *testing.F) {
	for _, h := range everyKind {
		f.Add([]byte(h), []byte("xyz"))
	}
	f.Fuzz(func(t *testing.T, header, rest []byte) {
		if len(header) > frame.MaxHeader {
			return
		}
		row := append(encode(string(header), ""), rest...)
		synctest.Test(t, func(t *testing.T) { playToClient(t, 0, append(encode(helloLine, ""), row...)) })
	})
}

// TestServerFedWithMessagesInAnyOrderEnds is FuzzServerConn's little sister: right
// messages in wrong orders.
func TestServerFedWithMessagesInAnyOrderEnds(t *testing.T) {
	r := random(t)
	for range 300 {
		p, served := peerOfServer(t, &Server{Home: "/"}, Guest{Command: "exec cat"})
		p.send(helloLine, "")
		for range 6 {
			h := everyKind[r.IntN(len(everyKind))]
			var body []byte
			if _, size, ok := strings.Cut(h, `"size":`); ok {
				body = []byte("x\x00y"[:size[0]-'0'])
			}
			p.nc.Write(append(encode(h, ""), body...))
		}
		p.nc.Close()
		<-served
	}
}
