package ladder

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode/utf8"

	"landline/wire"
)

const (
	minGap   = 6 // the least distance of two rails
	minClock = 6 // the least width of the times
)

// Draw writes the ladder, or its last so many steps unless that is 0, in at most 100 columns if there are three machines with
// short names.
func (l *Ladder) Draw(w io.Writer, last int) error {
	steps := l.Steps()
	if last > 0 {
		steps = steps[max(0, len(steps)-last):]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.layoutLocked()
	for i := range steps {
		d.clock = max(d.clock, len(steps[i].clock()))
	}
	for _, m := range l.machines {
		fmt.Fprintf(&d.out, "  %-*s  %s  %s\n", d.longest, m.Name, m.MAC, strings.Trim(fmt.Sprint(l.addrs[m.MAC]), "[]"))
	}
	fmt.Fprintf(&d.out, "  %-*s  %s  255.255.255.255\n\n", d.longest, All, wire.Broadcast)
	d.line("ms", d.names(), "link", "network and transport", "what it says")
	for i := range steps {
		d.step(&steps[i])
	}
	_, err := w.Write(d.out.Bytes())
	return err
}

// A drawing knows where everything stands.
type drawing struct {
	machines []Machine
	longest  int   // of the names
	rails    []int // their columns
	width    int   // of all rails
	clock    int   // of the times
	out      bytes.Buffer
}

func (l *Ladder) layoutLocked() *drawing {
	d := &drawing{machines: l.machines, longest: len(All), clock: minClock}
	for i, m := range l.machines {
		n := utf8.RuneCountInString(m.Name)
		d.longest = max(d.longest, n)
		at := n / 2
		if i > 0 {
			at = d.rails[i-1] + max(minGap, d.width-d.rails[i-1]+1+n/2)
		}
		d.rails = append(d.rails, at)
		d.width = at + (n+1)/2
	}
	return d
}

// names returns the line above the rails.
func (d *drawing) names() string {
	var b strings.Builder
	for i, m := range d.machines {
		at := d.rails[i] - utf8.RuneCountInString(m.Name)/2
		fmt.Fprintf(&b, "%*s%s", at-utf8.RuneCountInString(b.String()), "", m.Name)
	}
	return b.String()
}

const (
	columns    = 100
	endColumns = 30 // for two ends of IPv4
)

// line writes a line. A long text stands further left, if there is room.
func (d *drawing) line(at, rails, mac, ends, text string) {
	line := fmt.Sprintf("%*s %-*s %-9s  ", d.clock, at, d.width, rails, mac)
	if text != "" {
		room := columns - utf8.RuneCountInString(line+text) - len("  ")
		line += fmt.Sprintf("%-*s  ", min(endColumns, max(0, room)), ends)
	} else {
		line += ends
	}
	d.out.WriteString(line + text + "\n")
}

// step draws one step.
func (d *drawing) step(s *Step) {
	if s.Note != "" {
		fmt.Fprintf(&d.out, "%*s %-*s %s\n", d.clock, "", d.width, d.rung(s), s.Note)
		return
	}
	at := s.clock()
	mac := d.short(s.SrcMAC) + " > " + d.short(s.DstMAC)
	if !s.Src.IsValid() {
		d.line(at, d.rung(s), mac, s.Text, "")
		return
	}
	d.line(at, d.rung(s), mac, end(s.Src)+" > "+end(s.Dst), s.Text)
}

// clock is when the step was, in milliseconds.
func (s *Step) clock() string { return fmt.Sprintf("%.1f", s.At.Seconds()*1000) }

// end writes an address, with its port if there is one.
func end(a netip.AddrPort) string {
	name := a.Addr().String()
	if a.Addr() == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		name = All
	} else if a.Port() != 0 {
		return a.String()
	}
	if a.Port() != 0 {
		name += fmt.Sprintf(":%d", a.Port())
	}
	return name
}

// short writes the last byte of a machine's hardware address, and the whole of one that is no machine's.
func (d *drawing) short(m wire.MAC) string {
	if m == wire.Broadcast {
		return All
	}
	if d.rail(m) < 0 {
		return m.String()
	}
	return fmt.Sprintf(":%02x", m[5])
}

// rail returns which rail a hardware address has, or -1.
func (d *drawing) rail(m wire.MAC) int {
	for i := range d.machines {
		if d.machines[i].MAC == m {
			return i
		}
	}
	return -1
}

// rung draws the rails, and an arrow from who sends to who gets it.
func (d *drawing) rung(s *Step) string {
	row := []rune(strings.Repeat(" ", d.width))
	for _, at := range d.rails {
		row[at] = '│'
	}
	from, to := d.rail(s.SrcMAC), d.rail(s.DstMAC)
	switch {
	case s.Note != "" || from < 0:
	case s.DstMAC.IsGroup():
		for i := range d.rails {
			d.arrow(row, from, i, '─')
		}
		row[d.rails[from]] = '●'
	case to >= 0 && to != from:
		between := '─'
		if s.several {
			between = '═'
		}
		d.arrow(row, from, to, between)
	}
	return string(row)
}

// arrow draws a line from one rail to another.
func (d *drawing) arrow(row []rune, from, to int, between rune) {
	a, b := d.rails[from], d.rails[to]
	switch {
	case a < b:
		row[a] = '├'
		fill(row[a+1:b-1], between)
		row[b-1] = '▶'
	case a > b:
		row[a] = '┤'
		fill(row[b+2:a], between)
		row[b+1] = '◀'
	}
}

// fill draws over what is empty, and crosses rails.
func fill(row []rune, with rune) {
	for i, r := range row {
		switch r {
		case '│':
			row[i] = '┼'
		case ' ':
			row[i] = with
		}
	}
}
