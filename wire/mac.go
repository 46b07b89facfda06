package wire

import (
	"log/slog"
	"net/netip"
	"strconv"
)

// A MAC is a 48-bit hardware address, as Ethernet has it. MACs can be compared
// and used as map keys. The zero value is not a machine's address.
type MAC [6]byte

// Broadcast is the hardware address of all machines on a link.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// A MACError is text that is not a hardware address.
type MACError string

func (e MACError) Error() string {
	return "hardware address " + strconv.Quote(string(e)) + " is not six pairs of hexadecimal digits"
}

// ParseMAC reads six pairs of hexadecimal digits of either case, all separated
// by ':' or all by '-': "02:00:5e:10:00:01". Its error is a MACError.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	if len(s) != 17 || s[2] != ':' && s[2] != '-' {
		return MAC{}, MACError(s)
	}
	for i := range m {
		high, low := hexDigit(s[3*i]), hexDigit(s[3*i+1])
		if high|low > 0xf || i > 0 && s[3*i-1] != s[2] {
			return MAC{}, MACError(s)
		}
		m[i] = high<<4 | low
	}
	return m, nil
}

// hexDigit returns the value of a digit, or 0xff.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

// String returns m in the form "02:00:5e:10:00:01".
func (m MAC) String() string { return string(m.append(make([]byte, 0, 17))) }

func (m MAC) append(b []byte) []byte {
	const digits = "0123456789abcdef"
	for i, c := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[c>>4], digits[c&0xf])
	}
	return b
}

// AppendText appends what String returns. The error is nil.
func (m MAC) AppendText(b []byte) ([]byte, error) { return m.append(b), nil }

// LogValue is what String returns.
func (m MAC) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalText returns what String returns. The error is nil.
func (m MAC) MarshalText() ([]byte, error) { return m.AppendText(nil) }

// UnmarshalText sets m to what ParseMAC makes of text.
func (m *MAC) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMAC(string(text))
	return err
}

// OUI returns the vendor part, the first three bytes. It names a vendor only if
// m is not local.
func (m MAC) OUI() [3]byte { return [3]byte(m[:3]) }

// IsLocal reports whether somebody other than a vendor made m up: its local bit
// is set (IEEE 802, Section 8).
func (m MAC) IsLocal() bool { return m[0]&0x02 != 0 }

// IsGroup reports whether m stands for a group of machines: a multicast address
// or Broadcast. No frame comes from one.
func (m MAC) IsGroup() bool { return m[0]&0x01 != 0 }

// InterfaceID returns the modified EUI-64 interface identifier that is made of
// m (RFC 4291, Appendix A): ff:fe in the middle, the local bit inverted.
func (m MAC) InterfaceID() [8]byte {
	return [8]byte{m[0] ^ 0x02, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}
}

// MulticastMAC returns the hardware address that packets to a multicast address
// go to (RFC 1112, Section 6.4; RFC 2464, Section 7).
func MulticastMAC(group netip.Addr) MAC {
	if group.Is4() {
		a := group.As4()
		return MAC{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}
	}
	a := group.As16()
	return MAC{0x33, 0x33, a[12], a[13], a[14], a[15]}
}
