package ip

import (
	"net/netip"

	"landline/link"
	"landline/wire"
)

// newLoopback makes the interface by which a host speaks to itself: a cable that leads back. Packets on it have been
// nowhere, so their checksums stay open.
func (s *Stack) newLoopback() *Interface {
	out, back := link.NewCable(link.CableConfig{Names: [2]string{"lo", "lo"}, MTU: link.MaxMTU, Units: true})
	i, err := s.newInterface(out, InterfaceConfig{Name: "lo", loopback: true})
	if err != nil {
		panic(err) // the cable is as it has to be
	}
	i.back = back
	out.Attach(link.Handler{Room: i.queue.room})
	back.Attach(link.Handler{Receive: i.receive})
	i.mac = wire.MAC{}
	for _, p := range []string{"127.0.0.1/8", "::1/128"} {
		i.addAddress(address{prefix: netip.MustParsePrefix(p)})
	}
	return i
}
