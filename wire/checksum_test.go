package wire_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"landline/wire"
)

// naive is RFC 1071, Section 1, word by word.
func naive(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		word := uint32(b[i]) << 8
		if i+1 < len(b) {
			word |= uint32(b[i+1])
		}
		sum += word
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// randomBytes is more often all ones, or zeros, than chance would have it: that
// is where carries go wrong.
func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	kind := r.IntN(4)
	for i := range b {
		switch kind {
		case 0:
			b[i] = 0xff
		case 1: // zeros
		case 2:
			b[i] = byte(-r.IntN(2))
		default:
			b[i] = byte(r.Uint32())
		}
	}
	return b
}

func TestChecksumOfTheRFC(t *testing.T) {
	// RFC 1071, Section 3: the sum is 2ddf0 before folding, ddf2 after it.
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	equal(t, "sum", wire.Sum(0).Add(b), 0xddf2)
	equal(t, "checksum", wire.Checksum(b), ^uint16(0xddf2))
	equal(t, "of nothing", wire.Checksum(nil), 0xffff)
	equal(t, "of an odd byte", wire.Checksum([]byte{0x12}), ^uint16(0x1200))
}

func TestChecksumIsTheNaiveOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 300 {
		for align := range 9 {
			b := randomBytes(r, n+align)[align:]
			equal(t, "checksum", wire.Checksum(b), naive(b))
		}
	}
	for range 40 {
		b := randomBytes(r, r.IntN(70_000))
		b = b[r.IntN(len(b)+1):]
		equal(t, "checksum", wire.Checksum(b), naive(b))
	}
}

func TestCopySumCopiesAndSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	for range 100 {
		n := r.IntN(3 * 8192)
		src, dst := randomBytes(r, n), bytes.Repeat([]byte{0xee}, n+5)
		equal(t, "sum", wire.CopySum(dst, src).Checksum(), naive(src))
		equalBytes(t, "copy", dst[:n], src)
		equalBytes(t, "what lies behind it", dst[n:], []byte{0xee, 0xee, 0xee, 0xee, 0xee})
	}
}

func TestSumsOfPiecesMakeTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for range 2000 {
		b := randomBytes(r, r.IntN(300))
		i := r.IntN(len(b) + 1)
		j := i + r.IntN(len(b)-i+1)
		s := wire.Sum(0).Add(b[:i])
		s = s.PlusAt(wire.Sum(0).Add(b[j:]), j) // in any order
		s = s.PlusAt(wire.Sum(0).Add(b[i:j]), i)
		if s.Checksum() != naive(b) {
			t.Fatalf("%x cut at %d and %d: got %04x, want %04x", b, i, j, s.Checksum(), naive(b))
		}
	}
}

func TestUpdateOfTheRFC(t *testing.T) {
	// RFC 1624, Section 4: the older equation gives ffff here.
	equal(t, "checksum", wire.UpdateChecksum(0xdd2f, 0x5555, 0x3285), 0x0000)
}

// The header must not be all zeros, as no header is: its checksum has two
// forms.
func TestUpdateIsTheChecksumOfTheChangedHeader(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for range 20_000 {
		b := append([]byte{0x45}, randomBytes(r, 19)...)
		c := naive(b)
		at, n := 2*(1+r.IntN(4)), 2*r.IntN(6)
		before := bytes.Clone(b[at : at+n])
		copy(b[at:], randomBytes(r, n))
		if got := wire.UpdateChecksumBytes(c, before, b[at:at+n]); got != naive(b) {
			t.Fatalf("%x to %x in %x: got %04x, want %04x", before, b[at:at+n], b, got, naive(b))
		}
		if n != 2 {
			continue
		}
		old, now := uint16(before[0])<<8|uint16(before[1]), uint16(b[at])<<8|uint16(b[at+1])
		equal(t, "one word", wire.UpdateChecksum(c, old, now), naive(b))
	}
}

func TestPseudoHeaders(t *testing.T) {
	four := packet(
		field{"0a 00 00 01", "source (RFC 9293, Section 3.1)"},
		field{"0a 00 00 02", "destination"},
		field{"00 06", "zero, protocol"},
		field{"05 b4", "length"},
	)
	equal(t, "IPv4", wire.PseudoSum(ip1, ip2, wire.ProtoTCP, 1460).Checksum(), naive(four))
	six := packet(
		field{"2001 0db8 0000 0000 0000 0000 0000 0001", "source (RFC 8200, Section 8.1)"},
		field{"2001 0db8 0000 0000 0000 0000 0000 0002", "destination"},
		field{"00 01 00 02", "length, of more than 16 bits"},
		field{"00 00 00 11", "zero, next header"},
	)
	equal(t, "IPv6", wire.PseudoSum(gl1, gl2, wire.ProtoUDP, 65538).Checksum(), naive(six))
}
