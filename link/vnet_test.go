package link

import (
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"testing"

	"landline/wire"
)

// vnetFrame is a TCP segment with one byte over its header, over IPv4 if kind says so.
func vnetFrame(kind wire.EtherType, flags wire.TCPFlags) []byte {
	b := wire.AppendEthernet(nil, wire.MAC{2, 1}, wire.MAC{2, 2}, kind)
	b = append(b, make([]byte, 20)...)
	b = wire.AppendTCP(b, &wire.TCPHeader{Flags: flags}, wire.AppendMSS(nil, 1460))
	return append(b, 'x')
}

func TestVnetHeaderSaysWhatTheFrameSays(t *testing.T) {
	unit := Frame{Sum: SumPartial, SumStart: 34, SumField: 50, SegSize: 1448}
	for _, c := range []struct {
		what  string
		kind  wire.EtherType
		flags wire.TCPFlags
		frame Frame
		want  string
	}{
		{"nothing", wire.TypeIPv4, 0, Frame{}, "00 00 0000 0000 0000 0000"},
		{"good", wire.TypeIPv4, 0, Frame{Sum: SumGood}, "00 00 0000 0000 0000 0000"},
		{"open", wire.TypeIPv4, 0, Frame{Sum: SumPartial, SumStart: 34, SumField: 40}, "01 00 0000 0000 2200 0600"},
		{"unit over IPv4", wire.TypeIPv4, 0, unit, "01 01 3a00 a805 2200 1000"},
		{"unit over IPv6", wire.TypeIPv6, 0, unit, "01 04 3a00 a805 2200 1000"},
		{"unit with CWR", wire.TypeIPv4, wire.FlagCWR, unit, "01 81 3a00 a805 2200 1000"},
	} {
		c.frame.Head = vnetFrame(c.kind, c.flags)
		var h [vnetLen]byte
		if err := c.frame.putVnet(&h); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if got := spaced(h[:]); got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
		back := Frame{Head: c.frame.Head}
		if c.frame.Sum == SumGood {
			continue // which the kernel does not want to know
		}
		if fault := back.readVnet(h[:]); fault != vnetGood || !reflect.DeepEqual(back, c.frame) {
			t.Errorf("%s: read as %+v, fault %d, want %+v", c.what, back, fault, c.frame)
		}
	}
}

// spaced writes a header field by field.
func spaced(h []byte) (s string) {
	for _, n := range []int{1, 1, 2, 2, 2, 2} {
		s += " " + hex.EncodeToString(h[:n])
		h = h[n:]
	}
	return s[1:]
}

func TestVnetHeaderIsNotTrusted(t *testing.T) {
	for _, c := range []struct {
		header string
		want   vnetFault
	}{
		{"00 00 0000 0000 0000 0000", vnetGood},
		{"00 00 ffff ffff ffff ffff", vnetGood}, // fields that mean nothing
		{"01 00 0000 0000 2200 1000", vnetGood},
		{"01 00 0000 0000 0d00 1000", vnetSum}, // in the Ethernet header
		{"01 00 0000 0000 2200 1800", vnetSum}, // half behind the end
		{"01 00 0000 0000 ffff ffff", vnetSum},
		{"01 00 0000 0000 2200 deff", vnetSum}, // 65,536 when added
		{"01 01 3a00 a805 2200 1000", vnetGood},
		{"01 81 3a00 a805 2200 1000", vnetGood},
		{"01 01 3b00 a805 2200 1000", vnetGood},
		{"01 01 3c00 a805 2200 1000", vnetUnit}, // headers over the end
		{"01 01 3a00 0000 2200 1000", vnetUnit}, // no segment size
		{"00 01 3a00 a805 2200 1000", vnetUnit}, // no open checksum
		{"02 01 3a00 a805 2200 1000", vnetUnit},
		{"01 01 3a00 a805 2200 0600", vnetUnit}, // UDP's checksum
		{"01 01 3a00 a805 2800 1000", vnetUnit}, // half a TCP header
		{"01 03 3a00 a805 2200 1000", vnetUnit}, // UDP fragments
		{"01 05 3a00 a805 2200 1000", vnetUnit}, // UDP segments
		{"01 ff 3a00 a805 2200 1000", vnetUnit},
	} {
		f := Frame{Head: vnetFrame(wire.TypeIPv4, 0)}
		h := unspaced(t, c.header)
		if got := f.readVnet(h); got != c.want {
			t.Errorf("%s: fault %d, want %d", c.header, got, c.want)
		}
	}
	good := Frame{Head: vnetFrame(wire.TypeIPv4, 0)}
	if good.readVnet(unspaced(t, "02 00 0000 0000 0000 0000")); good.Sum != SumGood {
		t.Errorf("a checked checksum is %d", good.Sum)
	}
	for _, n := range []int{0, 13, MaxFrame + 1} {
		f := Frame{Head: make([]byte, n)}
		for _, h := range [][]byte{nil, make([]byte, vnetLen)} {
			if got := f.readVnet(h); got != vnetLength {
				t.Errorf("%d bytes: fault %d", n, got)
			}
		}
	}
}

func unspaced(t *testing.T, s string) (h []byte) {
	for _, c := range s {
		if c != ' ' {
			h = append(h, byte(c))
		}
	}
	h, err := hex.DecodeString(string(h))
	if err != nil || len(h) != vnetLen {
		t.Fatalf("%q is no header: %v", s, err)
	}
	return h
}

// What is read is never a frame that cannot be carried on, and says the same when written.
func FuzzVnet(f *testing.F) {
	for _, kind := range []wire.EtherType{wire.TypeIPv4, wire.TypeIPv6, wire.TypeVLAN} {
		unit := Frame{Head: vnetFrame(kind, 0), Sum: SumPartial, SumStart: 34, SumField: 50, SegSize: 1448}
		var h [vnetLen]byte
		unit.putVnet(&h)
		f.Add(append(h[:], unit.Head...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < vnetLen {
			return
		}
		frame := Frame{Head: b[vnetLen:]}
		if frame.readVnet(b[:vnetLen]) != vnetGood {
			return
		}
		all := Info{MTU: MaxMTU, Offloads: OffloadChecksum | OffloadTSO}
		if err := all.check(&frame); err == ErrFrame || err == ErrOffload {
			t.Fatalf("%+v is read: %v", frame, err)
		}
		var h [vnetLen]byte
		if frame.putVnet(&h) != nil {
			return // a unit of something that this knows no TCP in
		}
		again := Frame{Head: frame.Head}
		if frame.Sum == SumGood {
			again.Sum = SumGood
		}
		if fault := again.readVnet(h[:]); fault != vnetGood || !reflect.DeepEqual(again, frame) {
			t.Fatalf("%+v is written as %x and read as %+v, fault %d", frame, h, again, fault)
		}
		if n := int(binary.LittleEndian.Uint16(h[vnetHdrLen:])); n > len(frame.Head) {
			t.Fatalf("headers of %d in %d bytes", n, len(frame.Head))
		}
	})
}
