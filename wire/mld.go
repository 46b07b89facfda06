package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// MLD is an ICMPv6 message about who listens to which IPv6 multicast group, as
// checked by ParseMLD: of version 1 (RFC 2710) or 2 (RFC 3810), as far as hosts
// speak it.
//
// It is described as the ICMPv6 message that it is. It is sent with hop limit
// 1, from a link-local address, behind AppendRouterAlert.
type MLD []byte

const (
	mldLen        = 24
	mldv2QueryLen = 28
)

// ParseMLD checks the length of a query, a report or a done message, and those
// of a report's records or a query's sources.
func ParseMLD(m ICMPv6) (MLD, error) {
	d := MLD(m)
	switch {
	case d.Type() == ICMPv6MLDv2Report:
		if !d.Records().whole() {
			return nil, ErrMLDShort
		}
	case len(m) < mldLen:
		return nil, ErrMLDShort
	// RFC 3810, Section 8.1, as IGMP does it.
	case d.Type() == ICMPv6MLDQuery && !isQuery(m, mldLen, mldv2QueryLen, 16):
		return nil, ErrMLDShort
	}
	return d, nil
}

// AppendMLD appends a message other than a version 2 report. The response time
// is used by queries only: up to 32.767 s, in milliseconds. The group of a
// query for all groups is "::". The checksum field is zero until
// ICMPv6.FillChecksum.
func AppendMLD(b []byte, t ICMPv6Type, response time.Duration, group netip.Addr) []byte {
	ms := uint32(min(response.Milliseconds(), 1<<15-1))
	return append16(AppendICMPv6(b, t, 0, ms<<16, nil), group)
}

// AppendMLDv2Report appends a version 2 report. The checksum field is zero
// until ICMPv6.FillChecksum.
func AppendMLDv2Report(b []byte, records ...GroupRecord) []byte {
	b = AppendICMPv6(b, ICMPv6MLDv2Report, 0, uint32(len(records)), nil)
	return appendRecords(b, records)
}

// Type returns the kind of message.
func (m MLD) Type() ICMPv6Type { return ICMPv6Type(m[0]) }

// MaxResponse returns how long a host may wait, at most, before it answers a
// query.
func (m MLD) MaxResponse() time.Duration {
	v := uint(binary.BigEndian.Uint16(m[4:]))
	if m.IsV2Query() {
		v = groupFloat(v, 16)
	}
	return time.Duration(v) * time.Millisecond
}

// Group returns the group that m is about: "::" in a query for all. A version 2
// report has records instead, and then Group returns "::".
func (m MLD) Group() netip.Addr {
	if m.Type() == ICMPv6MLDv2Report {
		return netip.IPv6Unspecified()
	}
	return addr16(m[8:])
}

// IsV2Query reports whether m is a query that wants version 2 reports.
func (m MLD) IsV2Query() bool { return m.Type() == ICMPv6MLDQuery && len(m) >= mldv2QueryLen }

// Records walks the records of a version 2 report. There are none in other
// messages.
func (m MLD) Records() GroupRecords {
	if m.Type() != ICMPv6MLDv2Report {
		return GroupRecords{}
	}
	return recordsAt(m, 16)
}

// append describes what follows the name of the message: " ff02::fb", " to
// exclude ff02::fb".
func (m MLD) append(b []byte) []byte {
	switch m.Type() {
	case ICMPv6MLDv2Report:
		return m.Records().append(b)
	case ICMPv6MLDQuery:
		return appendQuery(b, m.Group(), m.MaxResponse())
	}
	return m.Group().AppendTo(append(b, ' '))
}
