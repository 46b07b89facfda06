package ip

import (
	"net/netip"
	"time"

	"landline/wire"
)

// probesFor is how often it is asked whether somebody has an address.
func (i *Interface) probesFor(a *address) int {
	switch {
	case i.loopback:
		return 0
	case a.origin == originDHCP:
		return i.probesDHCP
	case a.addr.Is4():
		return i.probes4
	}
	return i.probes6
}

// firstState is the state of an address that has just been given.
func (i *Interface) firstState(a *address) addrState {
	if i.probesFor(a) > 0 {
		return addrTentative
	}
	return addrPreferred
}

// prove begins to find out whether an address is ours alone, and joins the group that its owner is asked
// at.
func (i *Interface) prove(a *address) {
	if i.loopback {
		return
	}
	if a.addr.Is6() {
		i.Join(wire.SolicitedNode(a.addr))
	}
	i.with(func(now time.Time) { i.detector.claim(now, a.addr, i.probesFor(a)) })
}

// forget ends what prove began.
func (i *Interface) forget(a netip.Addr) {
	if i.loopback {
		return
	}
	if a.Is6() {
		i.Leave(wire.SolicitedNode(a))
	}
	i.with(func(now time.Time) { i.detector.release(a) })
}

// detected does what the detector wants done.
func (i *Interface) detected(e *detectEffect) {
	switch e.kind {
	case detectProbe:
		i.sendProbe(e.addr)
	case detectAnnounce:
		i.sendAnnouncement(e.addr)
	case detectHeld:
		i.setState(e.addr, addrPreferred)
		i.ageAddresses() // it was not watched while it was tentative
		i.stack.changed()
	case detectLost:
		i.setState(e.addr, addrDuplicated)
		i.stack.log.Warn("address is used by another machine", "interface", i.name, "address", e.addr, "mac", e.mac)
		i.stack.changed()
	}
}

func (i *Interface) sendProbe(a netip.Addr) {
	if a.Is4() {
		i.sendARP(wire.ARPRequest, wire.Broadcast, netip.IPv4Unspecified(), wire.MAC{}, a)
		return
	}
	i.solicitNDP(a, wire.MAC{}, netip.IPv6Unspecified())
}

// sendAnnouncement tells all on the link whose an address is: by ARP, or an advertisement that nobody asked
// for (RFC 4861, Section 7.2.6).
func (i *Interface) sendAnnouncement(a netip.Addr) {
	if a.Is4() {
		i.sendARP(wire.ARPRequest, wire.Broadcast, a, wire.MAC{}, a)
		return
	}
	i.advertise(a, allNodes, wire.NeighborOverride)
}

// heardOther takes an ARP message of another machine that has, or wants, an address of ours.
func (i *Interface) heardOther(m wire.ARP) {
	a := m.SenderIP()
	if m.IsProbe() {
		a = m.TargetIP()
	}
	i.with(func(now time.Time) { i.detector.conflict(now, a, m.Sender(), m.IsProbe()) })
}

// heardOther6 takes a sign that another machine has, or wants, an address of ours.
func (i *Interface) heardOther6(a netip.Addr, mac wire.MAC) {
	i.with(func(now time.Time) { i.detector.conflict(now, a, mac, false) })
}

// configure does what autoconf wants done.
func (i *Interface) configure(e *autoconfEffect) {
	r := Route{Dst: e.prefix, Gateway: e.router, Interface: i.index, owner: ownerRouter}
	switch e.kind {
	case autoconfSolicit:
		i.solicitRouters()
	case autoconfAddRouter:
		r.Dst, r.Metric = defaultRoute6, autoconfMetric
		i.stack.AddRoute(r)
	case autoconfAddOnLink:
		r.Metric = autoconfMetric
		i.stack.AddRoute(r)
	case autoconfRemoveRoute:
		i.stack.takeRoute(r)
	case autoconfMTU:
		i.mtu6.Store(int32(min(e.n, i.dev.Info().MTU)))
	case autoconfHops:
		i.hopLimit.Store(int32(e.n))
	case autoconfAddress:
		i.configureAddress(e)
	}
	i.stack.changed()
}

// autoconfMetric makes what somebody has configured come first.
const autoconfMetric = 1024

// failedMetric makes a default router that did not answer come last.
const failedMetric = autoconfMetric + 1

// configureAddress adds an address or sets how long it lives.
func (i *Interface) configureAddress(e *autoconfEffect) {
	a := address{prefix: e.prefix, origin: originSLAAC, preferredUntil: e.preferred, validUntil: e.valid}
	if i.addAddress(a) != nil { // it is there
		i.changeAddress(e.prefix.Addr(), func(b *address) {
			b.preferredUntil, b.validUntil = e.preferred, e.valid
			b.prefer(time.Now())
		})
	}
	i.ageAddresses()
}

// solicitRouters asks all routers on the link to advertise themselves.
func (i *Interface) solicitRouters() {
	m := wire.AppendRouterSolicit(make([]byte, 0, 16))
	src, ok := i.linkLocal()
	if !ok {
		src = netip.IPv6Unspecified()
	} else {
		m = wire.AppendLinkAddr(m, wire.NDPSourceLinkAddr, i.mac)
	}
	i.sendNDP(src, allRouters, wire.MAC{}, m)
}

// linkLocal returns the address that the interface speaks to its link from, if it is ours for sure.
func (i *Interface) linkLocal() (netip.Addr, bool) {
	v := i.stack.view.Load()
	if i.index > len(v.addresses) {
		return netip.Addr{}, false
	}
	for _, a := range v.addresses[i.index-1] {
		if a.addr.IsLinkLocalUnicast() && a.addr.Is6() {
			return a.addr, true
		}
	}
	return netip.Addr{}, false
}

func (i *Interface) listensToRouters() bool { return i.autoconf != nil }
func (i *Interface) advertises() bool       { return i.advertiser != nil }

// heardRouter takes a router's advertisement.
func (i *Interface) heardRouter(from netip.Addr, a wire.RouterAdvert) {
	retrans, reachable := a.RetransTimer(), a.ReachableTime()
	i.with(func(now time.Time) {
		i.neighbors.setTimers(advised(retrans, maxRetransTimer), advised(reachable, maxReachableTime))
		i.autoconf.advert(now, from, a)
	})
}

// What a router may advise at most. The RFC bounds the second only: "MUST be no greater than 3,600,000
// milliseconds (1 hour)" (RFC 4861, Section 6.2.1). The first, much longer, would keep a host from finding its
// neighbors.
const (
	maxRetransTimer  = time.Minute
	maxReachableTime = time.Hour
)

// advised is a time in milliseconds, or zero if a router says nothing or nothing sensible.
func advised(ms uint32, most time.Duration) time.Duration {
	d := time.Duration(ms) * time.Millisecond
	if d > most {
		return 0
	}
	return d
}

// solicited answers a host that looks for routers.
func (i *Interface) solicited(host netip.Addr) {
	i.with(func(now time.Time) { i.advertiser.solicited(now, host) })
}

// sendAdvert tells a host or all of the link about this router, as soon as there is an address to do so from.
func (i *Interface) sendAdvert(to netip.Addr, last bool) {
	src, ok := i.linkLocal()
	if ok {
		i.sendNDP(src, to, wire.MAC{}, i.advertiser.append(make([]byte, 0, 256), i.mac, last))
	}
}

// sendGroupReport tells routers and switches about a group. Until there is a link-local address, MLD comes
// from none (RFC 3590).
func (i *Interface) sendGroupReport(r groupReport) {
	if i.loopback {
		return
	}
	m, dst := r.append(make([]byte, 0, 64))
	h := Header{Protocol: wire.ProtoIGMP, TTL: 1, RouterAlert: true, TOS: 0xc0}
	src, ok := netip.IPv4Unspecified(), true
	if dst.Is6() {
		h.Protocol, h.TOS = wire.ProtoICMPv6, 0
		if src, ok = i.linkLocal(); !ok {
			src = netip.IPv6Unspecified()
		}
	} else if own, found := i.stack.view.Load().sourceFor(dst, i); found {
		src = own
	}
	path := Path{i: i, src: src, dst: dst, mac: wire.MulticastMAC(dst), kind: pathDirect}
	path.sendPayload(h, m)
}
