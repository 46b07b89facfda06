package dhcp

// A message takes as much as its reader allows. What does not fit goes to the fields
// for the server's name and the boot file (RFC 2131, Section 4.1), and what does not
// fit there is left out: the important options come first.

// The places for options, in the order in which they are read, and how much they hold
// beside an end.
const (
	placeOptions = iota
	placeFile
	placeSname
	places

	fileRoom  = cookieAt - fileAt - 1
	snameRoom = fileAt - snameAt - 1
)

// overloadLen is the length of an option that says that more options are elsewhere.
const overloadLen = 3

// pack puts header and s.options into a message of at most limit bytes.
func (s *Server) pack(h *Header, limit int) []byte {
	b := AppendHeader(s.message[:0], h)
	if len(b)+len(s.options)+1 <= limit {
		b = append(b, s.options...)
	} else {
		b = spread(b, s.options, limit)
	}
	s.message = AppendEnd(b, 0)
	return s.message
}

// spread appends options to a header, and puts what has no room there into its other
// fields.
func spread(b, options []byte, limit int) []byte {
	p := packer{b: b, at: [places]int{placeFile: fileAt, placeSname: snameAt}}
	p.room = [places]int{limit - len(b) - overloadLen - 1, fileRoom, snameRoom}
	p.b = append(p.b, byte(optOverload), 1, fieldFile|fieldSname)
	for len(options) > 0 {
		n := optionLen(options)
		if p.hasRoom(options[:n]) {
			p.put(options[:n])
		}
		options = options[n:]
	}
	p.b[p.at[placeFile]], p.b[p.at[placeSname]] = optEnd, optEnd
	return p.b
}

// optionLen returns the length of the first option, with all its pieces.
func optionLen(options []byte) (n int) {
	for n < len(options) && options[n] == options[0] {
		n += 2 + int(options[n+1])
	}
	return n
}

// A packer is a message that is being filled.
type packer struct {
	b    []byte
	room [places]int // in each place, less an end
	at   [places]int // where to go on in file and sname
}

// hasRoom reports whether an option of one or more pieces can be put somewhere. It may
// take two bytes for each more piece that it is cut into.
func (p *packer) hasRoom(option []byte) bool {
	room := 0
	for _, n := range p.room {
		if n >= len(option) {
			return true
		}
		room += max(n-2, 0)
	}
	return room >= len(option)
}

// put puts an option into the first place that takes it whole, or else into several
// (RFC 3396, Section 6).
func (p *packer) put(option []byte) {
	for i, n := range p.room {
		if n >= len(option) {
			p.write(i, option)
			return
		}
	}
	place := 0
	for len(option) > 0 {
		n := 2 + int(option[1])
		for value := option[2:n]; len(value) > 0; {
			for p.room[place] <= 2 {
				place++
			}
			m := min(len(value), p.room[place]-2)
			p.write(place, append([]byte{option[0], byte(m)}, value[:m]...))
			value = value[m:]
		}
		option = option[n:]
	}
}

func (p *packer) write(place int, option []byte) {
	p.room[place] -= len(option)
	if place == placeOptions {
		p.b = append(p.b, option...)
		return
	}
	p.at[place] += copy(p.b[p.at[place]:], option)
}
