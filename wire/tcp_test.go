package wire_test

import (
	"testing"

	"landline/wire"
)

// tcpSYN opens a connection, with all that can be agreed on.
var tcpSYN = packet(
	field{"9c 40", "source port 40000 (RFC 9293, Section 3.1)"},
	field{"00 50", "destination port 80"},
	field{"ff ff ff fe", "sequence number"},
	field{"00 00 00 00", "acknowledgment number, unused"},
	field{"a0", "data offset 40 bytes"},
	field{"02", "SYN"},
	field{"ff ff", "window 65535"},
	field{"97 67", "checksum from 10.0.0.1 to 10.0.0.2"},
	field{"00 00", "urgent pointer"},
	field{"02 04 05 b4", "maximum segment size 1460"},
	field{"04 02", "SACK permitted (RFC 2018)"},
	field{"08 0a 00 00 00 07 00 00 00 00", "timestamps 7, 0 (RFC 7323)"},
	field{"01", "no-operation"},
	field{"03 03 07", "window scale 7 (RFC 7323)"},
)

// tcpACK carries data and tells that two runs of bytes are there already.
var tcpACK = packet(
	field{"00 50 9c 40", "ports"},
	field{"00 00 00 10", "sequence number 16"},
	field{"00 00 00 01", "acknowledgment number 1"},
	field{"d0", "data offset 52 bytes"},
	field{"78", "ECE, URG, ACK, PSH"},
	field{"01 00", "window 256"},
	field{"d3 ac", "checksum from 2001:db8::1 to 2001:db8::2"},
	field{"00 03", "urgent pointer"},
	field{"01 01 08 0a 00 00 00 08 00 00 00 07", "timestamps 8, 7, aligned"},
	field{"01 01 05 12", "SACK of two blocks, aligned"},
	field{"00 00 00 65 00 00 00 c9", "101 to 201"},
	field{"00 00 01 2d 00 00 01 91", "301 to 401"},
	field{"4f 6b", "payload"},
)

func TestReadsAndWritesSYN(t *testing.T) {
	pseudo := wire.PseudoSum(ip1, ip2, wire.ProtoTCP, 40)
	s := parsed(t, tcpSYN, wire.ParseTCP)
	equal(t, "source port", s.SrcPort(), 40000)
	equal(t, "destination port", s.DstPort(), 80)
	equal(t, "sequence number", s.Seq(), wire.SeqOf(0xfffffffe))
	equal(t, "flags", s.Flags(), wire.FlagSYN)
	equal(t, "window", s.Window(), 65535)
	equal(t, "payload", len(s.Payload()), 0)
	equal(t, "sequence numbers taken", s.Len(), 1)
	equal(t, "checksum", s.Verify(pseudo), nil)
	var o wire.TCPOptions
	equal(t, "options", s.ReadOptions(&o), nil)
	equal(t, "options", o, wire.TCPOptions{
		MSS: 1460, HasWindowScale: true, WindowScale: 7, SACKPermitted: true, HasTimestamps: true, TSVal: 7,
	})
	equal(t, "text", s.String(),
		"tcp 40000 > 80 [S] seq 4294967294 win 65535 <mss 1460, sackok, ts 7 0, wscale 7> len 0")

	options := wire.AppendMSS(nil, 1460)
	options = wire.AppendSACKPermitted(options)
	options = wire.AppendTimestamps(options, 7, 0)
	options = wire.AppendWindowScale(wire.AppendNOP(options), 7)
	b := wire.AppendTCP(nil, &wire.TCPHeader{
		SrcPort: 40000, DstPort: 80, Seq: wire.SeqOf(0xfffffffe), Flags: wire.FlagSYN, Window: 65535,
	}, options)
	wire.TCP(b).FillChecksum(pseudo)
	equalBytes(t, "built", b, tcpSYN)
}

func TestReadsAndWritesSACK(t *testing.T) {
	pseudo := wire.PseudoSum(gl1, gl2, wire.ProtoTCP, 54)
	s := parsed(t, tcpACK, wire.ParseTCP)
	equal(t, "flags", s.Flags(), wire.FlagACK|wire.FlagPSH|wire.FlagURG|wire.FlagECE)
	equal(t, "acknowledgment number", s.Ack(), wire.SeqOf(1))
	equal(t, "urgent pointer", s.Urgent(), 3)
	equal(t, "payload", string(s.Payload()), "Ok")
	equal(t, "sequence numbers taken", s.Len(), 2)
	equal(t, "checksum", s.Verify(pseudo), nil)
	equal(t, "damaged", wire.TCP(with(s, 50, 9)).Verify(pseudo), error(wire.ErrTCPChecksum))
	blocks := []wire.SACKBlock{
		{Start: wire.SeqOf(101), End: wire.SeqOf(201)}, {Start: wire.SeqOf(301), End: wire.SeqOf(401)},
	}
	var o wire.TCPOptions
	equal(t, "options", s.ReadOptions(&o), nil)
	want := wire.TCPOptions{HasTimestamps: true, TSVal: 8, TSEcr: 7, SACKCount: 2}
	copy(want.SACK[:], blocks)
	equal(t, "options", o, want)
	equal(t, "blocks", len(o.SACKBlocks()), 2)
	equal(t, "text", s.String(),
		"tcp 80 > 40000 [PUE.] seq 16 ack 1 win 256 urg 3 <ts 8 7, sack 101-201 301-401> len 2")

	options := wire.AppendTimestamps(wire.AppendNOP(wire.AppendNOP(nil)), 8, 7)
	options = wire.AppendSACK(wire.AppendNOP(wire.AppendNOP(options)), blocks...)
	b := wire.AppendTCP(nil, &wire.TCPHeader{
		SrcPort: 80, DstPort: 40000, Seq: wire.SeqOf(16), Ack: wire.SeqOf(1), Flags: s.Flags(), Window: 256, Urgent: 3,
	}, options)
	b = append(b, "Ok"...)
	wire.TCP(b).FillChecksum(pseudo)
	equalBytes(t, "built", b, tcpACK)
}

// segment makes a segment with an option area, whose length is a multiple of 4.
func segment(options ...byte) wire.TCP {
	return wire.TCP(wire.AppendTCP(nil, new(wire.TCPHeader), options))
}

// The fast way for timestamps alone must not differ from the walk.
func TestTimestampsAloneAreReadAsAmongOthers(t *testing.T) {
	var fast, slow wire.TCPOptions
	equal(t, "fast", segment(1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8).ReadOptions(&fast), nil)
	equal(t, "slow", segment(8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1).ReadOptions(&slow), nil)
	equal(t, "options", fast, slow)
	equal(t, "options", fast, wire.TCPOptions{HasTimestamps: true, TSVal: 0x01020304, TSEcr: 0x05060708})
}

func TestReadOptionsForgetsTheLastSegment(t *testing.T) {
	o := wire.TCPOptions{MSS: 1, SACKCount: 4}
	equal(t, "error", segment().ReadOptions(&o), nil)
	equal(t, "options", o, wire.TCPOptions{})
}

func TestUnknownOptionsAreSteppedOver(t *testing.T) {
	for what, options := range map[string][]byte{
		"unknown kind":                 {254, 4, 9, 9, 2, 4, 5, 180},
		"unknown kind without data":    {254, 2, 1, 1, 2, 4, 5, 180},
		"MSS of 1 byte":                {2, 3, 9, 1, 2, 4, 5, 180},
		"MSS of 3 bytes":               {2, 5, 9, 9, 9, 1, 1, 1, 2, 4, 5, 180},
		"window scale without a shift": {3, 2, 1, 1, 2, 4, 5, 180},
		"SACK permitted, with data":    {4, 3, 9, 1, 2, 4, 5, 180},
		"SACK without a block":         {5, 2, 1, 1, 2, 4, 5, 180},
		"SACK of half a block":         {5, 6, 9, 9, 9, 9, 1, 1, 2, 4, 5, 180},
		"timestamps of 4 bytes":        {8, 6, 9, 9, 9, 9, 1, 1, 2, 4, 5, 180},
		"behind the end of the list":   {2, 4, 5, 180, 0, 2, 4, 9},
		"the last of two counts":       {2, 4, 9, 9, 2, 4, 5, 180},
	} {
		var o wire.TCPOptions
		equal(t, what, segment(options...).ReadOptions(&o), nil)
		equal(t, what, o, wire.TCPOptions{MSS: 1460})
	}
}

// "The content of the header beyond the End of Option List Option MUST be header padding of zeros" (RFC 9293, Section
// 3.1, MUST-69).
func TestOptionsArePaddedWithZeros(t *testing.T) {
	for n := range 4 {
		options := make([]byte, n)
		for k := range options {
			options[k] = 1
		}
		s := segment(options...)
		equal(t, "length", s.HeaderLen(), 20+(n+3)/4*4)
		equalBytes(t, "options", s[20:], append(options, make([]byte, (4-n)%4)...))
	}
}

// "receivers MUST be prepared to process options even if they do not begin on a word boundary" (Section 3.2, MUST-64).
func TestOptionsBeginAnywhere(t *testing.T) {
	for n := range 8 {
		var options []byte
		for range n {
			options = wire.AppendNOP(options)
		}
		options = wire.AppendTimestamps(wire.AppendMSS(options, 1460), 7, 8)
		var o wire.TCPOptions
		equal(t, "error", segment(options...).ReadOptions(&o), nil)
		equal(t, "options", o, wire.TCPOptions{MSS: 1460, HasTimestamps: true, TSVal: 7, TSEcr: 8})
	}
}

// "TCP implementations MUST be prepared to handle an illegal option length
// (e.g., zero)" (RFC 9293, MUST-7).
func TestImpossibleOptionLengthEndsTheWalk(t *testing.T) {
	for what, bad := range map[string][]byte{
		"length 0":        {254, 0, 2, 4},
		"length 1":        {254, 1, 2, 4},
		"over the header": {254, 5, 2, 4},
		"no length":       {1, 1, 1, 254},
		"a known kind":    {8, 10, 0, 0},
	} {
		var o wire.TCPOptions
		s := segment(append([]byte{2, 4, 5, 180}, bad...)...)
		equal(t, what, s.ReadOptions(&o), error(wire.ErrTCPOption))
		equal(t, what+": what came before", o, wire.TCPOptions{MSS: 1460})
		equal(t, what+": text", s.String(), "tcp 0 > 0 [none] seq 0 win 0 <mss 1460, bad option> len 0")
	}
}

func TestWindowScaleIsAtMost14(t *testing.T) {
	var o wire.TCPOptions
	for shift, want := range map[byte]uint8{0: 0, 14: 14, 15: 14, 255: 14} {
		equal(t, "error", segment(3, 3, shift, 1).ReadOptions(&o), nil)
		equal(t, "present", o.HasWindowScale, true)
		equal(t, "shift", o.WindowScale, want)
	}
}

func TestFourSACKBlocksFillTheHeader(t *testing.T) {
	var want wire.TCPOptions
	for i := range want.SACK {
		want.SACK[i] = wire.SACKBlock{Start: wire.SeqOf(uint32(i)), End: wire.SeqOf(uint32(-i))}
	}
	want.SACKCount = wire.MaxSACKBlocks
	options := wire.AppendSACK(wire.AppendNOP(wire.AppendNOP(nil)), want.SACK[:]...)
	var o wire.TCPOptions
	equal(t, "error", segment(options...).ReadOptions(&o), nil)
	equal(t, "options", o, want)
}

func TestRefusesBadTCP(t *testing.T) {
	for n := range 20 {
		refused(t, "cut", tcpSYN[:n], wire.ParseTCP, wire.ErrTCPShort)
	}
	for n := 20; n < 40; n++ {
		refused(t, "cut in the options", tcpSYN[:n], wire.ParseTCP, wire.ErrTCPDataOffset)
	}
	refused(t, "data offset 16", with(tcpSYN, 12, 0x40), wire.ParseTCP, wire.ErrTCPDataOffset)
	refused(t, "data offset over the segment", with(tcpSYN, 12, 0xb0), wire.ParseTCP, wire.ErrTCPDataOffset)
}

func TestSegmentLengthCountsSYNAndFIN(t *testing.T) {
	for flags, want := range map[wire.TCPFlags]int{
		0: 3, wire.FlagACK | wire.FlagRST | wire.FlagPSH | wire.FlagCWR: 3,
		wire.FlagSYN: 4, wire.FlagFIN | wire.FlagACK: 4, wire.FlagSYN | wire.FlagFIN: 5,
	} {
		b := wire.AppendTCP(nil, &wire.TCPHeader{Flags: flags}, nil)
		equal(t, flags.String(), wire.TCP(append(b, 1, 2, 3)).Len(), want)
	}
}

func TestFlagsHaveLetters(t *testing.T) {
	for flags, want := range map[wire.TCPFlags]string{
		0:                           "none",
		wire.FlagSYN | wire.FlagACK: "S.",
		wire.FlagFIN | wire.FlagRST: "FR",
		wire.FlagECE | wire.FlagCWR: "EW",
		wire.FlagPSH | wire.FlagURG: "PU",
	} {
		equal(t, "letters", flags.String(), want)
	}
	equal(t, "both set", (wire.FlagSYN | wire.FlagACK).Has(wire.FlagSYN|wire.FlagACK), true)
	equal(t, "one set", wire.FlagSYN.Has(wire.FlagSYN|wire.FlagACK), false)
}

func TestPatchedSegmentIsLikeABuiltOne(t *testing.T) {
	h := wire.TCPHeader{SrcPort: 1, DstPort: 2, Seq: wire.SeqOf(3), Flags: wire.FlagPSH}
	s := wire.TCP(wire.AppendTCP(nil, &h, nil))
	h.Seq, h.Flags = wire.SeqOf(4), wire.FlagFIN
	s.SetSeq(h.Seq)
	s.SetFlags(h.Flags)
	equalBytes(t, "header", s, wire.AppendTCP(nil, &h, nil))
	pseudo := wire.PseudoSum(ip1, ip2, wire.ProtoTCP, 20)
	s.FillChecksum(pseudo)
	want := s.Checksum()
	s.SetPartialChecksum(pseudo)
	equal(t, "checksum by a device", wire.Checksum(s), want)
}
