package wire

import (
	"log/slog"
	"strconv"
)

// Each view has one describer, append. What it writes is said in the package's
// documentation; the methods below hand it to fmt, to slog and to whoever wants
// it without an allocation.

type describer interface{ append(b []byte) []byte }

// appendParsed goes on with the next layer, or says why it cannot be read.
func appendParsed[V describer](b, payload []byte, parse func([]byte) (V, error)) []byte {
	b = append(b, " | "...)
	v, err := parse(payload)
	if f, bad := err.(Fault); bad {
		return appendBad(b, f, len(payload))
	}
	return v.append(b)
}

func appendBad(b []byte, f Fault, n int) []byte {
	b = append(b, "bad "...)
	return appendLen(append(b, f.String()...), n)
}

// appendField appends " name value".
func appendField[I ~int | ~uint8 | ~uint16 | ~uint32](b []byte, name string, value I) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	return appendNumber(append(b, ' '), value)
}

func appendNumber[I ~int | ~uint8 | ~uint16 | ~uint32](b []byte, value I) []byte {
	return strconv.AppendInt(b, int64(value), 10)
}

func appendLen(b []byte, n int) []byte { return appendField(b, "len", n) }

// appendPorts appends "name 1 > 2".
func appendPorts(b []byte, name string, src, dst uint16) []byte {
	b = appendNumber(append(append(b, name...), ' '), src)
	return appendNumber(append(b, " > "...), dst)
}

// appendFlag appends " name" if on.
func appendFlag(b []byte, name string, on bool) []byte {
	if !on {
		return b
	}
	return append(append(b, ' '), name...)
}

func appendHex16(b []byte, v uint16) []byte {
	const digits = "0123456789abcdef"
	return append(b, digits[v>>12], digits[v>>8&0xf], digits[v>>4&0xf], digits[v&0xf])
}

func describe(d describer) string { return string(d.append(make([]byte, 0, 160))) }

// String describes the frame and what it carries.
func (e Ethernet) String() string { return describe(e) }

// AppendText appends what String returns. The error is nil.
func (e Ethernet) AppendText(b []byte) ([]byte, error) { return e.append(b), nil }

// LogValue is what String returns.
func (e Ethernet) LogValue() slog.Value { return slog.StringValue(describe(e)) }

// String describes the message.
func (a ARP) String() string { return describe(a) }

// AppendText appends what String returns. The error is nil.
func (a ARP) AppendText(b []byte) ([]byte, error) { return a.append(b), nil }

// LogValue is what String returns.
func (a ARP) LogValue() slog.Value { return slog.StringValue(describe(a)) }

// String describes the packet and what it carries.
func (h IPv4) String() string { return describe(h) }

// AppendText appends what String returns. The error is nil.
func (h IPv4) AppendText(b []byte) ([]byte, error) { return h.append(b), nil }

// LogValue is what String returns.
func (h IPv4) LogValue() slog.Value { return slog.StringValue(describe(h)) }

// String describes the packet and what it carries.
func (h IPv6) String() string { return describe(h) }

// AppendText appends what String returns. The error is nil.
func (h IPv6) AppendText(b []byte) ([]byte, error) { return h.append(b), nil }

// LogValue is what String returns.
func (h IPv6) LogValue() slog.Value { return slog.StringValue(describe(h)) }

// String describes the datagram.
func (u UDP) String() string { return describe(u) }

// AppendText appends what String returns. The error is nil.
func (u UDP) AppendText(b []byte) ([]byte, error) { return u.append(b), nil }

// LogValue is what String returns.
func (u UDP) LogValue() slog.Value { return slog.StringValue(describe(u)) }

// String describes the segment.
func (t TCP) String() string { return describe(t) }

// AppendText appends what String returns. The error is nil.
func (t TCP) AppendText(b []byte) ([]byte, error) { return t.append(b), nil }

// LogValue is what String returns.
func (t TCP) LogValue() slog.Value { return slog.StringValue(describe(t)) }

// String describes the message.
func (m ICMPv4) String() string { return describe(m) }

// AppendText appends what String returns. The error is nil.
func (m ICMPv4) AppendText(b []byte) ([]byte, error) { return m.append(b), nil }

// LogValue is what String returns.
func (m ICMPv4) LogValue() slog.Value { return slog.StringValue(describe(m)) }

// String describes the message.
func (m ICMPv6) String() string { return describe(m) }

// AppendText appends what String returns. The error is nil.
func (m ICMPv6) AppendText(b []byte) ([]byte, error) { return m.append(b), nil }

// LogValue is what String returns.
func (m ICMPv6) LogValue() slog.Value { return slog.StringValue(describe(m)) }

// String describes the message.
func (m IGMP) String() string { return describe(m) }

// AppendText appends what String returns. The error is nil.
func (m IGMP) AppendText(b []byte) ([]byte, error) { return m.append(b), nil }

// LogValue is what String returns.
func (m IGMP) LogValue() slog.Value { return slog.StringValue(describe(m)) }

// appendQuotable appends a name from the wire. Whatever could confuse a
// terminal or a reader of the line is escaped.
func appendQuotable(b []byte, name string) []byte {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			b = append(b, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
			continue
		}
		b = append(b, c)
	}
	return b
}
