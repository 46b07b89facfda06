package ip

import (
	"time"

	"landline/wire"
)

// igmp takes a message about IPv4 multicast groups (RFC 3376).
func (in *input) igmp(p *Packet) Drop {
	m, err := wire.ParseIGMP(in.whole(p))
	if err != nil {
		return DropOf(err)
	}
	if err := m.Verify(); err != nil {
		return DropOf(err)
	}
	if p.TTL != 1 {
		return DropGroupMessage // it has come from another link
	}
	in.i.with(func(now time.Time) {
		switch m.Type() {
		case wire.IGMPQuery:
			within := m.MaxResponse()
			if within == 0 {
				within = 10 * time.Second // of version 1
			}
			in.i.groups.query(now, m.Group(), within, !m.IsV3Query())
		case wire.IGMPv1Report, wire.IGMPv2Report:
			in.i.groups.heardReport(now, m.Group())
		}
	})
	return 0
}

// mld takes a message about IPv6 multicast groups (RFC 3810, Section 6.2).
func (in *input) mld(p *Packet, m wire.ICMPv6) Drop {
	g, err := wire.ParseMLD(m)
	if err != nil {
		return DropOf(err)
	}
	if p.TTL != 1 || !p.Src.IsLinkLocalUnicast() {
		return DropGroupMessage
	}
	in.i.with(func(now time.Time) {
		if g.Type() == wire.ICMPv6MLDQuery {
			in.i.groups.query(now, g.Group(), g.MaxResponse(), !g.IsV2Query())
		} else {
			in.i.groups.heardReport(now, g.Group())
		}
	})
	return 0
}
