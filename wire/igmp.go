package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// IGMP is a message about who listens to which IPv4 multicast group, as checked
// by ParseIGMP: of version 2 (RFC 2236) or 3 (RFC 3376), as far as hosts speak
// it.
type IGMP []byte

// An IGMPType is a kind of IGMP message.
type IGMPType uint8

// The kinds. A host ignores others.
const (
	IGMPQuery    IGMPType = 0x11
	IGMPv1Report IGMPType = 0x12
	IGMPv2Report IGMPType = 0x16
	IGMPLeave    IGMPType = 0x17
	IGMPv3Report IGMPType = 0x22
)

const (
	igmpLen        = 8
	igmpv3QueryLen = 12
)

// ParseIGMP checks the length, and those of a report's records or a query's
// sources. The checksum is not checked: see Verify.
func ParseIGMP(b []byte) (IGMP, error) {
	if len(b) < igmpLen {
		return nil, ErrIGMPShort
	}
	m := IGMP(b)
	switch {
	case m.Type() == IGMPv3Report && !m.Records().whole():
		return nil, ErrIGMPShort
	// "Query messages that do not match any of the above conditions (e.g., a
	// Query of length 10 octets) MUST be silently ignored" (RFC 3376, Section
	// 7.1).
	case m.Type() == IGMPQuery && !isQuery(b, igmpLen, igmpv3QueryLen, 4):
		return nil, ErrIGMPShort
	}
	return m, nil
}

// isQuery reports whether b is a query of n bytes, or at least n3 with the
// count of its sources in the last two of them, and then all of the sources.
func isQuery(b []byte, n, n3, addrLen int) bool {
	if len(b) == n {
		return true
	}
	return len(b) >= n3 && len(b) >= n3+addrLen*int(binary.BigEndian.Uint16(b[n3-2:]))
}

// AppendIGMP appends a message other than a version 3 report, with its
// checksum. The response time is used by queries only: up to 12.7 s, in tenths
// of a second. The group of a query for all groups is 0.0.0.0.
func AppendIGMP(b []byte, t IGMPType, response time.Duration, group netip.Addr) []byte {
	start := len(b)
	b = append(b, byte(t), byte(min(response/(100*time.Millisecond), 127)), 0, 0)
	b = append4(b, group)
	IGMP(b[start:]).FillChecksum()
	return b
}

// AppendIGMPv3Report appends a version 3 report with its checksum. The groups
// must be IPv4.
func AppendIGMPv3Report(b []byte, records ...GroupRecord) []byte {
	start := len(b)
	b = append(b, byte(IGMPv3Report), 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(records)))
	b = appendRecords(b, records)
	IGMP(b[start:]).FillChecksum()
	return b
}

// Type returns the kind of message.
func (m IGMP) Type() IGMPType { return IGMPType(m[0]) }

// MaxResponse returns how long a host may wait, at most, before it answers a
// query. Zero marks a query of version 1, which means 10 s.
func (m IGMP) MaxResponse() time.Duration {
	v := uint(m[1])
	if m.IsV3Query() {
		v = groupFloat(v, 8)
	}
	return time.Duration(v) * 100 * time.Millisecond
}

// Group returns the group that m is about: 0.0.0.0 in a query for all. A
// version 3 report has records instead, and then Group returns 0.0.0.0.
func (m IGMP) Group() netip.Addr {
	if m.Type() == IGMPv3Report {
		return netip.IPv4Unspecified()
	}
	return addr4(m[4:])
}

// IsV3Query reports whether m is a query that wants version 3 reports.
func (m IGMP) IsV3Query() bool { return m.Type() == IGMPQuery && len(m) >= igmpv3QueryLen }

// Records walks the records of a version 3 report. There are none in other
// messages.
func (m IGMP) Records() GroupRecords {
	if m.Type() != IGMPv3Report {
		return GroupRecords{}
	}
	return recordsAt(m, 4)
}

// Verify checks the checksum.
func (m IGMP) Verify() error {
	if Checksum(m) != 0 {
		return ErrIGMPChecksum
	}
	return nil
}

// FillChecksum computes and sets the checksum, over whatever the field held.
func (m IGMP) FillChecksum() {
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], Checksum(m))
}

// append describes the message: "igmp report v2 224.0.0.251", "igmp report v3
// to exclude 224.0.0.251".
func (m IGMP) append(b []byte) []byte {
	switch m.Type() {
	case IGMPQuery:
		return appendQuery(append(b, "igmp query"...), m.Group(), m.MaxResponse())
	case IGMPv1Report:
		b = append(b, "igmp report v1 "...)
	case IGMPv2Report:
		b = append(b, "igmp report v2 "...)
	case IGMPLeave:
		b = append(b, "igmp leave "...)
	case IGMPv3Report:
		return m.Records().append(append(b, "igmp report v3"...))
	default:
		b = appendNumber(append(b, "igmp type "...), m.Type())
		return appendLen(b, len(m))
	}
	return m.Group().AppendTo(b)
}
