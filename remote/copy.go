package remote

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// A Copy says what to copy where. The zero value copies nothing: Paths and Dest
// are needed.
type Copy struct {
	// Paths are the files and folders to copy, folders whole. For a get they are
	// the server's, and relative ones begin at the home directory there. A
	// symbolic link named here is followed; one found inside a folder is copied as
	// a link.
	Paths []string
	// Dest is the target. An existing directory, or one that Into asks for, or a
	// name that ends in a slash, means that the copies are made inside it.
	Dest string
	// Exclude are shell patterns of names to leave out: matched with the last
	// component, or with the whole name if the pattern has a slash.
	Exclude []string
	Into    bool // Dest is a directory, to be made if it is missing
	DryRun  bool // change nothing, only find out what would be done
	Durable bool // bring every file to stable storage before it takes its name
	// Limit is the most bytes to move a second. If zero, there is no limit.
	Limit int64
	// Progress, if not nil, is called for every entry and every piece of content.
	Progress func(CopyProgress)
	// OnError, if not nil, is called for each entry that failed, on whichever
	// side. The name is relative to the target's directory. Names and errors come
	// from the other side too: escape them for a terminal. Progress and OnError
	// are never called at the same time.
	OnError func(name string, err error)
}

// CopyProgress is how far a copy has come.
type CopyProgress struct {
	Entries    int64  // files, folders and links seen so far
	Files      int64  // files that are done
	BytesDone  int64  // content that need not be moved any more
	BytesKnown int64  // content of all files seen so far
	Name       string // what is at hand
}

// CopyResult says what a copy did.
type CopyResult struct {
	Files   int64 // files that are now as at the source
	Dirs    int64 // folders made or found
	Links   int64 // symbolic links made or found
	Bytes   int64 // content that was moved by this copy
	Resumed int64 // content that an earlier copy, cut off, had moved already
	Failed  int64 // entries that could not be copied
}

// A CopyError is the other side's account of why an entry failed.
type CopyError struct {
	Text string // as it came, so escape it for a terminal
}

func (e *CopyError) Error() string { return e.Text }

// Bounds of a copy, from SPEC.md, sections 6 and 7.
const (
	maxEntryName   = 4096
	maxComponent   = 255
	maxLinkTarget  = 4096
	maxIdent       = 64
	maxWholeFile   = 64 << 10 // content that one record may hold
	maxChunk       = 1 << 20
	segmentSize    = 8 << 20 // most bytes under one seal
	entryWindow    = 4096    // entries that are unanswered, or whose content is owed
	maxOwed        = 1 << 16 // where a sink ends the call
	reservedPrefix = ".landline-"
)

var (
	errCutOff   = errors.New("the copy was cut off")
	errReplaced = errors.New("the directory was replaced while it was copied")
)

// checkPatterns refuses patterns that are malformed, before anything is done.
func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("%q is not a pattern: %w", p, err)
		}
	}
	return nil
}

// leftOut says whether a pattern matches an entry of this name.
func leftOut(patterns []string, name string) bool {
	for _, p := range patterns {
		subject := name
		if !strings.Contains(p, "/") {
			subject = path.Base(name)
		}
		if ok, _ := path.Match(p, subject); ok {
			return true
		}
	}
	return false
}

// checkName checks the name of an entry: components between slashes, none of
// which leads anywhere but down.
func checkName(name []byte) error {
	if len(name) == 0 || len(name) > maxEntryName {
		return breach("a name of %d bytes, allowed are 1 to %d", len(name), maxEntryName)
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] == 0 {
			return breach("a name with a NUL byte")
		}
		if i < len(name) && name[i] != '/' {
			continue
		}
		if c := name[start:i]; len(c) == 0 || len(c) > maxComponent || string(c) == "." || string(c) == ".." {
			return breach("a name with the component %.40q", c)
		}
		start = i + 1
	}
	return nil
}
