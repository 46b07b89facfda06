package identity

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds a file with one private key, in bytes.
const maxKeyFile = 64 << 10

// passphraseTries is how often a passphrase is asked for.
const passphraseTries = 3

// An encryptedError says that a private key needs a passphrase.
type encryptedError struct {
	name   string
	pem    []byte
	public ssh.PublicKey // nil if it is not known
}

func (e *encryptedError) Error() string { return e.name + " is encrypted" }

// LoadKey loads a private key of ssh's from a file: Ed25519, ECDSA or RSA, in
// OpenSSH's format or PEM. It refuses one that others may read ([ErrKeyMode]) and one that
// is encrypted ([ErrPassphrase]).
func LoadKey(name string) (ssh.Signer, error) {
	s, err := readPrivate(name)
	var encrypted *encryptedError
	if errors.As(err, &encrypted) {
		return nil, fmt.Errorf("%w: %s", ErrPassphrase, name)
	}
	return s, err
}

// load loads a file's private key, or lets the agent stand in for one that it
// holds. The error is an *encryptedError if only a passphrase helps.
func (f *finder) load(name string) (ssh.Signer, error) {
	if strings.HasSuffix(name, ".pub") {
		return f.loadPublic(name)
	}
	s, err := readPrivate(name)
	var encrypted *encryptedError
	if !errors.As(err, &encrypted) {
		return s, err
	}
	if encrypted.public != nil {
		if s := findSigner(f.agentKeys(), encrypted.public); s != nil {
			return s, nil
		}
	}
	return nil, err
}

// loadPublic finds the agent's key for a public key that was named.
func (f *finder) loadPublic(name string) (ssh.Signer, error) {
	key, err := readPublic(name)
	if err != nil {
		return nil, err
	}
	if s := findSigner(f.agentKeys(), key); s != nil {
		return s, nil
	}
	err = fmt.Errorf("the agent does not have the key of %s", name)
	return nil, errors.Join(append([]error{err}, f.skipped...)...)
}

// unlock asks for the passphrase of a private key.
func (f *finder) unlock(e *encryptedError) (ssh.Signer, error) {
	if f.Ask == nil {
		return nil, fmt.Errorf("%w: %s", ErrPassphrase, e.name)
	}
	for range passphraseTries {
		passphrase, err := f.Ask("Enter passphrase for key '" + e.name + "': ")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if len(passphrase) == 0 {
			break
		}
		s, err := ssh.ParsePrivateKeyWithPassphrase(e.pem, passphrase)
		clear(passphrase)
		if !errors.Is(err, x509.IncorrectPasswordError) {
			return s, wrapKey(e.name, err)
		}
	}
	return nil, fmt.Errorf("%s: the passphrase is wrong", e.name)
}

// readPrivate reads and parses a private key; an *encryptedError if it is encrypted.
func readPrivate(name string) (ssh.Signer, error) {
	text, err := readPrivateFile(name)
	if err != nil {
		return nil, err
	}
	s, err := ssh.ParsePrivateKey(text)
	var missing *ssh.PassphraseMissingError
	if !errors.As(err, &missing) {
		return s, wrapKey(name, err)
	}
	e := &encryptedError{name: name, pem: text, public: missing.PublicKey}
	if e.public == nil { // PEM does not show it
		if public, err := readPublic(name + ".pub"); err == nil {
			e.public = public
		}
	}
	return nil, e
}

func wrapKey(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func readPrivateFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s is not a private key", name)
	}
	if err := checkPrivate(f); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(f)
	return b.Bytes(), err
}
