// Package siphash is the hash that keeps secrets: SipHash-2-4 (Aumasson and Bernstein,
// 2012) of what identifies a flow. Where packets' numbers must not be guessed, or a stranger
// must not choose what collides, it stands between them and a table.
package siphash

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
)

// A Key is the secret of a hash that strangers can neither compute nor find collisions
// of. It may be used by several goroutines at once.
type Key [2]uint64

// New makes a key.
func New(random *rand.Rand) Key { return Key{random.Uint64(), random.Uint64()} }

// Word returns the hash of a number.
func (k Key) Word(n uint64) uint64 {
	h := k.begin()
	h.add(n)
	return h.sum(8)
}

// Addr returns the hash of an address without zone.
func (k Key) Addr(a netip.Addr) uint64 {
	h := k.begin()
	h.addAddr(a)
	return h.sum(16)
}

// Pair returns the hash of two addresses and what else distinguishes a flow.
func (k Key) Pair(src, dst netip.Addr, more uint64) uint64 {
	h := k.begin()
	h.addAddr(src)
	h.addAddr(dst)
	h.add(more)
	return h.sum(40)
}

// A state is the state of a hash that is being computed.
type state struct{ v0, v1, v2, v3 uint64 }

func (k Key) begin() state {
	return state{
		k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
		k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573,
	}
}

func (h state) round() state {
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
func (h *state) add(m uint64) {
	s := *h
	s.v3 ^= m
	s = s.round().round()
	s.v0 ^= m
	*h = s
}

func (h *state) addAddr(a netip.Addr) {
	b := a.As16()
	h.add(binary.LittleEndian.Uint64(b[:]))
	h.add(binary.LittleEndian.Uint64(b[8:]))
}

// sum ends the hash of n bytes, a multiple of 8.
func (h *state) sum(n uint64) uint64 {
	h.add(n << 56)
	h.v2 ^= 0xff
	s := h.round().round().round().round()
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}
