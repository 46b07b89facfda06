package pkt

import (
	"net/netip"

	"landline/wire"
)

// send sends a packet in.
func (r *runner) send(k *Packet) error {
	if k.Unsupported != "" {
		return r.fail("not supported: %s", k.Unsupported)
	}
	f, err := r.flowOf(k)
	if err != nil {
		return err
	}
	r.nextID++
	from := r.options.remote
	if f.remote.IsValid() {
		from = f.remote.Addr()
	}
	if k.TCP != nil && k.TCP.Flags.Has(wire.FlagSYN) {
		f.peerSYN(k.TCP)
	}
	b, err := k.build(f, r.nextID, from)
	if err != nil {
		return r.fail("%v", err)
	}
	r.device.inject(b)
	return r.settle()
}

// flowOf returns what a packet of the script belongs to.
func (r *runner) flowOf(k *Packet) (*flow, error) {
	ports, proto, syn := Ports{}, wire.ProtoTCP, false
	switch {
	case k.TCP != nil:
		ports, syn = k.TCP.Ports, k.TCP.Flags&(wire.FlagSYN|wire.FlagACK) == wire.FlagSYN
	case k.UDP != nil:
		ports, proto = k.UDP.Ports, wire.ProtoUDP
	}
	if ports != (Ports{}) {
		return r.flowAt(k, proto, ports), nil
	}
	fits := r.current != nil && (r.current.proto == proto || k.ICMP != nil)
	switch {
	case !k.Out && syn && r.listens, !k.Out && !fits:
		r.listens = false
		r.current = r.arriving(proto)
	case !fits:
		return nil, r.fail("there is no socket that could send %s", k)
	}
	return r.current, nil
}

// arriving returns a flow from a new port of the peer to the one that servers are at.
func (r *runner) arriving(proto wire.Protocol) *flow {
	r.nextPort++
	return r.addFlow(&flow{
		proto: proto, local: netip.AddrPortFrom(r.options.local, r.bindPort), remote: netip.AddrPortFrom(r.options.remote, r.nextPort),
	})
}

// flowAt returns the flow between ports, which may be new.
func (r *runner) flowAt(k *Packet, proto wire.Protocol, p Ports) *flow {
	if !k.Out {
		p.Src, p.Dst = p.Dst, p.Src
	}
	f := &flow{proto: proto, local: netip.AddrPortFrom(r.options.local, p.Src), remote: netip.AddrPortFrom(r.options.remote, p.Dst)}
	if old := r.flows[f.tuple()]; old != nil {
		return old
	}
	if r.addFlow(f); r.current == nil {
		r.current = f
	}
	return f
}

func (r *runner) addFlow(f *flow) *flow {
	if f.local.Port() != 0 {
		r.flows[f.tuple()] = f
	}
	return f
}
