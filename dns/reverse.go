package dns

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	reverse4 Name = "\x07in-addr\x04arpa\x00" // RFC 1035, Section 3.5
	reverse6 Name = "\x03ip6\x04arpa\x00"     // RFC 3596, Section 2.5
)

// ReverseName returns the name that an address is asked about with TypePTR: "5.0.0.10.in-addr.arpa.".
func ReverseName(a netip.Addr) Name {
	const digits = "0123456789abcdef"
	var b strings.Builder
	if a.Is4() || a.Is4In6() {
		x := a.As4()
		for _, v := range slices.Backward(x[:]) {
			label := strconv.Itoa(int(v))
			b.WriteByte(byte(len(label)))
			b.WriteString(label)
		}
		return Name(b.String()) + reverse4
	}
	x := a.As16()
	for _, v := range slices.Backward(x[:]) {
		b.Write([]byte{1, digits[v&0xf], 1, digits[v>>4]})
	}
	return Name(b.String()) + reverse6
}

// reverse returns the addresses whose reverse names are n or end in it.
func (n Name) reverse() (netip.Prefix, bool) {
	var b [16]byte
	switch {
	case n.within(reverse4):
		labels := n.labels() - 2
		if labels > 4 {
			return netip.Prefix{}, false
		}
		for i := labels - 1; i >= 0; i, n = i-1, n.parent() {
			v, ok := decimal(string(n[1 : 1+int(n[0])]))
			if !ok {
				return netip.Prefix{}, false
			}
			b[i] = v
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:])), 8*labels), true
	case n.within(reverse6):
		labels := n.labels() - 2
		if labels > 32 {
			return netip.Prefix{}, false
		}
		for i := labels - 1; i >= 0; i, n = i-1, n.parent() {
			v, ok := nibble(n)
			if !ok {
				return netip.Prefix{}, false
			}
			b[i/2] |= v << (4 - i%2*4)
		}
		return netip.PrefixFrom(netip.AddrFrom16(b), 4*labels), true
	}
	return netip.Prefix{}, false
}

// decimal reads a number from 0 to 255 without zeros before it.
func decimal(s string) (v byte, ok bool) {
	n, err := strconv.Atoi(s)
	return byte(n), err == nil && 0 <= n && n <= 255 && s == strconv.Itoa(n)
}

// nibble reads the first label of n, a hexadecimal digit.
func nibble(n Name) (v byte, ok bool) {
	if n[0] != 1 {
		return 0, false
	}
	switch c := n[1]; {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// reverseLabels returns how many labels the name of a network has that is p, or of the largest within it that
// has one.
func reverseLabels(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 2 + (p.Bits()+7)/8
	}
	return 2 + (p.Bits()+3)/4
}
