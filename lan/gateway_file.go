package lan

import (
	"errors"
	"os"
	"path/filepath"
)

// A leaseFile keeps the records of leases. Its zero value keeps nothing.
type leaseFile struct {
	path     string
	file     *os.File
	size     int // in bytes
	snapshot int // what size was after replace
}

// longFile is how much longer than a snapshot the file becomes, in bytes.
const longFile = 1 << 20

func (f *leaseFile) isLong() bool { return f.file != nil && f.size > 2*f.snapshot+longFile }

// replace makes records all that the file holds, in one step.
func (f *leaseFile) replace(path string, records []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	next, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = next.Write(records)
	err = errors.Join(err, next.Sync())
	if err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return errors.Join(err, next.Close())
	}
	f.close()
	f.path, f.file, f.size, f.snapshot = path, next, len(records), len(records)
	return syncFolder(filepath.Dir(path))
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

// append adds a record, which is safe when it returns.
func (f *leaseFile) append(record []byte) error {
	if f.file == nil {
		return nil
	}
	n, err := f.file.Write(record)
	f.size += n
	return errors.Join(err, f.file.Sync())
}

func (f *leaseFile) close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
