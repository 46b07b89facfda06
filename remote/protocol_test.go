package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const helloLine = `{"kind":"hello","version":1}`

// runLine opens a call that waits for its standard input.
func runLine(call int, more string) string {
	return fmt.Sprintf(`{"kind":"run","call":%d,"job":"%s","args":1,"stdin":true%s}`, call, NewJobID(), more)
}

// A sent is one frame that a peer sends.
type sent struct{ header, body string }

// TestServerSaysGoodbyeToBreaches has clients break each rule that a client can
// break.
func TestServerSaysGoodbyeToBreaches(t *testing.T) {
	cat := sent{runLine(5, ""), "cat\x00"}
	sleep := sent{strings.Replace(runLine(5, ""), `"args":1`, `"args":2`, 1), "sleep\x0060\x00"}
	data := func(offset, n int) sent {
		return sent{fmt.Sprintf(`{"kind":"data","call":5,"fd":0,"offset":%d}`, offset), strings.Repeat("x", n)}
	}
	for _, row := range []struct {
		name string
		send []sent // after hello
		says string
	}{
		{"unknown kind", []sent{{`{"kind":"nonsense"}`, ""}}, "unknown"},
		{"no kind", []sent{{`{"call":1}`, ""}}, "without a kind"},
		{"kind that is a number", []sent{{`{"kind":1}`, ""}}, "kind"},
		{"second hello", []sent{{helloLine, ""}}, "second hello"},
		{"server's kind", []sent{{`{"kind":"started","call":1,"job":"a"}`, ""}}, "for the server"},
		{"server's exit", []sent{cat, {`{"kind":"exit","call":5,"reason":"exited","code":0}`, ""}}, "for the server"},
		{"bad JSON", []sent{{`{"kind":}`, ""}}, ""},
		{"member missing", []sent{{`{"kind":"data","call":1,"fd":0}`, ""}}, "lacks"},
		{"call missing", []sent{{`{"kind":"cancel"}`, ""}}, "lacks"},
		{"call 0", []sent{{`{"kind":"cancel","call":0}`, ""}}, "call"},
		{"fd 3", []sent{cat, {`{"kind":"end","call":5,"fd":3,"offset":0}`, ""}}, "fd"},
		{"negative offset", []sent{cat, {`{"kind":"end","call":5,"fd":0,"offset":-1}`, ""}}, "offset"},
		{"ping with a body", []sent{{`{"kind":"ping","token":1}`, "x"}}, "has a body"},
		{"end with a body", []sent{cat, {`{"kind":"end","call":5,"fd":0,"offset":0}`, "x"}}, "has a body"},
		{"cancel with a body", []sent{cat, {`{"kind":"cancel","call":5}`, "x"}}, "has a body"},
		{"attach with a body", []sent{{`{"kind":"attach","call":5,"job":"a"}`, "x"}}, "has a body"},
		{"oversize body", []sent{{`{"kind":"data","call":1,"fd":0,"offset":0,"size":1048577}`, ""}}, "1048577"},
		{"data for no call", []sent{data(0, 1)}, "not open"},
		{"signal for no call", []sent{{`{"kind":"signal","call":9,"signal":"TERM"}`, ""}}, "not open"},
		{"cancel of a later call", []sent{cat, {`{"kind":"cancel","call":6}`, ""}}, "not open"},
		{"data on an output", []sent{cat, {`{"kind":"data","call":5,"fd":1,"offset":0}`, "x"}}, "does not flow"},
		{"credit for an input", []sent{cat, {`{"kind":"credit","call":5,"fd":0,"limit":9}`, ""}}, "does not flow"},
		{"stop of an input", []sent{cat, {`{"kind":"stop","call":5,"fd":0}`, ""}}, "does not flow"},
		{"data without stdin", []sent{{`{"kind":"run","call":5,"job":"no-stdin","args":2}`, "sleep\x0060\x00"}, data(0, 1)}, "does not flow"},
		{"gap", []sent{cat, data(0, 3), data(4, 1)}, "expected 3"},
		{"overlap", []sent{cat, data(0, 3), data(2, 1)}, "expected 3"},
		{"end too soon", []sent{cat, data(0, 3), {`{"kind":"end","call":5,"fd":0,"offset":2}`, ""}}, "expected 3"},
		{"data after the end", []sent{sleep, {`{"kind":"end","call":5,"fd":0,"offset":0}`, ""}, data(0, 1)}, "after the end"},
		{"two ends", []sent{sleep, {`{"kind":"end","call":5,"fd":0,"offset":0}`, ""}, {`{"kind":"end","call":5,"fd":0,"offset":0}`, ""}}, "second end"},
		{"credit overflow", []sent{sleep, data(0, 1<<20), data(1<<20, 1<<20), data(2<<20, 1)}, "beyond the credit"},
		{"call twice", []sent{cat, {runLine(5, ""), "cat\x00"}}, "call 5 after 5"},
		{"call lower", []sent{cat, {runLine(4, ""), "cat\x00"}}, "call 4 after 5"},
		{"arguments of an old call", []sent{cat, {`{"kind":"args","call":5}`, "x\x00"}}, "args for call 5"},
		{"arguments of two calls", []sent{{`{"kind":"args","call":6}`, "x\x00"}, {`{"kind":"args","call":7}`, "x\x00"}}, "args for call 7"},
		{"arguments of another call", []sent{{`{"kind":"args","call":6}`, "x\x00"}, {runLine(7, ""), "cat\x00"}}, "call 7 after 6"},
		{"arguments without end", endless(), "bytes of arguments"},
		{"string without NUL", []sent{{runLine(5, ""), "cat"}}, "NUL"},
		{"job with a space", []sent{{`{"kind":"run","call":5,"job":"a b","args":1}`, "cat\x00"}}, "job"},
		{"empty job", []sent{{`{"kind":"run","call":5,"job":"","args":1}`, "cat\x00"}}, "job"},
		{"no arguments", []sent{{`{"kind":"run","call":5,"job":"a","args":0}`, ""}}, "args"},
		{"endless directory", []sent{{runLine(5, `,"dir":"`+strings.Repeat("d", 4097)+`"`), "cat\x00"}}, "dir"},
		{"directory that is not base64", []sent{{runLine(5, `,"dir_b64":"?"`), "cat\x00"}}, "dir_b64"},
		{"no timeout at all", []sent{{runLine(5, `,"timeout_ms":0`), "cat\x00"}}, "timeout_ms"},
		{"fractional timeout", []sent{{runLine(5, `,"timeout_ms":1.5`), "cat\x00"}}, ""},
		{"text where a number belongs", []sent{{runLine(5, `,"timeout_ms":"1"`), "cat\x00"}}, "timeout_ms"},
		{"long signal", []sent{cat, {`{"kind":"signal","call":5,"signal":"12345678901234567"}`, ""}}, "signal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, served := peerOfServer(t, &Server{Home: t.TempDir()}, Guest{})
			p.send(helloLine, "")
			p.expect(kindHello)
			for _, s := range row.send {
				p.send(s.header, s.body)
			}
			reason, text := p.goodbye()
			if reason != "protocol" || !strings.Contains(text, row.says) {
				t.Errorf("goodbye %q, %q, want protocol, %q", reason, text, row.says)
			}
			if b, ok := errors.AsType[*Breach](<-served); !ok || b.Reason != text {
				t.Errorf("ServeConn says %v, goodbye said %q", b, text)
			}
		})
	}
}

func endless() (list []sent) {
	for range 9 {
		list = append(list, sent{`{"kind":"args","call":6}`, strings.Repeat("x\x00", 1<<19)})
	}
	return list
}

func TestServerIsStrictBeforeHello(t *testing.T) {
	for _, row := range []struct {
		name, header, body, reason, says string
	}{
		{"other first message", runLine(1, ""), "cat\x00", "protocol", "body"},
		{"ping first", `{"kind":"ping","token":1}`, "", "protocol", "before hello"},
		{"cancel first", `{"kind":"cancel","call":1}`, "", "protocol", "before hello"},
		{"oversize header", `{"kind":"hello","version":1,"software":"` + strings.Repeat("x", 4096) + `"}`, "", "protocol", "header"},
		{"hello with a body", helloLine, "x", "protocol", "body"},
		{"no version", `{"kind":"hello"}`, "", "protocol", "lacks"},
		{"long software", `{"kind":"hello","version":1,"software":"` + strings.Repeat("x", 129) + `"}`, "", "protocol", "software"},
		{"too many features", `{"kind":"hello","version":1,"features":["a"` + strings.Repeat(`,"a"`, 64) + `]}`, "", "protocol", "features"},
		{"version 0", `{"kind":"hello","version":0}`, "", "version", "version 0"},
		{"version 2", `{"kind":"hello","version":2,"new":{"a":[1]}}`, "", "version", "version 2"},
		{"goodbye", `{"kind":"goodbye","reason":"done"}`, "", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, served := peerOfServer(t, &Server{Home: t.TempDir()}, Guest{})
			p.send(row.header, row.body)
			p.send(`{"kind":"run","call":1,"job":"early","args":2}`, "touch\x00never\x00")
			reason, text := p.goodbye()
			if reason != row.reason || !strings.Contains(text, row.says) {
				t.Errorf("goodbye %q, %q, want %q, %q", reason, text, row.reason, row.says)
			}
			<-served
		})
	}
}

func TestStrangersAreToldWhatTheySpeak(t *testing.T) {
	for first, says := range map[string]string{
		"GET / HTTP/1.1\r\n":   "HTTP",
		"SSH-2.0-OpenSSH\r\n":  "SSH",
		"\x16\x03\x01\x02\x00": "TLS",
		"\x00\x00\x00\x00":     "header of 0 bytes",
		"\xff\xff\xff\xff":     "header of 4294967295 bytes",
	} {
		p, _ := peerOfServer(t, &Server{Home: t.TempDir()}, Guest{})
		p.nc.Write([]byte(first))
		if reason, text := p.goodbye(); reason != "protocol" || !strings.Contains(text, says) {
			t.Errorf("%q: goodbye %q, %q", first, reason, text)
		}
	}
}

func TestServerBearsWhatIsNoBreach(t *testing.T) {
	p, _ := peerOfServer(t, &Server{Home: t.TempDir()}, Guest{})
	p.send(`{"kind":"hello","version":1,"software":"x","features":["a"],"later":{"a":[true,"x",{"b":1}]}}`, "")
	p.expect(kindHello)
	p.send(`{"kind":"pong","token":-99}`, "")
	p.send(`{"kind":"pong","token":9007199254740991}`, "")
	p.send(`{"kind":"pong","token":-9007199254740991}`, "")
	p.send(`{"kind":"args","call":3}`, "echo\x00")
	p.send(`{"kind":"run","call":3,"job":"bear","args":2,"stdin":true,"later":1}`, "hi\x00")
	p.expect(kindExit)
	for _, s := range []sent{ // all for a call that is over
		{`{"kind":"data","call":3,"fd":0,"offset":77}`, "late"},
		{`{"kind":"end","call":3,"fd":0,"offset":0}`, ""},
		{`{"kind":"credit","call":3,"fd":1,"limit":0}`, ""},
		{`{"kind":"stop","call":3,"fd":2}`, ""},
		{`{"kind":"signal","call":3,"signal":"KILL"}`, ""},
		{`{"kind":"cancel","call":3}`, ""},
		{`{"kind":"cancel","call":1}`, ""}, // never used, but lower
	} {
		p.send(s.header, s.body)
	}
	p.send(`{"kind":"attach","call":9007199254740991,"job":"bear"}`, "")
	if m := p.expect(kindExit); m.reason != Refused || m.code != 125 {
		t.Errorf("attach: %+v", m)
	}
	p.send(`{"kind":"goodbye","reason":"done"}`, "")
	if reason, _ := p.goodbye(); reason != "" {
		t.Errorf("goodbye %q", reason)
	}
}

func TestServerSaysWhoItIs(t *testing.T) {
	t.Setenv("LC_ALL", "zh_CN.GB18030@pinyin")
	p, _ := peerOfServer(t, &Server{Home: t.TempDir(), Software: "test\xff" + strings.Repeat("界", 100)}, Guest{})
	p.send(helloLine, "")
	m := p.expect(kindHello)
	if m.version != 1 || m.encoding != "GB18030" || len(m.software) > 128 || !strings.HasPrefix(m.software, "test\ufffd") {
		t.Errorf("%+v", m)
	}
}

func TestProgramWaitsWhileNoCreditComes(t *testing.T) {
	p, _ := peerOfServer(t, &Server{Home: t.TempDir()}, Guest{})
	p.send(helloLine, "")
	p.expect(kindHello)
	p.send(`{"kind":"run","call":1,"job":"yes","args":1}`, "yes\x00")
	got := int64(0)
	for got < firstLimit {
		m, body, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if m.kind == kindData {
			got += int64(len(body))
		}
	}
	// Whatever the server might send beyond it stands before this answer.
	p.send(`{"kind":"run","call":2,"job":"other","args":1}`, "true\x00")
	for {
		m, body, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if m.kind == kindData {
			t.Fatalf("%d bytes beyond the credit", len(body))
		}
		if m.kind == kindExit {
			break
		}
	}
	p.send(`{"kind":"credit","call":1,"fd":1,"limit":1}`, "") // lower: ignored
	p.send(fmt.Sprintf(`{"kind":"credit","call":1,"fd":1,"limit":%d}`, firstLimit+1), "")
	if m, body, err := p.next(); err != nil || m.kind != kindData || len(body) != 1 || m.offset != firstLimit {
		t.Errorf("%+v, %q, %v", m, body, err)
	}
	p.send(`{"kind":"stop","call":1,"fd":1}`, "")
	if m := p.expect(kindEnd); m.offset != firstLimit+1 {
		t.Errorf("the end at %d", m.offset)
	}
	if m := p.expect(kindExit); m.signal != "PIPE" || m.stdoutBytes != firstLimit+1 {
		t.Errorf("%+v", m)
	}
}

// TestClientReportsBreachesAsLost has servers break each rule that a server can
// break, while a command runs.
func TestClientReportsBreachesAsLost(t *testing.T) {
	ends := []sent{{`{"kind":"end","call":1,"fd":1,"offset":0}`, ""}, {`{"kind":"end","call":1,"fd":2,"offset":0}`, ""}}
	exit := sent{`{"kind":"exit","call":1,"reason":"exited","code":0,"stdout_bytes":0,"stderr_bytes":0}`, ""}
	for _, row := range []struct {
		name string
		send []sent
		says string
	}{
		{"unknown kind", []sent{{`{"kind":"nonsense"}`, ""}}, "unknown"},
		{"second hello", []sent{{helloLine, ""}}, "second hello"},
		{"client's kind", []sent{{`{"kind":"cancel","call":1}`, ""}}, "for the client"},
		{"a call of its own", []sent{{`{"kind":"run","call":2,"job":"evil","args":1}`, "true\x00"}}, "for the client"},
		{"started for another call", []sent{{`{"kind":"started","call":2,"job":"a"}`, ""}}, "not open"},
		{"data for another call", []sent{{`{"kind":"data","call":2,"fd":1,"offset":0}`, "x"}}, "not open"},
		{"data toward the server", []sent{{`{"kind":"data","call":1,"fd":0,"offset":0}`, "x"}}, "does not flow"},
		{"credit toward the client", []sent{{`{"kind":"credit","call":1,"fd":1,"limit":5}`, ""}}, "does not flow"},
		{"gap", []sent{{`{"kind":"data","call":1,"fd":1,"offset":1}`, "x"}}, "expected 0"},
		{"data after the end", append(ends[:1:1], sent{`{"kind":"data","call":1,"fd":1,"offset":0}`, "x"}), "after the end"},
		{"empty data after the end", append(ends[:1:1], sent{`{"kind":"data","call":1,"fd":1,"offset":0}`, ""}), "after the end"},
		{"two ends", append(ends[:1:1], ends[0]), "second end"},
		{"credit overflow", []sent{{`{"kind":"data","call":1,"fd":1,"offset":0}`, strings.Repeat("x", 1<<20)}, {`{"kind":"data","call":1,"fd":1,"offset":1048576}`, strings.Repeat("x", 1<<20)}}, "beyond the credit"},
		{"exit before the ends", []sent{exit}, "before the end"},
		{"exit before one end", append(ends[:1:1], exit), "before the end"},
		{"exit of another call", append(ends[:2:2], sent{`{"kind":"exit","call":2,"reason":"exited","code":0}`, ""}), "not open"},
		{"code 256", append(ends[:2:2], sent{`{"kind":"exit","call":1,"reason":"exited","code":256}`, ""}), "code"},
		{"unknown reason", append(ends[:2:2], sent{`{"kind":"exit","call":1,"reason":"vanished","code":0}`, ""}), "reason"},
		{"lost there, too", append(ends[:2:2], sent{`{"kind":"exit","call":1,"reason":"lost","code":0}`, ""}), "nobody saw its end"},
		{"exited without a code", append(ends[:2:2], sent{`{"kind":"exit","call":1,"reason":"exited"}`, ""}), "code"},
		{"signalled without a signal", append(ends[:2:2], sent{`{"kind":"exit","call":1,"reason":"signalled"}`, ""}), "signal"},
		{"totals that are more", append(ends[:2:2], sent{`{"kind":"exit","call":1,"reason":"exited","code":0,"stdout_bytes":1}`, ""}), "not whole"},
		{"nonsense on the line", []sent{{"not JSON at all", ""}}, ""},
		{"goodbye", []sent{{`{"kind":"goodbye","reason":"limit","error":"no more today"}`, ""}}, "no more today"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, cl := peerOfClient(t)
			result := make(chan Result, 1)
			go func() {
				r, err := cl.Run(t.Context(), Command{Args: []string{"x"}, Stdout: stuck(cl.Done())})
				if err == nil {
					t.Errorf("no error with %+v", r)
				}
				result <- r
			}()
			p.expect(kindRun)
			for _, s := range row.send {
				p.send(s.header, s.body)
			}
			if r := <-result; r.Reason != Lost || !strings.Contains(r.Error, row.says) {
				t.Errorf("%+v, want %q", r, row.says)
			}
		})
	}
}

// A stuck writer takes nothing until the channel is closed.
type stuck <-chan struct{}

func (s stuck) Write(p []byte) (int, error) {
	<-s
	return len(p), nil
}

func TestSecondExitIsABreach(t *testing.T) {
	p, cl := peerOfClient(t)
	result := make(chan Result, 1)
	go func() {
		r, _ := cl.Run(t.Context(), Command{Args: []string{"x"}})
		result <- r
	}()
	p.expect(kindRun)
	p.send(`{"kind":"end","call":1,"fd":1,"offset":0}`, "")
	p.send(`{"kind":"end","call":1,"fd":2,"offset":0}`, "")
	p.send(`{"kind":"exit","call":1,"reason":"exited","code":7,"stdout_bytes":0,"stderr_bytes":0}`, "")
	if r := <-result; r.Reason != Exited || r.Code != 7 {
		t.Errorf("%+v", r)
	}
	p.send(`{"kind":"exit","call":1,"reason":"exited","code":8}`, "")
	if reason, text := p.goodbye(); reason != "protocol" || !strings.Contains(text, "not open") {
		t.Errorf("goodbye %q, %q", reason, text)
	}
}

func TestClientIsStrictBeforeHello(t *testing.T) {
	for first, says := range map[string]string{
		`{"kind":"hello","version":2}`:                                    "version 2",
		`{"kind":"started","call":1,"job":"a"}`:                           "before hello",
		`{"kind":"goodbye","reason":"version","error":"only 9"}`:          "only 9",
		`{"kind":"goodbye","reason":"denied"}`:                            "denied",
		`{"kind":"hello","version":1,"host":"` + strings.Repeat("h", 256): "",
	} {
		near, far := socketPair(t)
		cl := NewClient(near, "test")
		p := newPeer(t, far)
		p.expect(kindHello)
		p.send(first, "")
		_, err := cl.Connected(t.Context())
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", first, err)
		}
		if r, err := cl.Run(t.Context(), Command{Args: []string{"x"}}); r.Reason != Lost || err == nil {
			t.Errorf("%s: a run gives %+v, %v", first, r, err)
		}
		cl.Close()
		far.Close()
	}
}

// TestGoodbyeIsHeardWhileSending has a server that says why, and closes without
// reading what the client still sends.
func TestGoodbyeIsHeardWhileSending(t *testing.T) {
	for range 20 {
		p, cl := peerOfClient(t)
		result := make(chan Result, 1)
		go func() {
			r, _ := cl.Run(t.Context(), Command{Args: []string{"x"}, Stdin: zeros{}})
			result <- r
		}()
		p.expect(kindData)
		p.send(`{"kind":"goodbye","reason":"shutdown","error":"back at noon"}`, "")
		p.nc.Close()
		if r := <-result; !strings.Contains(r.Error, "back at noon") {
			t.Fatalf("%+v", r)
		}
	}
}

// zeros is an input without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestLateExitOfACallThatWasGivenUpIsNoBreach(t *testing.T) {
	p, cl := peerOfClient(t)
	call, err := cl.openCall((&Command{Args: []string{"x"}, Job: "a"}).header, []byte("x\x00"), callShape{stdin: true, stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	cl.cancel(call)
	cl.forget(call)
	p.expect(kindCancel)
	p.send(`{"kind":"started","call":1,"job":"a"}`, "")
	p.send(`{"kind":"data","call":1,"fd":1,"offset":0}`, "late")
	p.send(`{"kind":"credit","call":1,"fd":0,"limit":2000000}`, "")
	p.send(`{"kind":"end","call":1,"fd":1,"offset":4}`, "")
	p.send(`{"kind":"end","call":1,"fd":2,"offset":0}`, "")
	p.send(`{"kind":"exit","call":1,"reason":"cancelled"}`, "")
	result := make(chan Result, 1)
	go func() {
		r, _ := cl.Run(t.Context(), Command{Args: []string{"x"}})
		result <- r
	}()
	p.expect(kindRun)
	p.send(`{"kind":"end","call":2,"fd":1,"offset":0}`, "")
	p.send(`{"kind":"end","call":2,"fd":2,"offset":0}`, "")
	p.send(`{"kind":"exit","call":2,"reason":"exited","code":3,"stdout_bytes":0,"stderr_bytes":0}`, "")
	if r := <-result; r.Reason != Exited || r.Code != 3 {
		t.Errorf("%+v", r)
	}
}

func TestConnectedIsBoundByItsContext(t *testing.T) {
	near, far := socketPair(t)
	defer far.Close()
	cl := NewClient(near, "test")
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := cl.Connected(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestExitBehindTheEndOfTheConnectionDoesNotCount has the connection fail while
// the reader still has messages in hand. Whoever waits for output gives up then.
func TestExitBehindTheEndOfTheConnectionDoesNotCount(t *testing.T) {
	p, cl := peerOfClient(t)
	call, err := cl.openCall((&Command{Args: []string{"x"}, Job: "a"}).header, []byte("x\x00"), callShape{stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	p.expect(kindRun)
	cut := errors.New("the cable is cut")
	cl.c.fail(cut)
	cl.c.wg.Wait()
	for _, s := range []*recvStream{call.stdout, call.stderr} {
		if err := receive(s, nil); err != nil {
			t.Error(err)
		}
		s.finish(0, "")
	}
	if err := cl.handle(&message{kind: kindExit, call: call.id, reason: Exited, code: 3}, nil); err != cut {
		t.Errorf("the exit gives %v", err)
	}
	if _, err := cl.await(t.Context(), call, &Command{}); err != cut {
		t.Errorf("await: %v", err)
	}
}
