package remote

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"unicode/utf8"

	"landline/frame"
)

// Records go from source to sink, replies from sink to source: SPEC.md, section 6.
// Both are frames, and record stands for either.

type recordKind uint8

const (
	recEntry recordKind = iota + 1
	recFile
	recChunk
	recSeal
	recHole
	recClose
	recError
	recLeave
	recDone
	repWant
	repHave
	repFailed
	repDone
)

// fields is a set of members that came.
type fields uint16

const (
	fieldKind fields = 1 << iota
	fieldN
	fieldType
	fieldName
	fieldMode
	fieldTime
	fieldLength
	fieldOffset
	fieldHash
	fieldTarget
	fieldIdent
	fieldError
)

type hash256 [32]byte

// A record is one record or reply. Its slices are valid until the next one is
// read.
type record struct {
	kind   recordKind
	typ    fileKind // kindFile, kindDir or kindLink
	has    fields
	n      int64
	count  int64
	offset int64
	length int64
	mode   uint32
	mtime  diskTime
	hash   hash256
	name   []byte
	target []byte
	ident  []byte
	text   []byte
	size   int // of the body
	result CopyResult
}

// shape is what a kind must bring: members, and whether a body may follow.
type shape struct {
	kind recordKind
	must fields
	body int // most bytes of body
}

var recordShapes = map[string]shape{
	"entry": {recEntry, fieldN | fieldType | fieldName | fieldMode | fieldTime, 0},
	"file":  {recFile, fieldN | fieldHash, maxWholeFile},
	"chunk": {recChunk, fieldN | fieldOffset, maxChunk},
	"seal":  {recSeal, fieldN | fieldOffset | fieldHash, 0},
	"hole":  {recHole, fieldN | fieldOffset | fieldLength, 0},
	"close": {recClose, fieldN | fieldLength, 0},
	"error": {recError, fieldError, 0},
	"leave": {recLeave, fieldN, 0},
	"done":  {recDone, 0, 0},
}

var replyShapes = map[string]shape{
	"want":   {repWant, fieldN, 0},
	"have":   {repHave, fieldN, 0},
	"failed": {repFailed, fieldN | fieldError, 0},
	"done":   {repDone, 0, 0},
}

// An inbox reads records, or replies.
type inbox struct {
	frames *frame.Reader
	shapes map[string]shape
	shape  shape // of the present record
	rec    record
}

func newInbox(in *intake, shapes map[string]shape) *inbox {
	return &inbox{frames: frame.NewReader(in), shapes: shapes}
}

// next reads the next record; its body, if any, is to be read from frames. A
// breach of the rules is a *Breach. The stream's end is io.ErrUnexpectedEOF,
// because done comes before it.
func (in *inbox) next() (*record, error) {
	h, err := in.frames.Next()
	if err != nil {
		return nil, streamError(err)
	}
	if err := in.decode(h, in.frames.Len()); err != nil {
		return nil, err
	}
	return &in.rec, nil
}

// streamError turns a frame's error into a breach.
func streamError(err error) error {
	var bad *frame.Error
	switch {
	case errors.As(err, &bad):
		return breach("%s", bad.Reason)
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

func (in *inbox) decode(h frame.Header, body int) error {
	r := &in.rec
	*r = record{count: 1, size: body}
	for name, v := range h.All() {
		if err := in.take(string(name), v); err != nil {
			var bad *frame.Error
			if errors.As(err, &bad) {
				return breach("%s: %s", name, bad.Reason)
			}
			return err
		}
	}
	return r.check(in.shape)
}

// take takes one member. Members of other kinds are checked too, and harmless.
func (in *inbox) take(name string, v frame.Value) (err error) {
	r := &in.rec
	switch name {
	case "kind":
		return in.takeKind(v)
	case "n":
		r.n, err = r.whole(fieldN, v, 1, maxInt)
	case "count":
		r.count, err = r.whole(0, v, 1, maxInt)
	case "offset":
		r.offset, err = r.whole(fieldOffset, v, 0, maxInt)
	case "length":
		r.length, err = r.whole(fieldLength, v, 0, maxInt)
	case "mode":
		var mode int64
		mode, err = r.whole(fieldMode, v, 0, 0o777)
		r.mode = uint32(mode)
	case "mtime":
		r.mtime.sec, err = r.whole(fieldTime, v, -maxInt, maxInt)
	case "mtime_ns":
		r.mtime.ns, err = r.whole(0, v, 0, 999_999_999)
	case "type":
		return r.takeType(v)
	case "name", "name_b64":
		r.name, err = r.bytes(fieldName, v, name != "name", maxEntryName)
	case "target", "target_b64":
		r.target, err = r.bytes(fieldTarget, v, name != "target", maxLinkTarget)
	case "ident":
		r.ident, err = r.bytes(fieldIdent, v, false, maxIdent)
	case "error":
		r.text, err = r.bytes(fieldError, v, false, maxText)
	case "hash":
		return r.takeHash(v)
	default:
		return r.result.take(name, v)
	}
	return err
}

func (in *inbox) takeKind(v frame.Value) error {
	kind, err := v.Bytes(maxIdent)
	if err != nil {
		return err
	}
	s, ok := in.shapes[string(kind)]
	if !ok {
		return breach("a record of the unknown kind %.40q", kind)
	}
	in.shape = s
	in.rec.kind = s.kind
	in.rec.has |= fieldKind
	return nil
}

func (r *record) whole(f fields, v frame.Value, lo, hi int64) (int64, error) {
	r.has |= f
	return v.Int(lo, hi)
}

// bytes takes a text; one in base64 takes a third more room.
func (r *record) bytes(f fields, v frame.Value, b64 bool, limit int) ([]byte, error) {
	if r.has&f != 0 {
		return nil, breach("both a text and its base64 form")
	}
	r.has |= f
	if !b64 {
		return v.Bytes(limit)
	}
	raw, err := v.Bytes(base64.StdEncoding.EncodedLen(limit))
	if err != nil {
		return nil, err
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, err := base64.StdEncoding.Strict().Decode(out, raw)
	if err != nil || n > limit {
		return nil, breach("what should be base64 of at most %d bytes is not", limit)
	}
	return out[:n], nil
}

func (r *record) takeType(v frame.Value) error {
	typ, err := v.Bytes(maxIdent)
	if err != nil {
		return err
	}
	r.has |= fieldType
	switch string(typ) {
	case "file":
		r.typ = kindFile
	case "dir":
		r.typ = kindDir
	case "link":
		r.typ = kindLink
	default:
		return breach("an entry of the unknown type %.40q", typ)
	}
	return nil
}

func (r *record) takeHash(v frame.Value) error {
	text, err := v.Bytes(2 * len(r.hash))
	if err != nil {
		return err
	}
	r.has |= fieldHash
	if n, err := hex.Decode(r.hash[:], text); err != nil || n != len(r.hash) {
		return breach("a hash that is not 64 hexadecimal digits")
	}
	return nil
}

func (c *CopyResult) take(name string, v frame.Value) (err error) {
	switch name {
	case "files":
		c.Files, err = v.Int(0, maxInt)
	case "dirs":
		c.Dirs, err = v.Int(0, maxInt)
	case "links":
		c.Links, err = v.Int(0, maxInt)
	case "bytes":
		c.Bytes, err = v.Int(0, maxInt)
	case "resumed":
		c.Resumed, err = v.Int(0, maxInt)
	case "failed":
		c.Failed, err = v.Int(0, maxInt)
	}
	return err
}

// check checks that all is there which the kind needs.
func (r *record) check(s shape) error {
	must := s.must
	switch {
	case r.has&fieldKind == 0:
		return breach("a record without a kind")
	case r.kind == recEntry && r.typ == kindFile:
		must |= fieldLength
	case r.kind == recEntry && r.typ == kindLink:
		must |= fieldTarget
	case r.kind == recError && r.has&(fieldN|fieldName) == 0:
		return breach("an error of nothing")
	}
	if missing := must &^ r.has; missing != 0 {
		return breach("a record that lacks members (set %#x of kind %d)", missing, r.kind)
	}
	if r.size > s.body {
		return breach("a body of %d bytes, allowed are %d", r.size, s.body)
	}
	return r.checkNames()
}

func (r *record) checkNames() error {
	if r.kind != recEntry {
		return nil
	}
	if r.typ == kindLink && (len(r.target) == 0 || bytes.IndexByte(r.target, 0) >= 0) {
		return breach("a link's target that is empty or has a NUL byte")
	}
	return checkName(r.name)
}

// putText adds a text whose bytes matter, under name or, if it is not UTF-8, under
// name_b64.
func putText(h *frame.Builder, name, text string) {
	if utf8.ValidString(text) {
		h.Str(name, text)
		return
	}
	h.Str(name+"_b64", base64.StdEncoding.EncodeToString([]byte(text)))
}

// putTime adds a time of change; whole seconds leave the nanoseconds out.
func putTime(h *frame.Builder, t diskTime) {
	h.Int("mtime", t.sec)
	if t.ns != 0 {
		h.Int("mtime_ns", t.ns)
	}
}

func (h hash256) hex() string { return hex.EncodeToString(h[:]) }
