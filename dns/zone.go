package dns

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
)

// ZoneConfig describes a Zone.
type ZoneConfig struct {
	// Domain is what all names of the zone end in: "lan.". It is a name of the zone itself.
	Domain Name
	// Networks are those whose addresses the zone has the names of.
	Networks []netip.Prefix
	// TTL is for how many seconds others may remember what they were told. If zero, 60.
	TTL uint32
	// NegativeTTL is the same for what is not there. If zero, 10: a machine that comes is found soon.
	NegativeTTL uint32
	// Server is the name of who answers for the zone, without records unless they are set. If zero, "ns." before
	// Domain, or Domain if that is too long.
	Server Name
	// Recursion tells who asks that names elsewhere are looked up here too.
	Recursion bool

	// Addresses, if it is not nil, is asked for the addresses of a name that has none by Set, and whether there
	// is such a name; Names is asked for further names of an address. They are called by who calls
	// Answer.
	Addresses func(Name) (addrs []netip.Addr, ok bool)
	Names     func(netip.Addr) []Name
}

const (
	defaultTTL         = 60
	defaultNegativeTTL = 10
	// maxRecords is how many bytes the records of a name may take in an answer.
	maxRecords = 32 << 10
)

// A Zone is what is known of a domain and of the addresses of some networks: names with their records. It
// answers questions about them. It may be used by several goroutines at once.
//
// Who has an address is asked with TypePTR, and follows from the addresses that the names have.
type Zone struct {
	config  ZoneConfig
	mailbox Name // of who is responsible, as the start of a zone tells it

	mu     sync.RWMutex
	serial uint32 // grows with each change
	names  map[Name][]Record
	below  map[Name]int // how many names with records are below a name
	owners map[netip.Addr][]Name
}

// NewZone makes a zone without names. It panics if the Domain is the zero Name.
func NewZone(c ZoneConfig) *Zone {
	if c.Domain == "" {
		panic("dns: a zone without a domain")
	}
	if c.TTL == 0 {
		c.TTL = defaultTTL
	}
	if c.NegativeTTL == 0 {
		c.NegativeTTL = defaultNegativeTTL
	}
	if c.Server == "" {
		c.Server = c.Domain.child("\x02ns")
	}
	c.Networks = slices.Clone(c.Networks)
	return &Zone{
		config: c, mailbox: c.Domain.child("\x0ahostmaster"), serial: 1,
		names: map[Name][]Record{}, below: map[Name]int{}, owners: map[netip.Addr][]Name{},
	}
}

// The errors of Set.
var (
	ErrOutside = errors.New("name is not in the zone")
	ErrRecords = errors.New("more records than fit an answer")
)

// Set gives a name these records in place of those that it had. Without any, the name is gone. The error is
// ErrOutside or ErrRecords, and nothing has changed.
func (z *Zone) Set(name Name, records ...Record) error {
	if !name.within(z.config.Domain) {
		return ErrOutside
	}
	var data []byte
	for i := range records {
		data = records[i].appendData(data)
	}
	if len(data)+len(records)*(2+recordLen) > maxRecords {
		return ErrRecords
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.removeLocked(name)
	z.addLocked(name, records)
	z.serial++
	return nil
}

func (z *Zone) addLocked(name Name, records []Record) {
	if len(records) == 0 {
		return
	}
	z.names[name] = slices.Clone(records)
	for up := name; up != z.config.Domain; {
		up = up.parent()
		z.below[up]++
	}
	for i := range records {
		if a := records[i].Addr; a.IsValid() && !slices.Contains(z.owners[a], name) {
			z.owners[a] = append(slices.Clip(z.owners[a]), name) // Answer may be reading it
		}
	}
}

func (z *Zone) removeLocked(name Name) {
	records, ok := z.names[name]
	if !ok {
		return
	}
	delete(z.names, name)
	for up := name; up != z.config.Domain; {
		up = up.parent()
		if z.below[up]--; z.below[up] == 0 {
			delete(z.below, up)
		}
	}
	for i := range records {
		a := records[i].Addr
		z.owners[a] = slices.DeleteFunc(slices.Clone(z.owners[a]), func(n Name) bool { return n == name })
		if len(z.owners[a]) == 0 {
			delete(z.owners, a)
		}
	}
}

// lookup returns the records of a name of the domain, and whether there is such a name. It is there if it has
// records, or one below it has: "_tcp.lan." is if "_http._tcp.lan." is, and so are its parents (RFC 8020, Section 2).
func (z *Zone) lookup(name Name) (records []Record, there bool) {
	z.mu.RLock()
	records = z.names[name]
	there = name == z.config.Domain || records != nil || z.below[name] > 0
	z.mu.RUnlock()
	if z.config.Addresses == nil || slices.ContainsFunc(records, func(r Record) bool { return r.Addr.IsValid() }) {
		return records, there
	}
	addrs, ok := z.config.Addresses(name)
	records = slices.Clip(records) // which others read
	for _, a := range addrs {
		records = append(records, AddrRecord(a))
	}
	return records, there || ok
}

// maxPointers is how many names of an address are told.
const maxPointers = 16

// lookupAddr returns the names of an address.
func (z *Zone) lookupAddr(a netip.Addr) []Name {
	z.mu.RLock()
	names := z.owners[a]
	z.mu.RUnlock()
	if z.config.Names != nil {
		names = slices.Concat(names, z.config.Names(a))
	}
	return names[:min(len(names), maxPointers)]
}

// isUsed reports whether some name has one of the addresses, as far as that can be told.
func (z *Zone) isUsed(addrs netip.Prefix) bool {
	if addrs.IsSingleIP() {
		return len(z.lookupAddr(addrs.Addr())) > 0
	}
	if z.config.Names != nil {
		return true
	}
	z.mu.RLock()
	defer z.mu.RUnlock()
	for a := range z.owners {
		if addrs.Contains(a) {
			return true
		}
	}
	return false
}

func (z *Zone) currentSerial() uint32 {
	z.mu.RLock()
	defer z.mu.RUnlock()
	return z.serial
}

// network returns the part of the reverse tree that a name is in, if the zone answers for it: the name of the
// whole of one of its networks, and the addresses that end in name.
func (z *Zone) network(name Name) (apex Name, addrs netip.Prefix, ok bool) {
	addrs, ok = name.reverse()
	if !ok {
		return "", netip.Prefix{}, false
	}
	for _, p := range z.config.Networks {
		if p.Bits() <= addrs.Bits() && p.Contains(addrs.Addr()) {
			return name.ancestor(reverseLabels(p)), addrs, true
		}
	}
	return "", netip.Prefix{}, false
}
