package remote

import (
	"hash/fnv"
	"strconv"
	"time"
)

// An identMaker makes idents: texts that change whenever a file's content may
// have.
type identMaker struct {
	machine uint32
	buf     []byte
}

func newIdentMaker() identMaker {
	h := fnv.New32a()
	_, _ = h.Write([]byte(machineID()))
	return identMaker{machine: h.Sum32()}
}

// clockTick is how long a change of a file may bear the time of the one before.
const clockTick = 20 * time.Millisecond

// isYoung says whether a file was changed so lately that another change could
// still bear the same time.
func isYoung(info *diskInfo) bool { return youth(info) > 0 }

// youth is how long a file is young yet; not above 0 if it is not.
func youth(info *diskInfo) time.Duration {
	tick := clockTick
	if info.ctime.ns == 0 {
		tick = 2 * time.Second // a file system that keeps whole seconds
	}
	return tick - time.Since(info.ctime.time())
}

// of returns a file's ident; none if it would be too long.
func (m *identMaker) of(info *diskInfo) string {
	b := strconv.AppendUint(m.buf[:0], uint64(m.machine), 36)
	for _, v := range [...]uint64{info.dev, info.ino, uint64(info.ctime.sec), uint64(info.ctime.ns), uint64(info.size)} {
		b = strconv.AppendUint(append(b, '-'), v, 36)
	}
	if m.buf = b; len(b) > maxIdent {
		return "" // times far outside of any clock's
	}
	return string(b)
}
