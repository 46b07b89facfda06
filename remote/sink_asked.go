package remote

import (
	"path"
	"strings"
)

// askedNames are the first components that a source may send: those of the paths
// that it was asked for. Of a path such as ~ or .. only the source knows the last
// component; each allows one name more.
type askedNames struct {
	known   map[string]bool
	unknown int // names that may still become known
}

func newAskedNames(paths []string) *askedNames {
	a := &askedNames{known: map[string]bool{}}
	for _, p := range paths {
		a.add(p)
		if strings.Contains(p, `\`) { // which may separate components there
			a.add(strings.ReplaceAll(p, `\`, "/"))
		}
	}
	return a
}

func (a *askedNames) add(p string) {
	p = path.Clean(p)
	switch base := path.Base(p); {
	case p == "~", base == ".", base == "..":
		a.unknown++
	default:
		a.known[base] = true
	}
}

// allow says whether name was asked for. A nil a, of a sink whose user is the
// source's, allows every name.
func (a *askedNames) allow(name string) bool {
	if a == nil || a.known[name] {
		return true
	}
	if a.unknown == 0 {
		return false
	}
	a.unknown--
	a.known[name] = true
	return true
}
