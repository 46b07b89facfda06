package tcp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"landline/wire"
)

// A dialogue is a connection that a test talks to, segment by segment. A segment is a
// line in the words of package wire:
//
//	S seq 0 win 65535 mss 1460 sackok wscale 7
//	P. seq 1 ack 1 len 100
//	. seq 1 ack 1 sack 101-201 301-401
//
// Numbers are relative: seq of what comes in, and ack of what goes out, count from the
// peer's initial number, the others from ours. Every expectation ends with the reason
// for it.
type dialogue struct {
	*testing.T
	now  time.Time
	tcb  *tcb
	iss  uint32 // ours
	irs  uint32 // theirs
	wnd  uint16 // what in says if it does not say
	list [4]outgoing
	sent []string // what went out and was not asked for

	edge    wire.Seq
	edgeSet bool
}

const (
	ourISS   = 0xffff_fff0 // so that all dialogues go over the end of the number space
	theirISS = 0x7fff_fff0
)

func newDialogue(t *testing.T) *dialogue {
	return &dialogue{
		T: t, now: simStart.Add(time.Minute), iss: ourISS, irs: theirISS, wnd: 65535,
	}
}

// plainConfig has nothing agreed on that a dialogue does not ask for.
func plainConfig() config {
	return config{noTimestamps: true, noSACK: true, noScale: true, noRACK: true, noUndo: true, reno: true, noHyStart: true}
}

func (d *dialogue) endpoint() endpoint {
	return endpoint{iss: wire.SeqOf(d.iss), pathMSS: 1460, linkMSS: 1460}
}

func (d *dialogue) config(c config) *config {
	c.epoch = simStart
	return c.filled()
}

// dial begins an active open.
func dial(t *testing.T, c config) *dialogue {
	d := newDialogue(t)
	d.tcb = connect(d.config(c), d.now, d.endpoint())
	d.pump()
	return d
}

// listen takes a SYN passively.
func listen(t *testing.T, c config, syn string) *dialogue {
	d := newDialogue(t)
	s := d.parse(syn)
	d.tcb = accept(d.config(c), d.now, d.endpoint(), s)
	d.pump()
	return d
}

// established is a connection after its handshake: what we sent is 1, and so is what
// they did. options are those of the peer's SYN.
func establishedWith(t *testing.T, c config, options string) *dialogue {
	t.Helper()
	d := dial(t, c)
	d.out("S seq 0", "a SYN")
	d.in("S. seq 0 ack 1 " + options)
	d.out(". seq 1 ack 1", "the third part of the handshake")
	d.tcb.quick = 0 // delayed acknowledgments from the first
	return d
}

func establishedPlain(t *testing.T) *dialogue {
	t.Helper()
	return establishedWith(t, plainConfig(), "mss 1000")
}

// in brings a segment.
func (d *dialogue) in(line string) {
	d.Helper()
	d.tcb.arrive(d.now, d.parse(line))
	d.pump()
}

// do lets the user do something.
func (d *dialogue) do(what func(t *tcb)) {
	d.Helper()
	what(d.tcb)
	d.pump()
}

// write lets the user write n bytes, all of which must be taken.
func (d *dialogue) write(n int) {
	d.Helper()
	if got := d.tcb.write(make([]byte, n)); got != n {
		d.Fatalf("write took %d of %d", got, n)
	}
	d.pump()
}

// read lets the user read up to n bytes, and says how many there must be.
func (d *dialogue) read(n, want int) {
	d.Helper()
	if got := d.tcb.read(make([]byte, n)); got != want {
		d.Fatalf("read %d, want %d", got, want)
	}
	d.pump()
}

// pump collects what goes out.
func (d *dialogue) pump() {
	d.Helper()
	for {
		n := d.tcb.output(d.now, d.list[:])
		for i := range d.list[:n] {
			d.sent = append(d.sent, d.text(&d.list[i]))
		}
		if n < len(d.list) {
			break
		}
	}
	if err := d.tcb.invariants(); err != nil {
		d.Fatal(err)
	}
	if t := d.tcb; t.state >= established {
		if d.edgeSet && t.rcv.edge.Before(d.edge) {
			d.Fatalf("the window's edge went back from %v to %v", d.edge, t.rcv.edge)
		}
		d.edge, d.edgeSet = t.rcv.edge, true
	}
}

// out expects the next segment that went out. What the line does not mention may be
// anything, but for flags, seq and len.
func (d *dialogue) out(line, why string) {
	d.Helper()
	if len(d.sent) == 0 {
		d.Fatalf("nothing went out, want %s: %s", line, why)
	}
	got := d.sent[0]
	d.sent = d.sent[1:]
	if !matches(got, line) {
		d.Fatalf("%s\n  sent %s\n  want %s\n  then %q", why, got, line, d.sent)
	}
}

// silent expects nothing to go out.
func (d *dialogue) silent(why string) {
	d.Helper()
	if len(d.sent) > 0 {
		d.Fatalf("%s\n  sent %q", why, d.sent)
	}
}

// forget drops what went out.
func (d *dialogue) forget() { d.sent = nil }

// wait lets time pass, and timers expire, up to and with its end.
func (d *dialogue) wait(span time.Duration) {
	d.Helper()
	end := d.now.Add(span)
	for range 10_000 {
		at := d.tcb.nextTimeout()
		if at.IsZero() || at.After(end) {
			d.now = end
			return
		}
		d.now = later2(d.now, at)
		d.tcb.expire(d.now)
		d.pump()
	}
	d.Fatal("timers never end")
}

func later2(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// quiet lets time pass in which nothing may go out, and then the last moment of it.
func (d *dialogue) quiet(span time.Duration, why string) {
	d.Helper()
	d.wait(span - time.Millisecond)
	d.silent(why)
	d.wait(time.Millisecond)
}

func (d *dialogue) state(want state, why string) {
	d.Helper()
	if d.tcb.state != want {
		d.Fatalf("%s: state %v, want %v", why, d.tcb.state, want)
	}
}

func (d *dialogue) ended(want syscall.Errno, why string) {
	d.Helper()
	d.state(closed, why)
	if d.tcb.err != want {
		d.Fatalf("%s: ended by %v, want %v", why, d.tcb.err, want)
	}
}

func (d *dialogue) equal(what string, got, want any) {
	d.Helper()
	if got != want {
		d.Fatalf("%s: %v, want %v", what, got, want)
	}
}

var flagLetters = map[rune]wire.TCPFlags{
	'F': wire.FlagFIN, 'S': wire.FlagSYN, 'R': wire.FlagRST, 'P': wire.FlagPSH,
	'.': wire.FlagACK, 'U': wire.FlagURG, 'E': wire.FlagECE, 'W': wire.FlagCWR,
}

// parse makes a segment of a line.
func (d *dialogue) parse(line string) *segment {
	words := strings.Fields(line)
	s := &segment{wnd: d.wnd}
	for _, c := range words[0] {
		s.flags |= flagLetters[c]
	}
	if words[0] == "none" {
		s.flags = 0
	}
	for i := 1; i < len(words); i++ {
		next := func() uint32 { i++; return number(words[i]) }
		switch words[i] {
		case "seq":
			s.seq = wire.SeqOf(d.irs + next())
		case "ack":
			s.ack = wire.SeqOf(d.iss + next())
		case "win":
			s.wnd = uint16(next())
		case "len":
			s.data = make([]byte, next())
		case "unit":
			s.unit = uint16(next())
		case "mss":
			s.opt.MSS = uint16(next())
		case "wscale":
			s.opt.HasWindowScale, s.opt.WindowScale = true, uint8(next())
		case "sackok":
			s.opt.SACKPermitted = true
		case "ts":
			s.opt.HasTimestamps, s.opt.TSVal, s.opt.TSEcr = true, next(), next()
		case "sack":
			for i+1 < len(words) && strings.Contains(words[i+1], "-") && words[i+1][0] != '-' {
				i++
				a, b, _ := strings.Cut(words[i], "-")
				s.opt.SACK[s.opt.SACKCount] = wire.SACKBlock{Start: wire.SeqOf(d.iss + number(a)), End: wire.SeqOf(d.iss + number(b))}
				s.opt.SACKCount++
			}
		default:
			panic("no such word: " + words[i])
		}
	}
	return s
}

func number(s string) uint32 {
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		panic(err)
	}
	return uint32(n)
}

// text describes what goes out.
func (d *dialogue) text(o *outgoing) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v seq %d", o.flags, int32(o.seq.Uint32()-d.iss))
	if o.flags.Has(wire.FlagACK) {
		fmt.Fprintf(&b, " ack %d", int32(o.ack.Uint32()-d.irs))
	}
	if o.flags == wire.FlagRST && o.seq == (wire.Seq{}) {
		b.WriteString(" zero")
	}
	fmt.Fprintf(&b, " win %d len %d", o.window, o.size())
	if o.unit != 0 {
		fmt.Fprintf(&b, " unit %d", o.unit)
	}
	var opt wire.TCPOptions
	if err := wire.TCP(wire.AppendTCP(nil, new(wire.TCPHeader), o.options())).ReadOptions(&opt); err != nil {
		d.Fatal(err)
	}
	if opt.MSS != 0 {
		fmt.Fprintf(&b, " mss %d", opt.MSS)
	}
	if opt.SACKPermitted {
		b.WriteString(" sackok")
	}
	if opt.HasTimestamps {
		fmt.Fprintf(&b, " ts %d %d", opt.TSVal, opt.TSEcr)
	}
	if opt.HasWindowScale {
		fmt.Fprintf(&b, " wscale %d", opt.WindowScale)
	}
	if opt.SACKCount > 0 {
		b.WriteString(" sack")
		for _, r := range opt.SACKBlocks() {
			fmt.Fprintf(&b, " %d-%d", int32(r.Start.Uint32()-d.irs), int32(r.End.Uint32()-d.irs))
		}
	}
	return b.String()
}

// matches reports whether a line has all that another asks for.
func matches(got, want string) bool {
	g, w := facts(got), facts(want)
	if w["len"] == "" {
		w["len"] = "0"
	}
	for key, value := range w {
		switch {
		case value == "none" && g[key] == "":
		case g[key] != value:
			return false
		}
	}
	return true
}

// facts cuts a line into its words and what belongs to each.
func facts(line string) map[string]string {
	words := strings.Fields(line)
	all := map[string]string{"flags": words[0]}
	key := ""
	for _, w := range words[1:] {
		if slices.Contains([]string{"seq", "ack", "win", "len", "unit", "mss", "sackok", "ts", "wscale", "sack", "zero"}, w) {
			key = w
			all[key] = "+"
			continue
		}
		all[key] = strings.TrimPrefix(all[key]+" "+w, "+ ")
	}
	return all
}
