package remote

import (
	"errors"
	"io/fs"
	"time"
)

// The engine reaches the disk through two types that each platform has: a folder,
// an open directory in which single names are looked up and no link is ever
// followed, and a diskFile, an open file. A path of any length is a walk from
// folder to folder, so that neither a link put in its middle nor the system's
// bound on the length of a path matters. os.Root, on which the Windows side is
// built, would follow links that stay below it, and opens a name of three parts in
// three steps each time.

// fileKind is what stands behind a name.
type fileKind uint8

const (
	kindFile fileKind = iota + 1
	kindDir
	kindLink
	kindFIFO
	kindSocket
	kindDevice
	kindOdd
)

var kindNames = [...]string{
	kindFile:   "a file",
	kindDir:    "a directory",
	kindLink:   "a symbolic link",
	kindFIFO:   "a FIFO",
	kindSocket: "a socket",
	kindDevice: "a device",
	kindOdd:    "a thing that is neither file nor directory",
}

func (k fileKind) String() string { return kindNames[k] }

// diskTime is a time as file systems keep it: seconds since 1970, which may be
// negative, and 0 to 999,999,999 nanoseconds.
type diskTime struct {
	sec int64
	ns  int64
}

func (t diskTime) time() time.Time { return time.Unix(t.sec, t.ns) }

// diskInfo is what a file system says of a file.
type diskInfo struct {
	kind   fileKind
	perm   uint32 // the nine permission bits
	size   int64
	mtime  diskTime
	ctime  diskTime // where there is no such thing, mtime
	dev    uint64
	ino    uint64
	nlink  uint64
	owner  uint32
	sparse bool // it takes less room than its size
}

// changedSince says whether the content may have become different from what it
// was at the time of before, other than by growing at its end.
func (i *diskInfo) changedSince(before *diskInfo) bool {
	switch {
	case i.size > before.size:
		return false
	case i.size < before.size, i.mtime != before.mtime:
		return true
	}
	// A name or a permission that was changed shows in ctime too.
	renamed := i.nlink != before.nlink || i.perm != before.perm || i.owner != before.owner
	return i.ctime != before.ctime && !renamed
}

// same says whether both are the same file with, as far as can be told, the same
// content.
func (i *diskInfo) same(other *diskInfo) bool {
	return i.dev == other.dev && i.ino == other.ino && i.size == other.size &&
		i.mtime == other.mtime && i.ctime == other.ctime
}

// plainError is the reason within an error, without the path that an
// fs.PathError or an os.LinkError repeats: names are reported with entries.
func plainError(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
