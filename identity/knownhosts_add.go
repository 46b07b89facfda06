package identity

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
)

// Add writes down that host (name:port) has key, unless the file knows it already, and
// reports whether it wrote. A folder that is missing is made with mode
// 0700, a file with mode 0600. It is a [*HostKeyError] if the file knows the host
// by another key by now. Any number of processes may add at the same time.
func (k *KnownHosts) Add(host string, key ssh.PublicKey) (added bool, err error) {
	line, err := HostLine(host, key)
	if err != nil {
		return false, err
	}
	name, err := k.file()
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return false, err
	}
	f, err := openLocked(name)
	if err != nil {
		return false, err
	}
	defer f.Close() // which unlocks
	text, err := readAll(f)
	if err != nil {
		return false, err
	}
	// Somebody may have been faster since the host was found to be unknown.
	sure := KnownHosts{File: name}
	switch _, err := sure.find(host, []proof{newProof(plainKey(key), nil)}, time.Now()); {
	case err == nil:
		return false, nil
	case !isUnknown(err):
		return false, err
	}
	if text != "" && text[len(text)-1] != '\n' {
		line = "\n" + line
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		return false, fmt.Errorf("write down the key of %s: %w", host, err)
	}
	return true, nil
}

func isUnknown(err error) bool {
	var e *HostKeyError
	return errors.As(err, &e) && e.Problem == HostKeyUnknown
}

// openLocked opens name to read and to append, and locks it against other landlines. A
// file that was replaced while the lock was waited for is opened again.
func openLocked(name string) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if isStill(f, name) {
			return f, nil
		}
		f.Close()
	}
}

func isStill(f *os.File, name string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(name)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}
