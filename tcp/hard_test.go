package tcp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"landline/ip"
	"landline/link"
	"landline/wire"
)

// lone makes a layer whose other end nobody holds.
func lone(t *testing.T) (*Layer, *ip.Interface) {
	s := ip.NewStack(ip.Config{Seed: 1})
	l := New(s, Config{})
	dev, _ := link.NewCable(link.CableConfig{})
	i, err := s.Attach(dev, ip.InterfaceConfig{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}, Probes: -1, NoIPv6: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		s.Close()
	})
	return l, i
}

// knock gives a listener a SYN from a port.
func knock(i *ip.Interface, o *Listener, port uint16) tuple {
	p := &ip.Packet{Interface: i, Src: netip.MustParseAddr("10.0.0.9"), Dst: netip.MustParseAddr("10.0.0.1"), Protocol: wire.ProtoTCP}
	t := tupleOf(p.Dst, 80, p.Src, port)
	s := &segment{seq: wire.SeqOf(1000), flags: wire.FlagSYN, wnd: 65535}
	s.opt.MSS = 1460
	o.receive(time.Now(), p, &t, s)
	return t
}

func (q *halfOpens) timesAnswered(t tuple) uint8 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if h := q.all[t]; h != nil {
		return h.made
	}
	return 0
}

// Who was abandoned long ago does not hold up the repetition for others.
func TestSYNACKIsRepeatedAfterASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, i := lone(t)
		o, err := l.Listen(ListenConfig{Local: netip.MustParseAddrPort("10.0.0.1:80")})
		if err != nil {
			t.Fatal(err)
		}
		knock(i, o, 1)
		time.Sleep(32 * time.Second) // SYN,ACK went at 0, 1, 3, 7, 15, 31
		second := knock(i, o, 2)
		time.Sleep(1100 * time.Millisecond)
		if n := o.syns.timesAnswered(second); n != 2 {
			t.Errorf("answered %d times within 1.1 s, want 2", n)
		}
	})
}

func TestRecordsOfSYNsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, i := lone(t)
		o, err := l.Listen(ListenConfig{Local: netip.MustParseAddrPort("0.0.0.0:80")})
		if err != nil {
			t.Fatal(err)
		}
		for k := range 50 {
			knock(i, o, uint16(k+1))
		}
		time.Sleep(time.Second)
		i.RemoveAddress(netip.MustParseAddr("10.0.0.1"))
		time.Sleep(time.Minute)
		o.syns.mu.Lock()
		defer o.syns.mu.Unlock()
		if n := len(o.syns.all); n != 0 {
			t.Errorf("%d records of an address that is gone", n)
		}
	})
}

// The answer may be here before who sent SYN,ACK has gone on.
func TestAnswerToSYNACKMayComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, i := lone(t)
		o, err := l.Listen(ListenConfig{Local: netip.MustParseAddrPort("10.0.0.1:80")})
		if err != nil {
			t.Fatal(err)
		}
		name := knock(i, o, 1)
		iss := o.syns.all[name].end.iss
		p := &ip.Packet{Interface: i, Src: name.remote.Addr(), Dst: name.local.Addr(), Protocol: wire.ProtoTCP}
		o.receive(time.Now(), p, &name, &segment{seq: wire.SeqOf(1001), ack: iss.Add(1), flags: wire.FlagACK, wnd: 65535})
		if s := l.Stats(); s.Resets != 0 || s.Accepted != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A pair of ends that is used again and again leaves nothing behind.
func TestReplacedRecordsOfTimeWaitAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := lone(t)
		name := tuple{netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.9:1")}
		s, _ := l.shardOf(&name)
		for range 10_000 {
			s.mu.Lock()
			s.waitLocked(&name, &waitRecord{waiter: waiter{until: l.plain.at(time.Now()).add(time.Minute)}})
			s.mu.Unlock()
			s.succeed(&name)
		}
		if n := len(s.ends.all) - s.ends.head; n > 100 {
			t.Errorf("%d entries of %d records", n, len(s.waits))
		}
	})
}

// Better to forget one early than to have no room for a live one.
func TestTimeWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := lone(t)
		s := &l.shards[0]
		for k := range uint32(2 * maxWaits) {
			remote := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(k >> 16), 1}), uint16(k))
			s.mu.Lock()
			s.waitLocked(&tuple{netip.MustParseAddrPort("10.0.0.1:80"), remote}, &waitRecord{waiter: waiter{until: l.plain.at(time.Now()).add(time.Minute)}})
			s.mu.Unlock()
		}
		count := func() (records, entries int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.waits), len(s.ends.all) - s.ends.head
		}
		if records, entries := count(); records != maxWaits || entries > 2*maxWaits {
			t.Errorf("%d records, %d entries of them, and there is room for %d", records, entries, maxWaits)
		}
		time.Sleep(2 * time.Minute)
		if records, _ := count(); records != 0 {
			t.Errorf("%d are left in the end", records)
		}
	})
}

// Strangers can neither prolong TIME-WAIT nor make it answer all the time.
func TestTimeWaitIsNotForStrangers(t *testing.T) {
	cfg := config{epoch: simStart}.filled()
	w := waiter{until: 5, sndNxt: wire.SeqOf(100), rcvNxt: wire.SeqOf(200)}
	answers := 0
	for range 1000 {
		s := &segment{seq: wire.SeqOf(3_000_000_000), ack: wire.SeqOf(77), flags: wire.FlagFIN | wire.FlagACK}
		if w.arrive(cfg, 4, s) == waitAnswer {
			answers++
		}
	}
	if answers != 1 || w.until != 5 {
		t.Errorf("%d answers, until %d", answers, w.until)
	}
	fin := &segment{seq: wire.SeqOf(199), ack: wire.SeqOf(100), flags: wire.FlagFIN | wire.FlagACK}
	if w.arrive(cfg, 4, fin) != waitAnswer || w.until == 5 {
		t.Error("the peer's own FIN is not answered")
	}
}

// A window that shuts and opens at once is no reason to send all again.
func TestWindowThatFlickersCostsNothing(t *testing.T) {
	d := establishedWith(t, plainConfig(), "mss 1460")
	d.write(5000)
	d.forget()
	for range 100 {
		d.in(". seq 1 ack 1 win 0")
		d.in(". seq 1 ack 1 win 65535")
	}
	d.silent("what is on its way is on its way")
}

// Without memory a segment is answered, with a window that is shut, so that the peer waits and does not give up.
func TestNoMemoryShutsTheWindow(t *testing.T) {
	c := plainConfig()
	c.budget = &budget{limit: 1}
	d := establishedWith(t, c, "mss 8960")
	d.tcb.rcv.announced = 8960
	c.budget.used.Store(2)
	d.in("P. seq 1 ack 1 len 8000")
	d.out(". seq 1 ack 4097 win 0", "as much as there is room for")
	d.equal("taken", d.tcb.readable(), minBuffer)
}

// Who was told that there is no room hears of it when somebody has read, though more had been promised before.
func TestWindowThatWasWithheldIsOfferedAgain(t *testing.T) {
	c := plainConfig()
	c.budget = &budget{limit: 1}
	d := establishedWith(t, c, "mss 8960")
	d.tcb.rcv.announced = 8960
	c.budget.used.Store(2)
	d.in("P. seq 1 ack 1 len 8000")
	d.out(". seq 1 ack 4097 win 0", "as much as there is room for")
	d.write(10)
	d.out("P. seq 1 ack 4097 win 0 len 10", "what says something else must not open it")
	d.read(3000, 3000)
	d.out(". seq 11 ack 4097 win 61439", "what had been promised")
}

// What came early is not kept for ever.
func TestEarlyTextIsDroppedAtLast(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 60000 ack 1 len 1")
	d.equal("kept", d.tcb.rcv.ring.Cap() > 0, true)
	d.wait(earlyLife + time.Second)
	d.equal("memory", d.tcb.memory(), 0)
	d.forget()
	d.in(". seq 1 ack 1 len 100")
	d.equal("and the stream goes on", d.tcb.readable(), 100)
}
