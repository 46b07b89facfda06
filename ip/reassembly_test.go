package ip

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"landline/internal/siphash"
	"landline/wire"
)

// fragmentPair returns the fragments of a packet of each family, of three parts each:
// 0–800, 800–1600 and 1600–2000 of IPv4, and 0–1232, 1232–2464 and 2464–3000 of IPv6.
func fragmentPair(t testing.TB) (four, six [][]byte) {
	t.Helper()
	four = cut4(t, packet4(wire.IPv4Header{}, pattern(2000)), 0, 820)
	h, headerLen, nextField := packet6(0, wire.ProtoUDP, pattern(3000))
	return four, cut6(t, h, headerLen, nextField, 0, 1280, 99)
}

// read is readFragment of a fragment.
func read(t testing.TB, b []byte) *fragment {
	t.Helper()
	f, ok := readFragment(t, b)
	if !ok {
		t.Fatal("not a fragment")
	}
	return f
}

// adds gives f to r, which must not find that it completes a packet.
func adds(t testing.TB, r *reassembler, f *fragment, want error) {
	t.Helper()
	p, err := r.add(pureStart, f)
	if p != nil || err != want {
		t.Errorf("at %d: %d bytes, %v; want %v", f.offset, len(p), err, want)
	}
}

// completes gives f to r, which must find that it completes a packet.
func completes(t testing.TB, r *reassembler, f *fragment) []byte {
	t.Helper()
	p, err := r.add(pureStart, f)
	if p == nil || err != nil {
		t.Errorf("at %d: no packet, %v", f.offset, err)
	}
	return p
}

// changed returns a copy of f with a change.
func changed(f *fragment, change func(*fragment)) *fragment {
	g := *f
	g.header, g.payload = slices.Clone(f.header), slices.Clone(f.payload)
	change(&g)
	return &g
}

// invariants checks that r's accounts are right and within their bounds.
func invariants(t testing.TB, r *reassembler) {
	t.Helper()
	m := &r.memory
	total := len(r.done)
	for class, free := range m.buffers {
		for _, b := range free {
			if len(b) != fragmentSizes[class] {
				t.Fatalf("a buffer of %d bytes among those of %d", len(b), fragmentSizes[class])
			}
			total += len(b)
		}
	}
	for p := m.partials; p != nil; p = p.links[0].newer {
		total += partialCost
	}
	bytes := map[*fragmentSource]int{}
	for key, p := range r.packets {
		if p.key != key {
			t.Fatal("a packet under another key")
		}
		total += partialCost + len(p.buf)
		bytes[p.source] += partialCost + len(p.buf)
	}
	if total != m.total || total > m.limit {
		t.Fatalf("%d bytes, counted as %d, of %d", total, m.total, m.limit)
	}
	if m.sources != nil {
		for i := range m.sources {
			s := &m.sources[i]
			if s.bytes != bytes[s] || s.bytes > m.limit/fragmentShares {
				t.Fatalf("a source with %d bytes, counted as %d, of %d", bytes[s], s.bytes, m.limit/fragmentShares)
			}
		}
	}
	listed := 0
	for _, l := range r.byAge {
		for p := l.first; p != nil; p = p.links[linkAge].newer {
			listed++
			if newer := p.links[linkAge].newer; newer != nil && newer.deadline.Before(p.deadline) {
				t.Fatal("packets are not in the order of their deadlines")
			}
		}
	}
	if listed != len(r.packets) {
		t.Fatalf("%d packets in the lists, %d in the map", listed, len(r.packets))
	}
}

func TestFragmentsAreJoinedInAnyOrder(t *testing.T) {
	four, six := fragmentPair(t)
	for _, all := range [][][]byte{four, six} {
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			r := newReassembler(0, seeded(1))
			adds(t, r, read(t, all[order[0]]), nil)
			adds(t, r, read(t, all[order[1]]), nil)
			got := completes(t, r, read(t, all[order[2]]))
			want := []byte(packet4(wire.IPv4Header{}, pattern(2000)))
			if all[0][0]>>4 == 6 {
				want, _, _ = packet6(0, wire.ProtoUDP, pattern(3000))
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%v: %x", order, got[:60])
			}
			invariants(t, r)
		}
	}
}

func TestFragmentsOfDifferentPacketsAreKeptApart(t *testing.T) {
	other := netip.MustParseAddr("10.0.0.99")
	for what, change := range map[string]func(*fragment){
		"source":         func(f *fragment) { f.key.src = other },
		"destination":    func(f *fragment) { f.key.dst = other },
		"identification": func(f *fragment) { f.key.id++ },
		"protocol":       func(f *fragment) { f.key.protocol++ },
		"interface":      func(f *fragment) { f.key.index++ },
	} {
		r := newReassembler(0, seeded(1))
		four, _ := fragmentPair(t)
		adds(t, r, read(t, four[0]), nil)
		adds(t, r, read(t, four[1]), nil)
		adds(t, r, changed(read(t, four[2]), change), nil)
		if len(r.packets) != 2 {
			t.Errorf("%s: %d packets", what, len(r.packets))
		}
		completes(t, r, read(t, four[2]))
	}
}

func TestExactDuplicatesAreIgnored(t *testing.T) {
	four, six := fragmentPair(t)
	for _, all := range [][][]byte{four, six} {
		r := newReassembler(0, seeded(1))
		for _, i := range []int{2, 2, 0, 0, 2, 0} {
			adds(t, r, read(t, all[i]), nil)
		}
		completes(t, r, read(t, all[1]))
	}
}

// contradictions are changes of a second fragment after which it contradicts
// itself, all fragments being there but the first.
var contradictions = map[string]func(*fragment){
	"other bytes":            func(f *fragment) { f.payload[9]++ },
	"shorter":                func(f *fragment) { f.payload = f.payload[:len(f.payload)-8] },
	"longer":                 func(f *fragment) { f.payload = append(f.payload, make([]byte, 8)...) },
	"begins before":          func(f *fragment) { f.offset -= 8 },
	"within":                 func(f *fragment) { f.offset += 8; f.payload = f.payload[8 : len(f.payload)-8] },
	"around":                 func(f *fragment) { f.offset -= 8; f.payload = append(f.payload, make([]byte, 16)...) },
	"the end":                func(f *fragment) { f.more = false },
	"an end before others":   func(f *fragment) { f.offset = 8; f.payload = f.payload[:8]; f.more = false },
	"behind the end":         func(f *fragment) { f.offset = 8000 },
	"another end behind it":  func(f *fragment) { f.offset = 8000; f.more = false },
	"congestion without ECN": func(f *fragment) { f.offset = 0; f.payload = f.payload[:8]; setECN(f, ecnCE) },
}

func setECN(f *fragment, codepoint byte) {
	if f.is6() {
		f.header[1] = f.header[1]&^0x30 | codepoint<<4
	} else {
		f.header[1] = f.header[1]&^3 | codepoint
	}
}

func TestAContradictionEndsAnIPv4PacketButNotTheNext(t *testing.T) {
	for what, change := range contradictions {
		r := newReassembler(0, seeded(1))
		all, _ := fragmentPair(t)
		adds(t, r, read(t, all[1]), nil)
		adds(t, r, read(t, all[2]), nil)
		adds(t, r, changed(read(t, all[1]), change), DropFragmentOverlap)
		if len(r.packets) != 0 || r.lost[DropFragmentOverlap] != 2 {
			t.Errorf("%s: %d packets, %d fragments lost", what, len(r.packets), r.lost[DropFragmentOverlap])
		}
		join(t, r, all)
		invariants(t, r)
	}
}

func TestAContradictionEndsAnIPv6PacketUntilItsTimeIsOver(t *testing.T) {
	for what, change := range contradictions {
		r := newReassembler(0, seeded(1))
		_, all := fragmentPair(t)
		adds(t, r, read(t, all[1]), nil)
		adds(t, r, read(t, all[2]), nil)
		adds(t, r, changed(read(t, all[1]), change), DropFragmentOverlap)
		for _, b := range all {
			adds(t, r, read(t, b), DropFragmentOverlap)
		}
		invariants(t, r)
		r.expire(pureStart.Add(fragmentTimeout6), func([]byte, fragmentKey) {
			t.Errorf("%s: the sender is told", what)
		})
		if r.lost[DropFragmentOverlap] != 2 || r.lost[DropFragmentTimeout] != 0 {
			t.Errorf("%s: %d fragments lost, and %d by time", what, r.lost[DropFragmentOverlap], r.lost[DropFragmentTimeout])
		}
		join(t, r, all)
	}
}

func TestFragmentsOutsideOfAnyPacketAreRefused(t *testing.T) {
	four, six := fragmentPair(t)
	for _, c := range []struct {
		what    string
		of      []byte
		change  func(*fragment)
		code    uint8
		pointer uint32
		problem bool
	}{
		{"misaligned", four[1], func(f *fragment) { f.payload = f.payload[1:] }, 0, 0, false},
		{"misaligned, IPv6", six[1], func(f *fragment) { f.payload = f.payload[1:] }, 0, 4, true},
		{"too long", four[1], func(f *fragment) { f.offset = 64752 }, 0, 0, false},
		{"too long, IPv6", six[1], func(f *fragment) { f.offset = 64312 }, 0, 42, true},
		{"a byte too long", four[2], func(f *fragment) { f.offset = 65512; f.payload = f.payload[:4] }, 0, 0, false},
		{"a byte too long, IPv6", six[2], func(f *fragment) { f.offset = 65528; f.payload = f.payload[:8] }, 0, 42, true},
		{"empty", four[1], func(f *fragment) { f.payload = nil }, 0, 0, false},
		{"empty, IPv6", six[1], func(f *fragment) { f.payload = nil }, 0, 0, false},
		{"empty end", four[2], func(f *fragment) { f.payload = nil }, 0, 0, false},
	} {
		r := newReassembler(0, seeded(1))
		f := changed(read(t, c.of), c.change)
		adds(t, r, f, DropFragmentRange)
		code, pointer, ok := f.problem(DropFragmentRange)
		if code != c.code || pointer != c.pointer || ok != c.problem {
			t.Errorf("%s: problem %d at %d, %v", c.what, code, pointer, ok)
		}
		if len(r.packets) != 0 {
			t.Errorf("%s: it is kept", c.what)
		}
		f = changed(f, func(f *fragment) { f.offset = 64304; f.payload = make([]byte, 1200) })
		adds(t, r, f, nil) // just not too long
	}
}

func TestNoProblemIsReportedOfOtherDrops(t *testing.T) {
	_, six := fragmentPair(t)
	for _, err := range []error{nil, DropFragmentOverlap, DropFragmentMemory, DropFragmentRange} {
		if _, _, ok := read(t, six[0]).problem(err); ok {
			t.Errorf("about %v", err)
		}
	}
}

// Only with the first fragment it shows that the header is longer than the others had.
func TestAPacketThatIsTooLongOnlyWithItsFirstHeaderIsDropped(t *testing.T) {
	long := packet4(wire.IPv4Header{Options: make([]byte, 40)}, pattern(65475))
	all := cut4(t, long, 0, 1500)
	r := newReassembler(0, seeded(1))
	last := changed(read(t, all[len(all)-1]), func(f *fragment) { f.payload = append(f.payload, 1, 2, 3, 4) })
	for _, first := range []bool{true, false} {
		a, b := last, read(t, all[0])
		if first {
			a, b = b, a
		}
		adds(t, r, a, nil)
		adds(t, r, b, DropFragmentRange)
		if len(r.packets) != 0 {
			t.Error("it is kept")
		}
	}
}

func TestTheLongestPacketsAreJoined(t *testing.T) {
	r, random := newReassembler(0, seeded(1)), seeded(2)
	four := packet4(wire.IPv4Header{}, pattern(maxPacket-wire.IPv4Len))
	for _, mtu := range []int{296, 1500, 9000, 65534} {
		if got := join(t, r, shuffled(cut4(t, four, 0, mtu), random)); !bytes.Equal(got, four) {
			t.Errorf("IPv4, MTU %d: %d bytes", mtu, len(got))
		}
	}
	for _, extensions := range []int{0, 8, 64, 72, 80, 88, 1000, 2048} {
		six, headerLen, nextField := packet6(extensions, wire.ProtoUDP, pattern(maxPacket-extensions))
		for _, mtu := range []int{3000, 9000, 65535} {
			all := cut6(t, six, headerLen, nextField, 0, mtu, uint32(mtu))
			for range 3 {
				if got := join(t, r, shuffled(all, random)); !bytes.Equal(got, six) {
					t.Errorf("IPv6 with %d bytes of extensions, MTU %d: %d bytes", extensions, mtu, len(got))
				}
			}
		}
	}
	invariants(t, r)
}

func TestTooManyFragmentsEndAPacket(t *testing.T) {
	r := newReassembler(0, seeded(1))
	four, _ := fragmentPair(t)
	f := changed(read(t, four[0]), func(f *fragment) { f.payload = f.payload[:8] })
	for range maxFragments {
		adds(t, r, f, nil)
		f.offset += 16
	}
	adds(t, r, f, DropFragmentMemory)
	if len(r.packets) != 0 || r.lost[DropFragmentMemory] != maxFragments {
		t.Errorf("%d packets, %d fragments lost", len(r.packets), r.lost[DropFragmentMemory])
	}
}

func TestFirstFragmentsMustHoldAllHeaders(t *testing.T) {
	tcp := func(words byte, n int) []byte { return append([]byte{12: words << 4, 19: 0}, make([]byte, n-20)...) }
	destination := func(next byte, n int) []byte { return append([]byte{next, 1}, make([]byte, n-2)...) }
	for _, c := range []struct {
		what    string
		next    wire.Protocol
		payload []byte
		ok      bool
	}{
		{"udp", wire.ProtoUDP, make([]byte, 8), true},
		{"icmp", wire.ProtoICMPv6, make([]byte, 8), true},
		{"something else", 132, make([]byte, 8), true},
		{"nothing", wire.ProtoNone, make([]byte, 8), true},
		{"tcp", wire.ProtoTCP, tcp(5, 24), true},
		{"tcp with options", wire.ProtoTCP, tcp(8, 32), true},
		{"tcp cut", wire.ProtoTCP, make([]byte, 16), false},
		{"tcp without its options", wire.ProtoTCP, tcp(8, 24), false},
		{"destination options and udp", wire.ProtoDestination, destination(17, 24), true},
		{"destination options alone", wire.ProtoDestination, destination(17, 16), false},
		{"destination options cut", wire.ProtoDestination, destination(17, 8), false},
		{"destination options and tcp cut", wire.ProtoDestination, destination(6, 32), false},
		{"destination options and nothing", wire.ProtoDestination, destination(59, 16), true},
	} {
		r := newReassembler(0, seeded(1))
		_, six := fragmentPair(t)
		f := changed(read(t, six[0]), func(f *fragment) { f.next, f.payload = c.next, c.payload })
		if c.ok {
			adds(t, r, f, nil)
			continue
		}
		adds(t, r, f, DropFragmentTiny)
		if code, pointer, ok := f.problem(DropFragmentTiny); code != 3 || pointer != 0 || !ok {
			t.Errorf("%s: problem %d at %d, %v", c.what, code, pointer, ok)
		}
		adds(t, r, read(t, six[1]), DropFragmentOverlap) // the packet is given up
	}
}

func TestAnAtomicFragmentIsAPacketByItself(t *testing.T) {
	r := newReassembler(0, seeded(1))
	_, six := fragmentPair(t)
	adds(t, r, read(t, six[0]), nil)
	adds(t, r, read(t, six[1]), nil)
	h, headerLen, nextField := packet6(16, wire.ProtoUDP, pattern(500))
	atomic := &fragment{
		key: read(t, six[0]).key, header: h[:headerLen], nextField: nextField, next: wire.ProtoUDP, payload: h[headerLen:],
	}
	marked := changed(atomic, func(f *fragment) { f.header[nextField] = byte(wire.ProtoFragment); f.header[5] += 8 })
	if got := completes(t, r, marked); !bytes.Equal(got, h) {
		t.Errorf("%v", wire.IPv6(got))
	}
	completes(t, r, read(t, six[2])) // the others have not been disturbed
	adds(t, r, changed(read(t, six[2]), func(f *fragment) { f.payload[0]++ }), nil)
	adds(t, r, read(t, six[2]), DropFragmentOverlap)
	completes(t, r, marked)
}

func TestCongestionInOneFragmentIsInThePacket(t *testing.T) {
	four, six := fragmentPair(t)
	for _, all := range [][][]byte{four, six} {
		for _, c := range []struct {
			codepoints [3]byte
			want       byte
		}{
			{[3]byte{2, 2, 2}, 2}, {[3]byte{1, 1, 1}, 1}, {[3]byte{2, 2, 3}, 3}, {[3]byte{3, 1, 1}, 3}, {[3]byte{3, 3, 3}, 3},
			{[3]byte{1, 2, 2}, 1}, {[3]byte{0, 2, 2}, 0},
		} {
			r := newReassembler(0, seeded(1))
			var packet []byte
			for i, b := range all {
				packet, _ = r.add(pureStart, changed(read(t, b), func(f *fragment) { setECN(f, c.codepoints[i]) }))
			}
			whole := fragment{key: read(t, all[0]).key, header: packet}
			if packet == nil || whole.ecn() != c.want {
				t.Errorf("%v: %d", c.codepoints, whole.ecn())
			}
			if packet != nil && !whole.is6() && wire.IPv4(packet).Verify() != nil {
				t.Errorf("%v: the checksum is wrong", c.codepoints)
			}
		}
	}
}

func TestTimeIsUpSoLongAfterTheFragmentThatCameFirst(t *testing.T) {
	four, six := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	var told [][]byte
	expire := func(after time.Duration) {
		r.expire(pureStart.Add(after), func(first []byte, key fragmentKey) { told = append(told, slices.Clone(first)) })
	}
	add := func(after time.Duration, b []byte) {
		if _, err := r.add(pureStart.Add(after), read(t, b)); err != nil {
			t.Error(err)
		}
	}
	next := func(want time.Duration) {
		t.Helper()
		if got := r.next(); !got.Equal(pureStart.Add(want)) {
			t.Errorf("next after %v, want %v", got.Sub(pureStart), want)
		}
	}
	if !r.next().IsZero() {
		t.Error("nothing to do, but a time for it")
	}
	add(0, six[1])
	next(60 * time.Second)
	add(10*time.Second, four[1])
	next(40 * time.Second)
	add(20*time.Second, four[0])
	add(20*time.Second, six[0])
	next(40 * time.Second)
	expire(40*time.Second - 1)
	if len(told) != 0 || len(r.packets) != 2 {
		t.Error("too early")
	}
	expire(40 * time.Second)
	if len(told) != 1 || !bytes.Equal(told[0], four[0]) || r.lost[DropFragmentTimeout] != 2 {
		t.Errorf("%d told, %d lost", len(told), r.lost[DropFragmentTimeout])
	}
	next(60 * time.Second)
	expire(60 * time.Second)
	if len(told) != 2 || !bytes.Equal(told[1], six[0]) || r.lost[DropFragmentTimeout] != 4 {
		t.Errorf("%d told, %d lost", len(told), r.lost[DropFragmentTimeout])
	}
	if len(r.packets) != 0 || r.memory.total != 0 || !r.next().IsZero() {
		t.Errorf("%d packets, %d bytes, next at %v", len(r.packets), r.memory.total, r.next())
	}
}

func TestTheSenderIsNotToldWithoutTheFirstFragment(t *testing.T) {
	four, six := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	for _, b := range [][]byte{four[1], four[2], six[1], six[2]} {
		adds(t, r, read(t, b), nil)
	}
	r.expire(pureStart.Add(time.Minute), func(first []byte, key fragmentKey) { t.Errorf("told about %v", key) })
	if r.lost[DropFragmentTimeout] != 4 {
		t.Errorf("%d lost", r.lost[DropFragmentTimeout])
	}
}

func TestQuotesHoldExtensionHeaders(t *testing.T) {
	for _, extensions := range []int{8, 80, 88, 1000} {
		h, headerLen, nextField := packet6(extensions, wire.ProtoUDP, pattern(3000))
		all := cut6(t, h, headerLen, nextField, 0, 2000, 7)
		r := newReassembler(0, seeded(1))
		adds(t, r, read(t, all[1]), nil)
		if len(all) == 2 {
			r = newReassembler(0, seeded(1))
		}
		adds(t, r, read(t, all[0]), nil)
		r.expire(pureStart.Add(time.Minute), func(first []byte, key fragmentKey) {
			if !bytes.Equal(first, all[0]) {
				t.Errorf("%d bytes of extensions: %v", extensions, wire.IPv6(first))
			}
		})
	}
}

// from returns a fragment of another packet, with n bytes of payload.
func from(t testing.TB, f *fragment, src netip.Addr, id, n int) *fragment {
	t.Helper()
	return changed(f, func(f *fragment) {
		f.key.src, f.key.id = src, uint32(id)
		f.offset, f.payload = 0, make([]byte, n)
	})
}

func TestTheOldestPacketGivesWay(t *testing.T) {
	four, six := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	adds(t, r, read(t, six[0]), nil)
	adds(t, r, read(t, four[0]), nil)
	for n := range 16 { // so many sources that none exceeds its share
		for id := range 100 {
			if _, err := r.add(pureStart.Add(time.Second), from(t, read(t, four[0]), address4(n), 1000+id, 4000)); err != nil {
				t.Fatal(err)
			}
		}
		invariants(t, r)
	}
	if r.packets[read(t, six[0]).key] != nil || r.packets[read(t, four[0]).key] != nil {
		t.Error("the oldest are still there")
	}
	if r.packets[from(t, read(t, four[0]), address4(15), 1099, 8).key] == nil {
		t.Error("the youngest is not there")
	}
	if r.lost[DropFragmentMemory] < 1000 {
		t.Errorf("%d fragments lost", r.lost[DropFragmentMemory])
	}
}

func TestOneSourceCannotDisplaceTheOthers(t *testing.T) {
	four, six := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	for _, b := range [][]byte{four[0], four[1], six[0], six[1]} {
		adds(t, r, read(t, b), nil)
	}
	for id := range 5000 {
		adds(t, r, from(t, read(t, four[0]), address4(200), id, 800), nil)
		// A whole network of 64 bits is one source.
		src := netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 14: byte(id >> 8), 15: byte(id)})
		adds(t, r, from(t, read(t, six[0]), src, id, 800), nil)
	}
	invariants(t, r)
	if r.lost[DropFragmentMemory] < 5000 {
		t.Errorf("only %d fragments lost", r.lost[DropFragmentMemory])
	}
	completes(t, r, read(t, four[2]))
	completes(t, r, read(t, six[2]))
}

func TestHostsOfALinkAreDifferentSources(t *testing.T) {
	m := fragmentMemory{key: siphash.New(seeded(1))}
	seen := map[*fragmentSource]bool{}
	for _, a := range addrList("fe80::1", "fe80::2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "10.0.0.1", "10.0.0.2") {
		seen[m.source(a)] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d sources, want 6", len(seen))
	}
}

func TestTombstonesAreBounded(t *testing.T) {
	_, six := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	for _, networks := range []int{1, 256} {
		for id := range 10000 {
			f := from(t, read(t, six[0]), netip.AddrFrom16([16]byte{0: 0x20, 7: byte(id % networks)}), id, 800)
			adds(t, r, f, nil)
			f.payload[0]++
			adds(t, r, f, DropFragmentOverlap)
			if id%100 == 0 {
				invariants(t, r)
			}
		}
	}
}

func TestMemoryIsFreedWhenIdle(t *testing.T) {
	four, _ := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	join(t, r, four)
	if r.memory.total == 0 {
		t.Fatal("nothing is kept for the next packet")
	}
	if got := r.next(); !got.Equal(pureStart.Add(fragmentIdle)) {
		t.Errorf("next after %v", got.Sub(pureStart))
	}
	nobody := func([]byte, fragmentKey) {}
	r.expire(pureStart.Add(fragmentIdle-1), nobody)
	if r.memory.total == 0 {
		t.Error("freed early")
	}
	r.expire(pureStart.Add(fragmentIdle), nobody)
	if r.memory.total != 0 || r.memory.partials != nil || r.packets != nil || r.memory.sources != nil || !r.next().IsZero() {
		t.Errorf("%d bytes are still there", r.memory.total)
	}
	join(t, r, four)
	invariants(t, r)
}

func TestADetachedPacketStaysValid(t *testing.T) {
	four, _ := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	want := packet4(wire.IPv4Header{}, pattern(2000))
	packet := join(t, r, four)
	b := r.detach()
	again := join(t, r, four)
	again[100]++
	if !bytes.Equal(packet, want) {
		t.Error("its memory is used again")
	}
	invariants(t, r)
	r.giveBack(b)
	invariants(t, r)
	all := []*fragment{read(t, four[0]), read(t, four[1]), read(t, four[2])}
	allocatesNothing(t, "detach and give back", func() {
		for _, f := range all {
			_, _ = r.add(pureStart, f)
		}
		r.giveBack(r.detach())
	})
	r.giveBack(nil)
	if r.detach() != nil {
		t.Error("something to detach, and no packet")
	}
}

func TestGivingBackDoesNotExceedTheLimit(t *testing.T) {
	four, _ := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	var all [][]byte
	for range 1000 {
		join(t, r, four)
		all = append(all, r.detach())
	}
	for _, b := range all {
		r.giveBack(b)
	}
	invariants(t, r)
}

func TestWhatAPacketCostsIsCounted(t *testing.T) {
	const inMap = 2 * (unsafe.Sizeof(fragmentKey{}) + 8)
	if n := unsafe.Sizeof(partial{}) + inMap; n > partialCost {
		t.Errorf("%d bytes, counted as %d", n, partialCost)
	}
	if n := unsafe.Sizeof([fragmentSources]fragmentSource{}); n > 8<<10 {
		t.Errorf("%d bytes for the sources", n)
	}
}

func TestJoiningAllocatesNothing(t *testing.T) {
	four, six := fragmentPair(t)
	r := newReassembler(0, seeded(1))
	var all []*fragment
	for _, b := range append(four, six...) {
		all = append(all, read(t, b))
	}
	long := cut4(t, packet4(wire.IPv4Header{}, pattern(60000)), 0, 1500)
	for _, b := range long {
		all = append(all, changed(read(t, b), func(f *fragment) { f.key.id++ }))
	}
	// A flow of fragmented packets has another identification each time.
	allocatesNothing(t, "a flow", func() {
		for _, f := range all {
			f.key.id += 10
			if _, err := r.add(pureStart, f); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzReassemblerMemory(f *testing.F) {
	for n := range uint64(4) {
		f.Add(n, uint16(2000))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := newReassembler(1+random.IntN(4<<20), random)
		four, six := fragmentPair(t)
		all := []*fragment{read(t, four[0]), read(t, six[0])}
		now := pureStart
		var detached [][]byte
		for range steps % 3000 {
			f := *all[random.IntN(2)]
			f.key.src = randomAddr(random, !f.is6())
			f.key.id = uint32(random.IntN(50))
			f.offset = random.IntN(100) * 8 << random.IntN(7)
			f.more = random.IntN(3) != 0
			f.payload = f.payload[:8*random.IntN(100)]
			switch random.IntN(100) {
			case 0:
				now = now.Add(time.Duration(random.IntN(40)) * time.Second)
				r.expire(now, func([]byte, fragmentKey) {})
			case 1:
				r.detach()
			case 2:
				if b := r.detach(); b != nil {
					detached = append(detached, b)
				}
			case 3:
				for _, b := range detached {
					r.giveBack(b)
				}
				detached = nil
			default:
				_, _ = r.add(now, &f)
			}
			if random.IntN(50) == 0 {
				invariants(t, r)
			}
		}
		invariants(t, r)
	})
}

func BenchmarkJoin(b *testing.B) {
	for name, size := range map[string]int{"2 fragments": 2000, "45 fragments": 65000} {
		b.Run(name, func(b *testing.B) {
			var all []*fragment
			for _, p := range cut4(b, packet4(wire.IPv4Header{}, pattern(size)), 0, 1500) {
				all = append(all, read(b, p))
			}
			r := newReassembler(0, seeded(1))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range all {
					_, _ = r.add(pureStart, f)
				}
			}
		})
	}
}

// A flood of first fragments from many sources, with nothing that ever completes.
func BenchmarkFragmentFlood(b *testing.B) {
	four, _ := fragmentPair(b)
	f := read(b, four[0])
	r := newReassembler(0, seeded(1))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		f.key.src, f.key.id = address4(n), uint32(n)
		_, _ = r.add(pureStart, f)
		n++
	}
}
