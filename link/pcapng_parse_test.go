package link_test

import (
	"encoding/binary"
	"fmt"
	"strings"

	"landline/link"
)

// capture is what a capture file says.
type capture struct {
	faces   []captureFace
	packets []packet
	stats   map[uint32][2]uint64 // frames and dropped
}

type captureFace struct {
	name string
	mac  string
	snap uint32
}

type packet struct {
	face    uint32
	at      uint64 // nanoseconds
	bytes   []byte
	length  uint32
	comment string
	flags   uint32
}

func (p packet) direction() link.Direction { return link.Direction(p.flags & 3) }

// parseCapture reads a file of one section and refuses whatever is odd in it.
func parseCapture(b []byte) (c *capture, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	c = &capture{stats: make(map[uint32][2]uint64)}
	must(len(b)%4 == 0, "a length that is no multiple of four")
	le := binary.LittleEndian
	for first := true; len(b) > 0; first = false {
		kind, n := le.Uint32(b), int(le.Uint32(b[4:]))
		must(n >= 12 && n%4 == 0 && int(le.Uint32(b[n-4:])) == n, "a block's lengths")
		must(first == (kind == 0x0a0d0d0a), "a section begins where it should not, or does not")
		body := b[8 : n-4]
		switch kind {
		case 0x0a0d0d0a:
			must(le.Uint32(body) == 0x1a2b3c4d && le.Uint32(body[4:]) == 1 && le.Uint64(body[8:]) == 1<<64-1, "the section")
			must(options(body[16:])[4] == "landline", "the section's program")
		case 1:
			must(le.Uint32(body) == 1, "the interface's type")
			o := options(body[8:])
			must(o[9] == "\x09", "the resolution")
			c.faces = append(c.faces, captureFace{name: o[2], mac: o[6], snap: le.Uint32(body[4:])})
		case 6:
			c.packets = append(c.packets, parsePacket(body))
			must(int(le.Uint32(body)) < len(c.faces), "the packet's interface")
		case 5:
			o := options(body[12:])
			c.stats[le.Uint32(body)] = [2]uint64{le.Uint64([]byte(o[4])), le.Uint64([]byte(o[5]))}
		default:
			must(false, "the block's type")
		}
		b = b[n:]
	}
	return c, nil
}

func must(ok bool, what string) {
	if !ok {
		panic(what + ": bad")
	}
}

func parsePacket(b []byte) (p packet) {
	le := binary.LittleEndian
	p.face = le.Uint32(b)
	p.at = uint64(le.Uint32(b[4:]))<<32 | uint64(le.Uint32(b[8:]))
	n := le.Uint32(b[12:])
	p.length = le.Uint32(b[16:])
	p.bytes = b[20 : 20+n]
	end := 20 + (n+3)&^3
	must(strings.Trim(string(b[20+n:end]), "\x00") == "", "padding")
	if rest := b[end:]; len(rest) > 0 {
		o := options(rest)
		p.comment = o[1]
		if flags, ok := o[2]; ok {
			p.flags = le.Uint32([]byte(flags))
		}
	}
	return p
}

// options reads options up to their end, which must be that of the block.
func options(b []byte) map[uint16]string {
	all := make(map[uint16]string)
	for {
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		value := string(b[4 : 4+n])
		b = b[4+(n+3)&^3:]
		if code == 0 {
			must(n == 0 && len(b) == 0, "the options' end")
			return all
		}
		_, twice := all[code]
		must(!twice, "an option that is there twice")
		all[code] = value
	}
}
