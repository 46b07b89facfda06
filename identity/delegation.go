package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// MaxLife is the longest that a delegation lives.
	MaxLife = 8 * time.Hour

	// Skew is how far apart the clocks of two machines may be.
	Skew = 5 * time.Minute
)

// A Role is the side of a connection that a delegation is for.
type Role string

const (
	RoleClient Role = "client"
	RoleServer Role = "server"
)

// ErrNoSigner says that no SSH key signed a delegation. The error around it
// names every key that was tried and why it did not sign.
var ErrNoSigner = errors.New("no SSH key to sign with")

// A Delegation is a short-lived TLS identity signed for by SSH keys. It serves
// any number of connections and goroutines. It lives in memory alone.
type Delegation struct {
	// Keys are the SSH keys and certificates that signed, in the order tried.
	Keys []ssh.PublicKey

	// Skipped says, one error for each, which keys did not sign and why.
	Skipped []error

	cert tls.Certificate
}

// Expires returns when the delegation ends.
func (d *Delegation) Expires() time.Time { return d.cert.Leaf.NotAfter }

// Delegate makes a fresh key and has each signer sign for it, at most eight.
// A signer that fails is skipped; it is an error, around [ErrNoSigner], if
// none signs. A key that stands there both plain and with certificates signs once. A
// life of zero or of more than [MaxLife] means MaxLife.
func Delegate(role Role, signers []ssh.Signer, life time.Duration, now time.Time) (*Delegation, error) {
	if life <= 0 || life > MaxLife {
		life = MaxLife
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	begin := now.UTC().Truncate(time.Second)
	c := claim{role: role, notBefore: begin, notAfter: begin.Add(life).Truncate(time.Second), spki: spki}
	d := &Delegation{}
	d.Keys, d.Skipped = c.sign(signers)
	if len(d.Keys) == 0 {
		return nil, errors.Join(append([]error{ErrNoSigner}, d.Skipped...)...)
	}
	d.cert, err = c.certificate(key)
	return d, err
}

// sign adds a proof for each signer that signs, up to the most allowed.
func (c *claim) sign(signers []ssh.Signer) (signed []ssh.PublicKey, skipped []error) {
	made := make(map[string][]byte) // signatures by plain key
	for _, s := range signers {
		pub := s.PublicKey()
		plain := string(plainKey(pub).Marshal())
		if len(c.proofs) == maxProofs {
			skipped = append(skipped, fmt.Errorf("%s: %d keys have signed already", describe(pub), maxProofs))
			continue
		}
		sig, ok := made[plain]
		if !ok {
			var err error
			if sig, err = c.signature(s); err != nil {
				skipped = append(skipped, fmt.Errorf("%s: %w", describe(pub), err))
				continue
			}
			made[plain] = sig
		}
		c.proofs = append(c.proofs, newProof(pub, sig))
		signed = append(signed, pub)
	}
	return signed, skipped
}

// certificate wraps the claim in a self-signed certificate of key.
func (c *claim) certificate(key *ecdsa.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:         pkix.Name{CommonName: "landline " + string(c.role)},
		NotBefore:       c.notBefore,
		NotAfter:        c.notAfter,
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: extensionID(), Value: c.appendExtension(nil)}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
