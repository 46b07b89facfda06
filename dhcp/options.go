package dhcp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// A Code is the number of an option (RFC 2132).
type Code uint8

// The options that are read and written here. Others can be had by number.
const (
	OptSubnetMask    Code = 1
	OptRouters       Code = 3
	OptDNS           Code = 6
	OptHostName      Code = 12
	OptDomain        Code = 15
	OptMTU           Code = 26
	OptBroadcast     Code = 28
	OptNTP           Code = 42
	OptRequestedAddr Code = 50
	OptLeaseTime     Code = 51
	optOverload      Code = 52
	OptType          Code = 53
	OptServerID      Code = 54
	OptParameters    Code = 55
	OptText          Code = 56
	OptMaxSize       Code = 57
	OptT1            Code = 58
	OptT2            Code = 59
	OptVendorClass   Code = 60
	OptClientID      Code = 61
	OptRelay         Code = 82  // RFC 3046
	OptSearch        Code = 119 // RFC 3397
	OptRoutes        Code = 121 // RFC 3442
)

// What has no length.
const (
	optPad = 0
	optEnd = 255
)

// maxPart is how much of an option fits behind one length.
const maxPart = 255

var codeText = [...]string{
	OptSubnetMask: "mask", OptRouters: "routers", OptDNS: "dns", OptHostName: "name", OptDomain: "domain", OptMTU: "mtu",
	OptBroadcast: "broadcast", OptNTP: "ntp", OptRequestedAddr: "requested", OptLeaseTime: "lease", OptServerID: "server",
	OptParameters: "asks", OptText: "text", OptMaxSize: "max", OptT1: "t1", OptT2: "t2", OptVendorClass: "vendor",
	OptClientID: "id", OptRelay: "relay", OptSearch: "search", OptRoutes: "routes",
}

// String returns a word for the option: "mask", or "option 43".
func (c Code) String() string {
	if int(c) < len(codeText) && codeText[c] != "" {
		return codeText[c]
	}
	return "option " + strconv.Itoa(int(c))
}

// options walks the options of a message in the order of RFC 2131, Section 4.1:
// those in the options field, then those in file, then those in sname. An option
// may come several times.
type options struct {
	m        Message
	rest     []byte // of the field that is walked
	field    uint8  // 0 is options, then fieldFile and fieldSname
	overload uint8  // the fields beside the first that hold options
	code     Code   // of the current option
	data     []byte // of the current option
	fault    Fault
}

// The values of the overload option (RFC 2132, Section 9.3) are sets of these.
const (
	fieldFile  = 1
	fieldSname = 2
)

func (m Message) options() options { return options{m: m, rest: m[optionsAt:]} }

func (o *options) next() bool {
	for {
		for len(o.rest) > 0 && o.rest[0] == optPad {
			o.rest = o.rest[1:]
		}
		switch {
		case len(o.rest) == 0 || o.rest[0] == optEnd:
			if !o.nextField() {
				return false
			}
		case !o.take():
			return false
		case o.code != optOverload:
			return true
		}
	}
}

// take reads an option, and obeys it if it is the overload option, which counts in
// the options field alone.
func (o *options) take() bool {
	if len(o.rest) < 2 || int(o.rest[1]) > len(o.rest)-2 {
		o.fault = ErrOption
		return false
	}
	n := 2 + int(o.rest[1])
	o.code, o.data, o.rest = Code(o.rest[0]), o.rest[2:n], o.rest[n:]
	if o.code != optOverload || o.field != 0 {
		return true
	}
	if len(o.data) != 1 || o.data[0] < fieldFile || o.data[0] > fieldFile|fieldSname {
		o.fault = ErrOverload
		return false
	}
	o.overload = o.data[0]
	return true
}

func (o *options) nextField() bool {
	for o.field < fieldSname {
		o.field++
		if o.overload&o.field == 0 {
			continue
		}
		o.rest = o.m[fileAt:cookieAt]
		if o.field == fieldSname {
			o.rest = o.m[snameAt:fileAt]
		}
		return true
	}
	o.rest = nil
	return false
}

// Option returns the value of an option, which is not nil if the option is there.
// The pieces of a value that comes in several are put together (RFC 3396, Section
// 5), in new memory then; otherwise it is part of m.
func (m Message) Option(c Code) []byte {
	var value []byte
	for o := m.options(); o.next(); {
		switch {
		case o.code != c:
		case value == nil:
			value = o.data[:len(o.data):len(o.data)] // so that the next piece does not overwrite m
		default:
			value = append(value, o.data...)
		}
	}
	return value
}

// fixed returns the value of an option if it is n bytes long, or nil.
func (m Message) fixed(c Code, n int) []byte {
	if b := m.Option(c); len(b) == n {
		return b
	}
	return nil
}

// Addr returns an option's only address, or the zero Addr.
func (m Message) Addr(c Code) netip.Addr {
	if b := m.fixed(c, 4); b != nil {
		return addr4(b)
	}
	return netip.Addr{}
}

// maxAddrs is how many addresses of a list are read. No list of routers or servers
// has a use for more.
const maxAddrs = 16

// AppendAddrs appends the addresses of an option that is a list of them, such as
// OptRouters, OptDNS and OptNTP: the first 16, less those that are no machine's.
func (m Message) AppendAddrs(to []netip.Addr, c Code) []netip.Addr {
	b := m.Option(c)
	if len(b)%4 != 0 {
		return to
	}
	for n := 0; len(b) > 0 && n < maxAddrs; b = b[4:] {
		if a := addr4(b); isUnicast(a) {
			to = append(to, a)
			n++
		}
	}
	return to
}

// Forever is the duration of a lease that does not end.
const Forever = time.Duration(1<<63 - 1)

// forever is how it lies on the wire (RFC 2131, Section 3.3).
const forever = 0xffffffff

// Seconds returns the duration that an option gives in seconds, or Forever. It
// reports false if it is not there.
func (m Message) Seconds(c Code) (time.Duration, bool) {
	b := m.fixed(c, 4)
	if b == nil {
		return 0, false
	}
	n := binary.BigEndian.Uint32(b)
	if n == forever {
		return Forever, true
	}
	return time.Duration(n) * time.Second, true
}

// Uint16 returns the number that an option gives, or 0.
func (m Message) Uint16(c Code) uint16 {
	if b := m.fixed(c, 2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// AppendOption appends an option with any value, in several pieces if it is longer
// than 255 bytes (RFC 3396, Section 6).
func AppendOption[V ~string | ~[]byte](b []byte, c Code, value V) []byte {
	at := len(b)
	return seal(append(append(b, byte(c), 0), value...), at)
}

// seal sets the length of the option that begins at b[at], or cuts it in pieces.
func seal(b []byte, at int) []byte {
	for len(b)-at-2 > maxPart {
		code := b[at]
		b[at+1] = maxPart
		at += 2 + maxPart
		b = slices.Insert(b, at, code, 0)
	}
	b[at+1] = byte(len(b) - at - 2)
	return b
}

// AppendAddrs appends an option with one or more IPv4 addresses.
func AppendAddrs(b []byte, c Code, addrs ...netip.Addr) []byte {
	at := len(b)
	b = append(b, byte(c), 0)
	for _, a := range addrs {
		b = append4(b, a)
	}
	return seal(b, at)
}

// AppendSeconds appends an option with a duration in seconds, which is rounded down
// and at most what the wire has a form for, but for Forever.
func AppendSeconds(b []byte, c Code, d time.Duration) []byte {
	n := uint32(forever)
	if d != Forever {
		n = uint32(min(max(d/time.Second, 0), forever-1))
	}
	return binary.BigEndian.AppendUint32(append(b, byte(c), 4), n)
}

// AppendUint16 appends an option with a number.
func AppendUint16(b []byte, c Code, n uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, byte(c), 2), n)
}

// AppendType appends what the message is for.
func AppendType(b []byte, t Type) []byte { return append(b, byte(OptType), 1, byte(t)) }

// AppendMask appends the subnet mask of a network with so many bits, 0 to 32.
func AppendMask(b []byte, bits int) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(OptSubnetMask), 4), ^uint32(0)<<(32-bits))
}
