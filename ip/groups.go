package ip

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"landline/wire"
)

const (
	// maxGroups bounds the groups of one interface.
	maxGroups = 1024
	// groupRobustness is how often a change is reported (RFC 3376, Section 8.1; RFC 3810, Section 9.1).
	groupRobustness = 2
	// groupRepeat is the longest time before it is reported again (Section 8.11; 9.11).
	groupRepeat = time.Second
	// groupOlder is for how long an older version is spoken after a query of it: Robustness times the
	// query interval and a response interval (Section 8.12; 9.12).
	groupOlder = groupRobustness*125*time.Second + 10*time.Second
)

// groups are the multicast groups of one interface that somebody has joined, and what routers and
// switches are told of them: IGMPv3 (RFC 3376) or, if a router speaks that, version 2 (RFC 2236); MLDv2 (RFC
// 3810) or version 1 (RFC 2710).
type groups struct {
	random  *rand.Rand
	members map[netip.Addr]*membership
	older   [2]time.Time // of IPv4 and IPv6: until when the older version is spoken
	effects []groupReport
}

// A membership is a group that is joined, or was and is still to be reported as left.
type membership struct {
	group   netip.Addr
	users   int
	changes int       // reports of the last change still to send
	when    time.Time // when the next report is due
}

// A groupReport is a message to send: that a group is joined, left, or just heard.
type groupReport struct {
	group netip.Addr
	kind  wire.GroupRecordType
	older bool
}

func newGroups(random *rand.Rand) *groups {
	return &groups{random: random, members: map[netip.Addr]*membership{}}
}

func (g *groups) take() []groupReport {
	e := g.effects
	g.effects = nil
	return e
}

// isReported reports whether routers are told of a group. "The all-systems multicast address,
// 224.0.0.1, is handled as a special case" and so are ff02::1 and scopes below the link's (RFC 3376,
// Section 5; RFC 3810, Section 6).
func isReported(group netip.Addr) bool {
	if group.Is4() {
		return group != allSystems
	}
	return group != allNodes && group.As16()[1]&0xf > 1
}

// allSystems is the IPv4 group of all hosts on a link.
var allSystems = netip.AddrFrom4([4]byte{224, 0, 0, 1})

// join adds a user of a group. The error is DropGroupLimit if there are too many groups.
func (g *groups) join(now time.Time, group netip.Addr) error {
	m := g.members[group]
	if m == nil {
		if len(g.members) >= maxGroups {
			return DropGroupLimit
		}
		m = &membership{group: group}
		g.members[group] = m
	}
	if m.users++; m.users == 1 {
		g.changed(now, m)
	}
	return nil
}

// leave takes a user of a group away.
func (g *groups) leave(now time.Time, group netip.Addr) {
	m := g.members[group]
	if m == nil || m.users == 0 {
		return
	}
	if m.users--; m.users == 0 {
		g.changed(now, m)
	}
}

// changed begins to report a change.
func (g *groups) changed(now time.Time, m *membership) {
	if !isReported(m.group) {
		if m.users == 0 {
			delete(g.members, m.group)
		}
		return
	}
	m.changes = groupRobustness
	g.report(now, m)
}

// report sends the report that is due, and sees what is to follow.
func (g *groups) report(now time.Time, m *membership) {
	kind := wire.GroupIsExclude
	if m.changes > 0 {
		m.changes--
		kind = wire.GroupToExclude
	}
	if m.users == 0 {
		kind = wire.GroupToInclude
	}
	g.effects = append(g.effects, groupReport{m.group, kind, g.speaksOlder(now, m.group)})
	m.when = time.Time{}
	switch {
	case m.changes > 0:
		m.when = now.Add(randomTime(g.random, 0, groupRepeat))
	case m.users == 0:
		delete(g.members, m.group)
	}
}

func (g *groups) speaksOlder(now time.Time, group netip.Addr) bool {
	return now.Before(g.older[family(group)])
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// query answers, within a time, a router that asks who listens to a group, or to any one of its
// family if that is unspecified. older says that it speaks the older version.
func (g *groups) query(now time.Time, group netip.Addr, within time.Duration, older bool) {
	if older {
		g.older[family(group)] = now.Add(groupOlder)
	}
	for _, m := range g.members {
		if m.users == 0 || !isReported(m.group) || m.group.Is4() != group.Is4() {
			continue
		}
		if !group.IsUnspecified() && group != m.group {
			continue
		}
		m.when = earlier(m.when, now.Add(randomTime(g.random, 0, within)))
	}
}

// heardReport says that another host reports a group. In the older versions one report is enough for a
// link (RFC 2236, Section 3; RFC 2710, Section 4).
func (g *groups) heardReport(now time.Time, group netip.Addr) {
	if m := g.members[group]; m != nil && m.users > 0 && m.changes == 0 && g.speaksOlder(now, group) {
		m.when = time.Time{}
	}
}

// next returns when expire has something to do, or the zero time if never.
func (g *groups) next() (first time.Time) {
	for _, m := range g.members {
		first = earlier(first, m.when)
	}
	return first
}

// expire does what is due.
func (g *groups) expire(now time.Time) {
	for _, m := range g.members {
		if passed(now, m.when) {
			g.report(now, m)
		}
	}
}

// joined returns the groups that packets are taken for.
func (g *groups) joined() map[netip.Addr]bool {
	all := make(map[netip.Addr]bool, len(g.members))
	for a, m := range g.members {
		if m.users > 0 {
			all[a] = true
		}
	}
	return all
}

// Where reports go (RFC 3376, Section 4.2.14; RFC 3810, Section 5.2.14; RFC 2236, Section 3; RFC
// 2710, Section 3).
var (
	igmpv3Routers = netip.AddrFrom4([4]byte{224, 0, 0, 22})
	ipv4Routers   = netip.AddrFrom4([4]byte{224, 0, 0, 2})
	mldv2Routers  = netip.MustParseAddr("ff02::16")
)

// append appends the message, and returns where it goes.
func (r groupReport) append(b []byte) (payload []byte, dst netip.Addr) {
	record := wire.GroupRecord{Type: r.kind, Group: r.group}
	leave := r.kind == wire.GroupToInclude
	switch {
	case r.group.Is4() && !r.older:
		return wire.AppendIGMPv3Report(b, record), igmpv3Routers
	case r.group.Is4() && leave:
		return wire.AppendIGMP(b, wire.IGMPLeave, 0, r.group), ipv4Routers
	case r.group.Is4():
		return wire.AppendIGMP(b, wire.IGMPv2Report, 0, r.group), r.group
	case !r.older:
		return wire.AppendMLDv2Report(b, record), mldv2Routers
	case leave:
		return wire.AppendMLD(b, wire.ICMPv6MLDDone, 0, r.group), allRouters
	}
	return wire.AppendMLD(b, wire.ICMPv6MLDReport, 0, r.group), r.group
}

// list returns the groups that are joined, in order.
func (g *groups) list() []netip.Addr {
	var all []netip.Addr
	for a := range g.joined() {
		all = append(all, a)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}
