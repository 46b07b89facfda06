package lan

import (
	"bytes"
	"slices"
	"sync/atomic"

	"landline/wire"
)

// PortStats says what a port did since it was made.
type PortStats struct {
	In, Out           uint64 // frames from the machine at the port, and to it; a unit is one
	InBytes, OutBytes uint64
	Flooded           uint64 // of In, those that went to all other ports
	Queued            uint64 // frames for the machine that were copied, since it was busy
	Waiting           int    // frames in the queue now

	Addresses int    // that are known to be at the port, but for a fixed one
	Moved     uint64 // addresses that came here from another port
	Unlearnt  uint64 // frames from addresses that there was no room for

	Drops DropCounts
}

// counters are what PortStats is a copy of, but for what the outlet and the table count.
type counters struct {
	in, inBytes, flooded, moved, unlearnt atomic.Uint64

	drops [Drops]atomic.Uint64
}

func (c *counters) drop(d Drop, n int) { c.drops[d].Add(uint64(n)) }

// Stats returns what has been counted.
func (p *Port) Stats() PortStats {
	c := &p.counts
	s := PortStats{
		In: c.in.Load(), InBytes: c.inBytes.Load(), Flooded: c.flooded.Load(),
		Moved: c.moved.Load(), Unlearnt: c.unlearnt.Load(),
	}
	for d := range s.Drops {
		s.Drops[d] = c.drops[d].Load()
	}
	p.out.mu.Lock()
	s.Out, s.OutBytes, s.Queued, s.Waiting = p.out.stats.frames, p.out.stats.bytes, p.out.stats.queued, p.out.queue.Len()
	p.out.mu.Unlock()
	t := &p.lan.table
	t.mu.Lock()
	s.Addresses = p.addresses
	t.mu.Unlock()
	return s
}

// A Station is a hardware address that a switch knows, and the port where it is.
type Station struct {
	MAC   wire.MAC
	Port  *Port
	Fixed bool // of a machine in this process, or of one with a lease while GatewayConfig.CheckSources
}

// Stations returns the addresses that the switch knows now, in their order.
func (s *Switch) Stations() []Station {
	all := s.table.stations()
	slices.SortFunc(all, func(a, b Station) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })
	return all
}
