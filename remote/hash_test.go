package remote

import (
	"testing"

	"github.com/zeebo/blake3"
)

// pattern is what the test vectors of BLAKE3 are made of: the bytes 0 to 250, again and again.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

func TestHashIsBLAKE3(t *testing.T) {
	for n, want := range map[int]string{
		0:               "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
		1:               "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
		1024:            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
		1025:            "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
		102400:          "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
		segmentSize:     "1adedad9735f565ac6e22dab203db63b960c27098f2c0f0fda9adf9238d4c0c9",
		segmentSize + 1: "249ef5d5043bde86396029c96497c8ac6c0e7f2f5ef97b7f9afabdf23167b7fb",
	} {
		h := newHasher()
		h.add(pattern(n))
		if got := h.take().hex(); got != want {
			t.Errorf("of %d bytes it is %s, not %s", n, got, want)
		}
	}
}

func TestHashIsTheSameHoweverTheBytesCome(t *testing.T) {
	h := newHasher()
	for _, n := range []int{0, 1, shortSize, shortSize + 1, groupSize - 1, groupSize, groupSize + 1, 3*groupSize + 1025, 7 * groupSize, 16*groupSize + 1} {
		all := pattern(n)
		want := hash256(blake3.Sum256(all))
		for _, piece := range []int{1, 1000, groupSize - 1, groupSize, groupSize + 1, 2*groupSize + 5, n + 1} {
			h.add([]byte("what is given up"))
			h.reset()
			for rest := all; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
				h.add(rest[:min(piece, len(rest))])
			}
			if got := h.take(); got != want {
				t.Errorf("of %d bytes in pieces of %d it is %s, not %s", n, piece, got.hex(), want.hex())
			}
		}
	}
}
