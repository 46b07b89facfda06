package pkt

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"landline/wire"
)

func parse(t *testing.T, src string) *Script {
	t.Helper()
	s, err := Parse("test.pkt", src)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// parseOne parses a script of one event.
func parseOne(t *testing.T, src string) Event {
	t.Helper()
	s := parse(t, src)
	if len(s.Events) != 1 || len(s.Ignored) > 0 {
		t.Fatalf("%q has %d events, and ignored is %v", src, len(s.Events), s.Ignored)
	}
	return s.Events[0]
}

// What is written in the form that String has is read as it was meant.
func TestPacketsAreReadBack(t *testing.T) {
	for _, line := range []string{
		"< S 0:0(0) win 1000 <mss 1000,sackOK,nop,nop,nop,wscale 7>",
		"> S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>",
		"> P. 1:1001(1000) ack 1",
		"< . 1:1(0) ack 1001 win 257 <nop,nop,sack 2001:3001 4001:5001>",
		"> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 200>",
		"> . 1:1(0) ack 1 <nop,nop,TS val ... ecr 200>",
		"> SEW 0:0(0) <...>",
		"< - 1:1(0) win 5",
		"< PU. 1:11(10) ack 1 win 100 urg 11",
		"> R 0:0(0)!",
		"> R. ...(0) ack 1",
		"< 4000 > 80 F. 1:1(0) ack 1 win 100",
		"< S 4294967295:9(10) win 100",
		"< S 0:0(0) win 100 <FO 0102030405060708>",
		"> (ect0) P. 1:11(10) ack 1",
		"< (tos 0x28, ttl 3) . 1:1(0) ack 1 win 100",
		"> (ect01, flowlabel 0x12345) . 1:1(0) ack 1",
		"< udp (100)",
		"> udp 53 > 5353 (0)",
		"< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]",
		"< icmp unreachable port_unreachable [udp (100)]",
		"> icmp echo_reply id 7",
	} {
		k := parseOne(t, "0 "+line).Do.(*Packet)
		if got := k.String(); got != line || k.Unsupported != "" {
			t.Errorf("%q became %q, not supported: %q", line, got, k.Unsupported)
		}
	}
}

// What others write in other ways means the same.
func TestPacketsOfOtherDialects(t *testing.T) {
	for line, want := range map[string]string{
		"<[ect0]  P. 1:11(10)ack 1 win 0x10":                     "< (ect0) P. 1:11(10) ack 1 win 16",
		"> F  . 1:1(0) ack 1":                                    "> F. 1:1(0) ack 1",
		"> (class 0x20, hlim 4) . 1:1(0)":                        "> (tos 0x20, ttl 4) . 1:1(0) ack 0",
		"> [ecn ce, dscp 4] . 1:1(0) ack 1":                      "> (tos 0x13) . 1:1(0) ack 1",
		"< [1:1461(1460)] icmp unreachable frag_needed mtu 1400": "< icmp unreachable frag_needed mtu 1400 [1:1461(1460)]",
		"< S 0:0(0) win 9 <mss MSS, FOEXP TFO_COOKIE>":           "< S 0:0(0) win 9 <mss 1460,kind-254 f9890000000000000000>",
	} {
		k := parseOne(t, "0 "+line).Do.(*Packet)
		if got := k.String(); got != want || k.Unsupported != "" {
			t.Errorf("%q became %q, want %q; not supported: %q", line, got, want, k.Unsupported)
		}
	}
}

// What cannot be run can be read, and says what it is.
func TestUnsupportedPacketsAreRead(t *testing.T) {
	for line, want := range map[string]string{
		"> ipv4 192.168.0.1 > 192.0.2.1: . 1:1(0) ack 1":     "IP in IP",
		"> ipv6 fd3d::1 > 2001:db8::1: gre: . 1:1(0) ack 1":  "IP in IP",
		"> mpls (label 0, tc 0, [S], ttl 0): . 1:1(0) ack 1": "MPLS",
		"> encap psp spi 0x12 . 1:1(0) ack 1":                "PSP",
		"< S 0:0(0) win 1 <nop,nop,md5 valid>/udp(1 > 9811)": "TCP-MD5",
		"< S 0:0(0) win 1/udp(1 > 9811)":                     "TCP over UDP",
		"> SEWA 0:0(0)":                                      "AccECN",
		"> S.5 0:0(0) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>":     "AccECN",
		"< . 1:1(0) win 1 <gen 3 4>":                         "the option gen",
		"< sctp: SHUTDOWN[flgs=0, cum_tsn=0]":                "SCTP or UDP-Lite",
	} {
		if k := parseOne(t, "0 "+line).Do.(*Packet); k.Unsupported != want {
			t.Errorf("%q: not supported: %q, want %q", line, k.Unsupported, want)
		}
	}
}

func TestTimes(t *testing.T) {
	ms := time.Millisecond
	for text, want := range map[string]When{
		"0":         {},
		"+0":        {Relative: true},
		"1.25":      {From: 1250 * ms, To: 1250 * ms},
		"+.1":       {Relative: true, From: 100 * ms, To: 100 * ms},
		"0.1~0.2":   {From: 100 * ms, To: 200 * ms},
		"+.1~+.2":   {Relative: true, From: 100 * ms, To: 200 * ms},
		"*":         {Any: true},
		"0.0000015": {From: 1500, To: 1500},
	} {
		if got := parseOne(t, text+" > . 1:1(0) ack 1").When; got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestCalls(t *testing.T) {
	number := func(n int64) Expr { return Expr{Kind: Number, Num: n} }
	word := func(s string) Expr { return Expr{Kind: Word, Text: s} }
	named := func(name string, e Expr) Expr { e.Name = name; return e }
	for text, want := range map[string]Call{
		"socket(..., SOCK_STREAM, 6) = 3": {Name: "socket", Args: []Expr{{}, word("SOCK_STREAM"), number(6)}, Result: number(3)},
		"read(4, ..., 0x10) = -1 EAGAIN (Resource temporarily unavailable)": {
			Name: "read", Args: []Expr{number(4), {}, number(16)}, Result: number(-1), Errno: "EAGAIN",
		},
		`write(4, "ab" "\"c\n"..., 5) = 5`: {Name: "write", Args: []Expr{number(4), {Kind: String, Text: "ab\"c\n"}, number(5)}, Result: number(5)},
		"fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0": {
			Name: "fcntl", Args: []Expr{number(4), word("F_SETFL"), {Kind: Or, List: []Expr{word("O_RDWR"), word("O_NONBLOCK")}}}, Result: number(0),
		},
		"poll([{fd=4, events=A|B}], 1, 0) = 1": {
			Name: "poll", Args: []Expr{{Kind: Array, List: []Expr{{Kind: Struct, List: []Expr{
				named("fd", number(4)), named("events", Expr{Kind: Or, List: []Expr{word("A"), word("B")}}),
			}}}}, number(1), number(0)}, Result: number(1),
		},
		"sendmsg(4, {msg_iov(1)=[{..., 10}], msg_flags=0}, 0) = 10": {
			Name: "sendmsg", Args: []Expr{number(4), {Kind: Struct, List: []Expr{
				named("msg_iov", Expr{Kind: Array, List: []Expr{{Kind: Struct, List: []Expr{{}, number(10)}}}}), named("msg_flags", number(0)),
			}}, number(0)}, Result: number(10),
		},
		"close(4) = 0": {Name: "close", Args: []Expr{number(4)}, Result: number(0)},
	} {
		if got := parseOne(t, "0 "+text).Do.(*Call); !reflect.DeepEqual(got, &want) {
			t.Errorf("%s:\n got %+v\nwant %+v", text, got, &want)
		}
	}
}

func TestCallThatWaitsHasAnEnd(t *testing.T) {
	e := parseOne(t, "+.01...0.25 accept(3, ..., ...) = 4")
	c := e.Do.(*Call)
	if e.When.From != 10*time.Millisecond || !c.Blocks || c.End != 250*time.Millisecond {
		t.Errorf("%v, %+v", e.When, c)
	}
}

func TestScriptHasMoreThanEvents(t *testing.T) {
	s := parse(t, `#!/usr/bin/env packetdrill
source common/defaults.sh
--ip_version=ipv6 --define=SIZE=1000 // a comment
--define=TEXT="a b"
`+"`sysctl -q a=1`"+`
/* a longer
   comment */
0 write(4, TEXT, SIZE) = SIZE
+0 `+"`sleep 1\ntrue`"+`
+0 %{ assert a == 1,
 "text" }%
`+"`cleanup`\n")
	if want := []Option{{3, "ip_version", "ipv6"}, {3, "define", "SIZE=1000"}, {4, "define", `TEXT="a b"`}}; !reflect.DeepEqual(s.Options, want) {
		t.Errorf("options %+v, want %+v", s.Options, want)
	}
	if want := []Ignored{{1, "#!/usr/bin/env packetdrill"}, {2, "source common/defaults.sh"}, {5, "sysctl -q a=1"}, {13, "cleanup"}}; !reflect.DeepEqual(s.Ignored, want) {
		t.Errorf("ignored %+v, want %+v", s.Ignored, want)
	}
	if len(s.Events) != 3 {
		t.Fatalf("%d events", len(s.Events))
	}
	want := &Call{Name: "write", Args: []Expr{{Kind: Number, Num: 4}, {Kind: String, Text: "a b"}, {Kind: Number, Num: 1000}}, Result: Expr{Kind: Number, Num: 1000}}
	if got := s.Events[0].Do; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := s.Events[1]; got.Line != 9 || got.Do != Shell("sleep 1\ntrue") {
		t.Errorf("%+v", got)
	}
	if got := s.Events[2]; got.Line != 11 || got.Do != Code(" assert a == 1,\n \"text\" ") {
		t.Errorf("%+v", got)
	}
}

func TestErrorsTellTheLine(t *testing.T) {
	for src, want := range map[string]string{
		"\n0 < S 0:10(5) win 1":        "test.pkt:2: 5 bytes from 0 on do not end at 10",
		"0 < S 0:0(0) win 70000":       "test.pkt:1: the number 70000 is more than 65535",
		"0 < S 0:0(0) win 1 <...>":     "test.pkt:1: a packet that is sent in must say all that it is",
		"0 < X 0:0(0) win 1":           `test.pkt:1: "X" are no flags of a segment`,
		"0 < S 0:0(0) win 1 <mss 1460": "test.pkt:1: expected >, got the end of the script",
		"0 < (colour 1) S 0:0(0)":      `test.pkt:1: an IP header has no field "colour"`,
		"+0 read(4, ..., 10)":          "test.pkt:1: expected =, got the end of the script",
		"\n\n0 read(4 5) = 1":          `test.pkt:3: expected ,, got "5)"`,
		"0 read(4, @) = 1":             `test.pkt:1: expected a value, got "@)"`,
		"0~1 read(4) = 1":              "test.pkt:1: only a packet that comes out may have 0.000000~1.000000 as its time",
		"* < . 1:1(0)":                 "test.pkt:1: only a packet that comes out may have * as its time",
		"0.5~0.4 > . 1:1(0)":           "test.pkt:1: the range 0.500000~0.400000 is backwards",
		"0 `true":                      "test.pkt:1: a command without its end, `",
		"0 %{ assert":                  "test.pkt:1: a piece of code without its end, }%",
		"/* a":                         "test.pkt:1: a comment without its end, */",
		"0 ? 1":                        `test.pkt:1: expected a packet, a call, a command or code, got "?"`,
		"0 close(3) = 0\nclose(3) = 0": `test.pkt:2: expected an event, got "close(3)"`,
		"99999999999999 close(3) = 0":  "test.pkt:1: the time 99999999999999 is too long",
		"0 < . 1:1(0) win 1 <sack 1:2 3:4 5:6 7:8 9:10>": "test.pkt:1: the options take 42 bytes, and a header has room for 40",
		"0 f(" + strings.Repeat("[", 100):                "test.pkt:1: expressions are nested more than 32 deep",
	} {
		_, err := Parse("test.pkt", src)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Error() != want {
			t.Errorf("%q: %v, want %s", src, err, want)
		}
	}
}

// A symbol may stand for itself, or for nothing.
func TestDefinesEnd(t *testing.T) {
	s := parse(t, "--define=A=A --define=B=[C] --define=C=B --define=D=\n0 f(A, B, D) = 0")
	want := []Expr{{Kind: Word, Text: "A"}, {Kind: Array, List: []Expr{{Kind: Word, Text: "B"}}}, {Kind: Word}}
	if got := s.Events[0].Do.(*Call).Args; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestFlagsHaveTheirLetters(t *testing.T) {
	k := parseOne(t, "0 > FSRPUEW. 0:0(0)").Do.(*Packet)
	if want := wire.TCPFlags(0xff); k.TCP.Flags != want {
		t.Errorf("flags %v, want %v", k.TCP.Flags, want)
	}
}

// FuzzParse: no text makes the parser panic, and what it has read it reads again in its own words.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 < S 0:0(0) win 1000 <mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7>\n",
		"--tolerance_usecs=10\n`a`\n+.1~+.2 > (tos 0x10) P. 1:1001(1000) ack 1 urg 5 <nop,nop,sack 1:2>\n",
		"0 < icmp unreachable frag_needed mtu 1200 [1:1001(1000)]\n+1...2 poll([{fd=3, events=POLLIN}], 1, -1) = 1 // x\n",
		"* > 1 > 2 udp (5)\n0 %{ assert tcpi_snd_cwnd == 10 }%\n/* y */ 0 > gre: mpls (a): F. 1:1(0)!/udp(1 > 2)\n",
		"0 > R. ...(0) ack 1 <...>\n0 write(3, \"a\\n\" \"b\"..., -1) = -1 EPIPE (Broken pipe)\n--define=A=\"x\"\n0 f(A) = ...\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		s, err := Parse("fuzz", src)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error %T: %v", err, err)
			}
			return
		}
		for _, e := range s.Events {
			k, ok := e.Do.(*Packet)
			if !ok || k.Unsupported != "" {
				continue
			}
			again, err := Parse("again", "0 "+k.String())
			if err != nil {
				t.Fatalf("%q: %v", k, err)
			}
			if got := again.Events[0].Do.(*Packet).String(); got != k.String() {
				t.Fatalf("%q became %q", k, got)
			}
		}
	})
}
