package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// A sinkTree is the directories of the target that are being filled.
type sinkTree struct {
	places places
	top    *sinkPlace
	rename string // what the first component of names becomes; empty if it stays
	first  string // that first component, once it has come
	dirs   map[dirKey]*sinkPlace
	byN    map[int64]*sinkPlace
	prefix []byte     // the directory of the latest entry, as the source names it
	dir    *sinkPlace // and what it is here
}

// A sinkPlace is a directory of the target.
type sinkPlace struct {
	place
	key    dirKey
	mode   uint32
	mtime  diskTime
	fresh  bool   // made by this copy, so nothing was in it
	hollow bool   // a dry run: it is not there
	lost   error  // why it could not be made
	asIs   uint32 // permissions known to survive the user's mask here
}

// A dirKey is a directory's name, by the source's account.
type dirKey struct {
	up   *sinkPlace
	leaf string
}

// maxUnleft is how many directories may be entered and not left: more than a
// source that keeps the window can have.
const maxUnleft = maxOwed

// init begins with the folder in which names are made; nil if it is yet to be
// made and this is a dry run.
func (t *sinkTree) init(top *folder, rename string) {
	t.top = &sinkPlace{place: place{dir: top}, hollow: top == nil}
	t.rename = rename
	t.dirs = map[dirKey]*sinkPlace{}
	t.byN = map[int64]*sinkPlace{}
}

func (t *sinkTree) close() {
	t.places.closeAll()
	t.top.shut()
}

func (t *sinkTree) unleft() int { return len(t.byN) }

// name is the directory's, relative to the target's directory.
func (p *sinkPlace) name() string {
	if p.key.up == nil {
		return ""
	}
	if up := p.key.up.name(); up != "" {
		return up + "/" + p.leaf
	}
	return p.leaf
}

// located is an entry and where it belongs.
type located struct {
	*record
	dir  *sinkPlace
	leaf string // there
	raw  string // by the source's account
	odd  bool   // a second thing for a target that is no directory
}

func (e *located) name() string { return joinName(e.dir, e.leaf) }

func joinName(dir *sinkPlace, leaf string) string {
	if up := dir.name(); up != "" {
		return up + "/" + leaf
	}
	return leaf
}

// locate finds the directory of an entry, which must have been an entry before.
func (k *sink) locate(r *record) (*located, error) {
	t := &k.tree
	i := bytes.LastIndexByte(r.name, '/')
	leaf := string(r.name[i+1:])
	e := &located{record: r, dir: t.top, leaf: leaf, raw: leaf}
	if i < 0 {
		if !k.asked.allow(leaf) {
			return nil, breach("an entry %.80q, which was not asked for", leaf)
		}
		t.name(e)
		return e, nil
	}
	if t.dir == nil || !bytes.Equal(t.prefix, r.name[:i]) {
		dir, err := t.find(string(r.name[:i]))
		if err != nil {
			return nil, err
		}
		t.dir = dir
		t.prefix = append(t.prefix[:0], r.name[:i]...)
	}
	e.dir = t.dir
	return e, nil
}

// name names an entry at the top: where the target is no directory, there is only
// one, and it becomes the target.
func (t *sinkTree) name(e *located) {
	if t.rename == "" {
		return
	}
	if t.first == "" {
		t.first = e.raw
	}
	e.leaf = t.rename
	e.odd = e.raw != t.first
}

func (t *sinkTree) find(name string) (*sinkPlace, error) {
	at := t.top
	for rest := name; rest != ""; {
		var step string
		step, rest, _ = strings.Cut(rest, "/")
		next := t.dirs[dirKey{at, step}]
		if next == nil {
			return nil, breach("an entry in %.80q, which is no directory that was entered and not left", name)
		}
		at = next
	}
	return at, nil
}

var (
	errLost     = errors.New("its directory could not be made")
	errReserved = errors.New("names that begin with " + reservedPrefix + " are for temporary files")
	errTwice    = errors.New("a directory of this name is being copied already")
	errSecond   = errors.New("the target is not a directory, and this is not the only thing to copy")
)

// check refuses what needs no look at the disk.
func (e *located) check() error {
	switch {
	case e.dir.lost != nil:
		return errLost
	case e.odd:
		return errSecond
	case strings.HasPrefix(e.leaf, reservedPrefix):
		return errReserved
	}
	return nil
}

// entryDir makes a directory, or finds it. Even if that fails, the directory is
// known until it is left, so that what is in it fails too.
func (k *sink) entryDir(e *located, err error) error {
	if k.tree.unleft() == maxUnleft {
		return breach("more than %d directories entered and not left", maxUnleft)
	}
	p := &sinkPlace{
		place: place{up: &e.dir.place, leaf: e.leaf},
		key:   dirKey{e.dir, e.raw},
		mode:  e.mode,
		mtime: e.mtime,
	}
	k.tree.byN[e.n] = p
	if k.tree.dirs[p.key] != nil {
		p.lost = errTwice
		return k.failEntry(e, errTwice)
	}
	k.tree.dirs[p.key] = p
	if err == nil {
		err = k.enter(e, p)
	}
	if err != nil {
		p.lost = err
		return k.failEntry(e, err)
	}
	if k.journal != nil && e.dir == k.tree.top && k.tree.rename != "" {
		k.journal.worth = true // without it the same copy would be made inside
	}
	k.result.Dirs++
	k.out.have(e.n)
	k.tell(e)
	return k.out.flushOver()
}

func (k *sink) enter(e *located, p *sinkPlace) error {
	if e.dir.hollow {
		p.hollow = true
		return nil
	}
	up, err := k.tree.places.folder(&e.dir.place)
	if err != nil {
		return err
	}
	if k.dryRun {
		return p.look(up)
	}
	if err := k.trip("mkdir"); err != nil {
		return err
	}
	err = up.mkdir(e.leaf, 0o700) // its own mode comes when it has been filled
	if err == nil {
		p.fresh = true
		return nil
	}
	if !isThere(err) {
		return err
	}
	if info, err := up.lstat(e.leaf); err == nil && info.kind != kindDir {
		return inTheWay(info.kind)
	}
	return k.makeWritable(p)
}

// look is what a dry run does instead of making a directory.
func (p *sinkPlace) look(up *folder) error {
	info, err := up.lstat(p.leaf)
	switch {
	case isMissing(err):
		p.hollow = true
		return nil
	case err == nil && info.kind != kindDir:
		return inTheWay(info.kind)
	}
	return err
}

func inTheWay(kind fileKind) error { return fmt.Errorf("%s is in the way", kind) }

// makeWritable lets the owner fill a directory that an earlier copy made
// read-only.
func (k *sink) makeWritable(p *sinkPlace) error {
	dir, err := k.tree.places.folder(&p.place)
	if err != nil {
		return err
	}
	info, err := dir.lstat(".")
	if err != nil || info.perm&0o700 == 0o700 {
		return err
	}
	_ = dir.chmod(info.perm | 0o700) // if it is not ours, the entries will tell
	return nil
}

// leave gives a directory its mode and time.
func (k *sink) leave(r *record) error {
	p := k.tree.byN[r.n]
	if p == nil {
		return breach("leave of %d, which is no directory that was entered and not left", r.n)
	}
	delete(k.tree.byN, r.n)
	if k.tree.dirs[p.key] == p {
		delete(k.tree.dirs, p.key)
	}
	k.tree.dir = nil
	defer k.tree.places.drop(&p.place)
	if p.lost != nil || k.dryRun {
		return nil
	}
	if err := k.dress(p); err != nil {
		k.out.failed(r.n, p.name(), k.failed(p.name(), err))
	}
	return k.out.flushOver()
}

func (k *sink) dress(p *sinkPlace) error {
	dir, err := k.tree.places.folder(&p.place)
	if err != nil {
		return err
	}
	if k.durable {
		if err := dir.sync(); err != nil {
			return err
		}
	}
	if err := k.trip("leave"); err != nil {
		return err
	}
	if err := dir.chmod(p.mode); err != nil {
		return err
	}
	return dir.setOwnTime(p.mtime)
}

// entryLink makes a symbolic link.
func (k *sink) entryLink(e *located) error {
	if err := k.makeLink(e); err != nil {
		return k.failEntry(e, err)
	}
	k.result.Links++
	k.out.have(e.n)
	k.tell(e)
	return k.out.flushOver()
}

func (k *sink) makeLink(e *located) error {
	if e.dir.hollow {
		return nil
	}
	dir, err := k.tree.places.folder(&e.dir.place)
	if err != nil {
		return err
	}
	there, err := dir.lstat(e.leaf)
	switch {
	case isMissing(err):
		return k.newLink(dir, e)
	case err != nil:
		return err
	case there.kind == kindLink:
		if now, err := dir.readlink(e.leaf); err == nil && now == string(e.target) {
			return k.linkTime(dir, e.leaf, e.mtime)
		}
	case there.kind != kindFile:
		return inTheWay(there.kind)
	}
	return k.replaceByLink(dir, e)
}

func (k *sink) newLink(dir *folder, e *located) error {
	if k.dryRun {
		return nil
	}
	if err := k.trip("symlink"); err != nil {
		return err
	}
	if err := dir.symlink(string(e.target), e.leaf); err != nil {
		return err
	}
	return k.linkTime(dir, e.leaf, e.mtime)
}

func (k *sink) linkTime(dir *folder, leaf string, t diskTime) error {
	if k.dryRun {
		return nil
	}
	return dir.setTime(leaf, t)
}

// replaceByLink puts a link in the place of a file or another link.
func (k *sink) replaceByLink(dir *folder, e *located) error {
	if k.dryRun {
		return nil
	}
	temp, err := k.tempIn(e.dir)
	if err != nil {
		return err
	}
	if err := k.trip("symlink"); err != nil {
		return err
	}
	if err := dir.symlink(string(e.target), temp); err != nil {
		return err
	}
	if err = k.linkTime(dir, temp, e.mtime); err == nil {
		err = k.rename(dir, temp, e.leaf)
	}
	if err != nil {
		_ = dir.remove(temp)
	}
	return err
}

// isThere says whether err means that the name is taken.
func isThere(err error) bool { return errors.Is(err, fs.ErrExist) }
