// Package ladder draws what passes between machines on a network, a line a step, for people who want to see how a network
// works: who sends, who gets it, and what the header of each layer says.
//
//	l := ladder.New(ladder.Machine{Name: "desk", MAC: desk}, ladder.Machine{Name: "shed", MAC: shed})
//	l.Note("a connection is opened")
//	l.Frame(time.Now(), frame)
//	err := l.Draw(os.Stdout, 0)
//
// The machines are the ladder's rails, in the order in which they were named:
//
//	 ms desk  shed  link       network and transport           what it says
//	      │     │   a connection is opened
//	0.0   ├────▶│   :02 > :03  10.0.0.2:700 > 10.0.0.3:80      SYN seq 0 mss 1460
//	0.1   ├════▶│   :02 > :03  10.0.0.2:700 > 10.0.0.3:80      9 segments, 12,000 B
//
// Each frame is to be told once, by whoever sends or carries it. TCP's numbers count from the beginning of
// the connection, and what is between its opening and its end is one line for each direction, until the next Note. What
// is not known here is described as package wire does it.
package ladder

import (
	"net/netip"
	"sync"
	"time"

	"landline/link"
	"landline/wire"
)

// A Machine is a rail of the ladder.
type Machine struct {
	Name string
	MAC  wire.MAC
}

// A Step is a line of the ladder: a frame, several TCP segments of a connection that go the same way, or a note.
type Step struct {
	Note string `json:"note,omitempty"` // if not empty, it is all there is

	At       time.Duration  `json:"at_ns"`          // since the first frame
	From     string         `json:"from,omitempty"` // a machine, or a hardware address that is no machine's
	To       string         `json:"to,omitempty"`   // as From, or "all"
	SrcMAC   wire.MAC       `json:"src_mac,omitzero"`
	DstMAC   wire.MAC       `json:"dst_mac,omitzero"`
	Src      netip.AddrPort `json:"src,omitzero"` // the port is 0 if there is none
	Dst      netip.AddrPort `json:"dst,omitzero"`
	Text     string         `json:"text,omitempty"` // what it says
	Segments int            `json:"segments,omitempty"`
	Bytes    int64          `json:"bytes,omitempty"` // that TCP carries

	several bool // it stands for as many segments as there are
}

// All is whom a broadcast is for.
const All = "all"

// A Ladder is told of frames and notes, and draws them. It may be used by several goroutines at once.
type Ladder struct {
	machines []Machine

	mu      sync.Mutex
	start   time.Time
	steps   []*Step
	flows   map[flowKey]*flow
	notes   int
	addrs   map[wire.MAC][]netip.Addr // that machines have been seen to have
	scratch []byte
}

// New returns a ladder with these rails.
func New(machines ...Machine) *Ladder {
	return &Ladder{machines: machines, flows: map[flowKey]*flow{}, addrs: map[wire.MAC][]netip.Addr{}}
}

// Note says what is going to happen.
func (l *Ladder) Note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes++
	l.steps = append(l.steps, &Step{Note: text, At: l.sinceLocked(time.Now())})
}

// sinceLocked returns how long after the first frame a time is.
func (l *Ladder) sinceLocked(at time.Time) time.Duration {
	if l.start.IsZero() {
		return 0
	}
	return at.Sub(l.start)
}

// Steps returns what there is so far.
func (l *Ladder) Steps() (all []Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.steps {
		all = append(all, *s)
		all[len(all)-1].finish()
	}
	return all
}

// Frame tells of a frame that was sent. It does not keep it.
func (l *Ladder) Frame(at time.Time, f *link.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start.IsZero() {
		l.start = at
	}
	l.scratch = f.AppendTo(l.scratch[:0])
	e, err := wire.ParseEthernet(l.scratch)
	if err != nil {
		l.steps = append(l.steps, &Step{At: l.sinceLocked(at), Text: "bad " + err.Error()})
		return
	}
	s := Step{At: l.sinceLocked(at), SrcMAC: e.Src(), DstMAC: e.Dst(), From: l.name(e.Src()), To: l.name(e.Dst())}
	l.readLocked(s, e, int(f.SegSize))
}

// name returns what a hardware address is called.
func (l *Ladder) name(m wire.MAC) string {
	for _, machine := range l.machines {
		if machine.MAC == m {
			return machine.Name
		}
	}
	if m == wire.Broadcast {
		return All
	}
	return m.String()
}

// seenLocked notes that a machine has an address.
func (l *Ladder) seenLocked(m wire.MAC, a netip.Addr) {
	if !a.IsValid() || a.IsUnspecified() {
		return
	}
	for _, known := range l.addrs[m] {
		if known == a {
			return
		}
	}
	l.addrs[m] = append(l.addrs[m], a)
}
