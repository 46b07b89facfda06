package dhcp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"landline/wire"
)

// Leases outlive the server as records: lines of text that are appended to a file, each
// about one address, the last one being true:
//
//	lease 10.0.0.9 1767323045 68020000000001 02:00:00:00:00:01 box 8d4a3c12
//
// The words are what the address is used for (lease, free or bad), the address, until
// when in seconds since 1970 (0 is for ever), whose it is, the hardware address,
// the host name, and a checksum of all that. "-" stands for nothing. A line that was
// cut by a crash has no good checksum and says nothing; what was not written whole, no
// client was told of.

const (
	recordFree  = "free"
	recordLease = "lease"
	recordBad   = "bad"
)

var recordWord = [...]string{isFree: recordFree, isOffered: recordFree, isLeased: recordLease, isBad: recordBad}

// writeRecord returns a record of what the entry is now. Before it comes an empty line,
// so that one that was cut short does not spoil it.
func (s *Server) writeRecord(e *entry) []byte {
	s.record = e.appendRecord(append(s.record[:0], '\n'))
	return s.record
}

func (e *entry) appendRecord(b []byte) []byte {
	start := len(b)
	b = append(append(b, recordWord[e.condition]...), ' ')
	b = append(e.addr.AppendTo(b), ' ')
	expiry := int64(0)
	if e.condition != isOffered && !e.expiry.IsZero() {
		expiry = e.expiry.Add(time.Second - 1).Unix() // not before the client's end
	}
	b = append(strconv.AppendInt(b, expiry, 10), ' ')
	b = append(hex.AppendEncode(b, []byte(e.client)), orDash(e.client)...)
	b, _ = e.mac.AppendText(append(b, ' '))
	b = append(append(append(b, ' '), e.name...), orDash(e.name)...)
	sum := recordSum(b[start:])
	return append(append(append(b, ' '), sum[:]...), '\n')
}

// recordSum is the checksum of a line before it.
func recordSum(text []byte) (sum [8]byte) {
	crc := crc32.ChecksumIEEE(text)
	for i := range sum {
		sum[i] = "0123456789abcdef"[crc>>(28-4*i)&0xf]
	}
	return sum
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return ""
}

// Snapshot returns records of all that the server knows. They may replace all records
// that were written so far, in one step, such as by a new file that is renamed: at the
// start, and when the old file has become much longer.
func (s *Server) Snapshot(now time.Time) []byte {
	s.expire(now)
	var b []byte
	for _, p := range s.pools {
		for e := p.free.first; e != nil; e = e.next { // in the order of use
			if e.client != "" {
				b = e.appendRecord(b)
			}
		}
		for _, e := range p.entries {
			listed := e.condition == isFree && e.static == nil
			if !listed && (e.known || e.condition == isBad) {
				b = e.appendRecord(b)
			}
		}
	}
	return b
}

// Restore reads records, those of a Snapshot and what was appended to it, and returns how
// many lines told nothing: they are damaged, or about addresses that are not for the
// client any more. It is called before anything else.
func (s *Server) Restore(now time.Time, records []byte) (bad int) {
	for line := range bytes.Lines(records) {
		line = bytes.TrimSuffix(line, []byte{'\n'})
		if len(line) > 0 && !s.readRecord(line) {
			bad++
		}
	}
	s.expire(now)
	return bad
}

// A record is a line, read.
type record struct {
	word   string
	addr   netip.Addr
	expiry time.Time
	client string
	mac    wire.MAC
	name   string
}

const (
	recordWords = 7
	maxRecord   = 1024 // bytes of a line
)

// readRecord brings an entry into the state that a line tells of.
func (s *Server) readRecord(line []byte) bool {
	r, ok := parseRecord(line)
	if !ok {
		return false
	}
	p := s.poolWith(r.addr)
	if p == nil {
		return false
	}
	e := p.entries[r.addr]
	if e == nil {
		e = &entry{addr: r.addr, pool: p}
	}
	if e.static == nil && !p.gives(r.addr) || e.static != nil && !p.isStaticOf(e, &r) {
		return false
	}
	s.apply(e, &r)
	return true
}

// isStaticOf reports whether a record of a static address is still true.
func (p *pool) isStaticOf(e *entry, r *record) bool {
	return r.word == recordBad || p.static[r.client] == e || p.static[clientKey(nil, r.mac)] == e
}

func (s *Server) apply(e *entry, r *record) {
	if r.word == recordBad {
		s.put(e, isBad, r.expiry)
		return
	}
	s.assign(e, r.client, r.mac)
	s.put(e, isLeased, r.expiry)
	if r.word == recordFree {
		s.vacate(e)
		e.name = r.name
		return
	}
	e.name = ""
	s.giveName(e, r.name)
}

func parseRecord(line []byte) (r record, ok bool) {
	if len(line) > maxRecord {
		return r, false
	}
	words := strings.Split(string(line), " ")
	if len(words) != recordWords {
		return r, false
	}
	last := words[recordWords-1]
	if sum := recordSum(line[:len(line)-len(last)-1]); string(sum[:]) != last {
		return r, false
	}
	for i := range words {
		words[i] = strings.TrimSuffix(words[i], "-")
	}
	addr, err1 := netip.ParseAddr(words[1])
	seconds, err2 := strconv.ParseInt(words[2], 10, 64)
	client, err3 := hex.DecodeString(words[3])
	mac, err4 := wire.ParseMAC(words[4])
	r = record{word: words[0], addr: addr, client: string(client), mac: mac, name: words[5]}
	if seconds != 0 {
		r.expiry = time.Unix(seconds, 0)
	}
	return r, errors.Join(err1, err2, err3, err4) == nil && r.isGood()
}

// isGood reports whether the record could have been written here.
func (r *record) isGood() bool {
	if label([]byte(r.name)) != r.name {
		return false
	}
	switch r.word {
	case recordBad:
		return r.client == "" && !r.expiry.IsZero()
	case recordFree, recordLease:
		return isKey(r.client)
	}
	return false
}

// isKey reports whether clientKey could have made a key.
func isKey(client string) bool {
	switch {
	case client == "":
		return false
	case client[0] == keyMAC:
		return len(client) == 1+len(wire.MAC{})
	}
	return client[0] == keyID && len(client) > 2 && len(client) <= 1+maxClientID
}
