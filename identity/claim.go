package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

const (
	version        = 1
	namespace      = "landline-delegation"
	maxProofs      = 8
	maxCertificate = 32 << 10 // bytes of a whole certificate
)

// Why a peer's delegation was refused. The error around each says more.
var (
	ErrMalformed   = errors.New("the peer's certificate is not a delegation")
	ErrWrongRole   = errors.New("the delegation is for the other side of a connection")
	ErrExpired     = errors.New("the delegation has expired")
	ErrNotYetValid = errors.New("the delegation is not valid yet")
	ErrTooLong     = errors.New("the delegation lives longer than is allowed")
	ErrSignature   = errors.New("the delegation is not signed by the key it names")
)

// extensionID is the extension that holds the proofs.
// 1818324580 is the ASCII of "land"; see SPEC.md.
func extensionID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1818324580, 1}
}

// A claim is what a certificate says: this key acts in this role
// for these SSH keys from then till then. Its proofs may yet be false.
type claim struct {
	role                Role
	notBefore, notAfter time.Time
	spki                []byte // DER
	proofs              []proof
}

// A proof is an SSH key's signature of a claim.
type proof struct {
	key       ssh.PublicKey // a key or a certificate
	plain     []byte        // the key itself, or the one that the certificate certifies
	authority []byte        // the key that signed the certificate, nil if key is none
	sig       []byte        // SSHSIG
}

func newProof(key ssh.PublicKey, sig []byte) proof {
	p := proof{key: key, plain: plainKey(key).Marshal(), sig: sig}
	if cert, ok := key.(*ssh.Certificate); ok {
		p.authority = cert.SignatureKey.Marshal()
	}
	return p
}

// message returns what every key signs.
func (c *claim) message() []byte {
	var b []byte
	b = binary.BigEndian.AppendUint32(b, version)
	b = appendString(b, []byte(c.role))
	b = binary.BigEndian.AppendUint64(b, uint64(c.notBefore.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(c.notAfter.Unix()))
	return appendString(b, c.spki)
}

// appendExtension appends the extension's value.
func (c *claim) appendExtension(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, version)
	b = appendString(b, []byte(c.role))
	for _, p := range c.proofs {
		b = appendString(b, p.key.Marshal())
		b = appendString(b, p.sig)
	}
	return b
}

// signature has s sign the claim.
func (c *claim) signature(s ssh.Signer) ([]byte, error) {
	if err := checkKey(s.PublicKey()); err != nil {
		return nil, err
	}
	sig, err := sshsig.Sign(bytes.NewReader(c.message()), plainSigner{s}, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, err
	}
	return sig.Marshal(), nil
}

// verify checks p's signature of the claim.
func (c *claim) verify(p proof) error {
	sig, err := sshsig.ParseSignature(p.sig)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSignature, describe(p.key), err)
	}
	if sig.HashAlgorithm != sshsig.HashSHA512 {
		return fmt.Errorf("%w: %s: the hash is not sha512", ErrSignature, describe(p.key))
	}
	if err := sshsig.Verify(bytes.NewReader(c.message()), sig, plainKey(p.key), sig.HashAlgorithm, namespace); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSignature, describe(p.key), err)
	}
	return nil
}

// readClaim reads the claim of the certificates that a peer sent and checks
// all of it but the proofs: bounds, role, and life against now.
func readClaim(certs []*x509.Certificate, want Role, now time.Time) (*claim, error) {
	if len(certs) != 1 {
		return nil, fmt.Errorf("%w: %d certificates in place of one", ErrMalformed, len(certs))
	}
	leaf := certs[0]
	if len(leaf.Raw) > maxCertificate {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(leaf.Raw))
	}
	if pub, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || pub.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: its key is not a P-256 key", ErrMalformed)
	}
	value := extensionValue(leaf)
	if value == nil {
		return nil, fmt.Errorf("%w: it has no such extension", ErrMalformed)
	}
	c := &claim{notBefore: leaf.NotBefore, notAfter: leaf.NotAfter, spki: leaf.RawSubjectPublicKeyInfo}
	if err := c.parseExtension(value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if c.role != want {
		return nil, fmt.Errorf("%w: a %s's in place of a %s's", ErrWrongRole, c.role, want)
	}
	return c, c.checkLife(now)
}

// extensionValue returns the value of the extension, nil if there is none.
// x509 has made sure that it stands there once.
func extensionValue(leaf *x509.Certificate) []byte {
	id := extensionID()
	for _, e := range leaf.Extensions {
		if e.Id.Equal(id) {
			return e.Value
		}
	}
	return nil
}

// checkLife checks that now lies in the claim's life and that it is not too long.
func (c *claim) checkLife(now time.Time) error {
	switch life := c.notAfter.Sub(c.notBefore); {
	case life <= 0:
		return fmt.Errorf("%w: it ends before it begins", ErrMalformed)
	case life > MaxLife:
		return fmt.Errorf("%w: %v, %v at most", ErrTooLong, life, MaxLife)
	case now.Before(c.notBefore.Add(-Skew)):
		return fmt.Errorf("%w: it begins at %s, the clock here says %s", ErrNotYetValid, stamp(c.notBefore), stamp(now))
	case !now.Before(c.notAfter.Add(Skew)):
		return fmt.Errorf("%w: it ended at %s, the clock here says %s", ErrExpired, stamp(c.notAfter), stamp(now))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// parseExtension reads the role and the proofs. Proofs of keys that
// are not accepted are left out; it is an error if none remains.
func (c *claim) parseExtension(b []byte) error {
	if len(b) < 4 || binary.BigEndian.Uint32(b) != version {
		return errors.New("its version is not 1")
	}
	role, b, err := cutString(b[4:])
	if err != nil {
		return err
	}
	c.role = Role(role)
	if c.role != RoleClient && c.role != RoleServer {
		return fmt.Errorf("unknown role %.16q", role)
	}
	for n := 0; len(b) > 0; n++ {
		if n == maxProofs {
			return fmt.Errorf("more than %d keys", maxProofs)
		}
		if b, err = c.parseProof(b); err != nil {
			return err
		}
	}
	if len(c.proofs) == 0 {
		return errors.New("it names no key of a kind that is accepted")
	}
	return nil
}

// parseProof reads one proof from b and returns what follows.
func (c *claim) parseProof(b []byte) ([]byte, error) {
	blob, b, err := cutString(b)
	if err != nil {
		return nil, err
	}
	sig, b, err := cutString(b)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePublicKey(blob)
	if err == nil && checkKey(key) == nil {
		c.proofs = append(c.proofs, newProof(key, sig))
	}
	return b, nil
}

// appendString appends s as a string of RFC 4251, Section 5.
func appendString(b, s []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// cutString cuts a string of RFC 4251, Section 5, from the front of b.
func cutString(b []byte) (s, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return b[:n], b[n:], nil
}
