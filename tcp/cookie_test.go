package tcp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"landline/ip"
	"landline/wire"
)

// A cookie is good for the ends and the numbers that it was made for, and for some minutes. Whatever else
// an ACK brings is refused.
func TestCookiesCannotBeForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, i := lone(t)
		o, err := l.Listen(ListenConfig{Local: netip.MustParseAddrPort("10.0.0.1:80"), Backlog: 1})
		if err != nil {
			t.Fatal(err)
		}
		knock(i, o, 1)
		name := knock(i, o, 2) // for whom there is no room
		other := tuple{name.local, netip.AddrPortFrom(name.remote.Addr(), 3)}
		h := &halfOpen{t: name, syn: synRecord{seq: wire.SeqOf(1000)}}
		l.giveCookie(l.plain.at(time.Now()), h, &segment{seq: wire.SeqOf(1000)})
		seq, ack := wire.SeqOf(1001), h.end.iss.Add(1)
		brings := func(name tuple, seq, ack wire.Seq) bool {
			before := l.Stats().Accepted
			p := &ip.Packet{Interface: i, Src: name.remote.Addr(), Dst: name.local.Addr(), Protocol: wire.ProtoTCP}
			o.receive(time.Now(), p, &name, &segment{seq: seq, ack: ack, flags: wire.FlagACK, wnd: 65535})
			return l.Stats().Accepted == before+1
		}
		for bit := range 32 {
			if brings(name, seq, wire.SeqOf(ack.Uint32()^1<<bit)) {
				t.Errorf("with bit %d changed it is taken", bit)
			}
		}
		for what, got := range map[string]bool{
			"from another port":     brings(other, seq, ack),
			"with another number":   brings(name, seq.Add(1), ack),
			"acknowledging another": brings(name, seq, ack.Add(1)),
		} {
			if got {
				t.Errorf("%s it is taken", what)
			}
		}
		time.Sleep(90 * time.Second)
		if !brings(name, seq, ack) {
			t.Error("it is not good for as long as it should be")
		}
		time.Sleep(3 * time.Minute)
		knock(i, o, 4) // so that there are cookies again
		knock(i, o, 5)
		c, _ := o.tryAccept()
		c.shutdown()
		if brings(name, seq, ack) {
			t.Error("it is good for ever")
		}
	})
}
