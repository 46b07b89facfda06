package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A GroupRecordType is what a record of a multicast report says.
type GroupRecordType uint8

// The types (RFC 3376, Section 4.2.12; RFC 3810, Section 5.2.12). With no
// source addresses, as here, excluding none is listening and including none is
// not.
const (
	GroupIsInclude       GroupRecordType = 1
	GroupIsExclude       GroupRecordType = 2 // answers a query: listening
	GroupToInclude       GroupRecordType = 3 // has stopped to listen
	GroupToExclude       GroupRecordType = 4 // has begun to listen
	GroupAllowNewSources GroupRecordType = 5
	GroupBlockOldSources GroupRecordType = 6
)

// A GroupRecord is one record of an IGMPv3 or MLDv2 report, without its
// sources.
type GroupRecord struct {
	Type  GroupRecordType
	Group netip.Addr
}

// GroupRecords walks the records of a report. It allocates nothing. The
// report's Parse function has found all their lengths good.
type GroupRecords struct {
	rest, record []byte
	left         int // records
	addrLen      int // 4 or 16
}

// Next goes to the next record and reports whether there is one.
func (r *GroupRecords) Next() bool {
	head := 4 + r.addrLen
	if r.left == 0 || len(r.rest) < head {
		return false
	}
	n := head + r.addrLen*int(binary.BigEndian.Uint16(r.rest[2:])) + 4*int(r.rest[1])
	if n > len(r.rest) {
		return false
	}
	r.record, r.rest = r.rest[:n], r.rest[n:]
	r.left--
	return true
}

// Record returns the current record.
func (r *GroupRecords) Record() GroupRecord {
	return GroupRecord{GroupRecordType(r.record[0]), addrOf(r.record[4 : 4+r.addrLen])}
}

// Sources returns how many source addresses the current record has.
func (r *GroupRecords) Sources() int { return int(binary.BigEndian.Uint16(r.record[2:])) }

// Source returns the i-th source address of the current record.
func (r *GroupRecords) Source(i int) netip.Addr {
	at := 4 + r.addrLen*(1+i)
	return addrOf(r.record[at : at+r.addrLen])
}

// addrOf reads an address of 4 or 16 bytes.
func addrOf(b []byte) netip.Addr {
	if len(b) == 4 {
		return addr4(b)
	}
	return addr16(b)
}

// recordsAt returns the records of a report, which begin after 8 bytes in both
// families.
func recordsAt(report []byte, addrLen int) GroupRecords {
	n := int(binary.BigEndian.Uint16(report[6:]))
	return GroupRecords{rest: report[8:], left: n, addrLen: addrLen}
}

// whole walks all records and reports whether none is cut off.
func (r GroupRecords) whole() bool {
	for r.Next() {
	}
	return r.left == 0
}

func appendRecords(b []byte, records []GroupRecord) []byte {
	for _, r := range records {
		b = append(b, byte(r.Type), 0, 0, 0)
		if r.Group.Is4() {
			b = append4(b, r.Group)
		} else {
			b = append16(b, r.Group)
		}
	}
	return b
}

// groupFloat reads a response time or query interval of more than its field has
// room for: the top bit of a field of the given width is set, then come three
// bits of exponent and a mantissa (RFC 3376, Section 4.1.1; RFC 3810, Section
// 5.1.3).
func groupFloat(v, bits uint) uint {
	if v>>(bits-1) == 0 {
		return v
	}
	mantissa := bits - 4
	exponent := v >> mantissa & 7
	return (v&(1<<mantissa-1) | 1<<mantissa) << (exponent + 3)
}

// append describes the records: " join ff02::fb, leave ff02::1:3".
func (r GroupRecords) append(b []byte) []byte {
	names := [...]string{
		GroupIsInclude: "include", GroupIsExclude: "exclude", GroupToInclude: "to include",
		GroupToExclude: "to exclude", GroupAllowNewSources: "allow", GroupBlockOldSources: "block",
	}
	for separator := " "; r.Next(); separator = ", " {
		v := r.Record()
		b = append(b, separator...)
		if int(v.Type) < len(names) && v.Type != 0 {
			b = append(b, names[v.Type]...)
		} else {
			b = appendNumber(append(b, "record "...), v.Type)
		}
		b = v.Group.AppendTo(append(b, ' '))
		if n := r.Sources(); n != 0 {
			b = appendField(b, "sources", n)
		}
	}
	return b
}

// appendQuery describes a query: " of all", " of 224.0.0.251 in 10s".
func appendQuery(b []byte, group netip.Addr, within time.Duration) []byte {
	b = append(b, " of "...)
	if group.IsUnspecified() {
		b = append(b, "all"...)
	} else {
		b = group.AppendTo(b)
	}
	return append(append(b, " in "...), within.String()...)
}
