package ip

import (
	"testing"
	"testing/synctest"
	"time"
)

// FuzzFrames gives a router two frames, and time. Nothing panics, both are counted, and nothing is kept in the
// end.
func FuzzFrames(f *testing.F) {
	kinds := everyKind()
	for k, frame := range kinds {
		f.Add(frame, kinds[(k+1)%len(kinds)])
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, Config{Forwarding: true}, InterfaceConfig{})
			before := l.i.Stats().Received
			mend(first)
			l.receive(first, second)
			equal(t, "frames received", l.i.Stats().Received-before, 2)
			l.withinBounds(t)
			time.Sleep(time.Hour)
			synctest.Wait()
			equal(t, "fragments kept", len(l.s.fragments.r.packets), 0)
			equal(t, "neighbors kept", len(l.i.Neighbors()), 0)
		})
	})
}
