package remote

import (
	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/guts"
)

// A hasher is BLAKE3-256. What is long is compressed 16 KiB at once, which takes
// guts two thirds of the time of blake3 where there is AVX-512, and little less
// elsewhere. The tree over such groups is made here, for that library's own makes
// a goroutine for each of its branches. What is short is faster with blake3, which
// computes 8 KiB side by side where guts computes 16 whatever there is.
type hasher struct {
	group  [groupSize]byte // what has come since the last group; never more than the last one
	n      int
	groups uint64 // how many have been compressed
	// roots are those of the trees of groups that are whole: of 1<<i groups where
	// bit i of their number is set.
	roots [64][8]uint32
}

const (
	groupSize = guts.MaxSIMD * guts.ChunkSize
	shortSize = groupSize / 2
)

func newHasher() *hasher { return &hasher{} }

// add takes bytes. A group is compressed when more follows it, because the last
// one belongs to the root.
func (h *hasher) add(p []byte) {
	for len(p) > 0 {
		if h.n == groupSize {
			h.n = 0
			h.push(&h.group)
		}
		if h.n == 0 && len(p) > groupSize {
			h.push((*[groupSize]byte)(p))
			p = p[groupSize:]
			continue
		}
		n := copy(h.group[h.n:], p)
		h.n += n
		p = p[n:]
	}
}

func (h *hasher) push(group *[groupSize]byte) {
	cv := guts.ChainingValue(h.compress(group, groupSize))
	i := 0
	for ; h.groups>>i&1 == 1; i++ {
		cv = guts.ChainingValue(guts.ParentNode(h.roots[i], cv, &guts.IV, 0))
	}
	h.roots[i] = cv
	h.groups++
}

func (h *hasher) compress(group *[groupSize]byte, n int) guts.Node {
	return guts.CompressBuffer(group, n, &guts.IV, h.groups*guts.MaxSIMD, 0)
}

func (h *hasher) reset() { h.n, h.groups = 0, 0 }

// take returns the hash of what was added, and begins anew.
func (h *hasher) take() hash256 {
	defer h.reset()
	if h.groups == 0 && h.n <= shortSize {
		return blake3.Sum256(h.group[:h.n])
	}
	root := h.compress(&h.group, h.n)
	for i := 0; h.groups>>i > 0; i++ {
		if h.groups>>i&1 == 1 {
			root = guts.ParentNode(h.roots[i], guts.ChainingValue(root), &guts.IV, 0)
		}
	}
	root.Flags |= guts.FlagRoot
	sum := guts.WordsToBytes(guts.CompressNode(root))
	return hash256(sum[:32])
}
