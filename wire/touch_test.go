package wire_test

import "landline/wire"

// touch reads a frame as far as it goes and calls every accessor of every view
// that a Parse function returned. It allocates nothing.
func touch(b []byte) {
	e, err := wire.ParseEthernet(b)
	if err != nil {
		return
	}
	tag, _ := e.Tag()
	_, _, _ = e.Dst(), e.Src(), e.Header()
	_, _, _ = tag.ID(), tag.Priority(), tag.DropEligible()
	switch e.Type() {
	case wire.TypeARP:
		touchARP(e.Payload())
	case wire.TypeIPv4:
		touchIPv4(e.Payload())
	case wire.TypeIPv6:
		touchIPv6(e.Payload())
	}
}

func touchARP(b []byte) {
	a, err := wire.ParseARP(b)
	if err != nil {
		return
	}
	_, _, _ = a.Op(), a.Sender(), a.Target()
	_, _, _, _ = a.SenderIP(), a.TargetIP(), a.IsProbe(), a.IsAnnouncement()
}

func touchIPv4(b []byte) {
	h, err := wire.ParseIPv4(b)
	if err != nil {
		return
	}
	_, _, _, _ = h.TOS(), h.TotalLen(), h.ID(), h.TTL()
	_, _, _, _ = h.DontFragment(), h.MoreFragments(), h.FragmentOffset(), h.IsFragment()
	_, _, _ = h.Checksum(), h.Header(), h.Verify()
	sink.addr, sink.addr = h.Src(), h.Dst()
	touchOptions(h.Options())
	touchUpper(h.Protocol(), h.Payload(), h.PseudoSum())
}

func touchOptions(o wire.Options) {
	for o.Next() {
		sink.n += int(o.Kind()) + len(o.Data()) + len(o.Bytes()) + o.Offset()
	}
	sink.err = o.Err()
}

func touchIPv6(b []byte) {
	h, err := wire.ParseIPv6(b)
	if err != nil {
		return
	}
	_, _, _, _ = h.TrafficClass(), h.FlowLabel(), h.PayloadLen(), h.HopLimit()
	_, _ = h.Header(), h.NextHeader()
	sink.addr, sink.addr = h.Src(), h.Dst()
	e := h.Extensions()
	for e.Next() {
		touchExtension(&e)
	}
	p, payload, err := h.Upper()
	if err != e.Err() || p != e.Protocol() || len(payload) != len(e.Payload()) {
		panic("two walks over the extension headers differ")
	}
	if err == nil {
		touchUpper(p, payload, h.PseudoSum(p, len(payload)))
	}
}

func touchExtension(e *wire.Extensions) {
	_, _, _ = e.Kind(), e.Bytes(), e.Offset()
	_, _, _ = e.Protocol(), e.ProtocolOffset(), e.Payload()
	_, _, _ = e.Routing()
	if f, ok := e.Fragment(); ok {
		_, _, _ = f.NextHeader(), f.Offset(), f.MoreFragments()
		_, _ = f.ID(), f.IsAtomic()
	}
	o := e.Options()
	for o.Next() {
		sink.n += int(o.Type()) + len(o.Data()) + o.Offset() + int(o.Action())
	}
	sink.err = o.Err()
}

func touchUpper(p wire.Protocol, b []byte, pseudo wire.Sum) {
	switch p {
	case wire.ProtoTCP:
		touchTCP(b, pseudo)
	case wire.ProtoUDP:
		touchUDP(b, pseudo)
	case wire.ProtoICMP:
		touchICMPv4(b)
	case wire.ProtoICMPv6:
		touchICMPv6(b, pseudo)
	case wire.ProtoIGMP:
		touchIGMP(b)
	}
}

func touchTCP(b []byte, pseudo wire.Sum) {
	t, err := wire.ParseTCP(b)
	if err != nil {
		return
	}
	_, _, _, _ = t.SrcPort(), t.DstPort(), t.Seq(), t.Ack()
	_, _, _, _ = t.Flags(), t.Window(), t.Checksum(), t.Urgent()
	_, _, _, _ = t.Payload(), t.Header(), t.Len(), t.Verify(pseudo)
	touchOptions(t.Options())
	var o wire.TCPOptions
	sink.err = t.ReadOptions(&o)
	sink.n += len(o.SACKBlocks())
}

func touchUDP(b []byte, pseudo wire.Sum) {
	u, err := wire.ParseUDP(b)
	if err != nil {
		return
	}
	_, _, _, _ = u.SrcPort(), u.DstPort(), u.Len(), u.Checksum()
	_, _, _ = u.Payload(), u.Header(), u.Verify(pseudo)
}

func touchICMPv4(b []byte) {
	m, err := wire.ParseICMPv4(b)
	if err != nil {
		return
	}
	_, _, _, _ = m.Type(), m.Code(), m.Checksum(), m.Payload()
	_, _, _, _ = m.ID(), m.Seq(), m.MTU(), m.Pointer()
	_, _ = m.IsError(), m.Verify()
	if q, err := m.Quote(); err == nil {
		touchQuote(&q)
	}
}

func touchQuote(q *wire.Quote) {
	src, dst := q.Ports()
	id, seq := q.EchoID()
	sink.n += int(src) + int(dst) + int(id) + int(seq) + int(q.Seq().Uint32())
}

func touchIGMP(b []byte) {
	m, err := wire.ParseIGMP(b)
	if err != nil {
		return
	}
	_, _, _, _ = m.Type(), m.MaxResponse(), m.IsV3Query(), m.Verify()
	sink.addr = m.Group()
	touchRecords(m.Records())
}

func touchRecords(r wire.GroupRecords) {
	for r.Next() {
		sink.addr = r.Record().Group
		for i := range r.Sources() {
			sink.addr = r.Source(i)
		}
	}
}

func touchICMPv6(b []byte, pseudo wire.Sum) {
	m, err := wire.ParseICMPv6(b)
	if err != nil {
		return
	}
	_, _, _, _ = m.Type(), m.Code(), m.Checksum(), m.Payload()
	_, _, _, _ = m.ID(), m.Seq(), m.MTU(), m.Pointer()
	_, _ = m.IsError(), m.Verify(pseudo)
	if q, err := m.Quote(); err == nil {
		touchQuote(&q)
	}
	touchNDP(m)
	if m, err := wire.ParseMLD(m); err == nil {
		_, _, _ = m.Type(), m.MaxResponse(), m.IsV2Query()
		sink.addr = m.Group()
		touchRecords(m.Records())
	}
}

// touchNDP reads m as a message of each kind, whatever it says that it is.
func touchNDP(m wire.ICMPv6) {
	if m, err := wire.ParseRouterSolicit(m); err == nil {
		touchNDPOptions(m.Options())
	}
	if m, err := wire.ParseRouterAdvert(m); err == nil {
		_, _, _ = m.HopLimit(), m.Managed(), m.OtherConfig()
		_, _, _ = m.Lifetime(), m.ReachableTime(), m.RetransTimer()
		touchNDPOptions(m.Options())
	}
	if m, err := wire.ParseNeighborSolicit(m); err == nil {
		sink.addr = m.Target()
		touchNDPOptions(m.Options())
	}
	if m, err := wire.ParseNeighborAdvert(m); err == nil {
		sink.addr = m.Target()
		_ = m.Flags()
		touchNDPOptions(m.Options())
	}
	if m, err := wire.ParseRedirect(m); err == nil {
		sink.addr, sink.addr = m.Target(), m.Dst()
		touchNDPOptions(m.Options())
	}
}

func touchNDPOptions(o wire.NDPOptions) {
	for o.Next() {
		_, _ = o.Type(), o.Bytes()
		_, _ = o.LinkAddr()
		_, _ = o.Prefix()
		_, _ = o.MTU()
		_, _ = o.DNSLifetime()
	}
}
