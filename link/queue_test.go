package link_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"landline/link"
)

// A queue behaves as a list that is bounded.
func TestQueueIsABoundedList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		const frames, bytes = 200, 8000 + 1514
		q := link.NewQueue(frames, bytes, &link.Info{MTU: 1500})
		var want []link.Frame
		size := func() (n int) {
			for i := range want {
				n += want[i].Len()
			}
			return n
		}
		next := uint32(0)
		for range 200 {
			var put []link.Frame
			for range r.IntN(100) {
				put = append(put, testFrame(64+r.IntN(200), next))
				next++
			}
			back := r.IntN(3) == 0
			var n int
			if back {
				n = q.PutBack(put)
			} else {
				n = q.Put(put)
			}
			if n < len(put) && len(want)+n < frames && size()+lenOf(put[:n+1]) <= bytes {
				t.Fatalf("took %d of %d", n, len(put))
			}
			if back {
				want = append(slices.Clone(put[:n]), want...)
			} else {
				want = append(want, put[:n]...)
			}
			if q.Len() != len(want) || len(want) > frames || size() > bytes {
				t.Fatalf("holds %d, want %d", q.Len(), len(want))
			}
			for range r.IntN(3) {
				b := q.Take()
				if b == nil {
					break
				}
				for i := range b.Frames {
					if frameNumber(&b.Frames[i]) != frameNumber(&want[i]) || b.Frames[i].Len() != want[i].Len() {
						t.Fatalf("got %v, want %v", b.Frames[i], want[i])
					}
				}
				want = want[len(b.Frames):]
				q.Recycle(b)
			}
		}
		if n := q.Drop(); n != len(want) || q.Len() != 0 || q.Take() != nil {
			t.Errorf("dropped %d of %d", n, len(want))
		}
	}
}

func lenOf(frames []link.Frame) (n int) {
	for i := range frames {
		n += frames[i].Len()
	}
	return n
}

func TestQueueHasRoomForAFrame(t *testing.T) {
	q := link.NewQueue(0, 0, &link.Info{MTU: 1500})
	f := []link.Frame{testFrame(1514, 1), testFrame(64, 2)}
	f[0].Sum, f[0].SumStart, f[0].SumField = link.SumPartial, 34, 50
	if n := q.Put(f); n != 1 {
		t.Fatalf("took %d", n)
	}
	f[0].Head[20] = 0xff // it was copied
	b := q.Take()
	if got := b.Frames[0]; got.Head[20] == 0xff || got.Sum != link.SumPartial || got.SumStart != 34 || got.SumField != 50 {
		t.Errorf("%+v", got)
	}
}
