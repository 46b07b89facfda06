package ip

import (
	"sync"
	"syscall"

	"landline/wire"
)

// An EchoReply is the answer to a ping, or what went wrong with it. It lasts until the
// function that got it returns.
type EchoReply struct {
	Seq     uint16
	TTL     uint8
	Payload []byte
	Fault   *Fault // nil if this is an answer
}

// An Echo sends pings with an identifier of its own.
type Echo struct {
	s     *Stack
	id    uint16
	reply func(EchoReply)
}

// echoes are the Echoes of a stack.
type echoes struct {
	mu   sync.Mutex
	byID map[uint16]*Echo
}

// OpenEcho returns a new Echo. Its answers are given to reply, which must not block and may be
// called by several goroutines at once. The error is EAGAIN if there are 65,536 already.
func (s *Stack) OpenEcho(reply func(EchoReply)) (*Echo, error) {
	e := &Echo{s: s, reply: reply}
	first := uint16(s.Random())
	s.echoes.mu.Lock()
	defer s.echoes.mu.Unlock()
	if s.echoes.byID == nil {
		s.echoes.byID = map[uint16]*Echo{}
	}
	for n := range 1 << 16 {
		e.id = first + uint16(n)
		if s.echoes.byID[e.id] == nil {
			s.echoes.byID[e.id] = e
			return e, nil
		}
	}
	return nil, syscall.EAGAIN
}

// Close ends the Echo: reply is not called for answers that come later.
func (e *Echo) Close() {
	e.s.echoes.mu.Lock()
	defer e.s.echoes.mu.Unlock()
	delete(e.s.echoes.byID, e.id)
}

// Send sends a ping with up to 65,507 bytes of payload over IPv4, 65,487 over IPv6.
func (e *Echo) Send(p *Path, h Header, seq uint16, payload []byte) error {
	rest := wire.EchoRest(e.id, seq)
	m := make([]byte, 0, wire.ICMPLen+len(payload))
	if p.src.Is4() {
		h.Protocol = wire.ProtoICMP
		return p.sendPayload(h, wire.AppendICMPv4(m, wire.ICMPv4Echo, 0, rest, payload))
	}
	h.Protocol = wire.ProtoICMPv6
	return p.sendPayload(h, wire.AppendICMPv6(m, wire.ICMPv6Echo, 0, rest, payload))
}

func (es *echoes) find(id uint16) *Echo {
	es.mu.Lock()
	defer es.mu.Unlock()
	return es.byID[id]
}

// reply gives an answer to who waits for it.
func (es *echoes) reply(p *Packet, id, seq uint16, payload []byte) Drop {
	e := es.find(id)
	if e == nil {
		return DropNoEcho
	}
	e.reply(EchoReply{Seq: seq, TTL: p.TTL, Payload: payload})
	return 0
}

// fault tells who sent a ping that it went wrong.
func (es *echoes) fault(f *Fault) bool {
	id, seq := f.Quote.EchoID()
	e := es.find(id)
	if e == nil {
		return false
	}
	e.reply(EchoReply{Seq: seq, Fault: f})
	return true
}
