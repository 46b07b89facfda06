package dhcp

import (
	"encoding/hex"
	"log/slog"
	"net/netip"
	"strconv"
	"time"
)

// append describes the message in the manner of package wire: "dhcp discover
// 02:00:00:00:00:01 xid 1 secs 4 broadcast <requested 10.0.0.9, name box, asks 1 3 6>".
// Options stand in the order of the message, and the address in use, the one
// given and the relay's as "uses", "gets" and "relay".
func (m Message) append(b []byte) []byte {
	b = append(append(b, "dhcp "...), m.Type().String()...)
	mac, _ := m.CHAddr()
	b, _ = mac.AppendText(append(b, ' '))
	b = strconv.AppendUint(append(b, " xid "...), uint64(m.XID()), 10)
	if n := m.Secs(); n != 0 {
		b = strconv.AppendUint(append(b, " secs "...), uint64(n), 10)
	}
	if m.Broadcast() {
		b = append(b, " broadcast"...)
	}
	b = appendAddr(b, " uses ", m.CIAddr())
	b = appendAddr(b, " gets ", m.YIAddr())
	b = appendAddr(b, " relay ", m.GIAddr())
	return m.appendOptions(b)
}

func appendAddr(b []byte, name string, a netip.Addr) []byte {
	if a.IsUnspecified() {
		return b
	}
	return a.AppendTo(append(b, name...))
}

func (m Message) appendOptions(b []byte) []byte {
	var seen [256]bool
	seen[OptType] = true // as the beginning of the line
	separator := " <"
	for o := m.options(); o.next(); {
		if !seen[o.code] {
			seen[o.code] = true
			b = m.appendOption(append(b, separator...), o.code)
			separator = ", "
		}
	}
	if separator == " <" {
		return b
	}
	return append(b, '>')
}

// appendOption describes an option, with all its pieces.
func (m Message) appendOption(b []byte, c Code) []byte {
	b = append(b, c.String()...)
	start := len(b)
	switch c {
	case OptSubnetMask:
		b = strconv.AppendInt(append(b, " /"...), int64(m.MaskBits()), 10)
	case OptRouters, OptDNS, OptNTP, OptRequestedAddr, OptServerID, OptBroadcast:
		for v := m.Option(c); len(v) >= 4; v = v[4:] {
			b = addr4(v).AppendTo(append(b, ' '))
		}
	case OptLeaseTime, OptT1, OptT2:
		if d, ok := m.Seconds(c); ok {
			b = appendSeconds(append(b, ' '), d)
		}
	case OptMTU, OptMaxSize:
		b = strconv.AppendInt(append(b, ' '), int64(m.Uint16(c)), 10)
	case OptHostName, OptDomain, OptText, OptVendorClass:
		b = appendQuotable(append(b, ' '), m.Option(c))
	case OptParameters:
		for _, code := range m.Parameters() {
			b = strconv.AppendUint(append(b, ' '), uint64(code), 10)
		}
	case OptClientID, OptRelay:
		b = hex.AppendEncode(append(b, ' '), m.Option(c))
	case OptSearch:
		b = m.appendSearch(b)
	case OptRoutes:
		b = m.appendRoutes(b)
	}
	if len(b) == start {
		b = strconv.AppendInt(append(b, " len "...), int64(len(m.Option(c))), 10)
	}
	return b
}

func (m Message) appendSearch(b []byte) []byte {
	domains, _ := m.AppendSearch(nil)
	for _, d := range domains {
		b = append(append(b, ' '), d...)
	}
	return b
}

func (m Message) appendRoutes(b []byte) []byte {
	routes, _ := m.AppendRoutes(nil)
	for _, r := range routes {
		b = r.Dst.AppendTo(append(b, ' '))
		b = r.Via.AppendTo(append(b, " via "...))
	}
	return b
}

func appendSeconds(b []byte, d time.Duration) []byte {
	if d == Forever {
		return append(b, "forever"...)
	}
	return strconv.AppendInt(b, int64(d/time.Second), 10)
}

// String describes the message.
func (m Message) String() string { return string(m.append(make([]byte, 0, 256))) }

// AppendText appends what String returns. The error is nil.
func (m Message) AppendText(b []byte) ([]byte, error) { return m.append(b), nil }

// LogValue is what String returns.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }
