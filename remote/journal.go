package remote

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A journal lets a copy that was cut off be continued, and be cleaned up after.
// It is a file in the target's directory, locked while a copy uses it, to which
// lines are only ever appended; each carries a checksum, and one that does not
// match is skipped. A line is
//
//	run ID BOOT          a copy begins; its temporary files are .landline-ID-NUMBER
//	dir "NAME"           file number 0, which comes and goes, is from now on in this directory
//	part N KEY "NAME"    file N is the beginning of the file KEY, in this directory
//	seal N OFFSET        as far as here, file N is right
//	drop N               file N is gone
//	done KEY             the file KEY has its content
//	sync KEY             the same, and it will survive a loss of power
//
// where KEY is made of an entry's name and ident.
type journal struct {
	dir   *folder // the target's directory; not the journal's to close
	f     *diskFile
	name  string
	id    string
	end   int64  // of the file
	buf   []byte // lines to be appended
	torn  bool   // the last line may lack its end
	at    string // the directory of the last dir line
	atSet bool
	seq   int           // the highest part's number so far
	parts map[int]*part // beginnings that an earlier copy left, by number
	done  []uint64      // what earlier copies finished, sorted
	worth bool          // it is worth keeping when the copy is cut off
}

// A part is the beginning of a file.
type part struct {
	seq    int
	key    uint64
	dir    string // its name; empty for the target's directory
	offset int64  // what comes before is right
}

const (
	journalSlots  = 4       // copies of the same things to the same place, at a time
	journalBuffer = 4 << 10 // lines that may be lost when the process is killed
	maxParts      = 1024
	maxLine       = 32 << 10
)

var errBusy = errors.New("other copies to the same place use every journal")

// openJournal opens the journal for copies of what key stands for into dir, and
// takes over what a dead copy left there. Where several copies do the same at
// once, each has its own.
func openJournal(dir *folder, key string) (*journal, error) {
	for slot := range journalSlots {
		name := journalName(key, slot)
		f, err := lockJournal(dir, name, true)
		if errors.Is(err, errBusy) {
			continue
		}
		if err != nil {
			return nil, err
		}
		j, err := takeJournal(dir, f, name)
		if err == nil {
			err = j.begin()
		}
		if err != nil {
			_ = f.close()
			return nil, err
		}
		removeStale(dir, key, slot+1)
		return j, nil
	}
	return nil, errBusy
}

// copyKey is what the journal of a copy is found by: what the first component of
// names becomes, empty if it stays, and that component.
func copyKey(rename, first string) string { return hexKey(journalKey(rename, []byte(first))) }

func journalName(key string, slot int) string {
	return fmt.Sprintf("%s%s-%d.journal", reservedPrefix, key, slot)
}

// wasCutOff says whether a dead copy left a journal of this key in dir.
func wasCutOff(dir *folder, key string) bool {
	for slot := range journalSlots {
		if f, err := lockJournal(dir, journalName(key, slot), false); err == nil {
			_ = f.close()
			return true
		}
	}
	return false
}

// removeStale removes what dead copies left under the other slots.
func removeStale(dir *folder, key string, from int) {
	for slot := from; slot < journalSlots; slot++ {
		name := journalName(key, slot)
		f, err := lockJournal(dir, name, false)
		if err != nil {
			continue
		}
		if j, err := takeJournal(dir, f, name); err == nil {
			j.remove()
		} else {
			_ = f.close()
		}
	}
}

// lockJournal opens and locks a journal. One that is not this user's own, and
// nobody else's to write, is not trusted.
func lockJournal(dir *folder, name string, create bool) (*diskFile, error) {
	const tries = 3 // its last user may just be removing it
	for range tries {
		f, err := dir.reopen(name, create)
		if err != nil {
			return nil, err
		}
		if f.tryLock() != nil {
			_ = f.close()
			return nil, errBusy
		}
		mine, err := f.stat()
		if err == nil && mine.mine() {
			if there, err := dir.lstat(name); err == nil && there.ino == mine.ino {
				return f, nil
			}
		}
		_ = f.close()
	}
	return nil, errBusy
}

// takeJournal reads what is in the file; nothing, if it is new.
func takeJournal(dir *folder, f *diskFile, name string) (*journal, error) {
	info, err := f.stat()
	if err != nil {
		return nil, err
	}
	j := &journal{dir: dir, f: f, name: name, end: info.size, parts: map[int]*part{}}
	if info.size > 0 {
		j.read(io.NewSectionReader(readerAt{f}, 0, info.size), bootID())
	}
	if j.id == "" {
		j.id = randomID()
	}
	return j, nil
}

func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

type readerAt struct{ f *diskFile }

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.f.readAt(p, off)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// begin removes the litter of the copy that used the journal before, and says
// that a new one begins.
func (j *journal) begin() error {
	if j.atSet {
		j.removeTemp(j.at, 0)
	}
	for _, p := range j.parts {
		if p.offset == 0 {
			j.discard(p)
		}
	}
	j.atSet, j.torn = false, j.end > 0
	boot := bootID()
	if boot == "" {
		boot = "-"
	}
	j.line("run", j.id, boot)
	return j.flush()
}

// temp is the name of a temporary file.
func (j *journal) temp(seq int) string { return tempName(j.id, seq) }

func tempName(id string, seq int) string {
	return reservedPrefix + id + "-" + strconv.Itoa(seq)
}

// inDir notes where file number 0 is going to be made.
func (j *journal) inDir(name string) error {
	if j.atSet && j.at == name {
		return nil
	}
	j.at, j.atSet = name, true
	j.line("dir", strconv.Quote(name))
	return j.flush()
}

// newPart notes that the beginning of a file is going to be made.
func (j *journal) newPart(key uint64, dir string) (*part, error) {
	j.seq++
	p := &part{seq: j.seq, key: key, dir: dir}
	j.line("part", strconv.Itoa(p.seq), hexKey(key), strconv.Quote(dir))
	return p, j.flush()
}

// take returns the beginning of a file that an earlier copy left, once.
func (j *journal) take(key uint64) *part {
	for seq, p := range j.parts {
		if p.key == key {
			delete(j.parts, seq)
			return p
		}
	}
	return nil
}

// sealed notes that a part is right as far as offset.
func (j *journal) sealed(p *part, offset int64) {
	p.offset = offset
	j.worth = true
	j.line("seal", strconv.Itoa(p.seq), strconv.FormatInt(offset, 10))
	_ = j.flush() // what cannot be noted is sent again
}

// dropped notes that a part is gone.
func (j *journal) dropped(p *part) { j.line("drop", strconv.Itoa(p.seq)) }

// finished notes that a file has its content.
func (j *journal) finished(key uint64, synced bool) {
	j.worth = true
	verb := "done"
	if synced {
		verb = "sync"
	}
	j.line(verb, hexKey(key))
	if len(j.buf) >= journalBuffer {
		_ = j.flush()
	}
}

// isDone says whether an earlier copy finished the file.
func (j *journal) isDone(key uint64) bool {
	_, ok := slices.BinarySearch(j.done, key)
	return ok
}

// line adds a line to the buffer.
func (j *journal) line(words ...string) {
	const sumLen = 8
	if j.torn {
		j.buf = append(j.buf, '\n')
		j.torn = false
	}
	start := len(j.buf)
	j.buf = append(j.buf, "00000000"...)
	for _, w := range words {
		j.buf = append(append(j.buf, ' '), w...)
	}
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE(j.buf[start+sumLen+1:]))
	hex.Encode(j.buf[start:], sum[:])
	j.buf = append(j.buf, '\n')
}

// flush appends the buffered lines to the file. Lines that a full disk refuses
// are lost, whole or in part.
func (j *journal) flush() error {
	if len(j.buf) == 0 {
		return nil
	}
	err := j.f.writeAt(j.buf, j.end)
	if err == nil {
		j.end += int64(len(j.buf))
	}
	j.torn = err != nil
	j.buf = j.buf[:0]
	return err
}

// keep leaves the journal for a later copy, or removes it if it is of no use.
func (j *journal) keep() {
	if !j.worth && len(j.parts) == 0 && len(j.done) == 0 {
		j.remove()
		return
	}
	_ = j.flush()
	_ = j.f.close()
}

// remove removes what earlier copies left, then the journal.
func (j *journal) remove() {
	if j.atSet {
		j.removeTemp(j.at, 0)
	}
	for _, p := range j.parts {
		j.discard(p)
	}
	j.dir.removeOpen(j.name, j.f)
}

// discard removes a beginning that is of no use.
func (j *journal) discard(p *part) {
	j.removeTemp(p.dir, p.seq)
	j.dropped(p)
	delete(j.parts, p.seq)
}

// removeTemp removes a temporary file from a directory below the target's.
func (j *journal) removeTemp(dir string, seq int) {
	f, err := descend(j.dir, dir)
	if err != nil {
		return
	}
	_ = f.remove(j.temp(seq))
	if f != j.dir {
		f.close()
	}
}

// descend opens the directory of this name below dir, following no links; it is
// dir itself if the name is empty.
func descend(dir *folder, name string) (*folder, error) {
	at := dir
	for name != "" {
		var step string
		step, name, _ = strings.Cut(name, "/")
		next, err := at.open(step)
		if at != dir {
			at.close()
		}
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

func hexKey(key uint64) string { return strconv.FormatUint(key, 16) }

// read takes the lines of an earlier copy. Done lines and seals count only if the
// system has not been started again since, because what was written without a
// sync may then be gone.
func (j *journal) read(r io.Reader, boot string) {
	in := bufio.NewReaderSize(r, maxLine)
	t := journalReader{j: j, boot: boot}
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue // the pieces of a line that is too long match no checksum
		}
		t.take(line)
		if err != nil {
			break
		}
	}
	slices.Sort(j.done)
}

// A journalReader is the state of reading a journal.
type journalReader struct {
	j     *journal
	boot  string // of the system now
	valid bool   // the present run's is the same
}

// take takes one line; a faulty one is skipped.
func (t *journalReader) take(line []byte) {
	sum, text, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	if !ok {
		return
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.ChecksumIEEE(text) {
		return
	}
	verb, rest, _ := strings.Cut(string(text), " ")
	t.obey(verb, rest)
}

func (t *journalReader) obey(verb, rest string) {
	first, second, _ := strings.Cut(rest, " ")
	switch verb {
	case "run":
		t.run(first, second)
	case "dir":
		if name, ok := unquoteDir(rest); ok {
			t.j.at, t.j.atSet = name, true
		}
	case "part":
		t.part(first, second)
	case "seal":
		t.seal(first, second)
	case "drop":
		if seq, err := strconv.Atoi(first); err == nil {
			delete(t.j.parts, seq)
		}
	case "done", "sync":
		if key, err := strconv.ParseUint(first, 16, 64); err == nil && (t.valid || verb == "sync") {
			t.j.done = append(t.j.done, key)
		}
	}
}

func (t *journalReader) run(id, boot string) {
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != 8 {
		return
	}
	t.valid = boot == t.boot && t.boot != ""
	if t.j.id == "" {
		t.j.id = id
	}
	if !t.valid {
		for _, p := range t.j.parts {
			p.offset = 0
		}
	}
}

func (t *journalReader) part(seqText, rest string) {
	keyText, quoted, _ := strings.Cut(rest, " ")
	seq, err1 := strconv.Atoi(seqText)
	key, err2 := strconv.ParseUint(keyText, 16, 64)
	dir, ok := unquoteDir(quoted)
	if err1 != nil || err2 != nil || !ok || seq < 1 || seq == math.MaxInt || len(t.j.parts) == maxParts {
		return
	}
	t.j.seq = max(t.j.seq, seq)
	t.j.parts[seq] = &part{seq: seq, key: key, dir: dir}
}

func (t *journalReader) seal(seqText, offsetText string) {
	seq, err1 := strconv.Atoi(seqText)
	offset, err2 := strconv.ParseInt(offsetText, 10, 64)
	if p := t.j.parts[seq]; err1 == nil && err2 == nil && p != nil && offset >= 0 && t.valid {
		p.offset = offset
	}
}

func unquoteDir(quoted string) (string, bool) {
	name, err := strconv.Unquote(quoted)
	if err != nil || name != "" && checkName([]byte(name)) != nil {
		return "", false
	}
	return name, true
}

// isMissing says whether err means that nothing has this name.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
