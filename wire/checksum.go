package wire

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// A Sum is a ones' complement sum of big-endian 16-bit words (RFC 1071), folded
// but not complemented. Zero is the sum of nothing. Sums of pieces can be made
// in any order and put together.
//
// uint16(s) is also what a checksum field holds while the device has still to
// fill it in: the sum of the pseudo-header alone.
type Sum uint16

// Checksum returns the Internet checksum of b: what a header's checksum field
// must hold if that field is zero in b, and 0 if b holds its right checksum.
func Checksum(b []byte) uint16 { return Sum(0).Add(b).Checksum() }

// Checksum returns the complement of s, as checksum fields hold it.
func (s Sum) Checksum() uint16 { return ^uint16(s) }

// Add returns s with b added, which begins at an even offset. A last odd byte
// counts as if a zero followed.
func (s Sum) Add(b []byte) Sum {
	// The sum may be made in any byte order as long as the result is swapped
	// back (RFC 1071, Section 2(B)), and little-endian loads cost nothing where
	// speed matters.
	return s.Plus(Sum(bits.ReverseBytes16(fold(sum(b)))))
}

// Plus returns s with the word or the sum t added.
func (s Sum) Plus(t Sum) Sum {
	u := uint32(s) + uint32(t)
	return Sum(u + u>>16)
}

// PlusAt returns s with the sum t added, whose bytes begin offset bytes after
// the first of s. At an odd offset they lie in the other halves of the words.
func (s Sum) PlusAt(t Sum, offset int) Sum {
	if offset&1 != 0 {
		t = Sum(bits.ReverseBytes16(uint16(t)))
	}
	return s.Plus(t)
}

// PseudoSum returns the sum of the pseudo-header of a transport header and
// payload of n bytes: the addresses, of one family, the protocol and n (RFC
// 768, RFC 9293 Section 3.1, RFC 8200 Section 8.1).
func PseudoSum(src, dst netip.Addr, p Protocol, n int) Sum {
	if src.Is4() {
		s, d := src.As4(), dst.As4()
		return pseudoSum(sumOf4(s[:]).Plus(sumOf4(d[:])), p, n)
	}
	s, d := src.As16(), dst.As16()
	return pseudoSum(Sum(0).Add(s[:]).Add(d[:]), p, n)
}

func pseudoSum(addrs Sum, p Protocol, n int) Sum {
	return addrs.Plus(Sum(p)).Plus(Sum(n >> 16)).Plus(Sum(n))
}

// sumOf4 sums four bytes.
func sumOf4(b []byte) Sum {
	return Sum(binary.BigEndian.Uint16(b)).Plus(Sum(binary.BigEndian.Uint16(b[2:])))
}

// UpdateChecksum returns the checksum c after a 16-bit word under it, at an
// even offset, changed from old to new (RFC 1624, Equation 3).
//
// Unlike the older equation of RFC 1141 it never turns a right checksum into
// the wrong one of the two zeros.
func UpdateChecksum(c, old, new uint16) uint16 {
	return Sum(^c).Plus(Sum(^old)).Plus(Sum(new)).Checksum()
}

// UpdateChecksumBytes is UpdateChecksum for a run of bytes, such as an address,
// which begins at an even offset. Both must have the same, even length.
func UpdateChecksumBytes(c uint16, old, new []byte) uint16 {
	return Sum(^c).Plus(^Sum(0).Add(old)).Add(new).Checksum()
}

// copyPiece is how much CopySum copies before it sums: few enough bytes to be
// still in the first-level cache, so that memory is passed over once.
const copyPiece = 8 << 10

// CopySum copies src to dst, which must not be shorter, and returns the sum of
// what it copied. They must not overlap.
func CopySum(dst, src []byte) Sum {
	// Copying with wide registers and summing what is then in the cache is
	// faster than one loop of 64-bit loads, stores and adds.
	dst = dst[:len(src)]
	var s Sum
	for len(src) > copyPiece {
		copy(dst, src[:copyPiece])
		s = s.Add(dst[:copyPiece])
		src, dst = src[copyPiece:], dst[copyPiece:]
	}
	copy(dst, src)
	return s.Add(dst)
}

// fold adds the 16-bit words of s to each other.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s + s>>16)
}

// sum returns the ones' complement sum of b as little-endian 64-bit words, with
// zeros after its end. Two chains of additions with carry, each of which the
// compiler keeps in the carry flag, can go on side by side in the processor.
func sum(b []byte) uint64 {
	var s, t, c uint64
	for len(b) >= 128 {
		x := (*[128]byte)(b)
		s = sum64(s, (*[64]byte)(x[:64]))
		t = sum64(t, (*[64]byte)(x[64:]))
		b = b[128:]
	}
	s, c = bits.Add64(s, t, 0)
	return sumTail(s+c, b)
}

func sum64(s uint64, x *[64]byte) uint64 {
	le := binary.LittleEndian
	s, c := bits.Add64(s, le.Uint64(x[0:]), 0)
	s, c = bits.Add64(s, le.Uint64(x[8:]), c)
	s, c = bits.Add64(s, le.Uint64(x[16:]), c)
	s, c = bits.Add64(s, le.Uint64(x[24:]), c)
	s, c = bits.Add64(s, le.Uint64(x[32:]), c)
	s, c = bits.Add64(s, le.Uint64(x[40:]), c)
	s, c = bits.Add64(s, le.Uint64(x[48:]), c)
	s, c = bits.Add64(s, le.Uint64(x[56:]), c)
	return s + c // s is not all ones after a carry, so this does not overflow
}

// sumTail adds fewer than 128 bytes to s.
func sumTail(s uint64, b []byte) uint64 {
	le := binary.LittleEndian
	var c uint64
	for len(b) >= 16 {
		s, c = bits.Add64(s, le.Uint64(b), 0)
		s, c = bits.Add64(s, le.Uint64(b[8:]), c)
		s += c
		b = b[16:]
	}
	var last uint64 // fewer than 16 bytes
	if len(b) >= 8 {
		s, c = bits.Add64(s, le.Uint64(b), 0)
		s += c
		b = b[8:]
	}
	shift := 0
	if len(b) >= 4 {
		last = uint64(le.Uint32(b))
		b, shift = b[4:], 32
	}
	if len(b) >= 2 {
		last |= uint64(le.Uint16(b)) << shift
		b, shift = b[2:], shift+16
	}
	if len(b) >= 1 {
		last |= uint64(b[0]) << shift
	}
	s, c = bits.Add64(s, last, 0)
	return s + c
}
