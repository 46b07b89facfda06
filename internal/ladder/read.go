package ladder

import (
	"fmt"
	"net/netip"
	"strings"

	"landline/dhcp"
	"landline/dns"
	"landline/wire"
)

// readLocked reads what a frame carries, and adds a step for it.
func (l *Ladder) readLocked(s Step, e wire.Ethernet, segSize int) {
	switch b := e.Payload(); e.Type() {
	case wire.TypeARP:
		s.Text = say(b, wire.ParseARP, func(a wire.ARP) string {
			l.seenLocked(s.SrcMAC, a.SenderIP())
			return sayARP(a)
		})
	case wire.TypeIPv4:
		h, err := wire.ParseIPv4(b)
		if err == nil && !h.IsFragment() {
			l.readPacketLocked(s, h.Src(), h.Dst(), h.Protocol(), h.Payload(), segSize)
			return
		}
		s.Text = say(b, wire.ParseIPv4, wire.IPv4.String)
	case wire.TypeIPv6:
		h, err := wire.ParseIPv6(b)
		if err == nil {
			if p, payload, err := h.Upper(); err == nil {
				l.readPacketLocked(s, h.Src(), h.Dst(), p, payload, segSize)
				return
			}
		}
		s.Text = say(b, wire.ParseIPv6, wire.IPv6.String)
	default:
		s.Text = e.Type().String()
	}
	l.steps = append(l.steps, &s)
}

// say describes what b is parsed as, or says why it cannot be.
func say[V any](b []byte, parse func([]byte) (V, error), text func(V) string) string {
	v, err := parse(b)
	if err != nil {
		return "bad " + err.Error()
	}
	return text(v)
}

// readPacketLocked reads what an IP packet carries.
func (l *Ladder) readPacketLocked(s Step, src, dst netip.Addr, p wire.Protocol, b []byte, segSize int) {
	l.seenLocked(s.SrcMAC, src)
	s.Src, s.Dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
	switch p {
	case wire.ProtoTCP:
		t, err := wire.ParseTCP(b)
		if err == nil {
			s.ports(t.SrcPort(), t.DstPort())
			l.segmentLocked(s, t, segSize)
			return
		}
		s.Text = "bad " + err.Error()
	case wire.ProtoUDP:
		s.Text = say(b, wire.ParseUDP, func(u wire.UDP) string {
			s.ports(u.SrcPort(), u.DstPort())
			return sayDatagram(u)
		})
	case wire.ProtoICMP:
		s.Text = say(b, wire.ParseICMPv4, wire.ICMPv4.String)
	case wire.ProtoICMPv6:
		s.Text = say(b, wire.ParseICMPv6, wire.ICMPv6.String)
	default:
		s.Text = p.String()
	}
	l.steps = append(l.steps, &s)
}

func (s *Step) ports(src, dst uint16) {
	s.Src, s.Dst = netip.AddrPortFrom(s.Src.Addr(), src), netip.AddrPortFrom(s.Dst.Addr(), dst)
}

// sayARP says who is looked for, or found: who is to hear it is known from the frame.
func sayARP(a wire.ARP) string {
	text, _, _ := strings.Cut(a.String(), " to ")
	return "ARP" + strings.TrimPrefix(text, "arp")
}

// sayDatagram says what a datagram is about.
func sayDatagram(u wire.UDP) string {
	between := func(a, b uint16) bool {
		return u.SrcPort() == a && u.DstPort() == b || u.SrcPort() == b && u.DstPort() == a
	}
	switch {
	case between(dhcp.ClientPort, dhcp.ServerPort):
		if m, err := dhcp.ParseMessage(u.Payload()); err == nil {
			return sayDHCP(m)
		}
	case u.SrcPort() == dns.Port || u.DstPort() == dns.Port:
		if m, err := dns.ParseMessage(u.Payload()); err == nil {
			return sayDNS(m)
		}
	}
	return fmt.Sprintf("UDP len %d", len(u.Payload()))
}

// sayDHCP says what a DHCP message is about: the address, how long it is given for, and the name of who asks.
func sayDHCP(m dhcp.Message) string {
	text := "DHCP " + m.Type().String()
	for _, a := range []netip.Addr{m.YIAddr(), m.RequestedAddr(), m.CIAddr()} {
		if a.IsValid() && !a.IsUnspecified() {
			text += " " + a.String()
			break
		}
	}
	if d, ok := m.LeaseTime(); ok {
		text += " for " + strings.TrimSuffix(d.String(), "0m0s")
	}
	if name := m.HostName(); name != "" {
		text += fmt.Sprintf(" %q", name)
	}
	return text
}

// sayDNS says what a DNS message asks or answers.
func sayDNS(m dns.Message) string {
	name, t, ok := m.Question()
	if !ok {
		return "DNS"
	}
	text := fmt.Sprintf("DNS %s %s", t, strings.TrimSuffix(name.String(), "."))
	switch addrs := m.Addrs(name, t); {
	case !m.IsResponse():
		return text + "?"
	case m.RCode() != dns.Success:
		return text + ": " + m.RCode().String()
	case len(addrs) > 0:
		return text + " is " + strings.Trim(fmt.Sprint(addrs), "[]")
	case t == dns.TypeA || t == dns.TypeAAAA:
		return text + ": none"
	}
	return text + ": answered"
}
