package pkt

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"landline/wire"
)

// String returns the packet as a script would have it.
func (k *Packet) String() string {
	var b strings.Builder
	b.WriteString("<")
	if k.Out {
		b.Reset()
		b.WriteString(">")
	}
	if s := k.IP.String(); s != "" {
		b.WriteString(" (" + s + ")")
	}
	switch {
	case k.TCP != nil:
		b.WriteString(" " + k.TCP.String())
	case k.UDP != nil:
		fmt.Fprintf(&b, " udp%v (%d)", k.UDP.Ports, k.UDP.Len)
	case k.ICMP != nil:
		b.WriteString(" " + k.ICMP.String())
	}
	return b.String()
}

func (f IPFields) String() string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch {
	case f.TOSMask == 3:
		add("%s", [...]string{"noecn", "ect1", "ect0", "ce"}[f.TOS&3])
	case f.TOSMask != 0:
		add("tos %#x", f.TOS)
	}
	if f.ECT {
		add("ect01")
	}
	if f.TTL != 0 {
		add("ttl %d", f.TTL)
	}
	if f.HasFlowLabel {
		add("flowlabel %#x", f.FlowLabel)
	}
	return strings.Join(all, ", ")
}

func (v Ports) String() string {
	if v == (Ports{}) {
		return ""
	}
	return fmt.Sprintf(" %d > %d", v.Src, v.Dst)
}

func (f *TCPFields) String() string {
	var b strings.Builder
	if f.Ports != (Ports{}) {
		b.WriteString(f.Ports.String()[1:] + " ")
	}
	b.WriteString(flagText(f.Flags))
	switch {
	case f.SeqIs == SeqAny:
		fmt.Fprintf(&b, " ...(%d)", f.Len)
	default:
		fmt.Fprintf(&b, " %d:%d(%d)", f.Seq, f.Seq+uint32(f.Len), f.Len)
	}
	if f.SeqIs == SeqAbsolute {
		b.WriteString("!")
	}
	if f.Flags.Has(wire.FlagACK) {
		fmt.Fprintf(&b, " ack %d", f.Ack)
	}
	if f.Window >= 0 {
		fmt.Fprintf(&b, " win %d", f.Window)
	}
	if f.Urgent != 0 {
		fmt.Fprintf(&b, " urg %d", f.Urgent)
	}
	switch {
	case f.AnyOptions:
		b.WriteString(" <...>")
	case len(f.Options) > 0:
		b.WriteString(" " + optionsText(f.Options))
	}
	return b.String()
}

func flagText(flags wire.TCPFlags) string {
	if flags == 0 {
		return "-"
	}
	var b strings.Builder
	for i, c := range flagLetters {
		if flags&(1<<i) != 0 && c != '.' {
			b.WriteRune(c)
		}
	}
	if flags.Has(wire.FlagACK) {
		b.WriteByte('.')
	}
	return b.String()
}

func optionsText(all []TCPOption) string {
	text := make([]string, len(all))
	for i := range all {
		text[i] = all[i].String()
	}
	return "<" + strings.Join(text, ",") + ">"
}

func (o *TCPOption) String() string {
	switch {
	case o.Kind == optNone:
		return "nop"
	case o.Kind == optEnd:
		return "eol"
	case o.Kind == wire.TCPOptMSS && len(o.Data) == 2:
		return fmt.Sprintf("mss %d", binary.BigEndian.Uint16(o.Data))
	case o.Kind == wire.TCPOptWindowScale && len(o.Data) == 1:
		return fmt.Sprintf("wscale %d", o.Data[0])
	case o.Kind == wire.TCPOptSACKPermitted:
		return "sackOK"
	case o.Kind == wire.TCPOptSACK:
		var b strings.Builder
		b.WriteString("sack")
		for _, k := range o.SACK {
			fmt.Fprintf(&b, " %d:%d", k.Start, k.End)
		}
		return b.String()
	case o.Kind == wire.TCPOptTimestamps && o.AnyVal:
		return fmt.Sprintf("TS val ... ecr %d", o.Ecr)
	case o.Kind == wire.TCPOptTimestamps:
		return fmt.Sprintf("TS val %d ecr %d", o.Val, o.Ecr)
	case o.Kind == optFastOpen:
		return strings.TrimRight("FO "+hex.EncodeToString(o.Data), " ")
	}
	return fmt.Sprintf("kind-%d %s", o.Kind, hex.EncodeToString(o.Data))
}

// size is how many bytes the option takes.
func (o *TCPOption) size() int {
	switch o.Kind {
	case optEnd, optNone:
		return 1
	case wire.TCPOptSACK:
		return 2 + 8*len(o.SACK)
	case wire.TCPOptTimestamps:
		return 10
	}
	return 2 + len(o.Data)
}

func (f *ICMPFields) String() string {
	var b strings.Builder
	b.WriteString("icmp " + f.Type)
	if f.Code != "" {
		b.WriteString(" " + f.Code)
	}
	if f.MTU != 0 {
		fmt.Fprintf(&b, " mtu %d", f.MTU)
	}
	if f.ID != 0 {
		fmt.Fprintf(&b, " id %d", f.ID)
	}
	switch q := f.Quote; {
	case q == nil:
	case q.Protocol == wire.ProtoTCP:
		fmt.Fprintf(&b, " [%d:%d(%d)]", q.Seq, q.Seq+uint32(q.Len), q.Len)
	default:
		fmt.Fprintf(&b, " [%s (%d)]", q.Protocol, q.Len)
	}
	return b.String()
}

// String returns the expression as a script would have it.
func (e Expr) String() string {
	var b strings.Builder
	if e.Name != "" {
		b.WriteString(e.Name + "=")
	}
	switch e.Kind {
	case Ellipsis:
		b.WriteString("...")
	case Number:
		fmt.Fprintf(&b, "%d", e.Num)
	case Word:
		b.WriteString(e.Text)
	case String:
		fmt.Fprintf(&b, "%q", e.Text)
	case Array:
		b.WriteString("[" + exprsText(e.List, ", ") + "]")
	case Struct:
		b.WriteString("{" + exprsText(e.List, ", ") + "}")
	case Function:
		b.WriteString(e.Text + "(" + exprsText(e.List, ", ") + ")")
	case Or:
		b.WriteString(exprsText(e.List, "|"))
	}
	return b.String()
}

func exprsText(all []Expr, between string) string {
	text := make([]string, len(all))
	for i := range all {
		text[i] = all[i].String()
	}
	return strings.Join(text, between)
}
