//go:build unix

package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openStrict opens name if nobody but the user and root could have written it, as sshd's
// StrictModes has it: the file itself, and every folder above it up to the user's
// home or the root, belongs to the user or root, and group and others may not
// write there.
//
// Unlike sshd(8), a folder of root's with the sticky bit, such as /tmp, does
// not refuse what lies below it: nobody can put something else in the place of a folder
// there that belongs to the user.
func openStrict(name string) (*os.File, error) {
	real, err := realPath(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(real, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not block
	if err != nil {
		return nil, err
	}
	if err := checkStrict(f, real); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkStrict(f *os.File, real string) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", real)
	}
	if err := checkOwner(real, fi); err != nil {
		return err
	}
	home := ""
	if h, err := os.UserHomeDir(); err == nil {
		home, _ = realPath(h)
	}
	for dir := filepath.Dir(real); ; dir = filepath.Dir(dir) {
		fi, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if err := checkOwner(dir, fi); err != nil {
			return err
		}
		if dir == home || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// checkOwner checks that only the user and root may change what is at name.
func checkOwner(name string, fi fs.FileInfo) error {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("no owner known")
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, neither to this one nor to root", name, st.Uid)
	}
	sticky := fi.IsDir() && st.Uid == 0 && fi.Mode()&fs.ModeSticky != 0
	if fi.Mode().Perm()&0o022 != 0 && !sticky {
		return fmt.Errorf("%s is writable by others (mode %04o)", name, fi.Mode().Perm())
	}
	return nil
}

// checkPrivate refuses a private key of the user's that others may read, as ssh(1) does.
func checkPrivate(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) == os.Getuid() && fi.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w: %s (mode %04o)", ErrKeyMode, f.Name(), fi.Mode().Perm())
	}
	return nil
}

func realPath(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}
