package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
)

// Why a private key could not be used. The error around each names the file.
var (
	ErrKeyMode    = errors.New("a private key is readable by others")
	ErrPassphrase = errors.New("a passphrase is needed and nobody can be asked")
)

// Keys says which of a user's SSH keys sign. The zero value is what ssh(1) has:
// the agent's keys, then id_ed25519, id_ecdsa and id_rsa in ~/.ssh.
type Keys struct {
	// Files are private keys, in place of all others. Each must be usable: an encrypted one
	// by the agent or by asking. If FILE-cert.pub lies beside FILE, that
	// certificate is shown, too. A file may be a public key whose private key the agent has.
	Files []string

	// Dir is where the usual files are. If empty, ~/.ssh.
	Dir string

	// Agent is the socket of ssh-agent(1). If empty, that of SSH_AUTH_SOCK;
	// there is no agent if that is empty, too. It must be a Unix socket: the named pipe
	// of OpenSSH for Windows is not spoken to.
	Agent string

	// Timeout bounds each answer of the agent, which may ask its user. If zero, 30 s.
	Timeout time.Duration

	// Hardware uses the agent's keys in security keys as well. Each
	// signature of theirs waits for a touch.
	Hardware bool

	// Ask asks the user for a passphrase. An empty answer gives up. If nil,
	// nobody is asked. The usual files are asked for only if no other key is there.
	Ask func(prompt string) (passphrase []byte, err error)
}

// Delegate finds the keys and has them sign for a client; life and
// now are as in [Delegate]. It ends with ctx, but for what Ask does.
func (k Keys) Delegate(ctx context.Context, life time.Duration, now time.Time) (*Delegation, error) {
	f := finder{Keys: k, ctx: ctx}
	defer f.close()
	if err := f.find(); err != nil {
		return nil, err
	}
	d, err := Delegate(RoleClient, f.signers, life, now)
	if ctx.Err() != nil {
		return nil, errors.Join(append([]error{ctx.Err()}, f.skipped...)...)
	}
	if err != nil {
		return nil, errors.Join(append([]error{err}, f.skipped...)...)
	}
	d.Skipped = append(f.skipped, d.Skipped...)
	return d, nil
}

// A finder gathers signers.
type finder struct {
	Keys
	ctx     context.Context
	agent   *agentConn // nil until asked for
	signers []ssh.Signer
	skipped []error
}

func (f *finder) close() {
	if f.agent != nil {
		f.agent.close()
	}
}

func (f *finder) find() error {
	if len(f.Files) > 0 {
		return f.findNamed()
	}
	return f.findUsual()
}

// findNamed takes each of Files; one that cannot be used is an error.
func (f *finder) findNamed() error {
	for _, name := range f.Files {
		s, err := f.load(name)
		var encrypted *encryptedError
		if errors.As(err, &encrypted) {
			s, err = f.unlock(encrypted)
		}
		if err != nil {
			return err
		}
		f.add(name, s)
	}
	return nil
}

// findUsual takes the agent's keys and the usual files that need no asking; only
// if there is neither does it ask.
func (f *finder) findUsual() error {
	dir := f.Dir
	if dir == "" {
		var err error
		if dir, err = inSSHFolder(""); err != nil {
			return err
		}
	}
	f.signers = append(f.signers, f.agentKeys()...)
	var locked []*encryptedError
	for _, base := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		name := filepath.Join(dir, base)
		s, err := f.load(name)
		var encrypted *encryptedError
		switch {
		case err == nil:
			f.add(name, s)
		case errors.As(err, &encrypted):
			locked = append(locked, encrypted)
		case !errors.Is(err, fs.ErrNotExist):
			f.skipped = append(f.skipped, err)
		}
	}
	f.unlockIfAlone(locked)
	return nil
}

// unlockIfAlone asks for the passphrases of files until one is opened, if no key was found.
// Keys that the agent holds need no asking.
func (f *finder) unlockIfAlone(locked []*encryptedError) {
	for _, e := range locked {
		if f.has(e.public) {
			continue
		}
		if len(f.signers) > 0 {
			f.skipped = append(f.skipped, fmt.Errorf("%s is encrypted; not asked for, as there are other keys", e.name))
			continue
		}
		s, err := f.unlock(e)
		if err != nil {
			f.skipped = append(f.skipped, err)
			continue
		}
		f.add(e.name, s)
	}
}

// add adds s, and before it the certificate beside the file name, unless
// the agent has brought them already.
func (f *finder) add(name string, s ssh.Signer) {
	switch c, err := certificateBeside(name, s); {
	case err == nil:
		if !f.has(c.PublicKey()) {
			f.signers = append(f.signers, c)
		}
	case !errors.Is(err, fs.ErrNotExist):
		f.skipped = append(f.skipped, err)
	}
	if !f.has(s.PublicKey()) {
		f.signers = append(f.signers, s)
	}
}

// has reports whether some signer shows key. A nil key is shown by none.
func (f *finder) has(key ssh.PublicKey) bool {
	return key != nil && findSigner(f.signers, key) != nil
}

// findSigner returns the signer of signers that shows key, nil if none does.
func findSigner(signers []ssh.Signer, key ssh.PublicKey) ssh.Signer {
	want := key.Marshal()
	for _, s := range signers {
		if bytes.Equal(s.PublicKey().Marshal(), want) {
			return s
		}
	}
	return nil
}

// certificateBeside returns a signer that shows the certificate in
// NAME-cert.pub, whose key s has.
func certificateBeside(name string, s ssh.Signer) (ssh.Signer, error) {
	file := name + "-cert.pub"
	key, err := readPublic(file)
	if err != nil {
		return nil, err
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	c, err := ssh.NewCertSigner(cert, s)
	if err != nil {
		return nil, fmt.Errorf("%s is not of the key beside it", file)
	}
	return c, nil
}

// readPublic reads the public key or certificate in a file.
func readPublic(name string) (ssh.PublicKey, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}
