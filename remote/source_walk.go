package remote

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A walker goes through what is to be copied, one name at a time and parents
// before children. Directories are read piece by piece and in their own order, so
// that it holds little whatever their size.
type walker struct {
	places  *places
	base    string // where relative paths begin
	paths   []string
	exclude []string
	seen    map[string]bool // the names that the paths so far were given
	stack   []*level
}

// A level is a directory that is being read.
type level struct {
	place *sourcePlace
	list  *lister
	names []string // read and not yet looked at
}

// A sourcePlace is a directory at the source.
type sourcePlace struct {
	place
	n      int64
	name   string // as an entry; empty for the parent of a path
	pruned bool   // the sink could not make it: nothing in it is worth a look
}

// An item is a thing found, and where.
type item struct {
	kind  itemKind
	n     int64
	name  string // as an entry
	leaf  string // in dir
	dir   *sourcePlace
	place *sourcePlace // of a directory: itself
	info  diskInfo
	err   error // why it cannot be copied, or a directory not be read to its end
}

type itemKind uint8

const (
	itemEntry itemKind = iota
	itemLeave
	itemError // of name, by err
)

const namesAtOnce = 512

// next returns the next item; ok is false at the end.
func (w *walker) next() (it *item, ok bool) {
	for len(w.stack) > 0 || len(w.paths) > 0 {
		if it := w.step(); it != nil {
			return it, true
		}
	}
	return nil, false
}

// step looks at one name; it returns nil if there is nothing to say of it.
func (w *walker) step() *item {
	if len(w.stack) == 0 {
		path := w.paths[0]
		w.paths = w.paths[1:]
		return w.top(path)
	}
	l := w.stack[len(w.stack)-1]
	if l.place.pruned {
		return w.pop(nil)
	}
	if len(l.names) == 0 {
		names, err := l.list.next(namesAtOnce)
		if err != nil && !errors.Is(err, io.EOF) {
			return w.pop(plainError(err))
		}
		if len(names) == 0 {
			return w.pop(nil)
		}
		l.names = names
	}
	leaf := l.names[0]
	l.names = l.names[1:]
	return w.look(l.place, leaf, l.place.name+"/"+leaf)
}

// pop ends the directory at hand, which err kept from being read to its end.
func (w *walker) pop(err error) *item {
	l := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	l.list.close()
	return &item{kind: itemLeave, n: l.place.n, name: l.place.name, place: l.place, err: err}
}

// look finds out what a name is.
func (w *walker) look(dir *sourcePlace, leaf, name string) *item {
	if strings.HasPrefix(leaf, reservedPrefix) || leftOut(w.exclude, name) {
		return nil
	}
	it := &item{name: name, leaf: leaf, dir: dir}
	f, err := w.places.folder(&dir.place)
	if err == nil {
		it.info, err = f.lstat(leaf)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && dir.name != "":
		return nil // gone since the directory was read: as if it had never been
	case err != nil:
		return it.failed(plainError(err))
	case checkName([]byte(name)) != nil:
		return it.failed(fmt.Errorf("its name is longer than %d bytes, or has a component over %d", maxEntryName, maxComponent))
	case it.info.kind > kindLink:
		return it.failed(fmt.Errorf("%s, which is not copied", it.info.kind))
	}
	return it
}

func (it *item) failed(err error) *item {
	it.kind, it.err = itemError, err
	return it
}

// enter begins to read the directory that it is, once it has its number.
func (w *walker) enter(it *item) error {
	p := &sourcePlace{place: place{up: &it.dir.place, leaf: it.leaf}, n: it.n, name: it.name}
	it.place = p
	l := &level{place: p}
	f, err := w.places.folder(&p.place)
	if err == nil {
		l.list, err = f.list()
	}
	if err != nil {
		return plainError(err)
	}
	w.stack = append(w.stack, l)
	return nil
}

// top looks at one of the paths to be copied. It is the user's own, so links in
// it are followed, the last one too.
func (w *walker) top(path string) *item {
	full, err := absolute(w.base, path)
	if err != nil {
		return (&item{name: path}).failed(err)
	}
	name := filepath.Base(full)
	if name == "." || name == ".." || name == string(filepath.Separator) {
		return (&item{name: path}).failed(errors.New("it has no name to be copied under; name what is in it"))
	}
	if w.seen[name] {
		return (&item{name: path}).failed(errors.New("another path has the same last component"))
	}
	w.seen[name] = true
	if full, err = followed(full); err != nil {
		return (&item{name: path}).failed(plainError(err))
	}
	dir := &sourcePlace{place: place{path: filepath.Dir(full)}}
	it := w.look(dir, filepath.Base(full), name)
	if it != nil && it.kind == itemError {
		it.name = path
	}
	return it
}

// absolute makes a path absolute: a relative one begins at base, or if that is
// empty at the working directory, and so does one that begins with ~/.
func absolute(base, path string) (string, error) {
	if path == "" {
		return "", fs.ErrNotExist
	}
	if base != "" {
		if path == "~" {
			path = base
		}
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			path = rest
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(base, path)
		}
	}
	return filepath.Abs(path)
}

// followed returns where a path leads if its last component is a link.
func followed(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, nil // a path too long for Lstat is opened piece by piece
	}
	return filepath.EvalSymlinks(path)
}

func (w *walker) close() {
	for _, l := range w.stack {
		l.list.close()
	}
	w.stack = nil
}
