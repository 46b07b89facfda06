package link

import "time"

// An Impairment is what a bad wire does to the packets that go one way. The zero
// value is a perfect wire. Shares are from 0 to 1; a value outside the range that is
// documented counts as the nearest one inside.
//
// What happens to a frame comes in the order of the fields: it is lost, or doubled, then
// waits until the wire is free, is sent at the wire's rate, and spends some time under way.
// The words in brackets are what the same is called by tc-netem(8) of Linux.
type Impairment struct {
	// Seed is where chance begins. The same Seed, Impairment and frames at the same times
	// have the same faults. The two directions of an Impaired differ even
	// if their Seeds do not.
	Seed uint64

	// Loss is the share of frames that are lost, each by itself ("loss random"). 1
	// is a wire that has been cut.
	Loss float64
	// Burst adds losses that come in bursts ("loss gemodel").
	Burst Burst
	// Duplicate is the share of frames that are sent twice, one right behind the other
	// ("duplicate").
	Duplicate float64

	// Rate is how many bits of frames the wire sends in a second ("rate"). If zero, any
	// number.
	Rate int64
	// Queue is how many bytes may wait for a wire with a Rate, up to 64 MiB, including what is left
	// of the frame that is being sent. A frame that would make it more is dropped
	// ("limit", there in frames). A wire that is idle takes a frame of any length. If
	// zero, 150,000: a hundred frames of full length. What waits at another Rate since before
	// Set is not counted.
	Queue int

	// Delay is how long a frame is under way, up to 24 hours ("delay").
	Delay time.Duration
	// Jitter makes each delay another one, from Delay-Jitter to Delay+Jitter, all of
	// them as likely, but never below 0 ("delay TIME JITTER").
	Jitter time.Duration
	// Overtake lets a frame that Jitter gave a short delay arrive before those that were
	// sent earlier, as netem does. Otherwise it arrives right behind them, as if all
	// stood in one queue, and the order does not change.
	Overtake bool
	// Reorder is the share of frames that arrive without Delay and Jitter, before those that are
	// under way ("reorder"). So it needs a Delay longer than the gaps between frames.
	Reorder float64

	// Corrupt is the share of packets that arrive with one bit, anywhere in the packet,
	// flipped ("corrupt"). A checksum that was left open is completed before, so that the
	// receiver can notice. A frame that carries something else than IP, such as
	// ARP, has only the check sequence of Ethernet to show the damage, and is lost.
	Corrupt float64
}

// A Burst is the model of Gilbert and Elliott: a wire that is good or bad, and
// may change before each frame. While it is good, only Impairment.Loss loses frames.
type Burst struct {
	// Enter is how likely a good wire becomes bad ("p"). If zero, there are no bursts.
	Enter float64
	// Leave is how likely a bad wire becomes good ("r"): a burst is 1/Leave frames long
	// on average. If zero, it does not end.
	Leave float64
	// Loss is the share of frames that a bad wire loses ("1-h"). If zero, 1.
	Loss float64
}

// ImpairStats counts frames in one direction. Once nothing calls,
// Passed + Lost + Overflow + Discarded + Waiting is what was taken + Duplicated.
type ImpairStats struct {
	Passed     uint64 // handed on, with and without faults
	Lost       uint64 // by Loss and Burst, and by Corrupt if they were not IP
	Duplicated uint64 // sent twice
	Overflow   uint64 // dropped as Queue was full, or the memory for frames under way
	Reordered  uint64 // that were to arrive before one sent earlier
	Corrupted  uint64 // by Corrupt, with those that were lost by it
	Discarded  uint64 // under way at Close, or refused by the device
	Waiting    int    // under way now
}

// An Impaired is a Device around a Device that makes the wire bad. It is made by
// Impair.
//
// Faults hit packets. So it does not take units of several segments, and cuts those that
// arrive. It keeps 64 MiB of frames under way in each direction: Write takes
// no more until there is room, and what arrives then is dropped.
//
// Frames that are neither delayed nor damaged are not copied, and go on in the
// goroutine that brought them. Delayed ones come from a goroutine of a timer, which
// exists only while it is needed.
type Impaired struct {
	dev      Device
	info     Info
	segments Segmenter // of what arrives
	out, in  path
}

// Impair makes the wire behind dev bad: out says how for frames that are written,
// in for those that arrive. It takes dev over: only the Impaired may be used from then on.
func Impair(dev Device, out, in Impairment) *Impaired {
	d := &Impaired{dev: dev, info: dev.Info()}
	d.info.Offloads &^= OffloadTSO
	begun := time.Now()
	d.out.begin(begun, dev.Write, &out, 0)
	d.in.begin(begun, nil, &in, 1)
	d.in.alone = true
	d.segments.Offloads = OffloadChecksum // which damage completes
	return d
}

// Info is that of the device behind, without OffloadTSO.
func (d *Impaired) Info() Info { return d.info }

// Attach makes h the one who hears what arrives. See Device.
func (d *Impaired) Attach(h Handler) {
	d.in.hand = func(frames []Frame) (int, error) {
		h.Receive(frames)
		return len(frames), nil
	}
	d.out.room = h.Room
	d.dev.Attach(Handler{Receive: d.receive, Room: d.out.hasRoom, Down: h.Down})
}

// Write takes frames and does to them what it was told to. It takes all, without their
// having gone on, unless the device is full or too much is under way. See Device.
func (d *Impaired) Write(frames []Frame) (int, error) {
	good, bad := d.info.Check(frames)
	n, err := d.out.take(frames[:good])
	if n == good && err == nil {
		err = bad
	}
	return n, err
}

// Set changes what the wire does from now on. Frames that are under way still arrive
// when they were to, and the order that they were to keep is kept. Chance goes on
// unless the Seed is another.
func (d *Impaired) Set(out, in Impairment) {
	d.out.set(&out)
	d.in.set(&in)
}

// Stats returns what was done to frames that were written, and to those that arrived.
func (d *Impaired) Stats() (out, in ImpairStats) { return d.out.count(), d.in.count() }

// Close discards what is under way and closes the device behind. See Device.
func (d *Impaired) Close() error {
	d.out.end()
	d.in.end()
	err := d.dev.Close()
	d.out.await()
	d.in.await()
	return err
}
