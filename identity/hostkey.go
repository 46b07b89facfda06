package identity

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
)

// sshdHostKey is the key that sshd(8) shows for this machine, if root may read it.
const sshdHostKey = "/etc/ssh/ssh_host_ed25519_key"

// HostKey returns the server's host key and the file that holds it: file if it is not
// empty, else sshd's Ed25519 key if it may be read, else host_ed25519_key in the
// folder dir, made now if it is not there. Any number of processes that start at the
// same time get the same key.
func HostKey(file, dir string) (ssh.Signer, string, error) {
	if file != "" {
		s, err := LoadKey(file)
		return s, file, err
	}
	if s, err := LoadKey(sshdHostKey); err == nil {
		return s, sshdHostKey, nil
	}
	return ownHostKey(dir)
}

func ownHostKey(dir string) (ssh.Signer, string, error) {
	name := filepath.Join(dir, "host_ed25519_key")
	s, err := LoadKey(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, name, err
	}
	if err := makeHostKey(name); err != nil {
		return nil, name, fmt.Errorf("make a host key: %w", err)
	}
	s, err = LoadKey(name)
	return s, name, err
}

// makeHostKey writes a new key to name unless somebody else has done so. The key is
// written elsewhere and then linked, which fails if the name exists: nobody sees half a key,
// and nobody's key is replaced.
func makeHostKey(name string) error {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(key, "landline host key")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	temp, err := writeTemp(filepath.Dir(name), pem.EncodeToMemory(block))
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, name); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// writeTemp writes a new file of mode 0600 in dir, through to the disk.
func writeTemp(dir string, content []byte) (name string, err error) {
	f, err := os.CreateTemp(dir, ".host_key-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), err
}
