package ip

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"landline/link"
	"landline/wire"
)

var (
	neighborIP = netip.MustParseAddr("fe80::2")
	ourIP      = netip.MustParseAddr("fe80::1")
	macA       = wire.MAC{2, 0, 0, 0, 0, 0xa}
	macB       = wire.MAC{2, 0, 0, 0, 0, 0xb}
)

// A neighborRig is neighbors, and a clock that the test turns.
type neighborRig struct {
	*neighbors
	t   *testing.T
	now time.Time
}

func newNeighborRig(t *testing.T, l neighborLimits) *neighborRig {
	return &neighborRig{newNeighbors(seeded(1), l), t, pureStart}
}

// in brings a new rig's neighbor, with the address macA, into a state.
func (r *neighborRig) in(s NeighborState) {
	r.t.Helper()
	if s == NeighborIncomplete {
		r.ask(neighborIP)
	} else {
		r.hear(heard{ip: neighborIP, mac: macA, kind: heardSource})
	}
	switch s {
	case NeighborReachable:
		r.confirm(r.now, neighborIP)
	case NeighborDelay:
		r.lookup(r.now, neighborIP)
	case NeighborProbe:
		r.lookup(r.now, neighborIP)
		r.after(delayFirstProbeTime)
	}
	r.take()
	if got := r.table[neighborIP].State; got != s {
		r.t.Fatalf("the neighbor is %v, want %v", got, s)
	}
}

// ask sends a frame of 60 bytes to ip.
func (r *neighborRig) ask(ip netip.Addr) error {
	return r.hold(r.now, ip, ourIP, &link.Frame{Head: make([]byte, 60)})
}

func (r *neighborRig) hear(h heard) {
	r.t.Helper()
	if err := r.learn(r.now, h); err != nil {
		r.t.Fatal(err)
	}
}

// after lets time pass, without being late for any timer.
func (r *neighborRig) after(d time.Duration) {
	end := r.now.Add(d)
	for next := r.next(); passed(end, next); next = r.next() {
		r.now = next
		r.expire(r.now)
	}
	r.now = end
}

// says describes the effects since it was last called.
func (r *neighborRig) says() (s string) {
	for _, e := range r.take() {
		switch e.kind {
		case neighborSolicit:
			s += fmt.Sprintf("solicit %v; ", e.mac)
		case neighborRelease:
			s += fmt.Sprintf("release %d to %v; ", len(e.frames), wire.MAC(e.frames[0].Head))
		case neighborFailed:
			s += fmt.Sprintf("failed %d; ", len(e.frames))
		case neighborNotRouter:
			s += "not router; "
		case neighborDropped:
			s += fmt.Sprintf("dropped %d %v; ", e.n, e.reason.String())
		}
	}
	return s
}

// state describes the entry of neighborIP.
func (r *neighborRig) state() string {
	e := r.table[neighborIP]
	switch {
	case e == nil:
		return "none"
	case e.MAC == wire.MAC{}:
		return e.State.String()
	case e.MAC == macA:
		return e.State.String() + " A"
	case e.MAC == macB:
		return e.State.String() + " B"
	}
	return "wrong address"
}

// TestNeighborsFollowAppendixC is the table of RFC 4861, Appendix C, for what arrives.
func TestNeighborsFollowAppendixC(t *testing.T) {
	advert := func(flags string, mac wire.MAC) heard {
		h := heard{ip: neighborIP, mac: mac, kind: heardAdvert}
		for _, f := range flags {
			h.solicited = h.solicited || f == 's'
			h.override = h.override || f == 'o'
		}
		return h
	}
	source := func(mac wire.MAC) heard { return heard{ip: neighborIP, mac: mac, kind: heardSource} }
	all := []NeighborState{NeighborReachable, NeighborStale, NeighborDelay, NeighborProbe}
	unchanged := ""
	none := wire.MAC{}
	released := "release 1 to " + macA.String() + "; "
	for _, c := range []struct {
		name   string
		from   []NeighborState
		h      heard
		want   string
		effect string
	}{
		{"NA s=0 o=0, other", all, advert("", macB), "", ""}, // but REACHABLE: below
		{"NA s=0 o=0, same", all, advert("", macA), unchanged, ""},
		{"NA s=0 o=1, same", all, advert("o", macA), unchanged, ""},
		{"NA s=0 o=1, other", all, advert("o", macB), "stale B", ""},
		{"NA s=1 o=0, same", all, advert("s", macA), "reachable A", ""},
		{"NA s=1 o=0, other", all[1:], advert("s", macB), unchanged, ""},
		{"NA s=1 o=0, other", all[:1], advert("s", macB), "stale A", ""},
		{"NA s=1 o=1, same", all, advert("so", macA), "reachable A", ""},
		{"NA s=1 o=1, other", all, advert("so", macB), "reachable B", ""},
		{"NA s=1 o=0, none", all, advert("s", none), "reachable A", ""},
		{"NA s=1 o=1, none", all, advert("so", none), "reachable A", ""},
		{"NA s=0 o=1, none", all, advert("o", none), unchanged, ""},
		{"NS, same", all, source(macA), unchanged, ""},
		{"NS, other", all, source(macB), "stale B", ""},
		{"NS, none", all, source(none), unchanged, ""},
		{"NA s=0", []NeighborState{NeighborIncomplete}, advert("", macA), "delay A", released},
		{"NA s=1", []NeighborState{NeighborIncomplete}, advert("s", macA), "reachable A", released},
		{"NA, none", []NeighborState{NeighborIncomplete}, advert("so", none), "incomplete", ""},
		{"NS", []NeighborState{NeighborIncomplete}, source(macA), "delay A", released},
		{"NS, none", []NeighborState{NeighborIncomplete}, source(none), "incomplete", ""},
	} {
		for _, from := range c.from {
			t.Run(c.name+" in "+from.String(), func(t *testing.T) {
				r := newNeighborRig(t, neighborLimits{})
				r.in(from)
				want := c.want
				if want == unchanged {
					want = r.state()
				}
				if c.name == "NA s=0 o=0, other" && from == NeighborReachable {
					want = "stale A" // Section 7.2.5, I a: whatever the solicited flag says
				}
				r.hear(c.h)
				if got := r.state(); got != want {
					t.Errorf("now %q, want %q", got, want)
				}
				if got := r.says(); got != c.effect {
					t.Errorf("effects %q, want %q", got, c.effect)
				}
			})
		}
	}
}

func TestNeighborsLearnTheUnknownOnlyFromWhoWantsAnAnswer(t *testing.T) {
	for kind, want := range map[heardKind]string{
		heardMerge: "none", heardSource: "stale A", heardReply: "none", heardAdvert: "none",
	} {
		r := newNeighborRig(t, neighborLimits{})
		r.hear(heard{ip: neighborIP, mac: macA, kind: kind})
		if got := r.state(); got != want {
			t.Errorf("kind %d: %s, want %s", kind, got, want)
		}
	}
	for mac, want := range map[wire.MAC]string{macA: "stale A", {}: "none"} {
		r := newNeighborRig(t, neighborLimits{})
		r.hear(heard{ip: neighborIP, mac: mac, kind: heardAdvert, solicited: true, toRouter: true})
		if got := r.state(); got != want {
			t.Errorf("a router that hears of %v: %s, want %s", mac, got, want)
		}
	}
}

func TestNeighborTakesARPReplyAsProofOnlyIfAsked(t *testing.T) {
	for from, want := range map[NeighborState]string{
		NeighborIncomplete: "reachable B", NeighborReachable: "stale B", NeighborStale: "stale B",
		NeighborDelay: "stale B", NeighborProbe: "reachable B",
	} {
		r := newNeighborRig(t, neighborLimits{})
		r.in(from)
		r.hear(heard{ip: neighborIP, mac: macB, kind: heardReply})
		if got := r.state(); got != want {
			t.Errorf("from %v: %s, want %s", from, got, want)
		}
	}
}

func TestNeighborRefusesGroupAddress(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.in(NeighborStale)
	if err := r.learn(r.now, heard{ip: neighborIP, mac: wire.Broadcast, kind: heardSource}); err != DropNDP {
		t.Error(err)
	}
	if got := r.state(); got != "stale A" {
		t.Error(got)
	}
}

func TestNeighborIsAskedThreeTimesAndThenFails(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	start := r.now
	r.ask(neighborIP)
	r.ask(neighborIP)
	for i := range 3 {
		if got, want := r.says(), "solicit 00:00:00:00:00:00; "; got != want {
			t.Errorf("after %d s: %q, want %q", i, got, want)
		}
		if got := r.next().Sub(start); got != time.Duration(i+1)*time.Second {
			t.Errorf("next after %v", got)
		}
		r.after(time.Second)
	}
	if got, want := r.says(), "failed 2; "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if r.state() != "none" || !r.next().IsZero() || r.heldBytes != 0 {
		t.Error("something is left:", r.state(), r.next(), r.heldBytes)
	}
}

// Who doubts a neighbor has it asked, unless it is being asked.
func TestDoubtAsksTheNeighborOnce(t *testing.T) {
	unicast := "solicit " + macA.String() + "; "
	for state, want := range map[NeighborState][2]string{
		NeighborIncomplete: {"", "incomplete"}, NeighborReachable: {unicast, "probe A"}, NeighborStale: {unicast, "probe A"},
		NeighborDelay: {unicast, "probe A"}, NeighborProbe: {"", "probe A"},
	} {
		r := newNeighborRig(t, neighborLimits{})
		r.in(state)
		r.doubt(r.now, neighborIP)
		if got := [2]string{r.says(), r.state()}; got != want {
			t.Errorf("%v: %q, want %q", state, got, want)
		}
		r.doubt(r.now, neighborIP)
		if got := r.says(); got != "" {
			t.Errorf("%v: again %q", state, got)
		}
	}
	r := newNeighborRig(t, neighborLimits{})
	r.doubt(r.now, neighborIP)
	if len(r.table) != 0 {
		t.Error("one that nobody knows is known now")
	}
}

// A dialogue of the life of a neighbor that is used, then leaves.
func TestNeighborGoesThroughItsStates(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.in(NeighborReachable)
	if d := r.table[neighborIP].reachable.Sub(r.now); d < 15*time.Second || d > 45*time.Second {
		t.Errorf("reachable for %v", d)
	}
	r.after(10 * time.Second)
	r.confirm(r.now, neighborIP)
	confirmed := r.now
	r.after(r.reachable - time.Nanosecond)
	if got := r.state(); got != "reachable A" {
		t.Errorf("%s, although it was confirmed %v ago", got, r.now.Sub(confirmed))
	}
	r.after(time.Nanosecond)
	if got := r.state(); got != "stale A" {
		t.Error("after ReachableTime:", got)
	}
	if mac, ok := r.lookup(r.now, neighborIP); mac != macA || !ok || r.state() != "delay A" {
		t.Error("used:", mac, ok, r.state())
	}
	r.after(5 * time.Second)
	unicast := "solicit " + macA.String() + "; "
	if got := r.says(); got != unicast || r.state() != "probe A" {
		t.Errorf("after the delay: %q, %s", got, r.state())
	}
	if _, ok := r.lookup(r.now, neighborIP); !ok {
		t.Error("not usable while it is asked")
	}
	r.after(3 * time.Second)
	if got, want := r.says(), unicast+unicast+"failed 0; "; got != want || r.state() != "none" {
		t.Errorf("silent: %q, %s", got, r.state())
	}
}

func TestNeighborIsStaleWithoutATimerBeingServed(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.in(NeighborReachable)
	r.lookup(r.now.Add(45*time.Second), neighborIP)
	if got := r.state(); got != "delay A" {
		t.Error(got)
	}
}

func TestUnusedNeighborIsForgotten(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.in(NeighborStale)
	r.after(staleTime)
	if r.state() != "none" || r.says() != "" || !r.next().IsZero() {
		t.Error("not forgotten:", r.state())
	}
}

func TestNeighborThatStopsToBeRouterIsTold(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.hear(heard{ip: neighborIP, mac: macA, kind: heardSource, router: true})
	r.hear(heard{ip: neighborIP, mac: macA, kind: heardSource}) // a solicitation says nothing of that
	if got := r.says(); got != "" || !r.table[neighborIP].Router {
		t.Errorf("after a solicitation: %q", got)
	}
	r.hear(heard{ip: neighborIP, mac: macA, kind: heardAdvert})
	if got := r.says(); got != "not router; " {
		t.Errorf("after an advertisement: %q", got)
	}
}

func TestReleasedFramesAreWholeCopies(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	head, body := []byte("......SSSSSS##header"), []byte(" body")
	f := link.Frame{Head: head, Body: body, SegSize: 1400, Sum: link.SumPartial, SumStart: 34, SumField: 50}
	r.hold(r.now, neighborIP, ourIP, &f)
	clear(head)
	clear(body)
	effects := r.take()
	if e := effects[0]; e.kind != neighborSolicit || e.src != ourIP {
		t.Errorf("%+v", e)
	}
	r.hear(heard{ip: neighborIP, mac: macA, kind: heardReply})
	got := r.take()[0].frames[0]
	if want := string(macA[:]) + "SSSSSS##header body"; string(got.Head) != want || got.Body != nil {
		t.Errorf("%q, want %q", got.Head, want)
	}
	if got.SegSize != 1400 || got.Sum != link.SumPartial || got.SumStart != 34 || got.SumField != 50 {
		t.Errorf("%+v", got)
	}
}

func TestHoldReleasesAtOnceWhatHasBecomeKnown(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.in(NeighborReachable)
	if err := r.ask(neighborIP); err != nil {
		t.Fatal(err)
	}
	if got := r.says(); got != "release 1 to "+macA.String()+"; " {
		t.Error(got)
	}
}

func TestNeighborQueueKeepsTheNewest(t *testing.T) {
	for _, l := range []neighborLimits{{Frames: 3}, {Bytes: 3 * 60}, {AllBytes: 3 * 60}} {
		r := newNeighborRig(t, l)
		for i := range 5 {
			f := link.Frame{Head: make([]byte, 60)}
			f.Head[59] = byte(i)
			if err := r.hold(r.now, neighborIP, ourIP, &f); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := r.says(), "solicit 00:00:00:00:00:00; dropped 2 neighbor queue; "; got != want {
			t.Errorf("%+v: %q, want %q", l, got, want)
		}
		r.hear(heard{ip: neighborIP, mac: macA, kind: heardReply})
		if frames := r.take()[0].frames; len(frames) != 3 || frames[0].Head[59] != 2 {
			t.Errorf("%+v: %d frames, the first is %d", l, len(frames), frames[0].Head[59])
		}
		if r.heldBytes != 0 {
			t.Errorf("%+v: %d bytes are held", l, r.heldBytes)
		}
	}
}

func TestNeighborQueueRefusesWhatNeverFits(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{Bytes: 100})
	for _, size := range []int{13, 101} {
		if err := r.hold(r.now, neighborIP, ourIP, &link.Frame{Head: make([]byte, size)}); err != DropNeighborQueue {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if len(r.table) != 0 {
		t.Error("it was asked for nevertheless")
	}
}

func nthNeighbor(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }

func TestScanDoesNotPushOutNeighbors(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{Neighbors: 20, Incomplete: 10})
	r.in(NeighborReachable)
	for i := range 1000 {
		r.ask(nthNeighbor(i))
	}
	if got := r.state(); got != "reachable A" {
		t.Error(got)
	}
	if len(r.table) != 11 || r.heldBytes != 600 {
		t.Errorf("%d neighbors, %d bytes", len(r.table), r.heldBytes)
	}
	if r.table[nthNeighbor(999)] == nil || r.table[nthNeighbor(990)] == nil || r.table[nthNeighbor(989)] != nil {
		t.Error("it is not the last that are being asked for")
	}
	dropped := 0
	for _, e := range r.take() {
		if e.reason == DropNeighborTable {
			dropped += e.n
		}
	}
	if dropped != 990 {
		t.Errorf("%d frames were dropped", dropped)
	}
}

func TestFullNeighborTableForgetsTheLongestUnused(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{Neighbors: 4})
	for i := range 4 {
		r.hear(heard{ip: nthNeighbor(i), mac: macA, kind: heardSource})
	}
	r.lookup(r.now, nthNeighbor(0))
	r.hear(heard{ip: nthNeighbor(4), mac: macA, kind: heardSource})
	if len(r.table) != 4 || r.table[nthNeighbor(0)] == nil || r.table[nthNeighbor(1)] != nil {
		t.Error(r.list())
	}
	for i := range 5 {
		r.confirm(r.now, nthNeighbor(i))
	}
	if err := r.ask(nthNeighbor(9)); !errors.Is(err, DropNeighborTable) {
		t.Error("all are in use:", err)
	}
}

func TestNeighborForgottenDropsWhatWaits(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.in(NeighborIncomplete)
	r.forget(neighborIP, DropClosed)
	if got := r.says(); got != "dropped 1 closed; " {
		t.Error(got)
	}
	r.in(NeighborProbe)
	r.clear(DropClosed)
	if got := r.says(); got != "" || len(r.table)+len(r.timers)+r.stale.len+r.incomplete.len != 0 {
		t.Error(got, r.list())
	}
}

func TestNeighborTimersAreAdvised(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.setTimers(200*time.Millisecond, time.Hour)
	r.in(NeighborReachable)
	if d := r.table[neighborIP].reachable.Sub(r.now); d < 30*time.Minute || d > 90*time.Minute {
		t.Errorf("reachable for %v", d)
	}
	r.ask(nthNeighbor(1))
	if d := r.next().Sub(r.now); d != 200*time.Millisecond {
		t.Errorf("asked again after %v", d)
	}
}

func TestNeighborsAreListedByAddress(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.in(NeighborStale)
	r.ask(nthNeighbor(1))
	l := r.list()
	if len(l) != 2 || l[0].Addr != nthNeighbor(1) || l[1] != (Neighbor{Addr: neighborIP, MAC: macA, State: NeighborStale, Updated: r.now}) {
		t.Error(l)
	}
	if r.known(l[0].Addr) || !r.known(neighborIP) {
		t.Error("known is wrong")
	}
	if NeighborState(9).String() != "unknown" {
		t.Error("a state that there is not has a name")
	}
}

func TestSendingToANeighborAllocatesNothing(t *testing.T) {
	r := newNeighborRig(t, neighborLimits{})
	r.in(NeighborReachable)
	allocatesNothing(t, "lookup and confirm", func() {
		r.now = r.now.Add(50 * time.Second)
		r.lookup(r.now, neighborIP)
		r.confirm(r.now, neighborIP)
	})
}

// FuzzNeighbors lets anything happen. Its bounds hold, every list agrees with the table, and
// time goes forward.
func FuzzNeighbors(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 250, 251, 252, 253, 254, 255})
	f.Add([]byte("\x00\x10\x20\x30\x06\xff\x06\xff\x06\xff\x01\x12\x02\x33\x07\x00"))
	f.Fuzz(func(t *testing.T, script []byte) {
		r := newNeighborRig(t, neighborLimits{Neighbors: 6, Incomplete: 3, Frames: 2, Bytes: 150, AllBytes: 250})
		for i := 0; i+1 < len(script); i += 2 {
			r.step(script[i], script[i+1])
			r.check()
		}
		r.after(2 * time.Hour)
		if len(r.table) != 0 || r.heldBytes != 0 {
			t.Fatal("left after hours of silence:", r.list(), r.heldBytes)
		}
	})
}

// step does one thing to one of a few neighbors.
func (r *neighborRig) step(op, arg byte) {
	ip := nthNeighbor(int(arg & 15))
	switch op % 6 {
	case 0:
		r.hold(r.now, ip, ourIP, &link.Frame{Head: make([]byte, 14+int(arg>>4)*10)})
	case 1:
		h := heard{ip: ip, kind: heardKind(arg >> 4 & 3), solicited: op&0x40 != 0, override: op&0x80 != 0}
		h.router, h.host = arg&0x40 != 0, arg&0x80 != 0
		h.mac = [...]wire.MAC{{}, macA, macB, macA}[op>>4&3]
		r.learn(r.now, h)
	case 2:
		r.lookup(r.now, ip)
	case 3:
		r.confirm(r.now, ip)
	case 4:
		r.after(time.Duration(arg) * 200 * time.Millisecond)
	case 5:
		r.now = r.now.Add(time.Duration(arg) * time.Second) // late
		r.expire(r.now)
	}
}

// check checks what always holds, and takes the effects.
func (r *neighborRig) check() {
	bytes, incomplete, stale := 0, 0, 0
	for ip, e := range r.table {
		size := 0
		for _, f := range e.held {
			size += len(f.Head)
		}
		bytes += size
		if size != e.heldBytes || size > r.limits.Bytes || len(e.held) > r.limits.Frames {
			r.t.Fatal("queue:", ip, len(e.held), size, e.heldBytes)
		}
		if e.index < 0 || r.timers[e.index] != e || e.State != NeighborIncomplete && len(e.held) != 0 {
			r.t.Fatal("entry:", ip, e.index, e.State)
		}
		if e.State == NeighborIncomplete != (e.MAC == wire.MAC{}) {
			r.t.Fatal("address:", ip, e.MAC, e.State)
		}
		switch e.State {
		case NeighborIncomplete:
			incomplete++
		case NeighborStale:
			stale++
		}
	}
	if len(r.table) > r.limits.Neighbors || incomplete > r.limits.Incomplete || bytes > r.limits.AllBytes {
		r.t.Fatal("bounds:", len(r.table), incomplete, bytes)
	}
	if bytes != r.heldBytes || incomplete != r.incomplete.len || stale != r.stale.len || len(r.timers) != len(r.table) {
		r.t.Fatal("counts:", bytes, r.heldBytes, incomplete, r.incomplete.len, stale, r.stale.len)
	}
	for _, e := range r.take() {
		r.recycle(e.frames)
	}
}

func BenchmarkNeighborLookup(b *testing.B) {
	n := newNeighbors(seeded(1), neighborLimits{})
	for i := range 1000 {
		n.learn(pureStart, heard{ip: nthNeighbor(i), mac: macA, kind: heardSource})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n.lookup(pureStart, nthNeighbor(i%1000))
	}
}
