package ring_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"landline/internal/ring"
)

func TestZeroRingHoldsNothing(t *testing.T) {
	var r ring.Ring
	if r.Len() != 0 || r.Cap() != 0 || r.Write([]byte("x")) != 0 || r.Read(make([]byte, 1)) != 0 || r.Contiguous(0) != 0 {
		t.Error("an empty ring took or gave a byte")
	}
	if a, b := r.Peek(0, 0); a != nil || b != nil {
		t.Error("there is something in an empty ring")
	}
	r.Rewind()
	r.Discard(0)
}

func TestSizesArePowersOfTwo(t *testing.T) {
	for size, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 1000: 1024, 1 << 16: 1 << 16} {
		var r ring.Ring
		r.Resize(size, 0)
		if r.Cap() != want {
			t.Errorf("asked for %d: %d, want %d", size, r.Cap(), want)
		}
	}
}

// What arrives early is put where it belongs, and kept when the ring grows.
func TestBytesWrittenAheadJoin(t *testing.T) {
	var r ring.Ring
	r.Resize(8, 0)
	r.Write([]byte("......"))
	r.Discard(6)
	r.Write([]byte("a"))
	r.WriteAt([]byte("cde"), 2) // over the end of the memory
	r.Resize(16, 5)
	r.WriteAt([]byte("b"), 1)
	if r.Len() != 1 {
		t.Fatalf("%d held before they joined, want 1", r.Len())
	}
	r.Extend(4)
	if got := held(&r); got != "abcde" {
		t.Errorf("got %q, want abcde", got)
	}
}

func TestPeekedBytesOutliveResize(t *testing.T) {
	var r ring.Ring
	r.Resize(4, 0)
	r.Write([]byte("abcd"))
	a, _ := r.Peek(0, 4)
	r.Resize(64, 4)
	r.Discard(4)
	r.Write([]byte("efgh"))
	if string(a) != "abcd" {
		t.Errorf("peeked bytes became %q", a)
	}
}

func TestRewindGoesToTheStart(t *testing.T) {
	var r ring.Ring
	r.Resize(8, 0)
	r.Write([]byte("abcde"))
	r.Discard(4)
	r.Rewind() // holds a byte: nothing happens
	if got := held(&r); got != "e" {
		t.Errorf("got %q, want e", got)
	}
	r.Discard(1)
	r.Rewind()
	r.Write([]byte("01234567"))
	if r.Contiguous(0) != 8 {
		t.Errorf("%d bytes in one piece, want all 8", r.Contiguous(0))
	}
}

func TestRingRefusesWhatIsNotThere(t *testing.T) {
	for what, do := range map[string]func(r *ring.Ring){
		"peek beyond":          func(r *ring.Ring) { r.Peek(1, 4) },
		"peek before":          func(r *ring.Ring) { r.Peek(-1, 1) },
		"discard too much":     func(r *ring.Ring) { r.Discard(5) },
		"write beyond":         func(r *ring.Ring) { r.WriteAt([]byte("ab"), 7) },
		"extend beyond":        func(r *ring.Ring) { r.Extend(5) },
		"shrink below content": func(r *ring.Ring) { r.Resize(2, 4) },
		"forget content":       func(r *ring.Ring) { r.Resize(8, 2) },
		"grow for ever":        func(r *ring.Ring) { r.Resize(ring.MaxSize+1, 4) },
	} {
		var r ring.Ring
		r.Resize(8, 0)
		r.Write([]byte("abcd"))
		if !panics(func() { do(&r) }) {
			t.Errorf("%s: nothing happened", what)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// held returns what r holds, piece by piece.
func held(r *ring.Ring) string {
	a, b := r.Peek(0, r.Len())
	if len(a) != r.Contiguous(0) {
		panic("Contiguous and Peek do not agree")
	}
	return string(a) + string(b)
}

// A ring is a queue: what a slice would hold, it holds, whatever is done.
func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 9, 1, 200, 2, 100, 3, 50, 4, 7, 5, 3, 1, 90})
	f.Add([]byte{0, 16, 1, 12, 3, 9, 6, 200, 6, 200, 2, 200})
	f.Fuzz(func(t *testing.T, script []byte) {
		var r ring.Ring
		var want []byte
		rnd := rand.New(rand.NewPCG(1, 2))
		for ; len(script) >= 2; script = script[2:] {
			want = step(t, &r, want, script[0], int(script[1]), rnd)
			if got := held(&r); got != string(want) {
				t.Fatalf("after %d %d: got %q, want %q", script[0], script[1], got, want)
			}
		}
	})
}

func step(t *testing.T, r *ring.Ring, want []byte, what byte, n int, rnd *rand.Rand) []byte {
	switch what % 7 {
	case 0:
		r.Resize(max(n, r.Len()), r.Len())
	case 1:
		p := random(rnd, n)
		return append(want, p[:r.Write(p)]...)
	case 2:
		p := make([]byte, n)
		k := r.Read(p)
		if !bytes.Equal(p[:k], want[:k]) {
			t.Fatalf("read %q, want %q", p[:k], want[:k])
		}
		return want[k:]
	case 3:
		k := min(n, r.Len())
		r.Discard(k)
		return want[k:]
	case 4:
		p := random(rnd, min(n, r.Cap()-r.Len()))
		half := len(p) / 2
		r.WriteAt(p[half:], r.Len()+half)
		r.WriteAt(p[:half], r.Len())
		r.Extend(len(p))
		return append(want, p...)
	case 5:
		r.Rewind()
	case 6:
		room := r.Room(n)
		if len(room) > n || len(room) == 0 && n > 0 && r.Len() < r.Cap() {
			t.Fatalf("room for %d of %d, and %d of %d held", len(room), n, r.Len(), r.Cap())
		}
		p := random(rnd, len(room))
		copy(room, p)
		r.Extend(len(p))
		return append(want, p...)
	}
	return want
}

func random(rnd *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rnd.Uint32())
	}
	return p
}

func TestRingAllocatesOnlyMemoryThatWasAskedFor(t *testing.T) {
	var r ring.Ring
	r.Resize(4096, 0)
	p := make([]byte, 1500)
	if n := testing.AllocsPerRun(100, func() { r.Write(p); r.Peek(0, 9); r.Read(p); r.Rewind() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWriteRead(b *testing.B) {
	var r ring.Ring
	r.Resize(1<<16, 0)
	p := make([]byte, 1460)
	b.SetBytes(1460)
	b.ReportAllocs()
	for b.Loop() {
		r.Write(p)
		r.Read(p)
	}
}
