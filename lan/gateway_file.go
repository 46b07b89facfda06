package lan

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A leaseFile keeps the records of leases. Its zero value keeps nothing.
type leaseFile struct {
	path     string
	lock     *os.File // is locked while the gateway lives, as the file itself is replaced
	file     *os.File
	size     int    // in bytes
	snapshot int    // what size was after replace
	last     []byte // the record that was added last
}

// longFile is how much longer than a snapshot the file becomes, in bytes.
const longFile = 1 << 20

func (f *leaseFile) isLong() bool { return f.file != nil && f.size > 2*f.snapshot+longFile }

// ErrStateInUse says that another gateway keeps its leases in the same folder.
var ErrStateInUse = errors.New("another gateway keeps its leases there")

// open makes the folder, and takes it for this gateway alone.
func (f *leaseFile) open(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		return fmt.Errorf("%s: %w", folder, ErrStateInUse)
	}
	f.lock, f.path = lock, filepath.Join(folder, "leases")
	return nil
}

// replace makes records all that the file holds, in one step.
func (f *leaseFile) replace(records []byte) error {
	next, err := os.OpenFile(f.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = next.Write(records)
	err = errors.Join(err, next.Sync())
	if err == nil {
		err = os.Rename(next.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, next.Close())
	}
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.size, f.snapshot, f.last = next, len(records), len(records), nil
	return syncFolder(filepath.Dir(f.path))
}

// syncFolder makes the new name of a file safe. Where folders cannot be synced, the system does that.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	d.Sync()
	return d.Close()
}

// append adds a record, which is safe when it returns. One that did not get on the disk whole is written over by the next, which
// would otherwise be part of the same line, and could not be read. One that says the same as the last, as of who asks twice within a second,
// is there already.
func (f *leaseFile) append(record []byte) error {
	if f.file == nil || bytes.Equal(record, f.last) {
		return nil
	}
	f.last = f.last[:0] // if this one goes wrong, some of it may stand behind the last
	_, err := f.file.WriteAt(record, int64(f.size))
	if err = errors.Join(err, f.file.Sync()); err == nil {
		f.size += len(record)
		f.last = append(f.last, record...)
	}
	return err
}

func (f *leaseFile) close() error {
	var errs []error
	for _, file := range []*os.File{f.file, f.lock} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}
