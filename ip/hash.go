package ip

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
)

// A hashKey is the secret of a hash that strangers can neither compute nor
// find collisions of: SipHash-2-4 (Aumasson and Bernstein, 2012).
type hashKey [2]uint64

func newHashKey(random *rand.Rand) hashKey { return hashKey{random.Uint64(), random.Uint64()} }

// word returns the hash of a number.
func (k hashKey) word(n uint64) uint64 {
	h := k.begin()
	h.add(n)
	return h.sum(8)
}

// addr returns the hash of an address without zone.
func (k hashKey) addr(a netip.Addr) uint64 {
	h := k.begin()
	h.addAddr(a)
	return h.sum(16)
}

// pair returns the hash of two addresses and what else distinguishes a flow.
func (k hashKey) pair(src, dst netip.Addr, more uint64) uint64 {
	h := k.begin()
	h.addAddr(src)
	h.addAddr(dst)
	h.add(more)
	return h.sum(40)
}

// A sipHash is the state of a hash that is being computed.
type sipHash struct{ v0, v1, v2, v3 uint64 }

func (k hashKey) begin() sipHash {
	return sipHash{
		k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
		k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573,
	}
}

func (h sipHash) round() sipHash {
	h.v0 += h.v1
	h.v2 += h.v3
	h.v1 = bits.RotateLeft64(h.v1, 13) ^ h.v0
	h.v3 = bits.RotateLeft64(h.v3, 16) ^ h.v2
	h.v0 = bits.RotateLeft64(h.v0, 32) + h.v3
	h.v2 += h.v1
	h.v1 = bits.RotateLeft64(h.v1, 17) ^ h.v2
	h.v3 = bits.RotateLeft64(h.v3, 21) ^ h.v0
	h.v2 = bits.RotateLeft64(h.v2, 32)
	return h
}

// add hashes eight bytes, as the little-endian number that they are.
func (h *sipHash) add(m uint64) {
	s := *h
	s.v3 ^= m
	s = s.round().round()
	s.v0 ^= m
	*h = s
}

func (h *sipHash) addAddr(a netip.Addr) {
	b := a.As16()
	h.add(binary.LittleEndian.Uint64(b[:]))
	h.add(binary.LittleEndian.Uint64(b[8:]))
}

// sum ends the hash of n bytes, a multiple of 8.
func (h *sipHash) sum(n uint64) uint64 {
	h.add(n << 56)
	h.v2 ^= 0xff
	s := h.round().round().round().round()
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}
