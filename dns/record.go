package dns

import (
	"encoding/binary"
	"net/netip"
)

// A Record is one of the things that are told of a name. Which fields count depends on its type.
type Record struct {
	Type Type
	TTL  uint32 // for how many seconds it may be remembered; in a Zone, if zero, what that says

	Addr                   netip.Addr // of TypeA and TypeAAAA
	Target                 Name       // of TypeNS, TypePTR and TypeSRV; the zero Name is the root, and means that there is none
	Priority, Weight, Port uint16     // of TypeSRV (RFC 2782): low priorities first, great weights more often
	Texts                  []string   // of TypeTXT; each that is longer than 255 bytes becomes several
}

// AddrRecord is the record of an address.
func AddrRecord(a netip.Addr) Record {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return Record{Type: TypeA, Addr: a}
	}
	return Record{Type: TypeAAAA, Addr: a}
}

const maxText = 255

// appendData appends the data of a record, but for a name that it ends in and which may be compressed.
func (r *Record) appendData(b []byte) []byte {
	switch r.Type {
	case TypeA, TypeAAAA:
		return append(b, r.Addr.AsSlice()...)
	case TypeSRV:
		b = binary.BigEndian.AppendUint16(b, r.Priority)
		b = binary.BigEndian.AppendUint16(b, r.Weight)
		b = binary.BigEndian.AppendUint16(b, r.Port)
		// "Unless and until permitted by future standards action, name compression is not to be used
		// for this field" (RFC 2782).
		return append(b, r.Target.orRoot()...)
	case TypeTXT:
		return appendTexts(b, r.Texts)
	}
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	if len(texts) == 0 {
		return append(b, 0) // "one or more" (RFC 1035, Section 3.3.14)
	}
	for _, s := range texts {
		for len(s) > maxText {
			b = append(append(b, maxText), s[:maxText]...)
			s = s[maxText:]
		}
		b = append(append(b, byte(len(s))), s...)
	}
	return b
}

// compressed returns the name that a record's data are, and which may be compressed.
func (r *Record) compressed() (Name, bool) {
	return r.Target.orRoot(), r.Type == TypeNS || r.Type == TypePTR
}

func (n Name) orRoot() Name {
	if n == "" {
		return "\x00"
	}
	return n
}
