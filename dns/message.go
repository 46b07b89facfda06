package dns

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
)

// Port is where servers are asked.
const Port = 53

// A Type is what kind of record is asked for or told.
type Type uint16

// The types that are known here.
const (
	TypeA     Type = 1
	TypeNS    Type = 2
	TypeCNAME Type = 5
	TypeSOA   Type = 6
	TypePTR   Type = 12
	TypeTXT   Type = 16
	TypeAAAA  Type = 28
	TypeSRV   Type = 33
	TypeANY   Type = 255 // asks for all of them

	typeOPT  Type = 41
	typeTKEY Type = 249 // the first of those that are no records
)

var typeText = map[Type]string{
	TypeA: "A", TypeNS: "NS", TypeCNAME: "CNAME", TypeSOA: "SOA", TypePTR: "PTR", TypeTXT: "TXT", TypeAAAA: "AAAA",
	TypeSRV: "SRV", TypeANY: "ANY",
}

// String returns the type's name, or "TYPE" and its number (RFC 3597, Section 5).
func (t Type) String() string {
	if s := typeText[t]; s != "" {
		return s
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// isMeta reports whether t asks for something that is no record, such as a whole zone.
func (t Type) isMeta() bool { return t == typeOPT || typeTKEY <= t && t < TypeANY }

// matches reports whether a question for t is one for records of a type.
func (t Type) matches(record Type) bool { return t == record || t == TypeANY }

const classIN = 1

// An RCode says how the server fared (RFC 1035, Section 4.1.1).
type RCode uint8

// The codes that mean something to who asks.
const (
	Success   RCode = 0
	ServFail  RCode = 2
	NXDomain  RCode = 3 // there is no such name
	NotImpl   RCode = 4
	Refused   RCode = 5
	FormError RCode = 1

	badVersion RCode = 16 // of the extension, which has the upper bits of the code
)

// String returns the code in a few words: "no such name".
func (c RCode) String() string {
	switch c {
	case Success:
		return "success"
	case FormError:
		return "question not understood"
	case ServFail:
		return "server failure"
	case NXDomain:
		return "no such name"
	case NotImpl:
		return "not implemented"
	case Refused:
		return "refused"
	}
	return "code " + strconv.Itoa(int(c))
}

const (
	headerLen = 12

	flagResponse  = 1 << 15
	flagAuthority = 1 << 10
	flagTruncated = 1 << 9
	flagRecursion = 1 << 8 // is wanted
	flagRecurses  = 1 << 7 // can be had
	maskOpcode    = 0xf << 11
	maskRCode     = 0xf
)

// MaxUDP is the longest answer by UDP that is asked for, in bytes: what is not fragmented on
// any way.
const MaxUDP = 1232

// AppendQuery appends a question for records of a type, by the number id. The server is asked
// to find the answer, whoever knows it.
func AppendQuery(b []byte, id uint16, name Name, t Type) []byte {
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, flagRecursion)
	b = append(b, 0, 1, 0, 0, 0, 0, 0, 1) // one question, one additional record
	b = append(b, name...)
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = binary.BigEndian.AppendUint16(b, classIN)
	// The additional record belongs to the root and says how long an answer may be
	// (RFC 6891, Section 6.1.2).
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(typeOPT))
	b = binary.BigEndian.AppendUint16(b, MaxUDP)
	return append(b, 0, 0, 0, 0, 0, 0)
}

// ErrMessage says that bytes are no message: a header, a name or a record is cut off.
var ErrMessage = errors.New("bad dns message")

// A Message is a message of any kind, as checked by ParseMessage.
type Message []byte

// ParseMessage checks that all that the header of b counts is there.
func ParseMessage(b []byte) (Message, error) {
	if len(b) < headerLen {
		return nil, ErrMessage
	}
	m := Message(b)
	at := headerLen
	for range m.count(0) {
		if at = skipName(m, at); at == 0 || at+4 > len(m) {
			return nil, ErrMessage
		}
		at += 4
	}
	for range m.count(1) + m.count(2) + m.count(3) {
		if at = skipRecord(m, at); at == 0 {
			return nil, ErrMessage
		}
	}
	return m, nil
}

// count returns how many entries a section has: questions, answers, authorities,
// additional records.
func (m Message) count(section int) int {
	return int(binary.BigEndian.Uint16(m[4+2*section:]))
}

// recordLen is what follows a record's name: type, class, time to live, length.
const recordLen = 10

// skipRecord returns where the record at at ends, or 0 if it does not.
func skipRecord(m []byte, at int) int {
	at = skipName(m, at)
	if at == 0 || at+recordLen > len(m) {
		return 0
	}
	end := at + recordLen + int(binary.BigEndian.Uint16(m[at+8:]))
	if end > len(m) {
		return 0
	}
	return end
}

// ID returns the number of the question.
func (m Message) ID() uint16 { return binary.BigEndian.Uint16(m) }

func (m Message) flags() uint16 { return binary.BigEndian.Uint16(m[2:]) }

// IsResponse reports whether m answers an ordinary question.
func (m Message) IsResponse() bool { return m.flags()&(flagResponse|maskOpcode) == flagResponse }

// Truncated reports whether there is more than m had room for.
func (m Message) Truncated() bool { return m.flags()&flagTruncated != 0 }

// RCode says how the server fared. Codes that need an extended record are cut to four bits.
func (m Message) RCode() RCode { return RCode(m.flags() & maskRCode) }

// IsAbout reports whether m's one question is for records of a type of a name.
func (m Message) IsAbout(name Name, t Type) bool {
	if m.count(0) != 1 || readName(m, headerLen) != name {
		return false
	}
	rest := m[skipName(m, headerLen):]
	return Type(binary.BigEndian.Uint16(rest)) == t && binary.BigEndian.Uint16(rest[2:]) == classIN
}

// Answers walks the records of the answer.
func (m Message) Answers() Records {
	at := headerLen
	for range m.count(0) {
		at = skipName(m, at) + 4
	}
	return Records{m: m, next: at, left: m.count(1)}
}

// Records walks records. Its methods are of the current one, which there is after Next
// returned true.
type Records struct {
	m              Message
	at, data, next int
	left           int
}

// Next goes to the next record and reports whether there is one.
func (r *Records) Next() bool {
	if r.left == 0 {
		return false
	}
	r.left--
	r.at = r.next
	r.data = skipName(r.m, r.at) + recordLen
	r.next = skipRecord(r.m, r.at)
	return true
}

// Name returns whose record it is, or "" if the name is malformed.
func (r *Records) Name() Name { return readName(r.m, r.at) }

// Type returns its type, or 0 if it is of a class that nobody uses.
func (r *Records) Type() Type {
	if binary.BigEndian.Uint16(r.m[r.data-8:]) != classIN {
		return 0
	}
	return Type(binary.BigEndian.Uint16(r.m[r.data-10:]))
}

// Addr returns the address of a record of TypeA or TypeAAAA, and the zero Addr for others
// and those of a wrong length.
func (r *Records) Addr() netip.Addr {
	data := r.m[r.data:r.next]
	switch t := r.Type(); {
	case t == TypeA && len(data) == 4, t == TypeAAAA && len(data) == 16:
		a, _ := netip.AddrFromSlice(data)
		return a
	}
	return netip.Addr{}
}

// Target returns the name that a record of TypeCNAME is an alias of, or "".
func (r *Records) Target() Name {
	if r.Type() != TypeCNAME || skipName(r.m, r.data) != r.next {
		return ""
	}
	return readName(r.m, r.data)
}

// Addrs returns the addresses of a type that the answer gives for a name, in its order, or for
// what the name is an alias of. Aliases may stand anywhere among the records.
func (m Message) Addrs(name Name, t Type) (addrs []netip.Addr) {
	name = m.canonical(name)
	for r := m.Answers(); r.Next() && len(addrs) < MaxAddrs; {
		if r.Type() != t || r.Name() != name {
			continue
		}
		if a := r.Addr(); a.IsValid() {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

const (
	// MaxAddrs is how many addresses of a name are looked at.
	MaxAddrs = 64
	// maxAliases is how many walks over the records look for aliases. Commonly each stands before
	// what it leads to, and one walk finds all.
	maxAliases = 8
)

// canonical returns what a name is an alias of, or the name itself.
func (m Message) canonical(name Name) Name {
	for range maxAliases {
		before := name
		for r := m.Answers(); r.Next(); {
			if target := r.Target(); target != "" && r.Name() == name {
				name = target
			}
		}
		if name == before {
			break
		}
	}
	return name
}
