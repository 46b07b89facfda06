package lantest

import (
	"landline/link"
	"landline/wire"
)

// Cuts say who is cut off from whom: each has those who are on one side of it.
type cuts []map[wire.MAC]bool

// part reports whether two machines are on different sides of a cut.
func (c cuts) part(a, b wire.MAC) bool {
	for _, side := range c {
		if side[a] != side[b] {
			return true
		}
	}
	return false
}

// Partition cuts the machines of these names off from all others, those too that are made later. They still reach each
// other. What is under way to a machine still arrives; frames that come later do not, and nobody is told. Partitions
// add up, until Heal.
func (l *LAN) Partition(names ...string) {
	l.t.Helper()
	side := map[wire.MAC]bool{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		h := l.hostLocked(name)
		if h == nil {
			l.t.Fatalf("lantest: partition of %q: there is no such machine", name)
		}
		side[h.mac] = true
	}
	l.cuts = append(l.cuts[:len(l.cuts):len(l.cuts)], side)
}

// Heal ends all partitions.
func (l *LAN) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cuts = nil
}

func (l *LAN) cutsNow() cuts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cuts
}

// A tap is the place of a machine at the switch, where frames are noted as they come from the machine, and do not
// go to it past a cut.
type tap struct {
	link.Device
	lan  *LAN
	face int
}

func (p *tap) Write(frames []link.Frame) (int, error) {
	p.lan.passed.note(p.face, frames, p.lan.cutsNow())
	return p.Device.Write(frames)
}

func (p *tap) Attach(h link.Handler) {
	mine, receive := p.Info().MAC, h.Receive
	h.Receive = func(frames []link.Frame) {
		cuts := p.lan.cutsNow()
		first := 0 // of those that have not been received, and are to be
		for i := range frames {
			if cuts.part(mine, macAt(&frames[i], 6)) {
				if first < i {
					receive(frames[first:i])
				}
				first = i + 1
			}
		}
		if first < len(frames) {
			receive(frames[first:])
		}
	}
	p.Device.Attach(h)
}

// macAt returns the hardware address at a place of a frame: whom it is for, at 0, or who sends it, at 6.
func macAt(f *link.Frame, at int) (m wire.MAC) {
	copy(m[:], f.Head[at:])
	return m
}
