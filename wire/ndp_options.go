package wire

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
)

// An NDPOptionType is a kind of option of Neighbor Discovery.
type NDPOptionType uint8

// The kinds that a host knows. It steps over others.
const (
	NDPSourceLinkAddr NDPOptionType = 1
	NDPTargetLinkAddr NDPOptionType = 2
	NDPPrefix         NDPOptionType = 3
	NDPRedirected     NDPOptionType = 4
	NDPMTU            NDPOptionType = 5
	NDPRDNSS          NDPOptionType = 25 // RFC 8106
	NDPDNSSL          NDPOptionType = 31 // RFC 8106
)

// InfiniteLifetime is the number of seconds that stands for ever.
const InfiniteLifetime = 0xffffffff

// NDPOptions walks the options of a message of Neighbor Discovery. It allocates
// nothing. The message's Parse function has found all their lengths good.
type NDPOptions struct{ rest, option []byte }

// Next goes to the next option and reports whether there is one.
func (o *NDPOptions) Next() bool {
	if len(o.rest) < 8 {
		return false
	}
	n := int(o.rest[1]) * 8
	if n == 0 || n > len(o.rest) {
		return false
	}
	o.option, o.rest = o.rest[:n], o.rest[n:]
	return true
}

// Type returns the kind of the current option.
func (o *NDPOptions) Type() NDPOptionType { return NDPOptionType(o.option[0]) }

// Bytes returns the whole of the current option, of at least 8 bytes.
func (o *NDPOptions) Bytes() []byte { return o.option }

// LinkAddr returns the hardware address of a source or target link-layer
// address option. It reports false if the current option is no such option of
// Ethernet's length, as do the other readers for theirs.
func (o *NDPOptions) LinkAddr() (MAC, bool) {
	if t := o.Type(); t != NDPSourceLinkAddr && t != NDPTargetLinkAddr || len(o.option) != 8 {
		return MAC{}, false
	}
	return MAC(o.option[2:8]), true
}

// PrefixInfo is what a prefix information option says (RFC 4861, Section
// 4.6.2).
type PrefixInfo struct {
	Prefix     netip.Prefix // masked
	OnLink     bool         // addresses of the prefix are on the link
	Autonomous bool         // hosts may make themselves addresses of it
	Valid      uint32       // seconds, or InfiniteLifetime
	Preferred  uint32       // seconds, or InfiniteLifetime
}

const (
	prefixOnLink     = 0x80
	prefixAutonomous = 0x40
)

// Prefix reads a prefix information option.
func (o *NDPOptions) Prefix() (PrefixInfo, bool) {
	b := o.option
	if o.Type() != NDPPrefix || len(b) != 32 || b[2] > 128 {
		return PrefixInfo{}, false
	}
	return PrefixInfo{
		Prefix:     netip.PrefixFrom(addr16(b[16:]), int(b[2])).Masked(),
		OnLink:     b[3]&prefixOnLink != 0,
		Autonomous: b[3]&prefixAutonomous != 0,
		Valid:      binary.BigEndian.Uint32(b[4:]),
		Preferred:  binary.BigEndian.Uint32(b[8:]),
	}, true
}

// MTU reads an MTU option, in bytes.
func (o *NDPOptions) MTU() (uint32, bool) {
	if o.Type() != NDPMTU || len(o.option) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint32(o.option[4:]), true
}

// DNSLifetime returns for how many seconds, or InfiniteLifetime, the servers or
// domains of an RDNSS or DNSSL option may be used.
func (o *NDPOptions) DNSLifetime() (uint32, bool) {
	if t := o.Type(); t != NDPRDNSS && t != NDPDNSSL {
		return 0, false
	}
	return binary.BigEndian.Uint32(o.option[4:]), true
}

// AppendServers appends the addresses of an RDNSS option, of which there are up
// to 127.
func (o *NDPOptions) AppendServers(to []netip.Addr) ([]netip.Addr, bool) {
	if o.Type() != NDPRDNSS || len(o.option)%16 != 8 {
		return to, false
	}
	for b := o.option[8:]; len(b) > 0; b = b[16:] {
		to = append(to, addr16(b))
	}
	return to, true
}

// AppendDomains appends the search domains of a DNSSL option, without a point
// at the end. It takes none if one is malformed. What a label consists of is
// not checked.
func (o *NDPOptions) AppendDomains(to []string) ([]string, bool) {
	if o.Type() != NDPDNSSL {
		return to, false
	}
	before := len(to)
	b := o.option[8:]
	for len(b) > 0 && b[0] != 0 {
		name, n := readDomain(b)
		if n == 0 {
			return to[:before], false
		}
		to, b = append(to, name), b[n:]
	}
	return to, true // zeros are padding
}

const (
	maxLabel  = 63  // RFC 1035, Section 2.3.4
	maxDomain = 255 // the same, as it lies on the wire
)

// readDomain reads a name that is not compressed and returns how many bytes it
// took: 0 if it is malformed.
func readDomain(b []byte) (name string, n int) {
	var text []byte
	for n < len(b) && n < maxDomain && b[n] != 0 {
		end := n + 1 + int(b[n])
		if b[n] > maxLabel || end > len(b) {
			return "", 0
		}
		if n > 0 {
			text = append(text, '.')
		}
		text = append(text, b[n+1:end]...)
		n = end
	}
	if n >= len(b) || n >= maxDomain {
		return "", 0
	}
	return string(text), n + 1
}

// AppendLinkAddr appends an option that tells a hardware address: t is
// NDPSourceLinkAddr or NDPTargetLinkAddr.
func AppendLinkAddr(b []byte, t NDPOptionType, m MAC) []byte {
	return append(append(b, byte(t), 1), m[:]...)
}

// AppendPrefix appends a prefix information option. The prefix must be IPv6.
func AppendPrefix(b []byte, p PrefixInfo) []byte {
	var flags byte
	if p.OnLink {
		flags |= prefixOnLink
	}
	if p.Autonomous {
		flags |= prefixAutonomous
	}
	b = append(b, byte(NDPPrefix), 4, byte(p.Prefix.Bits()), flags)
	b = binary.BigEndian.AppendUint32(b, p.Valid)
	b = binary.BigEndian.AppendUint32(b, p.Preferred)
	return append16(append(b, 0, 0, 0, 0), p.Prefix.Masked().Addr())
}

// AppendMTU appends an MTU option, in bytes.
func AppendMTU(b []byte, mtu uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(NDPMTU), 1, 0, 0), mtu)
}

// AppendRedirected appends an option with the beginning of the packet that was
// redirected, cut to a multiple of 8 bytes.
func AppendRedirected(b, packet []byte) []byte {
	n := min(len(packet)/8, 254)
	b = append(b, byte(NDPRedirected), byte(1+n), 0, 0, 0, 0, 0, 0)
	return append(b, packet[:n*8]...)
}

// AppendRDNSS appends an option with up to 127 name servers, for a number of
// seconds or InfiniteLifetime.
func AppendRDNSS(b []byte, lifetime uint32, servers ...netip.Addr) []byte {
	b = append(b, byte(NDPRDNSS), byte(1+2*len(servers)), 0, 0)
	b = binary.BigEndian.AppendUint32(b, lifetime)
	for _, a := range servers {
		b = append16(b, a)
	}
	return b
}

// ErrDomain is the error about a domain name that the wire has no form for.
var ErrDomain = errors.New("domain name with an empty or too long part")

// maxDNSSL is how long an option's list of domains can be: its length is a
// byte, in units of 8.
const maxDNSSL = 254 * 8

// AppendDNSSL appends an option with search domains, for a number of seconds or
// InfiniteLifetime. A point at a domain's end is ignored. The error is
// ErrDomain, also if they are more than 2,032 bytes together.
func AppendDNSSL(b []byte, lifetime uint32, domains ...string) ([]byte, error) {
	start := len(b)
	b = append(b, byte(NDPDNSSL), 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, lifetime)
	for _, d := range domains {
		var ok bool
		if b, ok = appendDomain(b, strings.TrimSuffix(d, ".")); !ok {
			return b[:start], ErrDomain
		}
	}
	for (len(b)-start)%8 != 0 {
		b = append(b, 0)
	}
	if len(b)-start-8 > maxDNSSL {
		return b[:start], ErrDomain
	}
	b[start+1] = byte((len(b) - start) / 8)
	return b, nil
}

func appendDomain(b []byte, name string) ([]byte, bool) {
	if len(name)+2 > maxDomain {
		return b, false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return b, false
		}
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0), true
}

// append describes the options: " <source 02:00:00:00:00:01, mtu 1500>".
func (o NDPOptions) append(b []byte) []byte {
	separator := " <"
	for o.Next() {
		b = o.appendOption(append(b, separator...))
		separator = ", "
	}
	if separator == " <" {
		return b
	}
	return append(b, '>')
}

func (o *NDPOptions) appendOption(b []byte) []byte {
	if m, ok := o.LinkAddr(); ok {
		if o.Type() == NDPSourceLinkAddr {
			return m.append(append(b, "source "...))
		}
		return m.append(append(b, "target "...))
	}
	if p, ok := o.Prefix(); ok {
		b = p.Prefix.AppendTo(append(b, "prefix "...))
		b = appendFlag(b, "onlink", p.OnLink)
		b = appendFlag(b, "auto", p.Autonomous)
		b = appendField(b, "valid", p.Valid)
		return appendField(b, "preferred", p.Preferred)
	}
	if mtu, ok := o.MTU(); ok {
		return appendNumber(append(b, "mtu "...), mtu)
	}
	if s, ok := o.AppendServers(nil); ok {
		b = append(b, "dns"...)
		for _, a := range s {
			b = a.AppendTo(append(b, ' '))
		}
		return b
	}
	if d, ok := o.AppendDomains(nil); ok {
		b = append(b, "search"...)
		for _, name := range d {
			b = appendQuotable(append(b, ' '), name)
		}
		return b
	}
	b = appendNumber(append(b, "option "...), o.Type())
	return appendLen(b, len(o.option)-2)
}
