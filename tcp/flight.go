package tcp

import (
	"slices"

	"landline/wire"
)

// A flight is all numbers from snd.una to snd.nxt, as runs: what was sent when, and
// what became of it. It is the scoreboard of RFC 6675 and the segment list of RFC
// 8985. Numbers that were sent at the same time and met with the same fate are one
// run, however many segments they were, so that a window of megabytes in which
// nothing is lost is a handful of runs.
type flight struct {
	all  []run
	head uint32   // the runs before it are gone
	hint wire.Seq // no run that is due lies before it, if any is due

	// How many bytes are in runs with that fate. due are those that are lost and not
	// resent.
	sacked, lost, resent, due uint32
}

// A run is neighboring numbers with the same fate.
type run struct {
	start, end wire.Seq
	sent       instant // when they were last sent
	fate       fate
}

type fate uint8

const (
	sacked fate = 1 << iota // has arrived, as a SACK says
	lost                    // is taken for lost
	resent                  // was sent again, and that is on its way
	twice                   // has been sent more than once, ever
)

// maxRuns is how many runs there may be: a receiver that reports every other byte, or a
// user who writes single ones, would have a run for each. Beyond it, SACKs that would
// cut a run are not heard, and what is sent joins the last.
const maxRuns = 8192

func (r *run) len() int        { return r.end.Since(r.start) }
func (r *run) has(f fate) bool { return r.fate&f != 0 }

// isDue reports whether r is to be sent again.
func (r *run) isDue() bool { return r.fate&(lost|resent) == lost }

// sentBefore is RACK_sent_after of RFC 8985, Section 6.2, the other way round.
func (r *run) sentBefore(at instant, end wire.Seq) bool {
	return r.sent < at || r.sent == at && r.end.Before(end)
}

// runs returns the live runs.
func (f *flight) runs() []run { return f.all[f.head:] }

func (f *flight) empty() bool { return int(f.head) == len(f.all) }

// add appends what was just sent for the first time.
func (f *flight) add(start, end wire.Seq, now instant) {
	if n := len(f.all); !f.empty() && f.all[n-1].fate == 0 &&
		(f.all[n-1].sent == now || n-int(f.head) >= maxRuns) {
		f.all[n-1].end, f.all[n-1].sent = end, now
		return
	}
	if len(f.all) == cap(f.all) && f.head > 0 {
		f.all = f.all[:copy(f.all, f.runs())]
		f.head = 0
	}
	f.all = append(f.all, run{start, end, now, 0})
}

// tally adds r to the sums, or with sign -1 takes it out of them.
func (f *flight) tally(r *run, sign int) {
	if r.fate == 0 {
		return
	}
	n := uint32(sign * r.len())
	if r.has(sacked) {
		f.sacked += n
	}
	if r.has(lost) {
		f.lost += n
	}
	if r.has(resent) {
		f.resent += n
	}
	if r.isDue() {
		if sign > 0 && (f.due == 0 || r.start.Before(f.hint)) {
			f.hint = r.start
		}
		f.due += n
	}
}

// decide gives r another fate.
func (f *flight) decide(r *run, now fate) {
	f.tally(r, -1)
	r.fate = now
	f.tally(r, 1)
}

// A delivery is what an acknowledgment says has arrived that was not known to have.
type delivery struct {
	acked  int // how far snd.una moved
	bytes  int // how much arrived, by a SACK or without
	sacked int // of these, by a SACK

	// Of what arrived, that which was sent last: RACK.xmit_ts and RACK.end_seq.
	sent  instant
	end   wire.Seq
	twice bool // it had been sent before

	// Of what arrived and was never sent again, that which was sent last; 0 if there is
	// none. Karn's rule lets it alone be timed (RFC 6298, Section 3).
	once instant
	// The lowest number that arrived and had not been sent again.
	lowest wire.Seq
}

// note takes notice of r, or a part of it, as arrived.
func (d *delivery) note(r *run, start, end wire.Seq) {
	d.bytes += end.Since(start)
	if !r.has(twice) {
		if d.once == 0 || start.Before(d.lowest) {
			d.lowest = start
		}
		d.once = max(d.once, r.sent)
	}
	if d.sent < r.sent || d.sent == r.sent && d.end.Before(end) {
		d.sent, d.end, d.twice = r.sent, end, r.has(twice)
	}
}

// ack drops everything before una.
func (f *flight) ack(una wire.Seq, d *delivery) {
	for !f.empty() {
		r := &f.all[f.head]
		if !r.start.Before(una) {
			return
		}
		end := r.end
		if una.Before(end) {
			end = una
		}
		if !r.has(sacked) {
			d.note(r, r.start, end)
		}
		d.acked += end.Since(r.start)
		f.tally(r, -1)
		r.start = end
		f.tally(r, 1)
		if r.len() == 0 {
			f.head++
		}
	}
	f.all, f.head = f.all[:0], 0
}

// sack marks the numbers from start to end, which lie in the flight, as arrived.
func (f *flight) sack(start, end wire.Seq, d *delivery) {
	i := f.find(start)
	for ; i < len(f.all) && f.all[i].start.Before(end); i++ {
		if f.all[i].has(sacked) {
			continue
		}
		i = f.cut(i, start, end)
		r := &f.all[i]
		if r.start.Before(start) || end.Before(r.end) {
			continue // too many runs to cut it
		}
		d.note(r, r.start, r.end)
		d.sacked += r.len()
		f.decide(r, sacked)
		i = f.join(i)
	}
}

// cut makes the part of run i that is within start and end a run of its own, if it
// is not and the runs are not too many, and returns the index of it.
func (f *flight) cut(i int, start, end wire.Seq) int {
	if len(f.all)-int(f.head)+2 > maxRuns {
		return i
	}
	if end.Before(f.all[i].end) {
		f.split(i, end)
	}
	if f.all[i].start.Before(start) {
		f.split(i, start)
		i++
	}
	return i
}

// split cuts run i in two. The sums stay as they are.
func (f *flight) split(i int, at wire.Seq) {
	r := f.all[i]
	r.start = at
	f.all[i].end = at
	f.all = slices.Insert(f.all, i+1, r)
}

// join makes one run of run i and its neighbors where nothing tells them apart any
// more, and returns the index of it.
func (f *flight) join(i int) int {
	if i+1 < len(f.all) && alike(&f.all[i], &f.all[i+1]) {
		f.all[i].absorb(&f.all[i+1])
		f.all = slices.Delete(f.all, i+1, i+2)
	}
	if i > int(f.head) && alike(&f.all[i-1], &f.all[i]) {
		f.all[i-1].absorb(&f.all[i])
		f.all = slices.Delete(f.all, i, i+1)
		i--
	}
	return i
}

// alike reports whether two runs have the same fate, and were sent together unless
// that does not matter any more.
func alike(a, b *run) bool {
	switch {
	case a.has(sacked), b.has(sacked):
		return a.has(sacked) && b.has(sacked)
	case a.isDue(), b.isDue():
		return a.isDue() && b.isDue()
	}
	return a.fate == b.fate && a.sent == b.sent
}

// absorb makes the run behind a one with it. If either was sent twice, so was the whole.
func (a *run) absorb(b *run) {
	a.end = b.end
	a.fate |= b.fate
}

// find returns the index of the run that n lies in, or would if the flight
// went so far.
func (f *flight) find(n wire.Seq) int {
	lo, hi := int(f.head), len(f.all)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); n.Before(f.all[mid].end) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// lose takes run i for lost, and what was sent of it again for lost too.
func (f *flight) lose(i int) { f.decide(&f.all[i], f.all[i].fate&^resent|lost) }

// loseAll takes everything for lost that is not known to have arrived.
func (f *flight) loseAll() {
	kept := f.all[:f.head]
	for _, r := range f.runs() {
		if !r.has(sacked) {
			f.decide(&r, r.fate&^resent|lost)
		}
		if n := len(kept) - 1; n >= int(f.head) && alike(&kept[n], &r) {
			kept[n].absorb(&r)
		} else {
			kept = append(kept, r)
		}
	}
	f.all = kept
}

// loseFirst takes the first n bytes for lost, unless they were sent again, or have arrived.
func (f *flight) loseFirst(n int) {
	if f.empty() || f.all[f.head].fate&(lost|resent|sacked) != 0 {
		return
	}
	if f.all[f.head].len() > n {
		f.split(int(f.head), f.all[f.head].start.Add(n))
	}
	f.lose(int(f.head))
}

// renege forgets all that SACKs have said.
func (f *flight) renege() {
	for i := int(f.head); i < len(f.all); i++ {
		if f.all[i].has(sacked) {
			f.decide(&f.all[i], twice)
		}
	}
}

// forgive takes nothing for lost any more.
func (f *flight) forgive() {
	for i := int(f.head); i < len(f.all); i++ {
		if f.all[i].has(lost) {
			f.decide(&f.all[i], f.all[i].fate&^lost)
		}
	}
}

// nextDue returns the index of the first run that is to be sent again, or -1.
func (f *flight) nextDue() int {
	if f.due == 0 {
		return -1
	}
	i := f.find(f.hint)
	for !f.all[i].isDue() {
		i++
	}
	f.hint = f.all[i].start
	return i
}

// send notes that the first n bytes of run i were sent again.
func (f *flight) send(i, n int, now instant) {
	if n < f.all[i].len() {
		f.split(i, f.all[i].start.Add(n))
	}
	f.tally(&f.all[i], -1)
	f.all[i].fate |= resent | twice
	f.all[i].sent = now
	f.tally(&f.all[i], 1)
	f.join(i)
}

// highestSACKed returns the end of the last run that a SACK says has arrived.
func (f *flight) highestSACKed() (wire.Seq, bool) {
	for i := len(f.all) - 1; i >= int(f.head) && f.sacked > 0; i-- {
		if f.all[i].has(sacked) {
			return f.all[i].end, true
		}
	}
	return wire.Seq{}, false
}
