//go:build unix

package remote

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A folder is an open directory. Its methods take single names.
type folder struct {
	fd int
}

const openDirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NONBLOCK

// again repeats a system call that a signal interrupted.
func again[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if err != unix.EINTR {
			return v, err
		}
	}
}

func openAt(fd int, name string, flags int, perm uint32) (int, error) {
	return again(func() (int, error) { return unix.Openat(fd, name, flags|unix.O_CLOEXEC, perm) })
}

// openPath opens a directory by a path of any length, whose links are followed.
func openPath(path string) (*folder, error) {
	const enough = 1024 // well under every PATH_MAX
	at := &folder{unix.AT_FDCWD}
	for {
		step, rest := path, ""
		if len(path) > enough {
			if i := strings.LastIndexByte(path[:enough], '/'); i > 0 {
				step, rest = path[:i], strings.TrimLeft(path[i:], "/")
			}
		}
		fd, err := openAt(at.fd, step, openDirFlags, 0)
		at.close()
		if err != nil {
			return nil, err
		}
		at = &folder{fd}
		if path = rest; path == "" {
			return at, nil
		}
	}
}

func (d *folder) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
		d.fd = -1
	}
}

// open opens the directory of this name. A link is not a directory.
func (d *folder) open(name string) (*folder, error) {
	fd, err := openAt(d.fd, name, openDirFlags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	return &folder{fd}, nil
}

func (d *folder) lstat(name string) (diskInfo, error) {
	var st unix.Stat_t
	_, err := again(func() (int, error) {
		return 0, unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return diskInfo{}, err
	}
	return infoOf(&st), nil
}

func infoOf(st *unix.Stat_t) diskInfo {
	return diskInfo{
		kind:   kindOfMode(uint32(st.Mode)),
		perm:   uint32(st.Mode) & 0o777,
		size:   st.Size,
		mtime:  diskTime{int64(st.Mtim.Sec), int64(st.Mtim.Nsec)},
		ctime:  diskTime{int64(st.Ctim.Sec), int64(st.Ctim.Nsec)},
		dev:    uint64(st.Dev),
		ino:    st.Ino,
		nlink:  uint64(st.Nlink),
		owner:  st.Uid,
		sparse: st.Blocks*512 < st.Size,
	}
}

func kindOfMode(mode uint32) fileKind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return kindFile
	case unix.S_IFDIR:
		return kindDir
	case unix.S_IFLNK:
		return kindLink
	case unix.S_IFIFO:
		return kindFIFO
	case unix.S_IFSOCK:
		return kindSocket
	case unix.S_IFCHR, unix.S_IFBLK:
		return kindDevice
	}
	return kindOdd
}

// openFile opens a file for reading. It never waits, whatever stands there; look
// at the file's stat before use.
func (d *folder) openFile(name string) (*diskFile, error) {
	return d.file(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// create makes a file that must not be there yet.
func (d *folder) create(name string, perm uint32) (*diskFile, error) {
	return d.file(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, perm)
}

// reopen opens a file for reading and writing; with orCreate it is made, for its
// owner only, if it is missing.
func (d *folder) reopen(name string, orCreate bool) (*diskFile, error) {
	flags := unix.O_RDWR | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	if orCreate {
		flags |= unix.O_CREAT
	}
	return d.file(name, flags, 0o600)
}

func (d *folder) file(name string, flags int, perm uint32) (*diskFile, error) {
	fd, err := openAt(d.fd, name, flags, perm)
	if err != nil {
		return nil, err
	}
	return &diskFile{fd}, nil
}

func (d *folder) mkdir(name string, perm uint32) error { return unix.Mkdirat(d.fd, name, perm) }

func (d *folder) symlink(target, name string) error { return unix.Symlinkat(target, d.fd, name) }

func (d *folder) readlink(name string) (string, error) {
	buf := make([]byte, maxLinkTarget+1)
	n, err := unix.Readlinkat(d.fd, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

func (d *folder) rename(from, to string) error { return unix.Renameat(d.fd, from, d.fd, to) }

func (d *folder) remove(name string) error { return unix.Unlinkat(d.fd, name, 0) }

// removeOpen removes a file that is open and locked, and closes it.
func (d *folder) removeOpen(name string, f *diskFile) {
	_ = d.remove(name) // before the lock ends, so that it is still this file
	_ = f.close()
}

// setTime sets a name's time of change, a link's own included.
func (d *folder) setTime(name string, t diskTime) error {
	mtime, err := unix.TimeToTimespec(t.time())
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(d.fd, name, []unix.Timespec{{Nsec: utimeOmit}, mtime}, unix.AT_SYMLINK_NOFOLLOW)
}

func (d *folder) chmod(perm uint32) error { return unix.Fchmod(d.fd, perm) }

func (d *folder) setOwnTime(t diskTime) error { return d.setTime(".", t) }

func (d *folder) sync() error { return unix.Fsync(d.fd) }

// A lister reads a directory's names piece by piece.
type lister struct {
	f *os.File
}

func (d *folder) list() (*lister, error) {
	fd, err := openAt(d.fd, ".", openDirFlags, 0)
	if err != nil {
		return nil, err
	}
	return &lister{os.NewFile(uintptr(fd), ".")}, nil
}

// next returns up to n names in the directory's own order, or io.EOF.
func (l *lister) next(n int) ([]string, error) { return l.f.Readdirnames(n) }

func (l *lister) close() { _ = l.f.Close() }

// A diskFile is an open file.
type diskFile struct {
	fd int
}

func (f *diskFile) stat() (diskInfo, error) {
	var st unix.Stat_t
	_, err := again(func() (int, error) { return 0, unix.Fstat(f.fd, &st) })
	return infoOf(&st), err
}

// readAt fills p; it reads less only at the file's end, which is not an error.
func (f *diskFile) readAt(p []byte, off int64) (int, error) {
	for n := 0; ; {
		m, err := again(func() (int, error) { return unix.Pread(f.fd, p[n:], off+int64(n)) })
		if n += max(m, 0); err != nil || m <= 0 || n == len(p) {
			return n, err
		}
	}
}

// writeAt writes all of p.
func (f *diskFile) writeAt(p []byte, off int64) error {
	for len(p) > 0 {
		n, err := again(func() (int, error) { return unix.Pwrite(f.fd, p, off) })
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (f *diskFile) truncate(size int64) error { return unix.Ftruncate(f.fd, size) }

func (f *diskFile) chmod(perm uint32) error { return unix.Fchmod(f.fd, perm) }

func (f *diskFile) sync() error { return unix.Fsync(f.fd) }

func (f *diskFile) close() error { return unix.Close(f.fd) }

// data returns the first stretch of the file from off on that is stored, as far
// as the file system tells; beyond the last one both ends are size.
func (f *diskFile) data(off, size int64) (start, end int64) {
	start, err := unix.Seek(f.fd, off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size
	}
	if err != nil {
		return off, size
	}
	if end, err = unix.Seek(f.fd, start, unix.SEEK_HOLE); err != nil {
		end = size
	}
	return min(start, size), min(end, size)
}

// tryLock locks the file against other holders of a lock, and does not wait. The
// lock ends with the file's close.
func (f *diskFile) tryLock() error {
	_, err := again(func() (int, error) { return 0, unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB) })
	return err
}

// mine says whether the file is this user's own and nobody else's to change.
func (i *diskInfo) mine() bool {
	return i.kind == kindFile && i.owner == uint32(os.Geteuid()) && i.perm&0o022 == 0 && i.nlink == 1
}

// isInTheWay says whether err means that a name is taken by what is no directory.
func isInTheWay(err error) bool { return errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) }
