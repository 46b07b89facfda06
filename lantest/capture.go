package lantest

import (
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"landline/internal/ladder"
	"landline/link"
)

// maxPassed is how many bytes of frames are remembered, at least. Twice as many may be.
const maxPassed = 4 << 20

// Frames are what passed on the LAN of late: each frame once, as it came to the switch.
type frames struct {
	mu    sync.Mutex
	faces []link.Info
	old   []frame // before recent
	now   []frame
	bytes int // in now
}

type frame struct {
	at   time.Time
	face int // of the machine that sent it
	link.Frame
	comment string
}

// face adds a machine.
func (p *frames) face(i link.Info) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faces = append(p.faces, i)
	return len(p.faces) - 1
}

// note remembers frames that a machine sends, and which of them go nowhere.
func (p *frames) note(face int, sent []link.Frame, cuts cuts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := time.Now()
	for i := range sent {
		f := frame{at: at, face: face, Frame: sent[i]}
		f.Head, f.Body = sent[i].AppendTo(nil), nil
		if to := macAt(&f.Frame, 0); !to.IsGroup() && cuts.part(macAt(&f.Frame, 6), to) {
			f.comment = "does not arrive: partition"
		}
		p.now = append(p.now, f)
		if p.bytes += len(f.Head); p.bytes > maxPassed {
			p.old, p.now, p.bytes = p.now, nil, 0
		}
	}
}

// write writes what is remembered.
func (p *frames) write(f *os.File) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := link.NewPcapNG(f, link.PcapConfig{})
	for _, i := range p.faces {
		c.Interface(i)
	}
	for _, all := range [][]frame{p.old, p.now} {
		for i := range all {
			c.Frame(all[i].face, link.Outbound, all[i].at, &all[i].Frame, all[i].comment)
		}
		c.Flush()
	}
	return c.Close()
}

// maxShown is how many of the last steps the log of a failed test has.
const maxShown = 40

// show draws the last of what is remembered.
func (p *frames) show() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var machines []ladder.Machine
	for _, i := range p.faces {
		machines = append(machines, ladder.Machine{Name: i.Name, MAC: i.MAC})
	}
	l := ladder.New(machines...)
	for _, all := range [][]frame{p.old, p.now} {
		for i := range all {
			l.Frame(all[i].at, &all[i].Frame)
		}
	}
	var b strings.Builder
	l.Draw(&b, maxShown)
	return b.String()
}

// keep writes what passed to a file, and tells of it.
func (l *LAN) keep() {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, l.t.Name())
	f, err := os.CreateTemp("", name+"-*.pcapng")
	if err == nil {
		err = errors.Join(l.passed.write(f), f.Close())
	}
	if err != nil {
		l.t.Logf("lantest: what passed on the LAN could not be kept: %v", err)
		return
	}
	l.t.Logf("lantest: what passed on the LAN is in %s; the end of it:\n%s", f.Name(), l.passed.show())
}
