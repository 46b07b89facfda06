package dhcp

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxNumber is how many clients can have one name but for a number at its end. More
// would be an attack, or machines whose names mean nothing.
const maxNumber = 256

// giveName gives a lease a name of its own, as near as possible to the one that the
// client would like. A client that does not say has the name that it had.
func (s *Server) giveName(e *entry, wanted string) {
	if e.static != nil && e.static.Name != "" {
		e.name = e.static.Name // which is kept for it
		return
	}
	if wanted == "" {
		wanted = e.name
	}
	if !isVariant(e.name, wanted) {
		s.dropName(e)
		e.name = wanted
	}
	if s.takeName(e, e.name) || s.takeName(e, wanted) {
		return
	}
	for n := 2; n <= maxNumber && wanted != ""; n++ {
		if s.takeName(e, numbered(wanted, n)) {
			return
		}
	}
	e.name = ""
}

// takeName names an entry, if no other has the name.
func (s *Server) takeName(e *entry, name string) bool {
	owner, known := s.names[name]
	if name == "" || known && owner != e {
		return false
	}
	e.name = name
	s.names[name] = e
	return true
}

// dropName makes an entry's name free for others. It is remembered.
func (s *Server) dropName(e *entry) {
	if (e.static == nil || e.static.Name == "") && e.name != "" && s.names[e.name] == e {
		delete(s.names, e.name)
	}
}

// numbered returns a label like name that ends in "-n".
func numbered(name string, n int) string {
	end := "-" + strconv.Itoa(n)
	return strings.TrimRight(name[:min(len(name), maxLabel-len(end))], "-") + end
}

// isVariant reports whether have is wanted, or what numbered made of it.
func isVariant(have, wanted string) bool {
	if have == wanted {
		return true
	}
	i := strings.LastIndexByte(have, '-')
	n, err := strconv.Atoi(have[i+1:])
	return i > 0 && err == nil && numbered(wanted, n) == have
}

// ByName returns the lease of the client with a name, which is a label in lower case.
func (s *Server) ByName(now time.Time, name string) (Binding, bool) {
	return found(now, s.names[name])
}

// ByAddr returns the lease of an address.
func (s *Server) ByAddr(now time.Time, a netip.Addr) (Binding, bool) {
	if p := s.poolWith(a); p != nil {
		return found(now, p.entries[a])
	}
	return Binding{}, false
}

func found(now time.Time, e *entry) (Binding, bool) {
	if e == nil || e.condition != isLeased || e.isOver(now) {
		return Binding{}, false
	}
	return e.binding(), true
}
