package pkt

import (
	"encoding/hex"
	"math"
	"strings"

	"landline/wire"
)

// packet reads "< S 0:0(0) win 1000 <mss 1000>", "> udp (100)", "< icmp unreachable …".
func (p *parser) packet() *Packet {
	k := &Packet{Out: p.take(">")}
	if !k.Out {
		p.want("<")
	}
	about := p.ipFields(&k.IP)
	p.encapsulation(k)
	switch {
	case p.keyword("icmp"):
		k.ICMP = p.icmp(about)
	case p.keyword("udp"):
		k.UDP = &UDPFields{Ports: p.ports()}
		k.UDP.Len = p.length()
	case p.keyword("sctp"), p.keyword("udplite"):
		k.unsupported("SCTP or UDP-Lite")
		p.toEndOfLine()
	default:
		k.TCP = p.tcp(k)
	}
	if (k.IP.ECT || k.TCP != nil && (k.TCP.AnyOptions || k.TCP.SeqIs == SeqAny)) && !k.Out {
		p.fail("a packet that is sent in must say all that it is")
	}
	return k
}

func (k *Packet) unsupported(what string) {
	if k.Unsupported == "" {
		k.Unsupported = what
	}
}

// encapsulation reads the headers that a packet may have outside of those that are supported.
func (p *parser) encapsulation(k *Packet) {
	for {
		switch {
		case p.keyword("ipv4"), p.keyword("ipv6"):
			k.unsupported("IP in IP")
		case p.keyword("gre"), p.keyword("GREv0"):
			k.unsupported("GRE")
		case p.keyword("mpls"):
			k.unsupported("MPLS")
		case p.keyword("encap"):
			k.unsupported("PSP")
			p.word()
			p.keyword("spi")
			p.number(math.MaxUint32)
			return
		default:
			return
		}
		p.toColon()
	}
}

// toColon goes behind the colon at the end of an outer header. That in an IPv6 address has no
// space behind it.
func (p *parser) toColon() {
	for p.rest() != "" {
		if c := p.step(1); c == ":" && (p.rest() == "" || strings.IndexByte(" \t\r\n", p.rest()[0]) >= 0) {
			return
		}
	}
	p.fail("an outer header without its end, :")
}

// ipFields reads "[ect0]", "(tos 0x20, ttl 4)" and the like, if it is there. In old scripts what an
// ICMP message is about may stand in its place.
func (p *parser) ipFields(f *IPFields) (about *Quote) {
	end := ")"
	if p.take("[") {
		end = "]"
	} else if !p.take("(") {
		return nil
	}
	if isDigit(p.next()) {
		return p.quote()
	}
	for first := true; first || p.take(","); first = false {
		p.ipField(f)
	}
	p.want(end)
	return nil
}

var ecnBits = map[string]uint8{"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}

func (p *parser) ipField(f *IPFields) {
	switch name := p.word(); name {
	case "tos", "class":
		f.TOS, f.TOSMask = uint8(p.number(255)), 255
	case "dscp":
		f.TOS, f.TOSMask = f.TOS&3|uint8(p.number(63))<<2, f.TOSMask|0xfc
	case "ttl", "hlim":
		f.TTL = uint8(p.number(255))
	case "flowlabel":
		f.FlowLabel, f.HasFlowLabel = uint32(p.number(1<<20-1)), true
	case "ecn":
		p.ipField(f)
	case "ect01":
		f.ECT = true
	default:
		bits, ok := ecnBits[name]
		if !ok {
			p.fail("an IP header has no field %q", name)
		}
		f.TOS, f.TOSMask = f.TOS&^3|bits, f.TOSMask|3
	}
}

// ports reads "1000 > 2000", if it is there.
func (p *parser) ports() (v Ports) {
	if isDigit(p.next()) && !p.atSeq() {
		v.Src = uint16(p.number(65535))
		p.want(">")
		v.Dst = uint16(p.number(65535))
	}
	return v
}

// atSeq reports whether the number that comes next is a sequence number.
func (p *parser) atSeq() bool {
	rest := strings.TrimLeft(p.rest(), "0123456789")
	return strings.HasPrefix(rest, ":")
}

// length reads "(1000)".
func (p *parser) length() int {
	p.want("(")
	n := int(p.number(65535))
	p.want(")")
	return n
}

// tcp reads "S. 0:0(0) ack 1 win 1000 urg 5 <mss 1000>".
func (p *parser) tcp(k *Packet) *TCPFields {
	f := &TCPFields{Ports: p.ports(), Window: -1}
	p.flags(k, f)
	p.seq(f)
	if p.keyword("ack") {
		f.Ack = uint32(p.number(math.MaxUint32))
		p.take("!")
	}
	if p.keyword("win") {
		f.Window = int(p.number(65535))
	}
	if p.keyword("urg") {
		f.Urgent = uint16(p.number(65535))
	}
	if p.take("<") {
		p.tcpOptions(k, f)
	}
	if p.take("/") {
		k.unsupported("TCP over UDP")
		p.want("udp")
		p.want("(")
		p.until(")", "pair of ports")
	}
	return f
}

// The letters of flags. A is the lowest of the three bits that AccECN makes of ECE, CWR and itself.
const flagLetters = "FSRP.UEW"

// flags reads "S.", "P", "." or, if there are none, "-".
func (p *parser) flags(k *Packet, f *TCPFields) {
	text := p.run(func(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' || c == '-' })
	if text == "" || text != "-" && strings.Contains(text, "-") {
		p.fail("expected the flags of a segment, got %s", p.sight())
	}
	if p.at(". ") {
		text += p.step(1)
	}
	for _, c := range []byte(text) {
		switch i := strings.IndexByte(flagLetters, c); {
		case i >= 0:
			f.Flags |= 1 << i
		case c == 'A' || '0' <= c && c <= '7':
			k.unsupported("AccECN")
		case c != '-':
			p.fail("%q are no flags of a segment", text)
		}
	}
}

// seq reads "1:1001(1000)".
func (p *parser) seq(f *TCPFields) {
	if p.take("...") {
		f.SeqIs, f.Len = SeqAny, p.length()
		return
	}
	f.Seq, f.Len = p.span()
	if p.take("!") {
		f.SeqIs = SeqAbsolute
	}
}

func (p *parser) span() (start uint32, n int) {
	start = uint32(p.number(math.MaxUint32))
	p.want(":")
	end := uint32(p.number(math.MaxUint32))
	if n = p.length(); end != start+uint32(n) {
		p.fail("%d bytes from %d on do not end at %d", n, start, end)
	}
	return start, n
}

// tcpOptions reads "mss 1000,sackOK,nop,nop>", or "...>".
func (p *parser) tcpOptions(k *Packet, f *TCPFields) {
	if p.take("...") {
		f.AnyOptions = true
		p.want(">")
		return
	}
	size := 0
	for len(f.Options) == 0 || p.take(",") {
		o := p.tcpOption(k)
		f.Options = append(f.Options, o)
		size += o.size()
	}
	p.want(">")
	if size > wire.MaxTCPOptions {
		p.fail("the options take %d bytes, and a header has room for %d", size, wire.MaxTCPOptions)
	}
}

// Kinds of option that package wire has no use for.
const (
	optEnd      = 0
	optNone     = 1
	optMD5      = 19
	optFastOpen = 34
	optShared   = 254 // RFC 6994
)

func (p *parser) tcpOption(k *Packet) (o TCPOption) {
	switch name := p.optionName(); name {
	case "nop":
		o.Kind = optNone
	case "eol":
		o.Kind = optEnd
	case "mss":
		n := p.number(65535)
		o.Kind, o.Data = wire.TCPOptMSS, []byte{byte(n >> 8), byte(n)}
	case "wscale":
		o.Kind, o.Data = wire.TCPOptWindowScale, []byte{byte(p.number(255))}
	case "sackOK":
		o.Kind = wire.TCPOptSACKPermitted
	case "sack":
		o.Kind, o.SACK = wire.TCPOptSACK, p.blocks()
	case "TS":
		p.stamps(&o)
	case "md5":
		if k.unsupported("TCP-MD5"); !p.keyword("valid") {
			p.word()
		}
	case "FO":
		o.Kind, o.Data = optFastOpen, p.cookie()
	case "FOEXP", "exp-FO", "EXP-FO":
		o.Kind, o.Data = optShared, append([]byte{0xf9, 0x89}, p.cookie()...)
	default:
		k.unsupported("the option " + name)
		for c := p.next(); c != ',' && c != '>'; c = p.next() {
			p.word()
		}
	}
	return o
}

// optionName is a word that may have dashes.
func (p *parser) optionName() string {
	name := p.run(func(c byte) bool { return isWord(c) || c == '-' })
	if name == "" {
		p.fail("expected an option, got %s", p.sight())
	}
	return name
}

// blocks reads "1:1001 2001:3001".
func (p *parser) blocks() (all []Block) {
	for isDigit(p.next()) {
		start := uint32(p.number(math.MaxUint32))
		p.want(":")
		all = append(all, Block{start, uint32(p.number(math.MaxUint32))})
	}
	return all
}

// stamps reads "val 100 ecr 0". The value may be "...".
func (p *parser) stamps(o *TCPOption) {
	o.Kind = wire.TCPOptTimestamps
	p.want("val")
	if o.AnyVal = p.take("..."); !o.AnyVal {
		o.Val = uint32(p.number(math.MaxUint32))
	}
	p.want("ecr")
	o.Ecr = uint32(p.number(math.MaxUint32))
	o.AbsoluteEc = p.take("!")
}

// cookie reads hexadecimal digits, if there are any.
func (p *parser) cookie() []byte {
	digits := p.meaning(p.run(isWord))
	b, err := hex.DecodeString(digits)
	if err != nil {
		p.fail("expected a cookie in hexadecimal digits, got %q", digits)
	}
	return b
}

// icmp reads "unreachable frag_needed mtu 1200 [1:1001(1000)]".
func (p *parser) icmp(about *Quote) *ICMPFields {
	f := &ICMPFields{Type: p.word(), Quote: about}
	for p.atWord() {
		switch word := p.word(); word {
		case "mtu":
			f.MTU = int(p.number(math.MaxUint32))
		case "id":
			f.ID = uint16(p.number(65535))
		default:
			if f.Code != "" {
				p.fail("expected the end of an ICMP message, got %q", word)
			}
			f.Code = word
		}
	}
	if p.take("[") {
		f.Quote = p.quote()
	}
	return f
}

// quote reads the packet that a message is about: "1:1001(1000)]", "udp (1000)]".
func (p *parser) quote() *Quote {
	q := &Quote{Protocol: wire.ProtoTCP}
	switch {
	case p.keyword("udp"):
		q.Protocol, q.Len = wire.ProtoUDP, p.length()
	case p.keyword("raw"):
		q.Protocol, q.Len = 255, p.length()
	default:
		q.Seq, q.Len = p.span()
	}
	p.until("]", "quote")
	return q
}
