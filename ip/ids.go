package ip

import (
	"math/rand/v2"
	"net/netip"

	"landline/internal/siphash"
	"landline/wire"
)

// identifications gives packets that may be cut the number that their fragments share. The
// numbers of a source, destination and protocol come in an order that nobody can
// predict (RFC 7739), and none comes again before all others have come, as long as
// the flow has its counter for itself (RFC 6864, Section 4.3).
//
// A number is a counter behind a secret permutation of the flow's own. Flows share a
// fixed number of counters by a secret hash, so memory does not grow; the permutation
// also hides from whoever sees his own numbers how many others have been given.
//
// Beyond 65,536 packets in 30 s IPv4 has not enough numbers: then packets should not be cut.
type identifications struct {
	key      siphash.Key
	counters [idCounters]uint32
}

const idCounters = 512

// newIdentifications returns one whose counters begin anywhere. It draws from random only now.
func newIdentifications(random *rand.Rand) *identifications {
	s := &identifications{key: siphash.New(random)}
	for i := range s.counters {
		s.counters[i] = random.Uint32()
	}
	return s
}

// next4 returns the identification of the next IPv4 packet that is not to be kept whole.
func (s *identifications) next4(src, dst netip.Addr, p wire.Protocol) uint16 {
	n, secret := s.count(src, dst, p)
	return uint16(s.permute(n&0xffff, 8, secret))
}

// next6 returns the identification of the next IPv6 packet that is to be cut. All protocols share
// them (RFC 8200, Section 4.5).
func (s *identifications) next6(src, dst netip.Addr) uint32 {
	n, secret := s.count(src, dst, 0)
	return s.permute(n, 16, secret)
}

// count returns the next number of a flow's counter, and the flow's secret.
func (s *identifications) count(src, dst netip.Addr, p wire.Protocol) (n uint32, secret uint64) {
	h := s.key.Pair(src, dst, uint64(p))
	c := &s.counters[h%idCounters]
	*c++
	return *c, h
}

// permute returns what a permutation of the numbers of 2·half bits makes of n: a Feistel
// network of four rounds. Each flow, which secret is the hash of, has its own.
func (s *identifications) permute(n uint32, half uint, secret uint64) uint32 {
	mask := uint32(1)<<half - 1
	left, right := n>>half&mask, n&mask
	for round := range uint64(4) {
		f := uint32(s.key.Word(secret ^ (round<<32 | uint64(right))))
		left, right = right, left^f&mask
	}
	return left<<half | right
}
