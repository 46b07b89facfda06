package remote

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// A folder is an open directory. Its methods take single names.
type folder struct {
	root *os.Root
}

// openPath opens a directory by a path, whose links are followed.
func openPath(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &folder{root}, nil
}

func (d *folder) close() { _ = d.root.Close() }

// open opens the directory of this name. A link is not a directory.
func (d *folder) open(name string) (*folder, error) {
	before, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, windows.ERROR_DIRECTORY
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	after, err := root.Stat(".")
	if err != nil || !os.SameFile(before, after) {
		_ = root.Close()
		return nil, windows.ERROR_DIRECTORY
	}
	return &folder{root}, nil
}

func (d *folder) lstat(name string) (diskInfo, error) { return info(d.root.Lstat(name)) }

func info(fi os.FileInfo, err error) (diskInfo, error) {
	if err != nil {
		return diskInfo{}, err
	}
	t := diskTime{fi.ModTime().Unix(), int64(fi.ModTime().Nanosecond())}
	return diskInfo{
		kind:  kindOf(fi.Mode()),
		perm:  uint32(fi.Mode().Perm()),
		size:  fi.Size(),
		mtime: t,
		ctime: t,
		nlink: 1,
	}, nil
}

// kindOf turns the standard library's type bits into a fileKind.
func kindOf(m fs.FileMode) fileKind {
	switch m.Type() {
	case 0:
		return kindFile
	case fs.ModeDir:
		return kindDir
	case fs.ModeSymlink:
		return kindLink
	case fs.ModeNamedPipe:
		return kindFIFO
	case fs.ModeSocket:
		return kindSocket
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		return kindDevice
	}
	return kindOdd
}

// openFile opens a file for reading.
func (d *folder) openFile(name string) (*diskFile, error) { return d.file(name, os.O_RDONLY, 0) }

// create makes a file that must not be there yet.
func (d *folder) create(name string, perm uint32) (*diskFile, error) {
	return d.file(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm|0o200)
}

// reopen opens a file for reading and writing; with orCreate it is made, for its
// owner only, if it is missing.
func (d *folder) reopen(name string, orCreate bool) (*diskFile, error) {
	flags := os.O_RDWR
	if orCreate {
		flags |= os.O_CREATE
	}
	return d.file(name, flags, 0o600)
}

func (d *folder) file(name string, flags int, perm uint32) (*diskFile, error) {
	if fi, err := d.root.Lstat(name); err == nil && !fi.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: name, Err: errors.New("not a file")}
	}
	f, err := d.root.OpenFile(name, flags, os.FileMode(perm))
	if err != nil {
		return nil, err
	}
	return &diskFile{f}, nil
}

func (d *folder) mkdir(name string, perm uint32) error {
	return d.root.Mkdir(name, os.FileMode(perm))
}

func (d *folder) symlink(target, name string) error { return d.root.Symlink(target, name) }

func (d *folder) readlink(name string) (string, error) { return d.root.Readlink(name) }

func (d *folder) rename(from, to string) error { return d.root.Rename(from, to) }

func (d *folder) remove(name string) error { return d.root.Remove(name) }

// removeOpen removes a file that is open and locked, and closes it.
func (d *folder) removeOpen(name string, f *diskFile) {
	_ = f.close() // an open file cannot be removed here
	_ = d.remove(name)
}

// setTime sets a name's time of change. Links keep the time of their making.
func (d *folder) setTime(name string, t diskTime) error {
	if fi, err := d.root.Lstat(name); err != nil || fi.Mode()&os.ModeSymlink != 0 {
		return err
	}
	return d.root.Chtimes(name, time.Time{}, t.time())
}

// chmod does nothing: a directory's permissions are not in its mode here.
func (d *folder) chmod(uint32) error { return nil }

func (d *folder) setOwnTime(t diskTime) error { return d.setTime(".", t) }

// sync does nothing: directories cannot be synced here.
func (d *folder) sync() error { return nil }

// A lister reads a directory's names piece by piece.
type lister struct {
	f *os.File
}

func (d *folder) list() (*lister, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	return &lister{f}, nil
}

// next returns up to n names in the directory's own order, or io.EOF.
func (l *lister) next(n int) ([]string, error) { return l.f.Readdirnames(n) }

func (l *lister) close() { _ = l.f.Close() }

// A diskFile is an open file.
type diskFile struct {
	f *os.File
}

func (f *diskFile) stat() (diskInfo, error) { return info(f.f.Stat()) }

// readAt fills p; it reads less only at the file's end, which is not an error.
func (f *diskFile) readAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// writeAt writes all of p.
func (f *diskFile) writeAt(p []byte, off int64) error {
	_, err := f.f.WriteAt(p, off)
	return err
}

func (f *diskFile) truncate(size int64) error { return f.f.Truncate(size) }

func (f *diskFile) chmod(perm uint32) error { return f.f.Chmod(os.FileMode(perm)) }

func (f *diskFile) sync() error { return f.f.Sync() }

func (f *diskFile) close() error { return f.f.Close() }

// data returns the first stretch of the file from off on that is stored: here, all
// that follows.
func (f *diskFile) data(off, size int64) (start, end int64) { return off, size }

// tryLock locks the file against other holders of a lock, and does not wait. The
// lock ends with the file's close.
func (f *diskFile) tryLock() error {
	const far = 1 << 30 // a byte beyond the contents: locks here are mandatory
	at := &windows.Overlapped{OffsetHigh: far}
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	return windows.LockFileEx(windows.Handle(f.f.Fd()), flags, 0, 1, 0, at)
}

// mine says whether the file is this user's own; that it lies in the user's target
// has to be enough here.
func (i *diskInfo) mine() bool { return i.kind == kindFile }

// isInTheWay says whether err means that a name is taken by what is no directory.
func isInTheWay(err error) bool { return errors.Is(err, windows.ERROR_DIRECTORY) }

// setTime sets the time of change of the file, whose name in dir is given.
func (f *diskFile) setTime(dir *folder, name string, t diskTime) error {
	return dir.setTime(name, t)
}

// bootID is empty: there is no telling when the system was started.
func bootID() string { return "" }

// machineID names this machine among others; it may be empty.
func machineID() string {
	name, _ := os.Hostname()
	return name
}
