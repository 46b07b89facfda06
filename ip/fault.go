package ip

import (
	"net/netip"
	"syscall"

	"landline/wire"
)

// A Fault is what went wrong with a packet that this host is said to have sent: an ICMP error, or a
// neighbor that does not answer. The transport is asked if it sent such a packet.
type Fault struct {
	Quote wire.Quote
	From  netip.Addr // who says so; this host if a neighbor does not answer
	Err   Error      // what a socket gets to see
}

// fault asks a transport whether it sent the packet, and takes note if it did.
func (s *Stack) fault(f *Fault) Drop {
	ours := s.view.Load().isLocal(f.Quote.Src) || s.foreign[f.Quote.Protocol].Load()
	if !ours || !s.askTransport(f) {
		return DropICMPQuote
	}
	if f.Err.Errno != syscall.EMSGSIZE {
		return 0
	}
	link := s.linkMTU(f.Quote.Dst)
	mtu, news := s.mtus.learn(f, link)
	if !news {
		mtu, _ = s.mtus.lookup(f.Quote.Dst, link) // another flow may have learnt it
	}
	if t := s.transports[f.Quote.Protocol]; t != nil && t.Narrow != nil && mtu < f.Quote.Len {
		t.Narrow(f, mtu)
	}
	return 0
}

// linkMTU returns the MTU of the link by which packets go to an address.
func (s *Stack) linkMTU(dst netip.Addr) int {
	path, err := s.Path(netip.Addr{}, dst, nil)
	if err != nil {
		return maxPacket
	}
	return path.i.mtuFor(dst)
}

func (s *Stack) askTransport(f *Fault) bool {
	switch t := s.transports[f.Quote.Protocol]; {
	case f.Quote.Protocol == wire.ProtoICMP || f.Quote.Protocol == wire.ProtoICMPv6:
		return s.echoes.fault(f)
	case t == nil || t.Fault == nil:
		return false
	default:
		return t.Fault(f)
	}
}
